"""Piece lengths: the one that fits a size, and the ones that clients accept."""

from __future__ import annotations

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.sizes import KIB, MIB, SizeError, format_size, parse_size

BLOCK = 16 * KIB  # what peers ask for in one request, and the smallest piece that BEP 52 allows
MIN_PIECE = 16 * KIB
MAX_PIECE = 64 * MIB
MAX_AUTO_PIECE = 16 * MIB
MAX_PIECES = 2**20  # 20 MiB of hashes; clients give up on larger .torrent files


class PiecesError(SeedbedError):
    """Content that is too large for its piece length."""

    def __init__(self, length: int, count: int) -> None:
        super().__init__(
            f"piece_length {format_size(length)} makes {count} pieces; at most {MAX_PIECES} would be right"
        )
        self.length, self.count = length, count


def parse_piece_length(value: int | str) -> int:
    """Return a fixed piece length: a power of two between 16 KiB and 64 MiB."""
    length = parse_size(value)
    if not MIN_PIECE <= length <= MAX_PIECE or length & (length - 1):
        raise SizeError(value, "is not a piece length: a power of two between 16KiB and 64MiB would be right")
    return length


def piece_length_for(total: int) -> int:
    """Return the power of two nearest (by ratio) to a 1024th of the total, 16 KiB to 16 MiB: about 1000 pieces."""
    length = MIN_PIECE
    # length * sqrt(2) * 1024 is the border to the next power; squared, to stay in integers.
    while length < MAX_AUTO_PIECE and total * total >= 2 * (length * 1024) ** 2:
        length *= 2
    return length


def padding(lengths: list[int], piece_length: int) -> int:
    """Return the bytes that BEP 47 padding adds when every file has to begin on a piece border."""
    return sum(-length % piece_length for length in lengths)


def hybrid_piece_length_for(lengths: list[int]) -> int:
    """Return it as piece_length_for does, then halved while more than a tenth would be padding."""
    total = sum(lengths)
    length = piece_length_for(total)
    if len(lengths) == 1:
        return length
    while length > MIN_PIECE and padding(lengths, length) * 10 > total:
        length //= 2
    return length


def fit_piece_length(lengths: list[int], *, hybrid: bool = False, given: int = 0) -> int:
    """Return the piece length of files of these lengths: the given one, or the one that fits."""
    length = given or (hybrid_piece_length_for(lengths) if hybrid else piece_length_for(sum(lengths)))
    count = -(-(sum(lengths) + (padding(lengths, length) if hybrid else 0)) // length)
    if count > MAX_PIECES:
        raise PiecesError(length, count)
    return length
