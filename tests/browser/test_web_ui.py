"""The seeder's web interface in a real browser: its own, one from an archive, one from a directory, and back."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import tarfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from webdriver import Browser, wait_until

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "ui-1.0/src/index.html": b'<!doctype html><script src="js/ui.js" defer></script>'
    b'<a href="index.original.html">Original UI</a>',
    "ui-1.0/src/js/ui.js": b"document.title = 'another interface'",
}


def choose(**variables: str) -> None:
    """Have the seeder show another interface."""
    run = subprocess.run(
        [
            "ansible-playbook",
            "-i",
            os.environ["SEEDBED_INVENTORY"],
            "tests/browser/web_ui.yml",
            "-e",
            json.dumps({"lab_name": os.environ["SEEDBED_LAB"], **variables}),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture(scope="module", autouse=True)
def stock_interface_afterwards() -> Iterator[None]:
    yield
    choose(transmission_web_ui="builtin")


@pytest.fixture(scope="module")
def credentials() -> str:
    """The header of basic authentication, as a browser sends it after a log-in."""
    return "Basic " + base64.b64encode(os.environ["SEEDBED_WEB_UI_LOGIN"].encode()).decode()


@pytest.fixture
def show(open_browser: Callable[..., Browser], credentials: str) -> Callable[[], Browser]:
    """Open the interface, logged in, once the daemon answers."""

    def opened() -> Browser:
        url = os.environ["SEEDBED_WEB_UI"]
        request = urllib.request.Request(url, headers={"Authorization": credentials})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def answers() -> bool:
            try:
                return opener.open(request, timeout=5).status == 200
            except OSError:
                return False

        wait_until("the daemon answers", answers, 30)
        browser = open_browser()
        browser.emulate("Network.enable", {})
        browser.emulate("Network.setExtraHTTPHeaders", {"headers": {"Authorization": credentials}})
        browser.open(url)
        return browser

    return opened


def is_stock(browser: Browser, catalogue: list[dict[str, Any]]) -> None:
    """Wait until the packaged interface has logged in and lists our torrents."""
    names = [item["name"] for item in catalogue if item["swarm"]["seeders"]]
    body = "return document.body.innerText"
    wait_until("it lists the torrents", lambda: all(name in browser.run(body) for name in names[:5]))


def test_the_stock_interface_lists_the_torrents(show: Callable[[], Browser], catalogue: list[dict[str, Any]]) -> None:
    choose(transmission_web_ui="builtin")
    is_stock(show(), catalogue)


def test_one_from_an_archive_links_to_the_stock_one(
    show: Callable[[], Browser], catalogue: list[dict[str, Any]], tmp_path: Path
) -> None:
    archive = tmp_path / "ui.tar.gz"
    with tarfile.open(archive, "w:gz") as made:
        for name, content in PAGES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    choose(
        transmission_web_ui="archive",
        transmission_web_ui_archive=str(archive),
        transmission_web_ui_sha256=checksum,
    )
    browser = show()
    wait_until("its script ran", lambda: browser.run("return document.title") == "another interface")
    browser.click("a")
    is_stock(browser, catalogue)


def test_another_archive_than_promised_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ui.zip").write_bytes(b"something else")
    with pytest.raises(AssertionError, match="pinned is 0000"):
        choose(
            transmission_web_ui="archive",
            transmission_web_ui_archive=str(tmp_path / "ui.zip"),
            transmission_web_ui_sha256="0" * 64,
        )


def test_one_from_a_directory_of_the_host(show: Callable[[], Browser], catalogue: list[dict[str, Any]]) -> None:
    packaged = "/usr/share/transmission/" + os.environ.get("SEEDBED_WEB_UI_PACKAGED", "public_html")
    choose(transmission_web_ui="path", transmission_web_ui_path=packaged)
    is_stock(show(), catalogue)
