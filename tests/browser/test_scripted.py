"""Items that scripts play, in a real browser: what is promised, who plays, and what the lab saw, live.

Page and daemon are made here, on loopback: neither needs a lab. Page and daemon have two origins, as on two hosts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chromium import Browser
from scripted_items import published, serve, write_portal
from scripted_lab import ScriptedLab, fetch_block, make_torrent, peers, shake, wait_until

ROLE = Path(__file__).resolve().parents[2] / "roles/portal"
ITEMS: dict[str, list[dict[str, Any]]] = {
    "corrupt-for-ever.bin": [{"behaviour": "corrupt", "pieces": [3, 11]}],
    "stalls-at-sixty-percent.bin": [{"behaviour": "stall"}],
    "poison-beside-an-honest-peer.bin": [
        {"behaviour": "poison-offset"},
        {"behaviour": "healthy", "upload_limit": "256KiB/s"},
    ],
    "refused.bin": [{"behaviour": "garbage"}, {"behaviour": "mute"}],
    "metadata-of-random-bytes.bin": [{"behaviour": "metadata-random"}, {"behaviour": "healthy", "metadata": "none"}],
    "slow-tracker.bin": [{"behaviour": "healthy"}, {"behaviour": "healthy"}, {"behaviour": "healthy"}],
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ScriptedLab, dict[str, dict[str, Any]]]]:
    """A daemon that plays every item."""
    directory = tmp_path_factory.mktemp("lab")
    torrents = {
        name: {**make_torrent(directory, name), "peers": peers(*scripts), "trackers": {"1-1": {}}}
        for name, scripts in ITEMS.items()
    }
    with ScriptedLab(directory, *torrents.values()) as running:
        yield running, torrents


@pytest.fixture(scope="module")
def site(lab: Any, render: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a page with these items, a thousand of others behind them, served as the portal serves it."""
    running, torrents = lab
    items = [
        published(running, torrents[name], name, {"behaviour": "slow"} if name.startswith("slow") else {})
        for name in ITEMS
    ]
    other = published(running, {**torrents["refused.bin"], "peers": peers({"behaviour": "drip"})}, "other", {})
    items += [{**other, "name": f"item {number}", "info_hash": f"{number:040x}"} for number in range(1000)]
    directory = tmp_path_factory.mktemp("site")
    write_portal(directory, render, items)
    settings = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))
    service = {"lab_address": "127.0.0.1", "lab_services": {"scripted_peer": {"port": running.port}}}
    hosts = {"groups": {"scripted_peers": ["one"]}, "hostvars": {"one": service}}
    places = render(settings["__portal_testimony"], **hosts)
    policy = render("; ".join(settings["__portal_content_policy"]), __portal_testimony=places)
    with serve(directory, policy) as url:
        yield url


@pytest.fixture
def page(chromium: Browser, site: str) -> Iterator[Browser]:
    """The page in a tab of its own, which must not complain in the end."""
    first = chromium.current_window_handle
    chromium.switch_to.new_window("tab")
    chromium.screen(1440, 2500)
    chromium.get(f"{site}index.en.html")
    yield chromium
    complaints = chromium.complaints()
    chromium.close()
    chromium.switch_to.window(first)
    assert complaints == []


def of(torrent: dict[str, Any], selector: str) -> str:
    """A selector inside an item."""
    return f"[id='{torrent['info_hash']}'] {selector}"


def shown(page: Browser) -> list[str]:
    """The names of the items that are shown, without those that only make the page long.

    Without asking whether each is in sight, which has the browser lay out all that is not.
    """
    names = page.execute_script(
        "return [...document.querySelectorAll('.item:not([hidden]) h3')].map(e => e.textContent)"
    )
    return [name for name in names if not name.startswith("item ")]


def test_promises_are_told_in_words(page: Browser, lab: Any) -> None:
    _running, torrents = lab
    corrupt, poison = torrents["corrupt-for-ever.bin"], torrents["poison-beside-an-honest-peer.bin"]
    assert page.texts(of(corrupt, ".promise")) == [
        "Stalls at 93.75%: no client may hold more; these pieces never come: 3, 11"
    ]
    assert page.texts(of(corrupt, ".players li")) == ["Peer corrupt (pieces 3 11)"]
    assert page.texts(of(poison, ".tags li")) == ["Scripted", "Hard", "v1"]
    assert page.texts(of(torrents["slow-tracker.bin"], ".players li")) == ["Peer healthy × 3", "Tracker slow"]


