"""Synthetic content: bytes that are a function of (seed, path, offset) and of nothing else.

Not cryptography. It is made to be incompressible, to have no two equal 16 KiB blocks, to give any range
on its own, and to be quick in plain Python. docs/catalogue.md describes it for a second implementation;
any change of the bytes needs a new FORMAT, which takes part in every derivation.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache
from typing import NamedTuple

FORMAT = "seedbed-content-1"
BLOCK = 16 * 1024
STAMP = 16
BODY = BLOCK - STAMP
GROUP = 64  # blocks whose choices come from one SHAKE call
GROUP_BYTES = GROUP * BLOCK
_ROWS = 256
_BOXES = 257  # one more than a byte can choose: the last scrambles the stamps
_CHOICES = struct.Struct("<" + "5B" * GROUP)
_STAMP = struct.Struct("<8sQ")


class _Bank(NamedTuple):
    rows: list[bytes]
    boxes: list[bytes]
    stamp_box: bytes
    stamp_inverse: bytes


def _derive(purpose: str, *parts: bytes) -> hashlib._Hash:
    return hashlib.shake_128("/".join((FORMAT, purpose, "")).encode() + b"".join(parts))


@lru_cache(maxsize=1)
def _bank() -> _Bank:
    """Return rows and permutations of the format: the same for every seed, so made once a process (20 ms)."""
    raw = _derive("rows").digest(_ROWS * BODY)  # type: ignore[call-arg]
    rows = [raw[at : at + BODY] for at in range(0, len(raw), BODY)]
    words = struct.unpack(f"<{_BOXES * 256}I", _derive("boxes").digest(_BOXES * 1024))  # type: ignore[call-arg]
    boxes = []
    for at in range(0, len(words), 256):
        # Sorting is stable and the same in every version; a shuffle of the library would not be.
        boxes.append(bytes(sorted(range(256), key=words[at : at + 256].__getitem__)))
    stamp_box = boxes.pop()
    inverse = bytearray(256)
    for source, target in enumerate(stamp_box):
        inverse[target] = source
    return _Bank(rows, boxes, stamp_box, bytes(inverse))


def file_key(seed: str, path: tuple[str, ...]) -> bytes:
    """Return eight bytes that stand for a file of a seed; the path of a single-file torrent is empty."""
    key = hashlib.blake2b(f"{FORMAT}/seed/{seed}".encode(), digest_size=32).digest()
    return hashlib.blake2b("/".join(path).encode(), digest_size=8, key=key).digest()


def _group(key: bytes, group: int, first: int, end: int, length: int) -> bytes:
    """Return blocks first..end-1 of one group, cut to length bytes."""
    bank = _bank()
    boxes, rows, stamp_box = bank.boxes, bank.rows, bank.stamp_box
    choices = _derive("group", key, struct.pack("<Q", group)).digest(_CHOICES.size)  # type: ignore[call-arg]
    blocks = []
    number = group * GROUP + first
    for at in range(first * 5, end * 5, 5):
        row, first_box, second_box, third_box, fourth_box = choices[at : at + 5]
        table = boxes[first_box].translate(boxes[second_box]).translate(boxes[third_box]).translate(boxes[fourth_box])
        blocks.append(_STAMP.pack(key, number).translate(stamp_box))
        # The last block may be wanted in part only: many small files live from this.
        body = rows[row] if length >= BLOCK else rows[row][: max(0, length - STAMP)]
        blocks.append(body.translate(table))
        number += 1
        length -= BLOCK
    return b"".join(blocks)


def prepare() -> None:
    """Make the bank now, so that forked workers share it."""
    _bank()


def parts(key: bytes, offset: int, length: int) -> list[bytes]:
    """Return bytes offset..offset+length of the file, cut where its groups of 1 MiB begin."""
    made = []
    while length > 0:
        group, inside = divmod(offset, GROUP_BYTES)
        take = min(length, GROUP_BYTES - inside)
        first, skip = divmod(inside, BLOCK)
        end = (inside + take + BLOCK - 1) // BLOCK
        run = _group(key, group, first, end, skip + take)
        made.append(run[skip : skip + take] if skip or len(run) != take else run)
        offset += take
        length -= take
    return made


def read(key: bytes, offset: int, length: int) -> bytes:
    """Return bytes offset..offset+length of the file."""
    made = parts(key, offset, length)
    return made[0] if len(made) == 1 else b"".join(made)


def stamp_end() -> bytes:
    """Return what every stamp ends with: block numbers have 64 bits, of which a file of less than 64 TiB needs half."""
    return _bank().stamp_box[:1] * 4


def decode_stamp(block: bytes) -> tuple[bytes, int]:
    """Return file key and block number that the first 16 bytes of a block claim."""
    key, number = _STAMP.unpack(block[:STAMP].translate(_bank().stamp_inverse))
    return key, number
