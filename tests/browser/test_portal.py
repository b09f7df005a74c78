"""The portal in a real browser.

A tester opens the page, finds a torrent, scans or copies its magnet, downloads the .torrent, and watches the swarm.
It is read by phones and wide screens, in two languages, with and without JavaScript, and says nothing to other hosts.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import libtorrent
import pytest
from webdriver import Browser, fetch, wait_until


def some_public(catalogue: list[dict[str, Any]]) -> dict[str, Any]:
    return next(item for item in catalogue if item["magnet"] and item["swarm"]["seeders"])


def shown(name: str) -> str:
    """A name as the page shows it."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name).strip()


def test_lists_every_item_of_the_catalogue(browser: Browser, catalogue: list[dict[str, Any]]) -> None:
    names = browser.run("return [...document.querySelectorAll('.item h3')].map(e => e.textContent.trim())")
    assert names == [shown(item["name"]) for item in catalogue]
    browser.shows("#count", [str(len(catalogue))])


def test_links_are_those_of_the_catalogue(browser: Browser, catalogue: list[dict[str, Any]]) -> None:
    for item in catalogue:
        links = browser.run(
            "return [...document.getElementById(arguments[0]).querySelectorAll('a')].map(e => e.getAttribute('href'))",
            item["info_hash"],
        )
        assert links == [link for link in (item["torrent"], item["magnet"], item["bare_magnet"]) if link]


def test_a_private_item_says_why_it_has_no_magnet(browser: Browser, catalogue: list[dict[str, Any]]) -> None:
    private = next(item for item in catalogue if item["private"])
    text = browser.run("return document.getElementById(arguments[0]).textContent", private["info_hash"])
    assert "peers never hand out its metadata" in text


def test_search_narrows_the_list(browser: Browser, catalogue: list[dict[str, Any]]) -> None:
    item = some_public(catalogue)
    browser.type("#search", item["info_hash"][:12])
    browser.shows(".item h3", [shown(item["name"])])
    browser.type("#search", "no such torrent")
    browser.shows(".item h3", [])
    browser.shows("#none", ["No torrent matches."])


def test_filter_shows_one_kind(browser: Browser, catalogue: list[dict[str, Any]]) -> None:
    browser.click("[value=private]")
    browser.shows(".item h3", [shown(item["name"]) for item in catalogue if item["private"]])


def test_the_qr_code_is_the_magnet(browser: Browser, catalogue: list[dict[str, Any]], tmp_path: Path) -> None:
    item = some_public(catalogue)
    selector = f"[id='{item['info_hash']}'] details"
    browser.click(f"{selector} summary")
    browser.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
    wait_until(
        "the code is drawn",
        lambda: browser.run("return document.querySelector(arguments[0] + ' img').complete", selector),
    )
    browser.picture(tmp_path / "code.png")
    decoded = subprocess.run(["zbarimg", "--quiet", "--raw", tmp_path / "code.png"], capture_output=True, check=True)
    assert decoded.stdout.decode().strip() == item["magnet"]


def test_codes_are_loaded_on_demand(browser: Browser) -> None:
    wait_until("the page asked for its numbers", lambda: browser.texts(".light") != [])
    assert [url for url in browser.requests() if "/qr/" in url] == []
    browser.open(browser.run("return location.href"))


def test_the_torrent_link_downloads_the_right_torrent(
    browser: Browser, catalogue: list[dict[str, Any]], tmp_path: Path
) -> None:
    item = some_public(catalogue)
    browser.click(f"[id='{item['info_hash']}'] .main")
    path = wait_until("the file is there", lambda: next(tmp_path.glob("*.torrent"), None))
    assert str(libtorrent.torrent_info(str(path)).info_hashes().v1) == item["info_hash"]


def test_copies_the_magnet(browser: Browser, catalogue: list[dict[str, Any]]) -> None:
    item = some_public(catalogue)
    wait_until("the buttons are there", lambda: browser.find(f"[id='{item['info_hash']}'] .copy"))
    browser.click(f"[id='{item['info_hash']}'] .copy")
    browser.shows("#said", ["Copied"])
    browser.click("#search")
    browser.run("document.querySelector('#search').focus(); document.execCommand('paste')")
    field = browser.find("#search")[0]
    browser.call("POST", f"/element/{field}/value", {"text": "\ue009v\ue000"})
    assert browser.run("return document.querySelector('#search').value") == item["magnet"]


