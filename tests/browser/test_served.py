"""What the portal serves to programs, and what it keeps from them."""

from __future__ import annotations

import hashlib
import itertools
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import libtorrent
import pytest
from chromium import fetch
from client import session, wanted

Item = dict[str, Any]


def status(url: str, *options: str) -> str:
    """The status of an answer, the path sent as it is written."""
    command = ["curl", "--silent", "--path-as-is", "--noproxy", "*", "--output", "/dev/null"]
    asked = [*command, "--write-out", "%{http_code}", *options, url]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "path",
    [
        "transmission/rpc",
        "transmission/web/",
        "live/seeders/0/../../transmission/rpc",
        "live/seeders/0/transmission/rpc",
        "live/0/announce",
        "live/0/scrape",
        "live/0/scrape?info_hash=a&mode=tpbs",
        "payload/../catalogue.json/..%2f..%2fetc/passwd",
    ],
)
def test_nothing_else_of_the_hosts_behind_is_reached(portal: str, path: str) -> None:
    assert status(portal + path) in {"400", "404"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["", "live/0/stats", "live/seeders/0"])
def test_the_portal_is_read_only(portal: str, path: str, method: str) -> None:
    assert status(portal + path, "--request", method) == "405"


def test_every_file_of_the_catalogue_is_there(portal: str, published: dict[str, list[Item]]) -> None:
    for item in published["items"]:
        assert item["torrent"] == "torrents/" + quote(item["name"] + ".torrent", safe="")
        assert fetch(portal + item["torrent"]).startswith(b"d")
        if item["magnet"]:
            assert fetch(f"{portal}qr/{item['info_hash']}.svg").startswith(b"<svg")
    assert [fetch(portal + one["torrent"]) for one in published["malformed"]]


def test_a_hundred_pages_cost_the_tracker_a_question_a_second(portal: str, catalogue: list[Item]) -> None:
    # In another order than the page asks in: nobody else's question.
    query = "&".join("info_hash=%" + "%".join(re.findall("..", item["info_hash"])) for item in reversed(catalogue))
    announce = next(url for tier in catalogue[0]["trackers"] for url in tier if url.startswith("http"))

    def scrapes() -> int:
        """How many the tracker itself has answered."""
        stats = fetch(announce.removesuffix("announce") + "stats?mode=everything")
        return int(re.findall(rb"<tcp>.*?<scrape>(\d+)<", stats, re.DOTALL)[0])

    start, count = time.monotonic(), itertools.count(1)

    def watch(_: int) -> float:
        """Ask again and again, as an open page does, for two seconds and more until all pages have asked often."""
        while True:
            assert fetch(f"{portal}live/0/scrape?{query}").startswith(b"d5:filesd20:")
            if next(count) >= 200 and time.monotonic() - start > 2.5:
                return time.monotonic()

    before = scrapes()
    with ThreadPoolExecutor(100) as pages:
        end = max(pages.map(watch, range(100)))
    # A question a second, and one for each second that was cut at an end.
    assert 2 <= scrapes() - before <= end - start + 2


def test_web_seeds_serve_ranges(portal: str, catalogue: list[Item]) -> None:
    url = next(item["webseeds"][0] for item in catalogue if item["webseeds"] and item["single_file"])
    whole = fetch(url)
    asked = ["curl", "--silent", "--noproxy", "*", "--range", "1000-1999", url]
    assert subprocess.run(asked, capture_output=True, check=True).stdout == whole[1000:2000]


def test_a_torrent_with_web_seeds_alone_downloads(portal: str, catalogue: list[Item], tmp_path: Path) -> None:
    item = next(item for item in catalogue if item["webseeds"] and not item["swarm"]["seeders"])
    client = session()
    wish = wanted(portal + item["torrent"], str(tmp_path))
    wish.flags = libtorrent.torrent_flags.paused
    handle = client.add_torrent(wish)
    # Without trackers it knows no peer and is known to none.
    handle.replace_trackers([])
    handle.resume()
    deadline = time.monotonic() + 120
    while not handle.status().is_seeding:
        assert time.monotonic() < deadline, libtorrent.torrent_status.states.values[handle.status().state]
        client.wait_for_alert(100)
        client.pop_alerts()
    for file in item["files"]:
        path = tmp_path / item["name"] if item["single_file"] else tmp_path / item["name"] / file["path"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
