"""What an item promises about a download, whether a download is that, and how much of it is right."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.clients.download_plan import PlannedDownload
from ansible.module_utils.seedbed.clients.expectation import Expectation, expectation, verdict
from ansible.module_utils.seedbed.clients.orders import chosen_files, needed_features, order_for
from ansible.module_utils.seedbed.clients.right_pieces import right_bytes
from ansible.module_utils.seedbed.torrent.bencode import encode
from ansible.module_utils.seedbed.torrent.metainfo_reader import read_torrent

SEEDED = {"size": 1000, "swarm": {"seeders": ["seeder1"], "available": "100%", "fetch_rest": False}}
HTTP, UDP = "http://192.0.2.1:8888/announce", "udp://192.0.2.1:8888/announce"


def item(**swarm: Any) -> Any:
    return {**SEEDED, "swarm": {**SEEDED["swarm"], **swarm}}


def promised(outcome: str, available: str, magnet: str | None = None, grade: str = "assert") -> Any:
    rules = [{"grade": grade, "rule": "completes-within", "value": 300}] if outcome == "completes" else []
    promise = {"outcome": outcome, "magnet": magnet, "available": available, "rules": rules}
    return {**SEEDED, "promise": promise}


@pytest.mark.parametrize(
    ("entry", "via", "words"),
    [
        (item(), "torrent", "completes"),
        (item(available="60%"), "magnet", "stalls at 60%"),
        (item(available="60%", fetch_rest=True), "magnet", "completes"),
        (item(ranges={"a": "0-60%", "b": "40-100%"}), "magnet", "completes"),
        (item(available="80%", ranges={"a": "0-60%", "b": "70-90%"}), "magnet", "stalls at 80%"),
        (item(seeders=[]), "torrent", "gets nothing"),
        (item(seeders=[]), "bare_magnet", "gets no metadata"),
        ({**item(seeders=[]), "webseeds": ["http://w/"]}, "torrent", "completes"),
        (item(upload_limit=100_000, seeders=["a", "b"]), "torrent", "completes, at 195.3 KiB/s at most"),
        (promised("completes", "100%", "no_metadata"), "torrent", "completes"),
        (promised("completes", "100%", "no_metadata"), "magnet", "gets no metadata"),
        (promised("stalls", "60%", "stalls"), "magnet", "stalls at 60%"),
    ],
)
def test_an_item_says_what_has_to_become_of_it(entry: Any, via: str, words: str) -> None:
    assert str(expectation(entry, via)) == words


def result(share: float, step: str | None = "stall", **more: Any) -> Any:
    done = {"ok": step is None, "step": step, "words": ["no progress"], "rate": None, "piece_length": 10}
    return {**done, "size": 1000, "bytes": int(1000 * share), **more}


@pytest.mark.parametrize(
    ("expected", "seen", "fault"),
    [
        (Expectation("completes"), result(1, None), ""),
        (Expectation("completes"), result(0.5), "no progress"),
        (Expectation("completes", honest=False), result(0.5), ""),
        (Expectation("completes", honest=False), result(1, "verify"), "no progress"),
        (Expectation("completes", limit=100), result(1, None, rate=99), ""),
        (Expectation("completes", limit=100), result(1, None, rate=200), "came at 200 B/s, and 100 B/s is the limit"),
        (Expectation("stalls", 600_000), result(0.6), ""),
        (Expectation("stalls", 600_000), result(0.61), ""),
        (Expectation("stalls", 600_000), result(0.62), "has 62%, and at most 60% was to be had"),
        (Expectation("stalls", 600_000), result(0.4), "has 40% alone, and 60% is to be had"),
        (Expectation("stalls", 600_000, honest=False), result(0.4), ""),
        (Expectation("stalls", 600_000), result(1, None), "is complete, and stalls at 60% was promised"),
        (Expectation("refused", 0), result(0, "connect"), ""),
        (Expectation("no_metadata", 0), result(0, "metadata"), ""),
        (Expectation("no_metadata", 0), result(0, "connect"), "has the metadata, which nobody was to hand out"),
        (Expectation("refused", 0), result(0, "portal"), "no progress"),
    ],
)
def test_a_download_is_judged_by_that(expected: Expectation, seen: Any, fault: str) -> None:
    assert verdict(expected, seen) == fault


# -- what is right of it ----------------------------------------------------------------------------------------------


def metainfo(*files: tuple[str, bytes], trackers: Any = ()) -> bytes:
    stream = b"".join(content for _, content in files)
    pieces = b"".join(hashlib.sha1(stream[at : at + 16384]).digest() for at in range(0, len(stream), 16384))
    listed = [{"path": name.split("/"), "length": len(content)} for name, content in files]
    outer = {"announce-list": [list(tier) for tier in trackers]} if trackers else {}
    return encode({**outer, "info": {"files": listed, "name": "n", "piece length": 16384, "pieces": pieces}})


def test_only_pieces_that_are_right_on_the_disk_count(tmp_path: Path) -> None:
    contents = {"a": b"a" * 20_000, "b": b"b" * 30_000}
    torrent = metainfo(*contents.items())
    paths = [str(tmp_path / name) for name in contents]
    assert right_bytes(torrent, paths) == 0
    (tmp_path / "a").write_bytes(contents["a"])
    assert right_bytes(torrent, paths) == 16384
    (tmp_path / "b").write_bytes(contents["b"])
    assert right_bytes(torrent, paths) == 50_000
    (tmp_path / "b").write_bytes(contents["b"][:-1] + b"x")
    assert right_bytes(torrent, paths) == 3 * 16384
    assert right_bytes(b"no torrent", paths) is None


# -- orders -----------------------------------------------------------------------------------------------------------


def test_trackers_of_the_other_kind_are_taken_out_of_the_torrent() -> None:
    raw = metainfo(("a", b"x"), trackers=[[HTTP, UDP], [UDP]])
    planned = PlannedDownload({"name": "n", "trackers": [[HTTP, UDP], [UDP]]}, "torrent", "http")  # type: ignore[typeddict-item]
    read = read_torrent(order_for(planned, raw, "/d").torrent)
    assert read.info["trackers"] == [[HTTP]]
    assert read.info_section == read_torrent(raw).info_section
    odd = order_for(planned, b"nobody reads this", "/d")
    assert odd.torrent == b"nobody reads this"


def test_files_are_chosen_by_their_paths() -> None:
    raw = metainfo(("a", b"x"), ("sub/b", b"y"), ("c", b"z"))
    assert chosen_files(raw, ["c", "sub/b"]) == [2, 1]
    with pytest.raises(Exception, match=r"the torrent has no file .*d"):
        chosen_files(raw, ["d"])


def test_a_download_says_what_it_needs() -> None:
    plain: Any = {"private": False, "version": "v1", "swarm": {"seeders": ["a"]}}
    assert needed_features(plain, "torrent", "http") == ["torrent"]
    more = {**plain, "version": "hybrid", "private": True, "webseeds": ["http://w/"], "swarm": {"seeders": []}}
    needs = needed_features(more, "bare_magnet", "udp", chosen=True)
    assert needs == ["bare_magnet", "udp_tracker", "private", "hybrid", "web_seed", "file_choice"]
