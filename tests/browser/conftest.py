"""Fixtures of the browser tests: a converged lab's portal, and a browser in front of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from webdriver import Browser, fetch


@pytest.fixture(scope="session")
def portal() -> str:
    """URL of the portal of a converged lab, with a slash at its end."""
    return os.environ["SEEDBED_PORTAL"].rstrip("/") + "/"


@pytest.fixture(scope="session")
def catalogue(portal: str) -> list[dict[str, Any]]:
    """The items that the portal publishes."""
    return json.loads(fetch(portal + "catalogue.json"))["items"]


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where pictures of the page are kept."""
    path = Path(os.environ.get("SEEDBED_ARTEFACTS", "artifacts/portal"))
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def open_browser(tmp_path: Path) -> Iterator[Callable[..., Browser]]:
    """Open browsers, closed after the test."""
    opened: list[Browser] = []

    def start(*arguments: str, languages: str = "en") -> Browser:
        opened.append(Browser(tmp_path, *arguments, languages=languages))
        return opened[-1]

    yield start
    for browser in opened:
        browser.close()


@pytest.fixture
def browser(open_browser: Callable[..., Browser], portal: str) -> Iterator[Browser]:
    """A browser at the portal; after the test it must have complained of nothing and asked nobody else."""
    browser = open_browser()
    browser.open(portal)
    yield browser
    assert [entry for entry in browser.log("browser") if entry["level"] == "SEVERE"] == []
    asked = browser.requests()
    foreign = [url for url in asked if not url.startswith((portal, "magnet:", "data:", "about:", "chrome"))]
    assert asked
    assert foreign == []
