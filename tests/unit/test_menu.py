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
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.catalogue.faults import catalogue_faults
from ansible.module_utils.seedbed.catalogue.items import make_items
from ansible.module_utils.seedbed.catalogue.menu import MENU, menu_entries, menu_faults
from ansible.module_utils.seedbed.catalogue.specs import host_specs, resolve_entries
from ansible.module_utils.seedbed.payload.layouts import LAYOUTS
from ansible.module_utils.seedbed.payload.manifest import Manifests
from ansible.module_utils.seedbed.payload.placement import PayloadHost
from ansible.module_utils.seedbed.payload.store import Store
from ansible.module_utils.seedbed.torrent import bencode
from ansible.module_utils.seedbed.torrent.malformed import Malformed, malformed_files, malformed_torrents
from ansible.module_utils.seedbed.torrent.metainfo_reader import read_torrent, torrent_info
from ansible.module_utils.seedbed.torrent.model import Entry, flatten_tiers
from ansible.module_utils.seedbed.torrent.odd import ODD, PREFIX, odd_entries, odd_files, odd_list, odd_sample
from judges import verdicts

TRACKERS = [["http://192.0.2.10:8888/announce", "udp://192.0.2.10:8888/announce"]]
NAMES = [name for name, item in MENU.items() if not item.large]
# Not made on the disk; those of 4 GiB are computed by hand (docs/catalogue.md has their info hashes).
HUGE = "hundred-thousand-files"
ALL = [*NAMES, HUGE]


class Kitchen:
    """Everything of the menu, made on one host, and published."""

    def __init__(self, root: Path) -> None:
        self.root = root
        entries = menu_entries(["all"], trackers=TRACKERS)
        entries += [{**entry, "swarm": {"seeders": []}} for entry in menu_entries([HUGE])]
        entries += odd_entries()
        store = Store(PayloadHost(str(root / "payload"), Manifests(str(root / "state")), (4, 1)))
        resolved = resolve_entries(entries, seeders=["h"], portals=["h"], trackers=TRACKERS)
        store.inspect(host_specs(resolved, "h"))
        results = {"h": {"payloads_json": store.run(), "failures": store.failures}}
        made = make_items(resolved, results, hosts=["h"], webseed_urls=["http://192.0.2.30:8000/payload/"])
        assert made["failures"] == []
        self.items = {item["name"]: item for item in made["items"]}

    def torrent(self, name: str) -> Path:
        # A plain file name: clients are asked about the torrent, not about the shell.
        path = self.root / f"{list(self.items).index(name)}.torrent"
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
    assert catalogue_faults({"catalogue_torrents": entries}, seeders=["h"]) == []
    assert len(entries) == len(MENU) >= 25
    assert all(entry["comment"] for entry in entries)


def test_orders() -> None:
    assert menu_faults(["all", "one-byte", "four-gib"], ["else"]) == []
    assert menu_faults([{"unicode": None}, None, []])[2].startswith("has no []; it offers all")
    assert menu_faults("all") == ["is 'all'; a list of names would be right"]
    assert menu_faults(["soup"])[0].startswith("has no 'soup'; it offers all, bad-swarms, bad-swarms-hard, what docs")
    assert menu_faults(["all"], ["one-byte"]) == ["orders 'one-byte', a name that an entry of catalogue_torrents has"]
    assert [entry["name"] for entry in menu_entries(["one-byte", "one-block", "one-byte"])] == ["one-byte", "one-block"]


@pytest.mark.parametrize("name", ALL)
def test_libtorrent_agrees(kitchen: Kitchen, name: str) -> None:
    item, raw = kitchen.items[name], base64.b64decode(kitchen.items[name]["metainfo"])
    if not item["size"]:
        with pytest.raises(RuntimeError, match="torrent"):
            libtorrent.load_torrent_buffer(raw)
        return
    loaded = libtorrent.load_torrent_buffer(raw)
    read = loaded.ti
    assert str(read.info_hashes().v1) == item["info_hash"]
    assert read.info_hashes().has_v2() == (item["version"] == "hybrid")
    if item["version"] == "hybrid":
        assert str(read.info_hashes().v2) == item["info_hash_v2"]
    assert (read.piece_length(), read.num_pieces(), read.priv()) == (
        item["piece_length"],
        item["pieces"],
        item["private"],
    )
    tiers: list[list[str]] = [[] for _tier in item["trackers"]]
    for url, tier in zip(loaded.trackers, loaded.tracker_tiers, strict=True):
        tiers[tier].append(url)
    assert tiers == item["trackers"]
    assert loaded.url_seeds == item["webseeds"]
    assert (loaded.comment, loaded.creation_date) == (item["comment"], MENU[name].entry.get("creation_date", 0))
    # As the torrent has them: libtorrent writes files with odd names under others.
    info = libtorrent.bdecode(read.info_section())
    assert info.get(b"source", b"").decode() == MENU[name].entry.get("source_tag", "")
    files = info.get(b"files", [{b"path": [info[b"name"]], b"length": info.get(b"length")}])
    listed = [(b"/".join(file[b"path"]).decode(), file[b"length"]) for file in files if b"attr" not in file]
    assert listed == [(file["path"], file["length"]) for file in item["files"]]


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


