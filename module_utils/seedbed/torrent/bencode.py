"""Bencode (BEP 3), for torrents that we make and for hostile ones that we only read.

The decoder never recurses, reads each byte once, and bounds depth, digits, size and the number of values.
Whatever it is fed, it ends with a value or with the byte offset of the first thing that is wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible.module_utils.seedbed.base.errors import SeedbedError

MAX_DEPTH = 64
MAX_SIZE = 256 * 1024 * 1024
# More than a torrent of 100,000 files has, and half a gigabyte of Python at most.
MAX_VALUES = 2**22
MAX_DIGITS = 20  # every 64-bit number, signed or not


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


def _number(data: bytes, start: int, end: int, what: str) -> int:
    """The digits in data[start:end], in the one form that bencode allows."""
    digits = data[start:end]
    body = digits[1:] if digits.startswith(b"-") else digits
    if not body.isdigit():
        raise BencodeError(f"{what} is not a number", start)
    if (len(body) > 1 and body.startswith(b"0")) or digits == b"-0":
        raise BencodeError(f"{what} has a leading zero", start)
    return int(digits)


def _integer(data: bytes, at: int) -> tuple[int, int]:
    end = data.find(b"e", at + 1, at + MAX_DIGITS + 3)
    if end < 0:
        cut = len(data) < at + MAX_DIGITS + 3
        raise BencodeError("integer without an end" if cut else f"integer of more than {MAX_DIGITS} digits", at)
    return _number(data, at + 1, end, "integer"), end + 1


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    colon = data.find(b":", at, at + MAX_DIGITS + 1)
    if colon < 0:
        raise BencodeError("string length without a colon", at)
    start = colon + 1
    end = start + _number(data, at, colon, "string length")
    if end > len(data):
        raise BencodeError(f"string of {end - start} bytes, but only {len(data) - start} follow,", at)
    return data[start:end], end


def _scalar(data: bytes, at: int) -> tuple[Any, int]:
    if data[at] == 0x69:  # i
        return _integer(data, at)
    if data[at] in b"0123456789":
        return _string(data, at)
    raise BencodeError(f"unexpected byte 0x{data[at]:02x}", at)


def _key(data: bytes, at: int) -> tuple[bytes, int]:
    if data[at] not in b"0123456789":
        raise BencodeError("dictionary key is not a string", at)
    return _string(data, at)


class _Frame:
    """A list or dictionary that has begun and not ended."""

    __slots__ = ("key", "keyed", "last", "start", "value")

    def __init__(self, value: Any, start: int) -> None:
        self.value = value
        self.start = start
        self.key: bytes | None = None
        self.last: bytes | None = None
        self.keyed = isinstance(value, dict)

    def take_key(self, key: bytes, at: int, strict: bool) -> None:
        if key in self.value:
            raise BencodeError(f"duplicate key {key[:40]!r}", at)
        if strict and self.last is not None and key < self.last:
            raise BencodeError(f"key {key[:40]!r} out of order", at)
        self.key = self.last = key

    def check_end(self, at: int) -> None:
        if self.key is not None:
            raise BencodeError("key without a value", at)

    def take(self, value: Any) -> None:
        if self.keyed:
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


def decode_head(data: bytes, *, strict: bool = False, max_depth: int = MAX_DEPTH, max_size: int = MAX_SIZE) -> Head:
    """Return the value that data begins with, as clients read it, whatever follows."""
    if len(data) > max_size:
        raise BencodeError(f"{len(data)} bytes are more than the {max_size} that are read,", max_size)
    spans: dict[bytes, tuple[int, int]] = {}
    frames: list[_Frame] = []
    size, at = len(data), 0
    left = MAX_VALUES
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
            key, at = _key(data, at)
            frame.take_key(key, start, strict)
            continue
        elif lead in (0x64, 0x6C):  # d, l
            if len(frames) >= max_depth:
                raise BencodeError(f"nested deeper than {max_depth}", at)
            frames.append(_Frame({} if lead == 0x64 else [], at))
            at += 1
            continue
        else:
            value, at = _scalar(data, at)
        if frame is None:
            return Head(value, spans, at)
        if len(frames) == 1 and frame.keyed and frame.key is not None:
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
    """Return the value of bencoded data; strict also refuses keys out of order, which live torrents do contain."""
    return decode_spans(data, strict=strict, max_depth=max_depth, max_size=max_size)[0]
