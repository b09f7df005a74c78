"""What check mode finds of a torrent's content on the disk is what a check by the daemon would find."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.torrent.bencode import encode
from ansible.module_utils.seedbed.transmission.disk_content import start_would_seed
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus
from ansible.module_utils.seedbed.transmission.torrents import LOCAL_ERROR, DaemonTorrent, WantedTorrent

PIECE = 16
# Borders of files on and beside those of pieces, an empty file, and a last piece that is short.
FILES = {("x", "one"): 16, ("two",): 15, ("empty",): 0, ("x", "three"): 40, ("four:",): 9}
CONTENT = bytes(range(80))


@pytest.fixture
def want(tmp_path: Path) -> WantedTorrent:
    hashes = b"".join(hashlib.sha1(CONTENT[start : start + PIECE]).digest() for start in range(0, 80, PIECE))
    files = [{"length": length, "path": list(path)} for path, length in FILES.items()]
    info = {"files": files, "name": "tree", "piece length": PIECE, "pieces": hashes}
    place = 0
    for path, length in FILES.items():
        file = tmp_path.joinpath("tree", *path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(CONTENT[place : place + length])
        place += length
    metainfo = base64.b64encode(encode({"info": info})).decode()
    return WantedTorrent("tree", "a" * 40, metainfo, str(tmp_path))


def held(**changes: Any) -> DaemonTorrent:
    """A torrent of which the daemon has found nothing yet."""
    status, files = TorrentStatus.STOPPED, frozenset({True})
    stopped = DaemonTorrent(
        "a" * 40, status, (), "/", None, 0, 80, 80, 80, PIECE, 0, 0, "", (), "tree", files, {}
    )  # fmt: skip
    return stopped._replace(**changes)


def test_what_is_all_there_would_seed(want: WantedTorrent) -> None:
    assert start_would_seed(want, held(), modern=True)


@pytest.mark.parametrize("path", [path for path, length in FILES.items() if length])
@pytest.mark.parametrize("damage", ["gone", "short", "first", "last"])
def test_any_damage_is_found(want: WantedTorrent, path: tuple[str, ...], damage: str) -> None:
    file = Path(want.download_dir).joinpath("tree", *path)
    data = file.read_bytes()
    changed = {"short": data[:-1], "first": b"\xff" + data[1:], "last": data[:-1] + b"\xff"}
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(changed[damage])
    assert not start_would_seed(want, held(), modern=True)


def test_more_than_is_asked_for_does_no_harm(want: WantedTorrent) -> None:
    with Path(want.download_dir, "tree", "two").open("ab") as file:
        file.write(b"more")
    assert start_would_seed(want, held(), modern=True)


def test_of_a_partial_seed_two_pieces_may_be_missing_and_no_more(want: WantedTorrent) -> None:
    partial = want._replace(available=1_000_000)
    three = Path(want.download_dir, "tree", "x", "three")  # in four of the five pieces
    three.write_bytes(three.read_bytes()[:20] + bytes(20))
    assert start_would_seed(partial, held(), modern=True)
    three.unlink()
    assert not start_would_seed(partial, held(), modern=True)


def test_3_00_looks_for_its_own_names(want: WantedTorrent) -> None:
    assert not start_would_seed(want, held(), modern=False)
    tree = Path(want.download_dir, "tree")
    (tree / "four:").rename(tree / "four_")
    assert start_would_seed(want, held(), modern=False)


def test_an_incomplete_file_may_have_another_name(want: WantedTorrent) -> None:
    tree = Path(want.download_dir, "tree")
    (tree / "two").rename(tree / "two.part")
    assert start_would_seed(want, held(), modern=True)


def test_what_the_daemon_believes_complete_needs_any_of_its_files(want: WantedTorrent) -> None:
    lost = held(have=80, left=0, error=LOCAL_ERROR)
    tree = Path(want.download_dir, "tree")
    tree.rename(tree.with_name("elsewhere"))
    assert not start_would_seed(want, lost, modern=True)
    tree.mkdir()
    (tree / "two").write_bytes(b"anything")
    assert start_would_seed(want, lost, modern=True)
    assert not start_would_seed(want, held(error=LOCAL_ERROR), modern=True)
