"""Bencode (BEP 3), for torrents that we make and for hostile ones that we only read.

The decoder never recurses, reads each byte once, and bounds depth, digits, size and the number of values.
Whatever it is fed, it ends with a value or with the byte offset of the first thing that is wrong. Not strict, it
takes what clients take, and tells where it is no bencode.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple

from ansible.module_utils.seedbed.base.errors import SeedbedError

MAX_DEPTH = 99  # what libtorrent reads
MAX_SIZE = 256 * 1024 * 1024
# More than a torrent of 100,000 files has, and half a gigabyte of Python at most.
MAX_VALUES = 2**22
MAX_DIGITS = 20  # every 64-bit number, signed or not
MAX_ODDITIES = 100  # of a kind


class BencodeError(SeedbedError):
    """Data that is not bencode; offset is the first byte that cannot be."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} at byte {offset}")
        self.offset = offset


class BencodeTypeError(SeedbedError):
    """A Python value that bencode has no form for."""

    def __init__(self, value: object) -> None:
        super().__init__(f"cannot bencode {type(value).__name__}; expected int, text, bytes, list or dict")
        self.value = value


class BencodeKeyError(SeedbedError):
    """A key that a dictionary has as text and as bytes."""

    def __init__(self, key: bytes) -> None:
        super().__init__(f"cannot bencode a dictionary with the key {key[:40]!r} twice")


class Encoded(bytes):
    """A value that is bencode already and stays as it is."""


def encode(value: Any) -> bytes:
    """Return the bencode of int, str (as UTF-8), bytes, list, tuple, dict and Encoded; keys are sorted as raw bytes."""
    out: list[bytes] = []
    _encode(value, out)
    return b"".join(out)


def _encode(value: Any, out: list[bytes]) -> None:
    if isinstance(value, bytes):
        out.append(value if isinstance(value, Encoded) else b"%d:%b" % (len(value), value))
    elif isinstance(value, str):
        raw = value.encode()
        out.append(b"%d:%b" % (len(raw), raw))
    elif isinstance(value, bool):
        raise BencodeTypeError(value)
    elif isinstance(value, int):
        out.append(b"i%de" % value)
    elif isinstance(value, (list, tuple)):
        out.append(b"l")
        for member in value:
            _encode(member, out)
        out.append(b"e")
    elif isinstance(value, dict):
        out.append(b"d")
        pairs = []
        for key, member in value.items():
            if not isinstance(key, (str, bytes)):
                raise BencodeTypeError(key)
            pairs.append((key.encode() if isinstance(key, str) else key, member))
        pairs.sort(key=lambda pair: pair[0])
        for number, (raw, member) in enumerate(pairs):
            if number and raw == pairs[number - 1][0]:
                raise BencodeKeyError(raw)
            out.append(b"%d:%b" % (len(raw), raw))
            _encode(member, out)
        out.append(b"e")
    else:
        raise BencodeTypeError(value)


class Oddities(Dict[str, List[int]]):
    """Where data is odd, by kind: order, duplicate, zero, minus zero, length zero, sign, giant.

    A strict reader has none.
    """

    def note(self, kind: str, what: str, at: int, strict: bool) -> None:
        """Remember an oddity, or refuse it."""
        if strict:
            raise BencodeError(what, at)
        found = self.setdefault(kind, [])
        if len(found) < MAX_ODDITIES:
            found.append(at)


class _Scalars:
    """Reads numbers and strings."""

    def __init__(self, data: bytes, odd: Oddities, strict: bool) -> None:
        self.data, self.odd, self.strict = data, odd, strict

    def _number(self, start: int, end: int, what: str, zero: str) -> int:
        """The digits from start to end, in the one form that bencode allows, or in one that clients read besides."""
        digits = self.data[start:end]
        body = digits[1:] if digits.startswith(b"-") else digits
        if zero == "zero" and digits[:1] in (b" ", b"+"):
            body = digits.lstrip(b" ")
            body = body[1:] if body.startswith(b"+") else body
            if body.isdigit():
                self.odd.note("sign", f"{what} is not a number", start, self.strict)
        if not body.isdigit():
            raise BencodeError(f"{what} is not a number", start)
        if digits == b"-0":
            self.odd.note("minus zero", f"{what} has a leading zero", start, self.strict)
        elif len(body) > 1 and body.startswith(b"0"):
            self.odd.note(zero, f"{what} has a leading zero", start, self.strict)
        value = int(digits)
        if not self.strict and not -(2**63) <= value < 2**63:
            self.odd.note("giant", what, start, self.strict)
        return value

    def _integer(self, at: int) -> tuple[int, int]:
        end = self.data.find(b"e", at + 1, at + MAX_DIGITS + 3)
        if end < 0:
            cut = len(self.data) < at + MAX_DIGITS + 3
            raise BencodeError("integer without an end" if cut else f"integer of more than {MAX_DIGITS} digits", at)
        return self._number(at + 1, end, "integer", "zero"), end + 1

    def string(self, at: int) -> tuple[bytes, int]:
        colon = self.data.find(b":", at, at + MAX_DIGITS + 1)
        if colon < 0:
            raise BencodeError("string length without a colon", at)
        start = colon + 1
        end = start + self._number(at, colon, "string length", "length zero")
        if end > len(self.data):
            raise BencodeError(f"string of {end - start} bytes, but only {len(self.data) - start} follow,", at)
        return self.data[start:end], end

    def scalar(self, at: int) -> tuple[Any, int]:
        if self.data[at] == 0x69:  # i
            return self._integer(at)
        if self.data[at] in b"0123456789":
            return self.string(at)
        raise BencodeError(f"unexpected byte 0x{self.data[at]:02x}", at)

    def key(self, at: int) -> tuple[bytes, int]:
        if self.data[at] not in b"0123456789":
            raise BencodeError("dictionary key is not a string", at)
        return self.string(at)