def test_live_numbers_follow_the_swarm(browser: Browser, portal: str, catalogue: list[dict[str, Any]]) -> None:
    item = some_public(catalogue)

    def numbers() -> list[str]:
        return browser.texts(f"[id='{item['info_hash']}'] .live dd")

    wait_until("the seeder is counted", lambda: numbers()[:1] not in ([], ["–"], ["0"]))
    before = int(numbers()[1])
    announce = next(url for tier in item["trackers"] for url in tier if url.startswith("http"))
    info_hash = "".join("%" + item["info_hash"][at : at + 2] for at in range(0, 40, 2))
    joining = (
        f"{announce}?info_hash={info_hash}&peer_id=-SB0000-browsertest0&port=8999&uploaded=0&downloaded=0&compact=1"
    )
    fetch(f"{joining}&left=1&event=started")
    try:
        wait_until("a leecher more", lambda: int(numbers()[1]) == before + 1)
    finally:
        fetch(f"{joining}&left=1&event=stopped")
    wait_until("it is gone", lambda: int(numbers()[1]) == before)


def test_trackers_and_seeders_are_shown_to_answer(browser: Browser) -> None:
    wait_until("everybody answers", lambda: set(browser.texts(".state .light")) == {"answers"})


def test_a_silent_tracker_is_no_zero(open_browser: Callable[..., Browser], portal: str) -> None:
    browser = open_browser()
    browser.emulate("Network.enable", {})
    browser.emulate("Network.setBlockedURLs", {"urls": ["*/live/*"]})
    browser.open(portal)
    wait_until("it is said", lambda: set(browser.texts(".state .light")) == {"does not answer"})
    assert set(browser.texts(".live dd, .tile dd")) == {"–"}


@pytest.mark.parametrize(
    ("languages", "lede", "other"), [("en-US", "Torrents to test", "zh"), ("zh-CN", "用于测试", "en")]
)
def test_speaks_the_browsers_language_and_switches(
    open_browser: Callable[..., Browser], portal: str, languages: str, lede: str, other: str
) -> None:
    browser = open_browser(languages=languages)
    browser.open(portal)
    assert browser.texts(".brand p")[0].startswith(lede)
    browser.click(f"nav [lang={other}]")
    wait_until("the other language", lambda: browser.run("return document.documentElement.lang") == other)
    assert browser.find(".item")


def test_works_without_javascript(
    open_browser: Callable[..., Browser], portal: str, catalogue: list[dict[str, Any]]
) -> None:
    browser = open_browser()
    browser.emulate("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.open(portal)
    assert len(browser.find(".item")) == len(catalogue)
    assert len(browser.find("a[href^='magnet:']")) == 2 * sum(1 for item in catalogue if item["magnet"])
    source = browser.call("GET", "/source")
    assert "<noscript>" in source


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1440])
def test_fits_every_screen(browser: Browser, portal: str, artefacts: Path, width: int, theme: str) -> None:
    browser.size(width)
    browser.theme(theme)
    browser.open(portal)
    wait_until("numbers are there", lambda: "–" not in browser.texts(".live dd")[:1])
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    browser.size(width, browser.run("return document.documentElement.scrollHeight"))
    wait_until("all of it is drawn", lambda: "–" not in browser.texts(".live dd"))
    browser.picture(artefacts / f"portal-{width}-{theme}.png")


def test_is_reached_by_keyboard(browser: Browser) -> None:
    body = browser.find("body")[0]
    browser.call("POST", f"/element/{body}/value", {"text": "\ue004"})
    assert browser.run("return document.activeElement.className") == "skip"
    for _ in range(3):
        active = browser.run("return document.activeElement")
        browser.call("POST", f"/element/{next(iter(active.values()))}/value", {"text": "\ue004"})
    assert browser.run("return document.activeElement.type") == "radio"


def test_every_control_has_a_name(browser: Browser) -> None:
    wait_until("the buttons are there", lambda: browser.find(".copy"))
    nameless = browser.run(
        "return [...document.querySelectorAll('a, button, input, img, summary')]"
        ".filter(e => !(e.textContent.trim() || e.ariaLabel || e.alt || e.labels?.length)).map(e => e.outerHTML)"
    )
    assert nameless == []


def test_nothing_of_the_hosts_behind_is_reached(portal: str) -> None:
    for path in (
        "transmission/rpc",
        "transmission/web/",
        "live/seeders/0/../../transmission/rpc",
        "live/0/announce",
        "live/0/scrape",
    ):
        answer = subprocess.run(
            [
                "curl",
                "--silent",
                "--path-as-is",
                "--noproxy",
                "*",
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code}",
                portal + path,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stdout in {"400", "404"}, path


def test_every_torrent_and_code_is_there(portal: str, catalogue: list[dict[str, Any]]) -> None:
    for item in catalogue:
        assert item["torrent"] == "torrents/" + quote(item["name"] + ".torrent", safe="")
        assert fetch(portal + item["torrent"]).startswith(b"d")
        if item["magnet"]:
            assert fetch(f"{portal}qr/{item['info_hash']}.svg").startswith(b"<svg")
