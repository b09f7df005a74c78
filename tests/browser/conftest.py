"""Fixtures of the browser tests: a converged lab's portal, and a browser in front of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from chromium import Browser, fetch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def portal() -> str:
    """URL of the portal of a converged lab, with a slash at its end."""
    return os.environ["SEEDBED_PORTAL"].rstrip("/") + "/"


@pytest.fixture(scope="session")
def published(portal: str) -> dict[str, Any]:
    """What the portal publishes."""
    return json.loads(fetch(portal + "catalogue.json"))


@pytest.fixture(scope="session")
def catalogue(published: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of the catalogue."""
    return published["items"]


@pytest.fixture(scope="session")
def example(portal: str, catalogue: list[dict[str, Any]]) -> Iterator[subprocess.Popen[str]]:
    """The suite that testers are shown, running: most of its time it waits for a seeder to choose it."""
    whole = [
        item
        for item in catalogue
        if item["swarm"]["seeders"] and item["swarm"]["available"] == "100%" and not item["promise"]
    ]
    public = min((item for item in whole if item["magnet"]), key=lambda one: one["size"])
    private = next(item for item in whole if item["private"])
    client = f"{sys.executable} {ROOT}/tests/browser/client.py {{torrent}} {{directory}}"
    names = f"{public['name']},{private['name']}"
    chosen = {"SEEDBED_PORTAL": portal, "SEEDBED_CLIENT": client, "SEEDBED_ITEMS": names, "no_proxy": "*"}
    suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_seedbed", "--rootdir=/"]
    with subprocess.Popen(
        [*suite, "docs/examples/test_download.py"],
        cwd=ROOT,
        env={**os.environ, **chosen, "PYTHONPATH": str(ROOT / "tools")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        yield run
        run.kill()


@pytest.fixture(scope="session", autouse=True)
def example_in_the_background(request: pytest.FixtureRequest) -> None:
    """Start the testers' suite with the first test when one of the tests is about it; no other test needs it."""
    if any("example" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("example")


@pytest.fixture(scope="session")
def signal() -> Callable[[str], None]:
    """Send a signal to the trackers and the seeders' daemons: stopped ones are silent and forget nothing."""

    def send(name: str) -> None:
        lab = ["--inventory", os.environ["SEEDBED_INVENTORY"], "--extra-vars", f"lab_name={os.environ['SEEDBED_LAB']}"]
        # A pattern passes over a unit that a host does not have.
        kill = f"systemctl kill --signal={name} opentracker*.service transmission-daemon*.service"
        asked = ["ansible", "trackers:seeders", *lab, "--module-name", "ansible.builtin.command", "--args", kill]
        subprocess.run(asked, cwd=ROOT, check=True, capture_output=True)

    return send


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests: a start costs as much as a test."""
    with Browser() as browser:
        yield browser


@pytest.fixture
def tab(chromium: Browser, portal: str, tmp_path: Path) -> Iterator[Browser]:
    """A new tab; after the test it must have complained of nothing and asked nobody but the portal."""
    first = chromium.current_window_handle
    chromium.switch_to.new_window("tab")
    download = {"behavior": "allow", "downloadPath": str(tmp_path)}
    chromium.execute_cdp_cmd("Browser.setDownloadBehavior", download)
    yield chromium
    complaints, asked = chromium.complaints(), chromium.requests()
    chromium.close()
    chromium.switch_to.window(first)
    assert complaints == []
    assert asked
    assert [url for url in asked if not url.startswith((portal, "magnet:", "data:", "about:"))] == []


@pytest.fixture
def page(tab: Browser, portal: str) -> Browser:
    """The portal's page in a new tab, so high that all of it is in view: only what is seen has numbers."""
    tab.screen(1440, 6000)
    tab.get(portal)
    return tab
