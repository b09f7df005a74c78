"""Sizes, rates and shares as people write them, and the piece length that fits a size."""

from __future__ import annotations

import re

from ansible.module_utils.seedbed.errors import SeedbedError

KIB = 1024
MIB = 1024**2
GIB = 1024**3

BLOCK = 16 * KIB  # what peers ask for in one request, and the smallest piece that BEP 52 allows
MIN_PIECE = 16 * KIB
MAX_PIECE = 64 * MIB
MAX_AUTO_PIECE = 16 * MIB
MAX_PIECES = 2**20  # 20 MiB of hashes; clients give up on larger .torrent files
WHOLE = 1_000_000  # shares count in millionths
MAX_SIZE = 2**60  # far beyond any disk; keeps every sum inside 64 bits

_UNITS = {"": 1, "B": 1}
for _power, _letter in enumerate("kMGT", start=1):
    _UNITS[_letter + "B"] = 1000**_power
    _UNITS[_letter.upper() + "iB"] = 1024**_power

_TERM = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)\s*([A-Za-z]*)")


class SizeError(SeedbedError):
    """A text that is not a size, a rate, a share or a piece length."""

    def __init__(self, value: object, why: str) -> None:
        super().__init__(f"{value!r} {why}")
        self.value = value


class PiecesError(SeedbedError):
    """Content that is too large for its piece length."""

    def __init__(self, length: int, count: int) -> None:
        super().__init__(
            f"piece_length {format_size(length)} makes {count} pieces; at most {MAX_PIECES} would be right"
        )
        self.length, self.count = length, count


def _term(text: str, whole: object) -> int:
    match = _TERM.fullmatch(text.strip())
    if not match or match.group(2) not in _UNITS:
        raise SizeError(whole, "is not a size: write bytes, or a number with B, kB, MB, GB, TB, KiB, MiB, GiB or TiB")
    number, factor = match.group(1), _UNITS[match.group(2)]
    whole_part, _dot, fraction = number.partition(".")
    # In integers: a float would lose bytes beyond 2**53.
    scaled = int(whole_part + fraction) * factor
    size, rest = divmod(scaled, int(10 ** len(fraction)))
    if rest:
        raise SizeError(whole, "is not a whole number of bytes")
    return size


def parse_size(value: int | str) -> int:
    """Bytes of '256MiB', '1.5GiB', '1MiB+1' or a plain number."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise SizeError(value, f"is not a size: expected a number or a text, got {type(value).__name__}")
    size: int = value if isinstance(value, int) else sum(_term(term, value) for term in value.split("+"))
    if not 0 <= size <= MAX_SIZE:
        raise SizeError(value, "is not a size between 0 and 1024 PiB")
    return size


def parse_rate(value: int | str) -> int:
    """Bytes a second of '100KiB/s' or a plain number."""
    if isinstance(value, str) and value.endswith("/s"):
        return parse_size(value[:-2])
    if isinstance(value, int) and not isinstance(value, bool):
        return parse_size(value)
    raise SizeError(value, "is not a rate: write it like 100KiB/s")


def parse_share(value: int | float | str) -> int:
    """Millionths of '60%', '12.5%' or 0.6; an integer keeps the choice of pieces the same everywhere."""
    try:
        if isinstance(value, str) and value.strip().endswith("%"):
            share = float(value.strip()[:-1]) / 100
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            share = float(value)
        else:
            raise ValueError
    except ValueError:
        raise SizeError(value, "is not a share: write it like 60%") from None
    if not 0 <= share <= 1:
        raise SizeError(value, "is not a share between 0% and 100%")
    return round(share * WHOLE)


def format_share(share: int) -> str:
    """'60%', '12.5%'."""
    return f"{share / WHOLE * 100:g}%"


def format_size(size: float) -> str:
    """Text for people, in the units of piece lengths: 12 GiB, 1.5 KiB, 512 B."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < KIB or unit == "TiB":
            break
        size /= KIB
    return f"{round(size, 1):.10g} {unit}"


def parse_piece_length(value: int | str) -> int:
    """A fixed piece length: a power of two between 16 KiB and 64 MiB."""
    length = parse_size(value)
    if not MIN_PIECE <= length <= MAX_PIECE or length & (length - 1):
        raise SizeError(value, "is not a piece length: a power of two between 16KiB and 64MiB would be right")
    return length


def piece_length_for(total: int) -> int:
    """The power of two nearest (by ratio) to a 1024th of the total, 16 KiB to 16 MiB: about 1000 pieces."""
    length = MIN_PIECE
    # length * sqrt(2) * 1024 is the border to the next power; squared, to stay in integers.
    while length < MAX_AUTO_PIECE and total * total >= 2 * (length * 1024) ** 2:
        length *= 2
    return length


def padding(lengths: list[int], piece_length: int) -> int:
    """Bytes that BEP 47 padding adds when every file has to begin on a piece border."""
    return sum(-length % piece_length for length in lengths)


def hybrid_piece_length_for(lengths: list[int]) -> int:
    """As piece_length_for, then halved while more than a tenth would be padding."""
    total = sum(lengths)
    length = piece_length_for(total)
    if len(lengths) == 1:
        return length
    while length > MIN_PIECE and padding(lengths, length) * 10 > total:
        length //= 2
    return length


def fit_piece_length(lengths: list[int], *, hybrid: bool = False, given: int = 0) -> int:
    """The piece length of files of these lengths: the given one, or the one that fits."""
    length = given or (hybrid_piece_length_for(lengths) if hybrid else piece_length_for(sum(lengths)))
    count = -(-(sum(lengths) + (padding(lengths, length) if hybrid else 0)) // length)
    if count > MAX_PIECES:
        raise PiecesError(length, count)
    return length
