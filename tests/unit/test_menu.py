"""The menus: every torrent read by clients that we did not write, every malformed file refused with its reason."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from pathlib import Path
from typing import Any

import libtorrent
import pytest
from ansible.module_utils.seedbed import bencode
from ansible.module_utils.seedbed.catalogue import catalogue_faults, catalogue_items, host_entries
from ansible.module_utils.seedbed.entry import Host
from ansible.module_utils.seedbed.errors import SeedbedError
from ansible.module_utils.seedbed.layouts import LAYOUTS
from ansible.module_utils.seedbed.malformed import malformed, malformed_files
from ansible.module_utils.seedbed.manifest import Manifests
from ansible.module_utils.seedbed.menu import MENU, menu_entries, menu_faults
from ansible.module_utils.seedbed.metainfo import torrent_info
from ansible.module_utils.seedbed.store import Store

TRACKERS = [["http://192.0.2.10:8888/announce", "udp://192.0.2.10:8888/announce"]]
NAMES = [name for name, dish in MENU.items() if not dish.large]


class Kitchen:
    """Everything of the menu, made on one host, and published."""

    def __init__(self, root: Path) -> None:
        self.root = root
        entries = menu_entries(["all"], trackers=TRACKERS)
        store = Store(Host(str(root / "payload"), Manifests(str(root / "state")), (4, 1)))
        store.look(host_entries(entries, "h", seeders=["h"], portals=["h"]))
        results = {"h": {"payloads": store.run(), "failures": store.failures}}
        made = catalogue_items(
            entries,
            results,
            seeders=["h"],
            portals=["h"],
            trackers=TRACKERS,
            webseed_urls=["http://192.0.2.30:8000/payload/"],
        )
        assert made["failures"] == []
        self.items = {item["name"]: item for item in made["items"]}

    def torrent(self, name: str) -> Path:
        # A plain file name: clients are asked about the torrent, not about the shell.
        path = self.root / f"{NAMES.index(name)}.torrent"
        path.write_bytes(base64.b64decode(self.items[name]["metainfo"]))
        return path


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return Kitchen(tmp_path_factory.mktemp("menu"))


def said(*command: str | Path) -> str:
    """What a program prints (Debian packages transmission-cli and aria2)."""
    done = subprocess.run([str(word) for word in command], capture_output=True, check=True, timeout=60)
    return done.stdout.decode(errors="replace")


def test_the_menu_is_a_good_catalogue_of_at_least_25() -> None:
    entries = menu_entries([*MENU], trackers=TRACKERS)
    assert catalogue_faults(entries, seeders=["h"]) == []
    assert len(entries) == len(MENU) >= 25
    assert all(entry["comment"] for entry in entries)


def test_orders() -> None:
    assert menu_faults(["all", "one-byte", "four-gib"], ["else"]) == []
    assert menu_faults("all") == ["is 'all'; a list of names would be right"]
    assert menu_faults(["soup"])[0].startswith("has no 'soup'; it offers all, zero-bytes, one-byte")
    assert menu_faults(["all"], ["one-byte"]) == ["orders 'one-byte', a name that an entry of catalogue_torrents has"]
    assert [entry["name"] for entry in menu_entries(["one-byte", "one-block", "one-byte"])] == ["one-byte", "one-block"]


@pytest.mark.parametrize("name", NAMES)
def test_libtorrent_agrees(kitchen: Kitchen, name: str) -> None:
    item, raw = kitchen.items[name], base64.b64decode(kitchen.items[name]["metainfo"])
    if not item["size"]:
        with pytest.raises(RuntimeError, match="torrent"):
            libtorrent.torrent_info(libtorrent.bdecode(raw))
        return
    read = libtorrent.torrent_info(libtorrent.bdecode(raw))
    assert str(read.info_hashes().v1) == item["info_hash"]
    assert read.info_hashes().has_v2() == (item["version"] == "hybrid")
    if item["version"] == "hybrid":
        assert str(read.info_hashes().v2) == item["info_hash_v2"]
    assert (read.piece_length(), read.num_pieces(), read.priv()) == (
        item["piece_length"],
        item["pieces"],
        item["private"],
    )
    assert libtorrent.load_torrent_buffer(raw).trackers == [url for tier in item["trackers"] for url in tier]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("zero-bytes", "partial")])
def test_libtorrent_hashes_the_content_on_the_disk_alike(kitchen: Kitchen, name: str) -> None:
    item = kitchen.items[name]
    read = torrent_info(base64.b64decode(item["metainfo"]))
    files = [libtorrent.create_file_entry("/".join([name, *file["path"]]), file["length"]) for file in read["files"]]
    hybrid = item["version"] == "hybrid"
    flags = 0 if hybrid else libtorrent.create_torrent.v1_only
    maker = libtorrent.create_torrent(files, item["piece_length"], flags)
    libtorrent.set_piece_hashes(maker, str(kitchen.root / "payload"))
    theirs = maker.generate()[b"info"]
    assert theirs[b"pieces"] == base64.b64decode(read["piece_hashes"])
    if hybrid:
        ours = libtorrent.bdecode(base64.b64decode(item["metainfo"]))
        assert theirs[b"file tree"] == ours[b"info"][b"file tree"]
        assert theirs.get(b"files") == ours[b"info"].get(b"files")


@pytest.mark.parametrize("name", NAMES)
def test_transmission_show_agrees(kitchen: Kitchen, name: str) -> None:
    item = kitchen.items[name]
    if item["version"] == "hybrid" or not item["size"]:
        # 3.00, which Debian 11 and 12 have, reads neither; 4.x reads hybrids.
        done = subprocess.run(
            ["transmission-show", kitchen.torrent(name)], capture_output=True, timeout=60, check=False
        )
        seen = done.stdout.decode(errors="replace")
        assert done.returncode or item["info_hash"] in seen
        return
    seen = said("transmission-show", kitchen.torrent(name))
    assert item["info_hash"] in seen
    count = re.search(r"Piece Count: ([0-9]+)", seen)
    assert count
    assert int(count[1]) == item["pieces"]
    assert ("Private torrent" in seen) == item["private"]


def without_empty_keys(item: dict[str, Any]) -> str:
    def strip(value: Any) -> Any:
        return {key: strip(one) for key, one in value.items() if key} if isinstance(value, dict) else value

    info = bencode.decode(base64.b64decode(item["metainfo"]))[b"info"]
    return hashlib.sha1(bencode.encode(strip(info))).hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_aria2_agrees(kitchen: Kitchen, name: str) -> None:
    item = kitchen.items[name]
    seen = said("aria2c", "--show-files", kitchen.torrent(name))
    # aria2 1.36 drops keys of no characters, so it takes a hybrid for another torrent (aria2 issue 1903).
    known = [item["info_hash"], without_empty_keys(item)]
    assert any(f"Info Hash: {info_hash}" in seen for info_hash in known[: 1 + (item["version"] == "hybrid")])
    assert f"The Number of Pieces: {item['pieces']}" in seen
    files = re.findall(r"^ *\d+\|", seen, flags=re.MULTILINE)
    pads = torrent_info(base64.b64decode(item["metainfo"]))["pad_files"]
    assert len(files) == len(item["files"]) + len(pads)


@pytest.mark.parametrize("name", NAMES)
def test_our_own_reader_agrees(kitchen: Kitchen, name: str) -> None:
    item: dict[str, Any] = kitchen.items[name]
    read = torrent_info(base64.b64decode(item["metainfo"]))
    keys = ("name", "info_hash", "info_hash_v2", "version", "private", "size", "pieces", "trackers", "webseeds")
    assert {key: read[key] for key in keys} == {key: item[key] for key in keys}


def test_seeders_and_web_seeds(kitchen: Kitchen) -> None:
    seeded = {name for name, item in kitchen.items.items() if item["swarm"]["seeders"]}
    assert set(NAMES) - seeded == {"zero-bytes", "web-seed-only", "web-seed-directory"}
    assert kitchen.items["web-seed"]["webseeds"] == ["http://192.0.2.30:8000/payload/web-seed"]
    assert kitchen.items["web-seed-directory"]["webseeds"] == ["http://192.0.2.30:8000/payload/"]


# Keys out of order are all that our reader lets pass: live torrents have them.
@pytest.mark.parametrize(
    "broken", [one for one in malformed() if one.name != "unsorted-keys"], ids=lambda one: one.name
)
def test_malformed_files_are_refused(broken: Any) -> None:
    with pytest.raises(SeedbedError):
        torrent_info(broken.data)


def test_there_are_at_least_20_malformed_files_each_with_its_reason() -> None:
    files = malformed_files()
    table = base64.b64decode(files[-1]["content"]).decode().splitlines()
    assert len(files) - 1 == len(table) == len(malformed()) >= 20
    assert all(len(line.split("\t")) == 2 for line in table)


def test_the_documentation_lists_menus_and_layouts() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "catalogue.md").read_text(encoding="utf-8")
    rows = [(name, dish.why) for name, dish in MENU.items()] + [(one.name, one.why) for one in malformed()]
    for name, why in [*rows, *((name, layout.why) for name, layout in LAYOUTS.items())]:
        assert re.search(rf"^\| `{re.escape(name)}`[^|]*\| {re.escape(why)} \|$", text, re.MULTILINE), name
