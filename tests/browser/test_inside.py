"""An item unfolded: what its seeders tell of it from inside, the doctor's last word, and a day's trend.

The page and what the collector would have left beside it are made here, on loopback: no lab is needed.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chromium import PICTURES, Browser
from scripted_items import published_item, serve, write_portal

ROLE = Path(__file__).resolve().parents[2] / "roles/portal"
WHOLE, PARTIAL, LONELY = (f"{number:02x}" * 20 for number in (10, 11, 12))
NAMES = {WHOLE: "whole.bin", PARTIAL: "partial.bin", LONELY: "without-a-seeder.bin"}
MANY = 1000
SWARM = {"seeders": ["seeder1"]}


def inside(info_hash: str, **more: Any) -> dict[str, Any]:
    """Return a torrent as the collector leaves it."""
    now = int(time.time())
    tracker = {
        "announce": "http://192.0.2.11:8888/announce",
        "state": "waiting",
        "last": now - 90,
        "succeeded": True,
        "result": "Success",
        "peers": 2,
        "next": now + 1000,
        "seeders": 1,
        "leechers": 1,
        "downloads": 4,
    }
    peer = {
        "address": "192.0.2.31",
        "port": 6881,
        "client": "aria2 1.36.0",
        "flags": "TEI",
        "progress": 0.25,
        "up": 2_000_000,
        "down": 0,
    }
    return {
        "info_hash": info_hash,
        "name": NAMES[info_hash],
        "state": "seeding",
        "error": "",
        "done": 1.0,
        "have": 9_000_000,
        "size": 9_000_000,
        "up": 2_000_000,
        "down": 0,
        "uploaded": 27_000_000,
        "downloaded": 0,
        "corrupt": 0,
        "ratio": 3.0,
        "connected": 1,
        "sending": 0,
        "getting": 1,
        "active": now,
        "started": 1,
        "piece_count": 550,
        "piece_size": 16384,
        "peers": [peer],
        "trackers": [tracker],
        "more_files": 0,
        "files": [{"name": "<b>a file</b>", "size": 9_000_000, "have": 9_000_000}],
        **more,
    }


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(scope="module")
def directory(render: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portal's files, with a thousand more items."""
    items = [published_item(name, info_hash, seed="x", swarm=SWARM) for info_hash, name in NAMES.items()]
    items += [published_item(f"item {number}", f"{number:040x}", seed="x", swarm=SWARM) for number in range(MANY)]
    found = tmp_path_factory.mktemp("site")
    write_portal(found, render, items, ", collector=true")
    now = int(time.time())
    pieces = base64.b64encode(bytes([0xFF] * 30 + [0xF0] + [0] * 38)).decode()
    partial = inside(PARTIAL, state="downloading", done=0.445, have=4_000_000, pieces=pieces, peers=[], ratio=-1)
    write(found / f"state/items/{WHOLE}.json", {"seeders": {"seeder1": inside(WHOLE)}, "silent": ["seeder2"]})
    write(found / f"state/items/{PARTIAL}.json", {"seeders": {"seeder1": partial}, "silent": []})
    write(found / f"state/items/{LONELY}.json", {"seeders": {}, "silent": []})
    write(found / "state/items" / f"{0:040x}.json", {})  # as the portal answers of what it does not know
    write(found / "state/now.json", {"when": now - 4})
    day = {WHOLE: [None, 1, 1, 4, 2, None, 3]}
    write(found / "state/history.json", {"step": 300, "end": now // 300, "values": day})
    verdict = {
        "info_hash": WHOLE,
        "item": "whole.bin",
        "verdict": "peer_filtered",
        "severity": "fault",
        "cause": "somebody drops the packets",
        "when": now - 7200,
    }
    write(found / "verdicts.json", {"schema_version": 1, "verdicts": [verdict]})
    return found


@pytest.fixture(scope="module")
def site(directory: Path, render: Callable[..., Any]) -> Iterator[str]:
    settings = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))
    policy = render("; ".join(settings["__portal_content_policy"]), __portal_testimony=[])
    with serve(directory, policy) as url:
        yield url


@pytest.fixture
def page(chromium: Browser, site: str) -> Iterator[Browser]:
    first = chromium.current_window_handle
    chromium.switch_to.new_window("tab")
    chromium.screen(1440, 2200)
    chromium.get(f"{site}index.en.html")
    yield chromium
    complaints = chromium.complaints()
    chromium.requests()  # what this page asked for is no affair of the next tab's
    chromium.close()
    chromium.switch_to.window(first)
    assert complaints == []


def text(page: Browser, info_hash: str) -> str:
    return str(page.execute_script(f"return document.querySelector(\"[id='{info_hash}'] .told\").innerText"))