def test_libtorrent_finds_the_share_of_a_partial_seeder(kitchen: Kitchen) -> None:
    item = kitchen.items["partial"]
    maker = libtorrent.create_torrent(
        [libtorrent.create_file_entry("partial", item["size"])], item["piece_length"], libtorrent.create_torrent.v1_only
    )
    libtorrent.set_piece_hashes(maker, str(kitchen.root / "payload"))
    theirs = maker.generate()[b"info"][b"pieces"]
    ours = libtorrent.bdecode(base64.b64decode(item["metainfo"]))[b"info"][b"pieces"]
    same = [ours[at : at + 20] == theirs[at : at + 20] for at in range(0, len(ours), 20)]
    assert (len(same), sum(same)) == (128, 128 * 60 // 100)


@pytest.fixture(scope="module")
def modern() -> bool:
    """Whether transmission-show is of 4.x: 3.00, which Debian 11 and 12 have, reads no hybrids."""
    done = subprocess.run(["transmission-show", "--version"], capture_output=True, text=True, check=True)
    return " 3." not in f"{done.stdout}{done.stderr}"


@pytest.mark.parametrize("name", ALL)
def test_transmission_show_agrees(kitchen: Kitchen, modern: bool, name: str) -> None:
    item = kitchen.items[name]
    if not item["size"] or (item["version"] == "hybrid" and not modern):
        with pytest.raises(subprocess.CalledProcessError):
            said("transmission-show", kitchen.torrent(name))
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


@pytest.mark.parametrize("name", ALL)
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


@pytest.mark.parametrize("name", ALL)
def test_our_own_reader_agrees(kitchen: Kitchen, name: str) -> None:
    item: dict[str, Any] = kitchen.items[name]
    read = torrent_info(base64.b64decode(item["metainfo"]))
    keys = ("name", "info_hash", "info_hash_v2", "version", "private", "size", "pieces", "trackers", "webseeds")
    assert {key: read[key] for key in keys} == {key: item[key] for key in keys}


@pytest.mark.parametrize("name", ODD)
def test_odd_samples_are_loaded_by_all_and_remarked_on(name: str, tmp_path: Path) -> None:
    read = torrent_info(odd_sample(name))
    judged = verdicts(odd_sample(name), tmp_path)
    assert sorted(judged) == ["Transmission", "aria2", "libtorrent"]
    assert read["info_hash"] == judged["libtorrent"]
    assert read["remarks"]
    if ODD[name].seeded:
        assert set(judged.values()) == {read["info_hash"]}


@pytest.mark.parametrize("entry", odd_entries(), ids=lambda entry: str(entry["name"]))
def test_odd_items_are_as_all_clients_load_them(kitchen: Kitchen, entry: Entry, tmp_path: Path) -> None:
    item = kitchen.items[entry["name"]]
    data = base64.b64decode(item["metainfo"])
    assert verdicts(data, tmp_path) == dict.fromkeys(("libtorrent", "Transmission", "aria2"), item["info_hash"])
    # Each tracker that the item promises is known to all of them, aria2 among them.
    shown = [
        said("transmission-show", kitchen.torrent(entry["name"])),
        said("aria2c", "-S", kitchen.torrent(entry["name"])),
    ]
    assert all(url in text for url in flatten_tiers(item["trackers"]) for text in shown)
    assert item["trackers"] == TRACKERS
    assert item["magnet"]
    assert len(torrent_info(data)["remarks"]) == 1


def test_the_list_of_odd_files_tells_where_each_is() -> None:
    published = {file["path"] for file in odd_files()} | {
        f"torrents/{entry['name']}.torrent" for entry in odd_entries()
    }
    assert {file["torrent"] for file in odd_list()} == published - {"odd/index.tsv"}
    assert [file["name"] for file in odd_list()] == list(ODD)


def test_an_odd_name_that_is_taken_is_refused() -> None:
    entries = [{"name": "odd-date-is-text", "synthetic": {"size": 1}}]
    assert catalogue_faults({"catalogue_odd": True, "catalogue_torrents": entries}) == [
        "catalogue_odd adds 'odd-date-is-text', a name that an entry of catalogue_torrents has"
    ]
    assert catalogue_faults({"catalogue_odd": False, "catalogue_torrents": entries}) == []
    [fault] = catalogue_faults({"catalogue_torrents": [{**entries[0], "odd": "date-is-text"}]})
    assert "'odd' is not known here" in fault


def test_seeders_and_web_seeds(kitchen: Kitchen) -> None:
    seeded = {name for name, item in kitchen.items.items() if item["swarm"]["seeders"]}
    assert set(NAMES) - seeded == {"zero-bytes", "web-seed-only", "web-seed-directory"}
    assert {PREFIX + name for name, odd in ODD.items() if odd.seeded} <= seeded
    assert kitchen.items["web-seed"]["webseeds"] == ["http://192.0.2.30:8000/payload/web-seed"]
    assert kitchen.items["web-seed-directory"]["webseeds"] == ["http://192.0.2.30:8000/payload/"]


# What our reader says of each: the fault that the file was made for, and no other.
REFUSALS = {
    "empty": "data ends too early at byte 0",
    "not-bencode": "unexpected byte 0x3c at byte 0",
    "truncated": "string of 40 bytes, but only 12 follow, at byte 105",
    "list-outside": "not a dictionary",
    "no-info": "no info dictionary",
    "info-is-text": "no info dictionary",
    "no-piece-length": "piece length is not a number from 1 to 2**32",
    "zero-piece-length": "piece length is 0",
    "negative-piece-length": "piece length is not a number from 1 to 2**32",
    "no-pieces": "info has no pieces",
    "pieces-too-few": "pieces has 20 bytes, but 2 pieces need 40",
    "pieces-too-many": "pieces has 60 bytes, but 2 pieces need 40",
    "pieces-odd": "pieces has 39 bytes, but 2 pieces need 40",
    "negative-length": "length is not a number from 0 to 2**63",
    "length-is-text": "length is not a number from 0 to 2**63",
    "length-giant": "a number beyond 63 bits at byte 60, which libtorrent alone reads",
    "length-thousand-digits": "integer of more than 20 digits at byte 59",
    "integer-minus-zero": "pieces has 40 bytes, but 0 pieces need 0",
    "integer-empty": "integer is not a number at byte 60",
    "neither-length-nor-files": "info has neither length nor files",
    "files-empty": "info has neither length nor files",
    "path-empty": "file 0 has no path",
    "path-is-text": "file 0 has no path",
    "sum-overflows": "pieces has 40 bytes, but 1688849860263936 pieces need 3377699720527872",
    "key-is-number": "dictionary key is not a string at byte 66",
    "key-without-value": "key without a value at byte 22",
    "string-too-long": "string of 999999999 bytes, but only 76 follow, at byte 72",
    "string-length-giant": "string of 99999999999999999999 bytes, but only 76 follow, at byte 72",
    "string-length-negative": "unexpected byte 0x2d at byte 72",
    "nesting": "nested deeper than 99 at byte 105",
}
# Of those that some clients load all the same: what is odd about them, and which client refuses them.
REMARKS = {
    "no-name": "the torrent has no name",
    "empty-name": "the torrent has no name",
    "name-with-tab": "name holds a tab, line end or backspace: 'x\\t.txt'",
    "name-dot-dot": "name holds '..'",
    "name-absolute": "name holds a slash or a null character: '/etc/passwd'",
    "giant-piece-length": "piece length is 1073741824",
    "integer-leading-zero": "a number with a leading zero at byte 60, in the info diction",
    "link-without-length": "file 0 is a symbolic link without a length",
    "path-traversal": "path of file 0 holds '..' (and 1 more like it)",
    "path-slash": "path of file 0 holds a slash or a null character: 'a/../../b",
    "duplicate-keys": "a key that stands there twice at byte 75, in the info dictio",
    "nesting-of-40": "41 lists and dictionaries in each other",
    "v2-root-missing": "version 2 of it is broken: pieces root of x is not 32 bytes",
    "v2-mismatch": "version 2 of it is broken: the v1 and v2 file lists do not m",
    "v2-odd-piece-length": "version 2 of it is broken: piece length 20000 is not a power",
}


@pytest.mark.parametrize("broken", malformed_torrents(), ids=lambda file: file.name)
def test_malformed_files_are_refused_or_told_for_what_is_wrong_with_them(broken: Malformed) -> None:
    try:
        read = read_torrent(broken.data)
    except SeedbedError as error:
        assert str(error).startswith(REFUSALS[broken.name])
        return
    [remark] = read.info["remarks"]
    assert remark.startswith(REMARKS[broken.name])
    assert re.search("refuse|ends", remark)


def test_there_are_at_least_20_malformed_files_each_with_its_reason() -> None:
    files = malformed_files()
    table = base64.b64decode(files[-1]["content"]).decode().splitlines()
    assert len(files) - 1 == len(table) == len(malformed_torrents()) >= 20
    assert all(len(line.split("\t")) == 2 for line in table)


def test_the_documentation_lists_menus_and_layouts() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "catalogue.md").read_text(encoding="utf-8")
    rows = [(name, item.purpose) for name, item in MENU.items()] + [
        (file.name, file.fault) for file in malformed_torrents()
    ]
    rows += [(name, odd.why) for name, odd in ODD.items()]
    for name, purpose in [*rows, *((name, layout.why) for name, layout in LAYOUTS.items())]:
        assert re.search(rf"^\| `{re.escape(name)}`[^|]*\| {re.escape(purpose)} \|$", text, re.MULTILINE), name
