"""Piece hashes across file borders, on disk and computed, in this process and in forked ones."""

from __future__ import annotations

import hashlib
import itertools
import os
from pathlib import Path
from typing import Sequence

import pytest
from ansible.module_utils.seedbed.base import workers
from ansible.module_utils.seedbed.payload import content, hashing
from ansible.module_utils.seedbed.payload.hashing import Source, Work, hash_all
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
    (plain, hybrid), failed = hash_all([Work(sources, PIECE), Work(sources, PIECE, hybrid=True)])
    assert not failed
    assert plain.pieces == naive_pieces(lengths, PIECE, padded=False)
    assert hybrid.pieces == naive_pieces(lengths, PIECE, padded=True)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5 * PIECE), min_size=1, max_size=8), st.sampled_from([PIECE, 4 * PIECE]))
def test_merkle_roots_and_pieces_are_those_of_the_plainest_code(lengths: list[int], piece: int) -> None:
    (digests,), failed = hash_all([Work(computed(lengths), piece, hybrid=True)])
    assert not failed
    assert digests.pieces == naive_pieces(lengths, piece, padded=True)
    for number, length in enumerate(lengths):
        data = content.read(content.file_key("s", (str(number),)), 0, length)
        assert digests.checksums[number] == hashlib.sha256(data).digest()
        assert digests.roots[number] == (naive_root(data, piece) if length else b"")
        assert len(digests.layers[number]) == (32 * -(-length // piece) if length > piece else 0)


def test_forked_workers_agree_with_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = [9 * 1024 * 1024 + 5, 0, 3, 17 * 1024 * 1024, 700_000]
    works = [
        Work(sources, 65536, hybrid=hybrid)
        for sources in (on_disk(tmp_path, lengths), computed(lengths))
        for hybrid in (False, True)
    ]
    forked, failed = hash_all(works, processes=2)
    assert not failed
    monkeypatch.setattr(hashing, "SMALL", 2**60)
    here, failed = hash_all(works)
    assert not failed
    assert forked == here
    assert forked[:2] == forked[2:]


def test_a_single_file_is_not_padded() -> None:
    (digests,), _failed = hash_all([Work(computed([PIECE + 1]), PIECE, hybrid=True, single=True)])
    assert digests.pieces == naive_pieces([PIECE + 1], PIECE, padded=False)


def test_a_file_that_became_shorter_is_named_and_others_go_on(tmp_path: Path) -> None:
    good, bad = on_disk(tmp_path, [100, 200])
    os.truncate(bad.path, 50)
    (first, _second), failed = hash_all([Work([good], PIECE), Work([bad], PIECE)])
    assert failed == {1: f"{bad.path} became shorter while it was read"}
    assert first.pieces


def test_a_large_file_that_became_shorter_is_named(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 40 * 1024 * 1024)
    _digests, failed = hash_all([Work([Source(64 * 1024 * 1024, str(path))], 2**20)], processes=2)
    assert failed == {0: f"{path} became shorter while it was read"}


def test_a_worker_that_dies_is_told_and_the_rest_is_done() -> None:
    def do(unit: int, _worker: workers.Worker) -> None:
        if unit == 3:
            os.kill(os.getpid(), 9)

    faults = workers.run(range(50), do, workers=2)
    assert faults == [(3, "the process at work on it was ended by signal 9")]


def test_workers_count_what_they_have_done() -> None:
    seen: list[int] = []
    workers.run(range(10), lambda _unit, worker: worker.tick(5), workers=2, report=seen.append)
    assert seen[-1] == 50
