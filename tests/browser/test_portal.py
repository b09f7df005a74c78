"""The portal in a real browser.

A tester opens the page, finds a torrent, scans or copies its magnet, downloads the .torrent, and watches the swarm.
It is read by phones and wide screens, in two languages, with and without JavaScript, and says nothing to other hosts.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libtorrent
import pytest
from ansible.module_utils.seedbed.probe.peer_wire import INTERESTED
from chromium import Browser, fetch
from client import session, wanted
from scripted_lab import fetch_block, shake_hands
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

Item = dict[str, Any]


def some_public(catalogue: list[Item]) -> Item:
    """The largest of those that are seeded whole: the smallest is downloaded by the example suite meanwhile."""
    return max((item for item in catalogue if item["magnet"] and is_healthy(item)), key=lambda item: item["size"])


def is_healthy(item: Item) -> bool:
    swarm = item["swarm"]
    whole = swarm["seeders"] and swarm["available"] == "100%" and not swarm["upload_limit"]
    return bool(whole and not item["promise"])


def shown(name: str) -> str:
    """A name as the page shows it."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name).strip()


def of(item: Item, selector: str) -> str:
    """A selector inside an item of the page."""
    return f"[id='{item['info_hash']}'] {selector}"


def test_lists_every_item_of_the_catalogue(page: Browser, catalogue: list[Item]) -> None:
    names = page.execute_script("return [...document.querySelectorAll('.item h3')].map(e => e.textContent.trim())")
    assert names == [shown(item["name"]) for item in catalogue]
    page.shows("#count", [str(len(catalogue))])


def test_tells_what_each_item_is(page: Browser, catalogue: list[Item]) -> None:
    for item in catalogue:
        size, files, pieces = page.texts(of(item, ".facts dd"))
        amount, unit = size.split()
        assert float(amount) * 1024 ** ["B", "KiB", "MiB", "GiB"].index(unit) == pytest.approx(item["size"], rel=0.05)
        assert files == str(len(item["files"]))
        assert pieces.startswith(f"{item['pieces']} × ")
        assert item["comment"] in "".join(page.texts(of(item, ".what > p")))


def test_tells_what_each_swarm_promises(page: Browser, catalogue: list[Item]) -> None:
    for item in catalogue:
        swarm, tags = item["swarm"], page.texts(of(item, ".tags li"))
        assert item["version"] in tags
        assert ("Scripted" in tags) == bool(item["promise"])
        assert ("Healthy" in tags) == is_healthy(item)
        assert ("Private" in tags) == item["private"]
        assert ("No seeder" in tags) == (swarm["seeders"] == [] and not item["promise"])
        assert ("Web seed" in tags) == bool(item["webseeds"])
        assert (f"Partial {swarm['available']}" in tags) == (swarm["available"] != "100%")
        limit = swarm["upload_limit"]
        assert [tag for tag in tags if tag.startswith("Slow")] == ([f"Slow {limit // 1024} KiB/s"] if limit else [])


def test_links_are_those_of_the_catalogue(page: Browser, catalogue: list[Item]) -> None:
    for item in catalogue:
        links = [link.get_dom_attribute("href") for link in page.find(of(item, ".get a"))]
        assert links == [link for link in (item["torrent"], item["magnet"], item["bare_magnet"]) if link]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_links_the_lists_that_clients_take(tab: Browser, portal: str, catalogue: list[Item], language: str) -> None:
    trackers = {url for item in catalogue if not item["promise"] for tier in item["trackers"] for url in tier}
    magnets = {item["magnet"] for item in catalogue if item["magnet"]}
    tab.get(f"{portal}{language}")
    assert tab.texts(".lists dt") == ["trackers.txt", "magnets.txt"]
    links = [str(link.get_attribute("href")) for link in tab.find(".lists a")]
    assert [set(fetch(link).decode().splitlines()) for link in links] == [trackers, magnets]


def test_names_and_comments_are_text(page: Browser, catalogue: list[Item]) -> None:
    item = next(item for item in catalogue if "<script>" in item["name"] and "<script>" in item["comment"])
    assert page.texts(of(item, "h3")) == [item["name"]]
    assert page.texts(of(item, ".what > p")) == [item["comment"]]
    assert page.find(".item script") == []


