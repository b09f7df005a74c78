"""Piece hashes across file borders, on disk and computed, in this process and in forked ones."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
from pathlib import Path
from typing import Sequence

import pytest
from ansible.module_utils.seedbed.base import workers
from ansible.module_utils.seedbed.catalogue.payload_cache import PayloadCache
from ansible.module_utils.seedbed.payload import content, hashing
from ansible.module_utils.seedbed.payload.hashing import Digests, HashError, HashWork, hash_all, hash_one
from ansible.module_utils.seedbed.payload.sources import Source
from ansible.module_utils.seedbed.torrent.model import Spec
from hypothesis import given, settings
from hypothesis import strategies as st

PIECE = 16384


def on_disk(root: Path, lengths: Sequence[int]) -> list[Source]:
    sources = []
    for number, length in enumerate(lengths):
        path = root / str(number)
        path.write_bytes(content.read(content.file_key("s", (str(number),)), 0, length))
        sources.append(Source(length, str(path)))
    return sources


def computed(lengths: Sequence[int]) -> list[Source]:
    return [Source(length, "", content.file_key("s", (str(n),))) for n, length in enumerate(lengths)]


def naive_pieces(lengths: Sequence[int], piece: int, *, padded: bool) -> bytes:
    stream = b""
    for number, length in enumerate(lengths):
        stream += content.read(content.file_key("s", (str(number),)), 0, length)
        stream += bytes(-length % piece if padded else 0)
    return b"".join(hashlib.sha1(stream[at : at + piece]).digest() for at in range(0, len(stream), piece))


def naive_root(data: bytes, piece: int) -> bytes:
    """BEP 52 in its plainest form: leaves of 16 KiB, zero hashes up to a power of two."""
    nodes = [hashlib.sha256(data[at : at + 16384]).digest() for at in range(0, len(data), 16384)]
    size = 1 << (max(len(nodes), piece // 16384 if len(data) > piece else 1) - 1).bit_length()
    nodes += [bytes(32)] * (size - len(nodes))
    while len(nodes) > 1:
        nodes = [hashlib.sha256(a + b).digest() for a, b in zip(nodes[::2], nodes[1::2], strict=True)]
    return nodes[0]


BORDERS = (0, 1, PIECE - 1, PIECE, PIECE + 1)


@pytest.mark.parametrize("lengths", [pair for pair in itertools.product(BORDERS, repeat=2) if sum(pair)])
def test_file_borders_on_every_side_of_a_piece_border(tmp_path: Path, lengths: tuple[int, int]) -> None:
    sources = on_disk(tmp_path, lengths)
    plain, hybrid = hash_all([HashWork(sources, PIECE), HashWork(sources, PIECE, hybrid=True)])
    assert isinstance(plain, Digests)
    assert isinstance(hybrid, Digests)
    assert plain.pieces == naive_pieces(lengths, PIECE, padded=False)
    assert hybrid.pieces == naive_pieces(lengths, PIECE, padded=True)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5 * PIECE), min_size=1, max_size=8), st.sampled_from([PIECE, 4 * PIECE]))
def test_merkle_roots_and_pieces_are_those_of_the_plainest_code(lengths: list[int], piece: int) -> None:
    digests = hash_one(HashWork(computed(lengths), piece, hybrid=True))
    assert digests.pieces == naive_pieces(lengths, piece, padded=True)
    for number, length in enumerate(lengths):
        data = content.read(content.file_key("s", (str(number),)), 0, length)
        assert digests.checksums[number] == hashlib.sha256(data).digest()
        assert digests.roots[number] == (naive_root(data, piece) if length else b"")
        assert len(digests.layers[number]) == (32 * -(-length // piece) if length > piece else 0)


def test_forked_workers_agree_with_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = [9 * 1024 * 1024 + 5, 0, 3, 17 * 1024 * 1024, 700_000]
    works = [
        HashWork(sources, 65536, hybrid=hybrid)
        for sources in (on_disk(tmp_path, lengths), computed(lengths))
        for hybrid in (False, True)
    ]
    forked = hash_all(works, processes=2)
    monkeypatch.setattr(hashing, "SMALL", 2**60)
    here = hash_all(works)
    assert all(isinstance(result, Digests) for result in here)
    assert forked == here
    assert forked[:2] == forked[2:]


def test_a_single_file_is_not_padded() -> None:
    digests = hash_one(HashWork(computed([PIECE + 1]), PIECE, hybrid=True, single=True))
    assert digests.pieces == naive_pieces([PIECE + 1], PIECE, padded=False)


def test_a_file_that_became_shorter_is_named_and_others_go_on(tmp_path: Path) -> None:
    good, bad = on_disk(tmp_path, [100, 200])
    os.truncate(bad.path, 50)
    first, second = hash_all([HashWork([good], PIECE), HashWork([bad], PIECE)])
    assert isinstance(first, Digests)
    assert str(second) == f"{bad.path} became shorter while it was read"


def test_a_large_file_that_became_shorter_is_named(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 40 * 1024 * 1024)
    with pytest.raises(HashError, match=f"^{path} became shorter while it was read$"):
        hash_one(HashWork([Source(64 * 1024 * 1024, str(path))], 2**20), processes=2)


def test_there_are_no_digests_of_what_a_dead_worker_left_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else 128 of 1,024 pieces would be zeros, and the controller would remember them for good."""
    read = content.read

    def die(key: bytes, offset: int, length: int) -> bytes:
        if offset == 32 * 2**20:
            os.kill(os.getpid(), 9)
        return read(key, offset, length)

    monkeypatch.setattr(content, "read", die)
    spec: Spec = {
        "name": "x",
        "kind": "synthetic",
        "piece_length": 65536,
        "recipe": {"size": 64 * 2**20, "seed": "x"},
    }
    with pytest.raises(HashError, match=r"ended by signal 9$"):
        PayloadCache(str(tmp_path))(spec)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    payload = PayloadCache(str(tmp_path))(spec)
    assert bytes(20) not in base64.b64decode(payload["pieces"])
    assert PayloadCache(str(tmp_path))(spec) == payload
    assert len(list(tmp_path.iterdir())) == 1


def test_a_worker_that_dies_is_told_and_the_rest_is_done() -> None:
    def do(unit: int, _worker: workers.Worker) -> None:
        if unit == 3:
            os.kill(os.getpid(), 9)

    faults = workers.run_units(range(50), do, workers=2)
    assert faults == [(3, "the process at work on it was ended by signal 9")]


def test_workers_count_what_they_have_done() -> None:
    seen: list[int] = []
    workers.run_units(range(10), lambda _unit, worker: worker.tick(5), workers=2, report=seen.append)
    assert seen[-1] == 50
