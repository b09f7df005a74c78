"""Sizes, rates and shares as people write them, and the piece length that fits a size."""

from __future__ import annotations

import re
from typing import Iterable, Tuple

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.text import quoted

KIB = 1024
MIB = 1024**2
GIB = 1024**3
WHOLE = 1_000_000  # shares count in millionths
Range = Tuple[int, int]  # from one share to another
MAX_SIZE = 2**60  # far beyond any disk; keeps every sum inside 64 bits

_UNITS = {"": 1, "B": 1}
for _power, _letter in enumerate("kMGT", start=1):
    _UNITS[_letter + "B"] = 1000**_power
    _UNITS[_letter.upper() + "iB"] = 1024**_power

MAX_SECONDS = 30 * 86400
_TIMES = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}
_TIME = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|min|h)")

_TERM = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)\s*([A-Za-z]*)")


class SizeError(SeedbedError):
    """A text that is not a size, a rate, a share or a piece length."""

    def __init__(self, value: object, why: str) -> None:
        super().__init__(f"{quoted(value)} {why}")
        self.value = value


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
    """Return the bytes of '256MiB', '1.5GiB', '1MiB+1' or a plain number."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise SizeError(value, f"is not a size: expected a number or a text, got {type(value).__name__}")
    size: int = value if isinstance(value, int) else sum(_term(term, value) for term in value.split("+"))
    if not 0 <= size <= MAX_SIZE:
        raise SizeError(value, "is not a size between 0 and 1024 PiB")
    return size


def parse_rate(value: int | str) -> int:
    """Return the bytes a second of '100KiB/s' or a plain number."""
    if isinstance(value, str) and value.endswith("/s"):
        return parse_size(value[:-2])
    if isinstance(value, int) and not isinstance(value, bool):
        return parse_size(value)
    raise SizeError(value, "is not a rate: write it like 100KiB/s")


def parse_seconds(value: int | float | str) -> float:
    """Return the seconds of '20s', '500ms', '2min', '1h' or a plain number."""
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    number = float(match.group(1)) * _TIMES[match.group(2)] if match else value
    if isinstance(number, (bool, str)) or not isinstance(number, (int, float)) or not 0 <= number <= MAX_SECONDS:
        raise SizeError(value, "is not a time up to 30 days: write it like 20s, 500ms, 2min or 1h")
    return float(number)


def parse_share(value: int | float | str) -> int:
    """Return the millionths of '60%', '12.5%' or 0.6; an integer keeps the choice of pieces the same everywhere."""
    try:
        if isinstance(value, str) and value.strip().endswith("%"):
            share = float(value.strip()[:-1]) / 100
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            share = float(value)
        else:
            raise ValueError
    except (ValueError, OverflowError):
        raise SizeError(value, "is not a share: write it like 60%") from None
    if not 0 <= share <= 1:
        raise SizeError(value, "is not a share between 0% and 100%")
    return round(share * WHOLE)


def format_share(share: int) -> str:
    """Return a share as text: '60%', '12.5%'."""
    return f"{share / WHOLE * 100:g}%"


def parse_range(value: int | float | str) -> Range:
    """Return the millionths from and to which '40-100%' goes; a share is a range that begins with 0."""
    if not isinstance(value, str) or "-" not in value:
        return 0, parse_share(value)
    begin, _dash, end = value.partition("-")
    try:
        found = parse_share(begin.strip().rstrip("%") + "%"), parse_share(end)
    except SizeError:
        raise SizeError(value, "is not a range between 0% and 100%: write it like 40-100%") from None
    if found[0] >= found[1]:
        raise SizeError(value, "is a range without anything in it: write it like 40-100%")
    return found


def format_range(held: Range) -> str:
    """Return a range as text: '40-100%'."""
    return f"{held[0] / WHOLE * 100:g}-{format_share(held[1])}"


def together(ranges: Iterable[Range]) -> int:
    """Return the share that lies in one range at least."""
    covered = reached = 0
    for begin, end in sorted(ranges):
        covered += max(0, end - max(begin, reached))
        reached = max(end, reached)
    return covered


def format_size(size: float) -> str:
    """Return text for people, in the units of piece lengths: 12 GiB, 1.5 KiB, 512 B."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < KIB or unit == "TiB":
            break
        size /= KIB
    return f"{round(size, 1):.10g} {unit}"
