"""Content that begins again after a period: a torrent larger than any disk is hashed as quickly as its period."""

from __future__ import annotations

from typing import Sequence

from ansible.module_utils.seedbed.base.sizes import GIB
from ansible.module_utils.seedbed.payload.sources import Source

SUMMED = 4 * GIB  # bytes of different files that are hashed one by one; of more, no file's own digest is known


def different_files(files: Sequence[Source]) -> list[Source]:
    """Return one of each of the files with the same content; none where they are too much to be hashed."""
    different = list(dict.fromkeys(files))
    return different if sum(file.length for file in different) <= SUMMED else []


def spread_checksums(files: Sequence[Source], checksums: Sequence[bytes]) -> list[bytes]:
    """Return the digest of each file by those of the different ones, empty where there are none."""
    known = dict(zip(different_files(files), checksums))
    return [known.get(file, b"") for file in files]


def repeat_pieces(pieces: bytes, total: int, piece_length: int) -> bytes:
    """Return the hashes of so many bytes by those of their period; both are multiples of the piece length."""
    count = total // piece_length
    period = len(pieces) // 20
    return pieces * (count // period) + pieces[: count % period * 20]