def unfold(page: Browser, info_hash: str, wanted: str) -> str:
    """Unfold an item, and return what is told once this is among it."""
    summary = f"document.querySelector(\"[id='{info_hash}'] .inside > summary\")"
    page.wait("the button to unfold it", lambda: page.execute_script(f"return Boolean({summary})"))
    page.execute_script(f"{summary}.click()")
    page.wait(f"{wanted} in what is told", lambda: wanted in text(page, info_hash))
    return text(page, info_hash)


def test_an_item_unfolds_to_what_its_seeders_tell(page: Browser) -> None:
    told = unfold(page, WHOLE, "seeder1")
    for part in (
        *("seeding", "100 %", "25.7 MiB", "3.00", "↑ 1.9 MiB/s"),
        *("last announce 2 min ago: Success", "next", "192.0.2.31:6881", "aria2 1.36.0 TEI", "25 %"),
        *("seeder2 tells nothing", "files: 1", "asked"),
    ):
        assert part in told, (part, told)
    page.wait("the verdict", lambda: "doctor: peer_filtered – somebody drops the packets 2 h ago" in text(page, WHOLE))
    assert page.find(f"[id='{WHOLE}'] .told b:not(.verdict b)") == []  # a file's name is text
    assert page.find(f"[id='{WHOLE}'] .map") == []
    page.save_screenshot(str(PICTURES / "inside-whole.png"))


def test_a_partial_one_shows_which_pieces_are_there(page: Browser) -> None:
    assert "pieces: 244 / 550" in unfold(page, PARTIAL, "pieces")
    script = (
        f"const map = document.querySelector(\"[id='{PARTIAL}'] .map\"); const copy = document.createElement('canvas');"
    )
    script += "[copy.width, copy.height] = [map.width, map.height];"
    # Of the copy, as reading from the page's own has the browser complain.
    script += "const pen = copy.getContext('2d', {willReadFrequently: true}); pen.drawImage(map, 0, 0);"
    script += "return [[3, 3], [map.width - 5, map.height - 5]].map(([x, y]) => [...pen.getImageData(x, y, 1, 1).data])"
    first, last = page.execute_script(script)
    assert first != last
    page.save_screenshot(str(PICTURES / "inside-partial.png"))


def test_who_has_no_seeder_and_what_was_not_asked_is_said_to_be_so(page: Browser) -> None:
    assert "No seeder of the lab has it." in unfold(page, LONELY, "No seeder")
    assert "Nothing was asked of the seeders yet." in unfold(page, f"{0:040x}", "Nothing was asked")


def test_what_changes_is_shown_while_it_is_unfolded(page: Browser, directory: Path) -> None:
    unfold(page, WHOLE, "seeder1")
    page.execute_script(f"document.querySelector(\"[id='{WHOLE}'] .contents > summary\").click()")
    path = directory / f"state/items/{WHOLE}.json"
    before = path.read_text(encoding="utf-8")
    try:
        write(path, {"seeders": {"seeder1": inside(WHOLE, state="stopped", error="No space left")}, "silent": []})
        page.wait("the error", lambda: "No space left" in text(page, WHOLE))
        assert "<b>a file</b>" in text(page, WHOLE)  # still unfolded
    finally:
        path.write_text(before, encoding="utf-8")


def test_the_trend_is_a_days(page: Browser) -> None:
    line = f"document.querySelector(\"[id='{WHOLE}'] .live polyline\")?.getAttribute('points')"
    points = page.wait("the trend", lambda: page.execute_script(f"return {line}"))
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert len(heights) == 6  # five that were asked for, and the beginning, where nobody asked
    assert min(heights) == heights[3]


def test_a_thousand_items_stay_quick(page: Browser) -> None:
    """What is not in view has no panel, and a search asks nobody."""
    assert page.execute_script("return document.querySelectorAll('.item').length") == MANY + len(NAMES)
    page.wait("the first panels", lambda: page.find(".inside"))
    assert len(page.find(".inside")) < 100
    unfold(page, PARTIAL, "pieces")
    began = page.execute_script("return performance.getEntriesByType('resource').length")
    page.execute_script(
        "const search = document.querySelector('#search'); search.value = '777';"
        "search.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    page.shows("#count", ["1"])
    asked = page.execute_script(
        "return performance.getEntriesByType('resource').slice(arguments[0]).map((one) => one.name)", began
    )
    assert not [url for url in asked if "/items/" in url and PARTIAL not in url]


@pytest.mark.parametrize(("width", "language"), [(320, "zh"), (768, "en")])
def test_it_fits_small_screens(page: Browser, site: str, width: int, language: str) -> None:
    page.screen(width, 2000)
    page.get(f"{site}index.{language}.html")
    unfold(page, WHOLE, "seeder1")
    unfold(page, PARTIAL, "244 / 550")
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    page.save_screenshot(str(PICTURES / f"inside-{width}-{language}.png"))
