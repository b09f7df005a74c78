"""The peer protocol as the side that is called reads and writes it: BEP 3, 6, 10, 52."""

from __future__ import annotations

import struct
from typing import Tuple

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent.bencode import Encoded, encode

KEEP_ALIVE = -1
NOT_INTERESTED, CANCEL = 3, 8
REJECT = 16
HASH_REQUEST, HASHES, HASH_REJECT = 21, 22, 23
BLOCK = 16384
# What a client has to say to a seeder, without its bitfield.
MAX_MESSAGE = 64 * 1024
SHORT = 4096  # bytes of a message for which there is always room
ROOM = 16 * 1024 * 1024  # for all longer messages of which parts have come, together

Message = Tuple[int, bytes]
_HEAD = struct.Struct(">IB")
_PIECE = struct.Struct(">IBII")
_TRIPLE = struct.Struct(">III")


class WireError(SeedbedError):
    """Bytes that no client would send to a seeder."""


class MessageReader:
    """Cuts a stream into messages, whatever the parts in which it comes."""

    room = ROOM

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._limit = limit
        self._held = bytearray()
        self._needed = 4
        self._taken = 0  # of the room

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that these bytes complete; raise WireError for one that is too long."""
        held = self._held
        held += data
        size = len(held)
        if size < self._needed:
            return []
        self.close()
        found: list[Message] = []
        at, self._needed = 0, 4
        with memoryview(held) as view:
            while size - at >= 4:
                length = int.from_bytes(view[at : at + 4], "big")
                if length > self._limit:
                    raise WireError(f"a message of {length} bytes")
                end = at + 4 + length
                if end > size:
                    self._needed = end - at
                    self._take_room(length)
                    break
                found.append((view[at + 4], bytes(view[at + 5 : end])) if length else (KEEP_ALIVE, b""))
                at = end
        del held[:at]
        return found

    def _take_room(self, length: int) -> None:
        """Thousands that each begin a long message shall not fill the memory."""
        if length > SHORT:
            if length > MessageReader.room:
                raise WireError(f"a message of {length} bytes, while too many others wait for theirs")
            MessageReader.room -= length
            self._taken = length

    def close(self) -> None:
        """Give back what was taken of the room."""
        MessageReader.room += self._taken
        self._taken = 0


def message(kind: int, payload: bytes = b"") -> bytes:
    """Return one message."""
    return _HEAD.pack(len(payload) + 1, kind) + payload


def index_message(kind: int, index: int) -> bytes:
    """Return a message that names a piece."""
    return message(kind, index.to_bytes(4, "big"))


def triple_message(kind: int, index: int, begin: int, length: int) -> bytes:
    """Return a message that names a block: a request, a cancel, a reject."""
    return message(kind, _TRIPLE.pack(index, begin, length))


def read_triple(payload: bytes) -> tuple[int, int, int]:
    """Return piece, begin and length of a message that names a block."""
    if len(payload) != 12:
        raise WireError(f"a block named in {len(payload)} bytes instead of 12")
    index, begin, length = _TRIPLE.unpack(payload)
    return index, begin, length


def read_index(payload: bytes) -> int:
    """Return the piece of a message that names one."""
    if len(payload) != 4:
        raise WireError(f"a piece named in {len(payload)} bytes instead of 4")
    return int.from_bytes(payload, "big")


def piece_head(index: int, begin: int, length: int) -> bytes:
    """Return what stands before the bytes of a block."""
    return _PIECE.pack(length + 9, 7, index, begin)


def extended(number: int, dictionary: object, rest: bytes = b"") -> bytes:
    """Return a message of the extension protocol (BEP 10)."""
    return message(20, bytes([number]) + (dictionary if isinstance(dictionary, Encoded) else encode(dictionary)) + rest)


def bitfield(held: list[bool]) -> bytes:
    """Return a bitfield's bytes, spare bits zero."""
    count = len(held)
    bits = int("".join("1" if one else "0" for one in held) or "0", 2) << -count % 8
    return bits.to_bytes(-(-count // 8), "big")