def test_filters_of_scripts(page: Browser) -> None:
    def choose(name: str, value: str) -> None:
        page.execute_script(
            "const e = document.querySelector(`[name=${arguments[0]}]`); e.value = arguments[1];"
            "e.dispatchEvent(new Event('input', {bubbles: true}))",
            name,
            value,
        )

    choose("outcome", "outcome-stalls")
    assert shown(page) == ["corrupt-for-ever.bin", "stalls-at-sixty-percent.bin"]
    choose("outcome", "outcome-refused")
    assert shown(page) == ["refused.bin"]
    choose("outcome", "outcome-no_metadata")
    assert shown(page) == ["refused.bin", "metadata-of-random-bytes.bin"]
    choose("group", "group-metadata")
    assert shown(page) == ["metadata-of-random-bytes.bin"]
    choose("outcome", "all")
    choose("group", "group-trackers")
    assert shown(page) == ["slow-tracker.bin"]
    choose("group", "all")
    page.click("[name=hard]")
    page.wait("hard ones alone", lambda: shown(page) == ["poison-beside-an-honest-peer.bin"])


def test_a_thousand_items_are_found_at_once(page: Browser) -> None:
    """Of what a person notices: a tenth of a second, ten times as long where others use the machine."""
    page.execute_script("document.querySelector('#search').value = 'item 777'")
    spent = page.execute_script(
        "const from = performance.now();"
        "document.querySelector('#search').dispatchEvent(new Event('input', {bubbles: true}));"
        "document.body.offsetHeight;"
        "return performance.now() - from"
    )
    assert page.texts(".item h3") == ["item 777"]
    assert spent < 1000


def test_what_the_lab_saw_is_shown_live(page: Browser, lab: Any) -> None:
    running, torrents = lab
    torrent = torrents["corrupt-for-ever.bin"]
    page.click(of(torrent, ".saw summary"))
    page.shows(of(torrent, ".seen"), ["Nobody has come yet."])
    wire = shake(running, torrent)
    with wire.sock:
        wire.send_message(2)
        for _time in range(3):
            fetch_block(wire, 3)
            fetch_block(wire, 3, 16384)
        page.wait("the client is shown", lambda: "is still here" in "".join(page.texts(of(torrent, ".seen dd"))))
        assert page.texts(of(torrent, ".ours h4 span")) == ["your address"]
        assert page.texts(of(torrent, ".seen dt")) == ["peer 0: corrupt (pieces 3 11), 127.0.0.1"]
    page.wait(
        "it has left", lambda: "asked for bad piece 3 three times, then left" in page.texts(of(torrent, ".seen dd"))[0]
    )
    page.keep("testimony-live")
    page.click(of(torrent, ".saw summary"))
    # As often as another panel asks, the closed one would have.
    other = torrents["refused.bin"]
    page.click(of(other, ".saw summary"))
    page.requests()
    asked: list[str] = []

    def looks() -> int:
        asked.extend(url for url in page.requests() if "/testimony/" in url)
        return sum(other["info_hash"] in url for url in asked)

    page.wait("three looks", lambda: looks() >= 3)
    assert all(other["info_hash"] in url for url in asked), "a closed panel asks nobody"


def test_who_may_not_see_it_is_told_so(page: Browser, lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running, torrents = lab
    torrent = torrents["refused.bin"]
    monkeypatch.setattr(running.daemon.stage.questions, "may_see", lambda _client: False)
    page.click(of(torrent, ".saw summary"))
    page.shows(of(torrent, ".seen"), ["Your address is in none of the networks that may see this."])
    assert all("403" in text for text in page.complaints())


def test_a_daemon_that_is_down_is_said_to_be(page: Browser, lab: Any) -> None:
    _running, torrents = lab
    torrent = torrents["refused.bin"]
    page.execute_cdp_cmd("Network.enable", {})
    page.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/testimony/*"]})
    page.click(of(torrent, ".saw summary"))
    page.shows(of(torrent, ".seen"), ["The scripted peer does not answer."])
    page.complaints()


STICKING_OUT = """
return [...document.querySelectorAll('.tools *, .item:nth-child(-n+8) *')].filter((element) => {
  const own = element.getBoundingClientRect();
  const box = (element.closest('.live, .item') ?? document.body).getBoundingClientRect();
  return own.width && !element.closest('fieldset') && (own.left < box.left || own.right > box.right);
}).map((element) => element.outerHTML);
"""


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("screen", [(320, "dark"), (320, "light"), (768, "light"), (1440, "dark"), (1440, "light")])
def test_fits_every_screen(page: Browser, lab: Any, site: str, screen: tuple[int, str], language: str) -> None:
    width, theme = screen
    running, torrents = lab
    torrent = torrents["corrupt-for-ever.bin"]
    wait_until(lambda: shake(running, torrent).sock.close() or running.testimony(torrent)["clients"], "a visit")
    page.screen(width, 2600, theme)
    page.get(f"{site}index.{language}.html")
    page.click(of(torrent, ".saw summary"))
    page.wait("the panel is filled", lambda: page.texts(of(torrent, ".seen dd")))
    assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert page.execute_script(STICKING_OUT) == []
    page.execute_script("scrollTo(0, 0)")
    page.keep(f"scripted-{width}-{theme}-{language}")