def test_malformed_files_are_listed(page: Browser, published: dict[str, list[Item]]) -> None:
    page.click(".malformed summary")
    page.shows(".malformed dt", [one["name"] for one in published["malformed"]])
    page.shows(".malformed dd", [one["about"] for one in published["malformed"]])


def test_a_private_item_says_why_it_has_no_magnet(page: Browser, catalogue: list[Item]) -> None:
    private = next(item for item in catalogue if item["private"])
    assert "peers never hand out its metadata" in page.texts(of(private, ".get > p"))[0]


@pytest.mark.parametrize("key", ["name", "comment", "info_hash"])
def test_search_narrows_the_list(page: Browser, catalogue: list[Item], key: str) -> None:
    item = some_public(catalogue)
    (field,) = page.find("#search")
    field.send_keys(item[key].upper())
    page.shows(".item h3", [shown(item["name"])])
    page.shows("#count", ["1"])
    field.send_keys(" no such torrent")
    page.shows(".item h3", [])
    page.shows("#none", ["No torrent matches."])


@pytest.mark.parametrize("kind", ["healthy", "partial", "slow", "webseed", "public", "private"])
def test_filter_shows_one_kind(page: Browser, catalogue: list[Item], kind: str) -> None:
    fits = {
        "healthy": is_healthy,
        "partial": lambda item: item["swarm"]["available"] != "100%",
        "slow": lambda item: item["swarm"]["upload_limit"],
        "webseed": lambda item: item["webseeds"],
        "public": lambda item: not item["private"],
        "private": lambda item: item["private"],
    }[kind]
    page.click(f"[value={kind}]")
    page.shows(".item h3", [shown(item["name"]) for item in catalogue if fits(item)])


def test_the_qr_code_is_the_magnet(page: Browser, catalogue: list[Item], tmp_path: Path) -> None:
    item = some_public(catalogue)
    assert [url for url in page.requests() if "/qr/" in url] == [], "codes are loaded on demand"
    (button,) = page.find(of(item, ".get summary"))
    place = button.rect
    button.click()
    page.wait("the code is drawn", lambda: page.find(of(item, "img"))[0].get_property("complete"))
    assert button.rect == place, "what is clicked stays under the finger"
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", page.find(of(item, "img"))[0])
    page.picture(tmp_path / "code.png")
    decoded = subprocess.run(["zbarimg", "--quiet", "--raw", tmp_path / "code.png"], capture_output=True, check=True)
    assert decoded.stdout.decode().strip() == item["magnet"]


def test_the_torrent_link_downloads_the_right_torrent(page: Browser, catalogue: list[Item], tmp_path: Path) -> None:
    item = some_public(catalogue)
    page.click(of(item, ".main"))
    path = page.wait("the file is there", lambda: next(tmp_path.glob("*.torrent"), None))
    assert str(libtorrent.torrent_info(str(path)).info_hashes().v1) == item["info_hash"]


@pytest.mark.parametrize(("place", "key"), [(0, "magnet"), (1, "bare_magnet"), (2, "info_hash")])
def test_copies(page: Browser, catalogue: list[Item], place: int, key: str) -> None:
    item = some_public(catalogue)
    buttons = page.wait("the buttons are there", lambda: page.find(of(item, ".copy")))
    buttons[place].click()
    page.shows("#said", ["Copied"])
    (field,) = page.find("#search")
    field.send_keys(Keys.CONTROL, "v")
    assert field.get_property("value") == item[key]


def test_live_numbers_follow_the_swarm(page: Browser, portal: str, catalogue: list[Item], tmp_path: Path) -> None:
    item = some_public(catalogue)

    def numbers() -> list[str]:
        return page.texts(of(item, ".live dd"))

    page.wait("the seeder is counted", lambda: numbers()[:1] not in ([], ["–"], ["0"]))
    before = int(numbers()[1])
    leecher = session()
    wish = wanted(portal + item["torrent"], str(tmp_path))
    # So slow that it cannot be done before it was seen.
    wish.download_limit = 1000
    joined = leecher.add_torrent(wish)
    page.wait("a leecher more", lambda: int(numbers()[1]) == before + 1)
    heights = page.find(of(item, ".live polyline"))[0].get_dom_attribute("points").split()
    assert len({point.split(",")[1] for point in heights}) > 1, "the trend line has a step"
    leecher.remove_torrent(joined)
    page.wait("it is gone", lambda: int(numbers()[1]) == before)


