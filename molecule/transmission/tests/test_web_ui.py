"""The daemons' web interface in a real browser: their own, one from an archive, one from a directory, and back."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chromium import Browser

SCENARIO = Path(__file__).resolve().parents[1]
# Transmission 3.00, whose interface lies in web, and 4.1 with it in public_html, which has a new password by now.
PASSWORDS = {"debian11": "only for {this} test:é", "debian13": "another one"}
PAGES = {
    "ui-1.0/src/index.html": b'<!doctype html><script src="js/ui.js" defer></script>'
    b'<a href="index.original.html">Original UI</a>',
    "ui-1.0/src/js/ui.js": b"document.title = 'another interface'",
}


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser that has not logged in anywhere."""
    with Browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An interface as others are published: below NAME-VERSION/src. What chooses it."""
    path = tmp_path_factory.mktemp("archive") / "ui.tar.gz"
    with tarfile.open(path, "w:gz") as made:
        for name, content in PAGES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "transmission_web_ui": "archive",
        "transmission_web_ui_archive": str(path),
        "transmission_web_ui_sha256": checksum,
    }


def choose(lab: Any, **variables: str) -> str:
    """Have the daemons show an interface; what the run said, if it failed."""
    where = [f"--inventory={SCENARIO}/inventory.yml", f"--ssh-common-args=-F {lab.directory}/ssh_config"]
    hosts = f"--limit={','.join(PASSWORDS)}"
    run = lab.playbook(*where, hosts, f"{SCENARIO}/web_ui.yml", "--extra-vars", json.dumps(variables))
    return run.stdout if run.returncode else ""


def log_in(browser: Browser, lab: Any, name: str) -> None:
    """Answer the daemon's question for name and password as a person does, and open the interface."""
    place = f"{lab.address(name)}:8081/transmission/web/"
    browser.get(f"http://seedbed:{quote(PASSWORDS[name], safe='')}@{place}")
    # Pages may not ask for more by a URL with a password in it; the browser has remembered it.
    browser.get(f"http://{place}")


def lists_the_torrents(browser: Browser) -> None:
    """Wait until the packaged interface shows what the daemon seeds."""
    body = "return document.body.innerText"
    browser.wait("it lists the torrent", lambda: "sample.txt" in browser.execute_script(body), 120)


def test_who_does_not_log_in_sees_nothing(browser: Browser, lab: Any) -> None:
    browser.get(f"http://{lab.address('debian11')}:8081/transmission/web/")
    status = "return performance.getEntriesByType('navigation')[0].responseStatus"
    assert browser.execute_script(status) == 401
    assert browser.find("body")[0].text == ""


def test_the_stock_interface_lists_the_torrents(browser: Browser, lab: Any) -> None:
    for name in PASSWORDS:
        log_in(browser, lab, name)
        lists_the_torrents(browser)
        browser.keep(f"transmission-{name}")


def test_one_from_an_archive_links_to_the_stock_one(browser: Browser, lab: Any, archive: dict[str, str]) -> None:
    assert choose(lab, **archive) == ""
    for name in PASSWORDS:
        log_in(browser, lab, name)
        browser.wait("its script ran", lambda: browser.title == "another interface", 120)
        browser.keep(f"transmission-{name}-archive")
        browser.click("a")
        lists_the_torrents(browser)


def test_another_archive_than_promised_is_refused(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "ui.zip").write_bytes(b"something else")
    promise = {"transmission_web_ui_archive": str(tmp_path / "ui.zip"), "transmission_web_ui_sha256": "0" * 64}
    assert "pinned is 0000" in choose(lab, transmission_web_ui="archive", **promise)


def test_one_from_a_directory_of_the_host(browser: Browser, lab: Any) -> None:
    page = "<!doctype html><title>from a directory</title>"
    for name in PASSWORDS:
        lab[name].check_output(f"mkdir -p /srv/ui && echo '{page}' > /srv/ui/index.html")
    assert choose(lab, transmission_web_ui="path", transmission_web_ui_path="/srv/ui") == ""
    for name in PASSWORDS:
        log_in(browser, lab, name)
        assert browser.title == "from a directory"


def test_the_stock_interface_is_as_it_was(browser: Browser, lab: Any) -> None:
    assert choose(lab, transmission_web_ui="builtin") == ""
    for name in PASSWORDS:
        # Nothing of what the package installed has changed.
        assert lab[name].check_output("dpkg --verify transmission-common") == ""
        log_in(browser, lab, name)
        lists_the_torrents(browser)