class _Frame:
    """A list or dictionary that has begun and not ended."""

    __slots__ = ("again", "key", "keyed", "last", "start", "value")

    def __init__(self, value: Any, start: int) -> None:
        self.value = value
        self.start = start
        self.key: bytes | None = None
        self.last: bytes | None = None
        self.keyed = isinstance(value, dict)
        self.again = False

    def take_key(self, key: bytes, at: int, odd: Oddities, strict: bool) -> None:
        self.again = key in self.value
        if self.again:
            odd.note("duplicate", f"duplicate key {key[:40]!r}", at, strict)
        elif self.last is not None and key < self.last:
            odd.note("order", f"key {key[:40]!r} out of order", at, strict)
        self.key = self.last = key

    def check_end(self, at: int) -> None:
        if self.key is not None:
            raise BencodeError("key without a value", at)

    def take(self, value: Any) -> None:
        if self.keyed:
            if not self.again:  # of a key that stands there twice, the first counts
                self.value[self.key] = value
            self.key = None
        else:
            self.value.append(value)


class Head(NamedTuple):
    """The value that data begins with; ``spans``: where the values of an outermost dictionary's keys lie."""

    value: Any
    spans: dict[bytes, tuple[int, int]]
    end: int
    """The offset of the first byte behind it."""


class Reading(NamedTuple):
    """The value that data begins with, and how it is written."""

    head: Head
    oddities: Oddities
    depth: int
    """How many lists and dictionaries lie in each other."""


def decode_head(data: bytes, *, strict: bool = False, max_depth: int = MAX_DEPTH, max_size: int = MAX_SIZE) -> Head:
    """Return the value that data begins with, as clients read it, whatever follows."""
    return decode_closely(data, strict=strict, max_depth=max_depth, max_size=max_size).head


def decode_closely(
    data: bytes, *, strict: bool = False, max_depth: int = MAX_DEPTH, max_size: int = MAX_SIZE
) -> Reading:
    """Return the value that data begins with, and what is odd about its form."""
    if len(data) > max_size:
        raise BencodeError(f"{len(data)} bytes are more than the {max_size} that are read,", max_size)
    spans: dict[bytes, tuple[int, int]] = {}
    frames: list[_Frame] = []
    size, at = len(data), 0
    left = MAX_VALUES
    odd = Oddities()
    read = _Scalars(data, odd, strict)
    depth = 0
    while True:
        if at >= size:
            raise BencodeError("data ends too early", size)
        left -= 1
        if left < 0:
            raise BencodeError(f"more than {MAX_VALUES} values, keys and ends", at)
        frame = frames[-1] if frames else None
        lead, start = data[at], at
        if frame is not None and lead == 0x65:  # e
            frame.check_end(at)
            value, start, at = frame.value, frame.start, at + 1
            frames.pop()
            frame = frames[-1] if frames else None
        elif frame is not None and frame.keyed and frame.key is None:
            key, at = read.key(at)
            frame.take_key(key, start, odd, strict)
            continue
        elif lead in (0x64, 0x6C):  # d, l
            if len(frames) >= max_depth:
                raise BencodeError(f"nested deeper than {max_depth}", at)
            frames.append(_Frame({} if lead == 0x64 else [], at))
            depth = max(depth, len(frames))
            at += 1
            continue
        else:
            value, at = read.scalar(at)
        if frame is None:
            return Reading(Head(value, spans, at), odd, depth)
        if len(frames) == 1 and frame.key is not None and not frame.again:
            spans[frame.key] = (start, at)
        frame.take(value)


def decode_spans(
    data: bytes, *, strict: bool = True, max_depth: int = MAX_DEPTH, max_size: int = MAX_SIZE
) -> tuple[Any, dict[bytes, tuple[int, int]]]:
    """Return the value, and for each key of an outermost dictionary the span of its value's own bytes."""
    value, spans, end = decode_head(data, strict=strict, max_depth=max_depth, max_size=max_size)
    if end != len(data):
        raise BencodeError(f"{len(data) - end} more bytes after the end", end)
    return value, spans


def decode(data: bytes, *, strict: bool = True, max_depth: int = MAX_DEPTH, max_size: int = MAX_SIZE) -> Any:
    """Return the value of bencoded data; strict also refuses what clients read although it is none."""
    return decode_spans(data, strict=strict, max_depth=max_depth, max_size=max_size)[0]