def test_trackers_and_seeders_are_shown_to_answer(page: Browser) -> None:
    page.wait("everybody answers", lambda: set(page.texts(".state .light")) == {"answers"})
    assert all(int(number) > 0 for number in page.texts(".tile dd")[:2]), "the tracker's torrents and peers"


def test_who_is_silent_is_no_zero(page: Browser, signal: Callable[[str], None]) -> None:
    page.wait("everybody answers", lambda: set(page.texts(".state .light")) == {"answers"})
    signal("STOP")
    try:
        page.wait("it is said", lambda: set(page.texts(".state .light")) == {"does not answer"})
        page.wait("no number is shown", lambda: set(page.texts(".live dd, .tile dd")) == {"–"})
    finally:
        signal("CONT")
    page.wait("all is well again", lambda: set(page.texts(".state .light")) == {"answers"})
    page.wait("numbers are back", lambda: "–" not in page.texts(".live dd, .tile dd"))
    assert {text.rpartition(" - ")[2] for text in page.complaints()} == {
        "Failed to load resource: the server responded with a status of 504 (Gateway Time-out)"
    }


def test_a_silent_portal_is_said_to_be_it(tab: Browser, portal: str) -> None:
    tab.execute_cdp_cmd("Network.enable", {})
    tab.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/live/*"]})
    tab.get(portal)
    tab.wait("it is said", lambda: set(tab.texts(".state .light")) == {"portal does not answer"})
    assert set(tab.texts(".live dd, .tile dd")) == {"–"}
    assert all("ERR_BLOCKED_BY_CLIENT" in text for text in tab.complaints())


@pytest.mark.parametrize(("languages", "lede"), [("en-US", "Torrents to test"), ("zh-CN,en", "用于测试")])
def test_speaks_the_browsers_language_and_switches(
    tab: Browser, portal: str, catalogue: list[Item], languages: str, lede: str
) -> None:
    agent = tab.execute_script("return navigator.userAgent")
    tab.execute_cdp_cmd("Emulation.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": languages})
    tab.get(portal)
    assert tab.texts(".brand p")[0].startswith(lede)
    spoken = tab.execute_script("return document.documentElement.lang")
    assert languages.startswith(spoken)
    tab.click("nav [hreflang]")
    tab.wait("the other language", lambda: {spoken, tab.find("html")[0].get_dom_attribute("lang")} == {"en", "zh"})
    assert len(tab.find(".item")) == len(catalogue)


def test_works_without_javascript(tab: Browser, portal: str, catalogue: list[Item], tmp_path: Path) -> None:
    tab.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    tab.get(portal)
    assert len(tab.find(".item")) == len(catalogue)
    item = some_public(catalogue)
    magnets = [link.get_dom_attribute("href") for link in tab.find(of(item, "[href^='magnet:']"))]
    assert magnets == [item["magnet"], item["bare_magnet"]]
    assert not tab.find(".tools")[0].is_displayed(), "what cannot work is not shown"
    assert "Numbers appear with JavaScript on" in tab.page_source
    tab.click(of(item, ".get summary"))
    tab.wait("the code is drawn", tab.find(of(item, "img"))[0].is_displayed)
    tab.click(of(item, ".main"))
    tab.wait("the file is there", lambda: next(tmp_path.glob("*.torrent"), None))


STICKING_OUT = """
return [...document.querySelectorAll('.tile *, .item *')].filter((element) => {
  const own = element.getBoundingClientRect();
  const box = element.closest('.tile, .live, .item').getBoundingClientRect();
  return own.width && (own.left < box.left || own.right > box.right);
}).map((element) => element.outerHTML);
"""


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1440])
def test_fits_every_screen(tab: Browser, portal: str, width: int, theme: str, language: str) -> None:
    tab.screen(width, 6000, theme)
    tab.get(portal + language)
    tab.wait("numbers are there", lambda: tab.find(".live") and "–" not in tab.texts(".live dd, .tile dd"))
    assert tab.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert tab.execute_script(STICKING_OUT) == []
    tab.screen(width, tab.execute_script("return document.body.offsetHeight"), theme)
    tab.keep(f"portal-{width}-{theme}-{language}")


LOW_CONTRAST = """
const parse = (colour) => {
  const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
  return colour.startsWith('color(') ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
};
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour[3] > 0.9) return colour;
  }
  return [255, 255, 255];
};
const found = new Set();
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.closest('svg')) continue;
  const pair = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
  const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
  if (ratio < 4.5) found.add(`${element.tagName}.${element.className} ${element.textContent.trim()}: ${ratio}`);
}
return [...found];
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out(tab: Browser, portal: str, theme: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 at least."""
    tab.screen(1440, 6000, theme)
    tab.get(portal)
    tab.wait("numbers are there", lambda: tab.find(".live") and "–" not in tab.texts(".live dd"))
    assert tab.execute_script(LOW_CONTRAST) == []


def test_is_used_by_keyboard(page: Browser, catalogue: list[Item]) -> None:
    page.screen(1440)
    page.wait("the buttons are there", lambda: page.find(of(catalogue[0], ".copy")))
    way = []
    for _ in range(15):
        ActionChains(page).send_keys(Keys.TAB).perform()
        way.append(
            page.execute_script(
                "const e = document.activeElement, seen = e.type === 'radio' ? e.nextElementSibling : e;"
                "const box = seen.getBoundingClientRect();"
                "return [e.className || e.type || e.localName,"
                " getComputedStyle(seen).outlineStyle !== 'none' && box.top >= 0 && box.bottom <= innerHeight];"
            )
        )
    names = ["skip", "a", "search", "radio", "select-one", "select-one", "button main"]
    names += ["button", "button copy", "button", "button copy"]
    assert [name for name, _ in way][: len(names) + 2] == [*names, "summary", "button copy"]
    assert all(visible for _, visible in way), way


def test_the_skip_link_leads_to_the_list(page: Browser) -> None:
    ActionChains(page).send_keys(Keys.TAB, Keys.ENTER).perform()
    page.wait("the list has the focus", lambda: page.execute_script("return document.activeElement.id") == "list")


def test_every_control_has_a_name_of_its_own(page: Browser) -> None:
    page.wait("the buttons are there", lambda: page.find(".copy"))
    names = {e.id: e.accessible_name for e in page.find("a, button, input, img, summary") if e.is_displayed()}
    assert "" not in names.values()
    copies = [button.accessible_name for button in page.find(".copy")]
    assert len(copies) == len(set(copies))


def test_what_scripted_peers_saw_is_shown_live(page: Browser, portal: str, catalogue: list[Item]) -> None:
    item = next(item for item in catalogue if item["swarm"]["peers"])
    (peer,) = item["swarm"]["peers"]
    page.click(of(item, ".saw summary"))
    wire = shake_hands((peer["address"], peer["port"]), item["info_hash"])
    with wire.sock:
        wire.send_message(INTERESTED)
        fetch_block(wire, 3)
        page.wait("the visit is shown", lambda: "is still here" in "".join(page.texts(of(item, ".ours dd"))))
    page.wait("it has left", lambda: "then left" in "".join(page.texts(of(item, ".ours dd"))))
    assert page.texts(of(item, ".ours dt")) == [f"peer 0: corrupt (pieces 3), {peer['address']}"]
    page.keep("testimony-of-a-lab")
    # It is the one thing that the page asks of anybody but the portal, and of that peer's host alone.
    page.get(portal)
    others = {url.split("?")[0] for url in page.requests() if not url.startswith((portal, "data:", "about:"))}
    assert others == {item["promise"]["testimony"]}
    page.get(portal)


def test_changes_are_read_aloud(page: Browser) -> None:
    assert {element.aria_role for element in page.find("#count, #said, .state .light")} == {"status"}
