"""The metadata of a torrent, fetched from a peer (BEP 9, 10)."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from typing import Any, Callable, Mapping

from ansible.module_utils.seedbed.torrent import bencode

BLOCK = 16384
MAX_METADATA = 32 * 1024 * 1024
OUR_METADATA_ID = 1
STEADY = 2.0  # seconds without a part after which none is expected to come
# Transmission rejects more than 64 requests at once; other clients have a few in flight, too.
IN_FLIGHT = 8
MAX_REJECTIONS = 3  # of one part: a peer that is busy takes it later


class Extensions:
    """What a peer offers; a second handshake adds to the first one and takes back what it names with 0 (BEP 10)."""

    def __init__(self) -> None:
        self.came = False
        self.fields: dict[bytes, Any] = {}
        self._methods: dict[bytes, Any] = {}

    def take(self, payload: bytes) -> str:
        """Take a handshake; return what is odd about it, or an empty text."""
        self.came = True
        try:
            fields, _, end = bencode.decode_head(payload)
        except bencode.BencodeError as error:
            return f"its extension handshake is not bencode ({error}); clients pass over it"
        if not isinstance(fields, dict):
            return "its extension handshake is no dictionary; clients pass over it"
        methods = fields.pop(b"m", {})
        self.fields.update(fields)
        if not isinstance(methods, dict):
            return "the m of its extension handshake is no dictionary; clients pass over it"
        self._methods.update(methods)
        more = len(payload) - end
        return f"{more} bytes behind the end of its extension handshake; clients pass over them" if more else ""

    @property
    def metadata_id(self) -> int:
        """The number under which it takes questions for metadata; 0 where it does not."""
        number = self._methods.get(b"ut_metadata")
        return number if isinstance(number, int) and 0 < number < 256 else 0

    @property
    def metadata_size(self) -> int | None:
        size = self.fields.get(b"metadata_size")
        return size if isinstance(size, int) else None

    @property
    def offer_metadata(self) -> bool:
        return bool(self.metadata_id) and self.metadata_size is not None

    def number(self, key: bytes, default: int) -> int:
        """Return a number from 1, or the default for anything else."""
        value = self.fields.get(key)
        return value if isinstance(value, int) and value > 0 else default


class MetadataFetch:
    """The parts of the metadata: asked for a few at a time, put together, compared."""

    def __init__(self, size: int, ask: Callable[[int], None]) -> None:
        self.size = size
        self.count = -(-size // BLOCK)
        self.rejected = False
        self._ask = ask
        self._waiting = deque(range(self.count))
        self._asked: dict[int, int] = {}
        self._rejections: dict[int, int] = {}
        self._parts: dict[int, bytes] = {}
        self._last = 0.0
        self._ask_on()

    def _ask_on(self) -> None:
        while self._waiting and len(self._asked) < IN_FLIGHT:
            index = self._waiting.popleft()
            self._asked[index] = min(BLOCK, self.size - index * BLOCK)
            self._ask(index)

    def take(self, payload: bytes) -> None:
        """Take a message of the extension; what was not asked for is passed over."""
        try:
            head, _, end = bencode.decode_head(payload)
        except bencode.BencodeError:
            return
        index = head.get(b"piece") if isinstance(head, dict) else None
        if not isinstance(index, int) or index not in self._asked:
            return
        self._take_part(index, head, payload[end:])

    def _take_part(self, index: int, head: Mapping[bytes, Any], data: bytes) -> None:
        if head.get(b"msg_type") == 1:
            size = self._asked.pop(index)
            self._parts[index] = data[:size]  # one that is too short shows by the hash
            self._last = time.monotonic()
        elif head.get(b"msg_type") == 2:
            del self._asked[index]
            self._rejections[index] = self._rejections.get(index, 0) + 1
            self.rejected = self._rejections[index] >= MAX_REJECTIONS
            self._waiting.append(index)
        else:
            return
        if not self.rejected:
            self._ask_on()

    @property
    def complete(self) -> bool:
        return len(self._parts) == self.count

    def result(self, info_hash: bytes) -> tuple[bytes | None, str, str]:
        """Return the metadata, or why there is none, for programs and people."""
        if self.rejected:
            return None, "rejected", "the peer refuses to send the metadata"
        if not self.complete:
            # What still comes will come, however much there is of it.
            state = "slow" if time.monotonic() - self._last < STEADY else "timeout"
            return None, state, f"{len(self._parts)} of {self.count} parts of the metadata came"
        data = b"".join(self._parts[index] for index in range(self.count))
        if hashlib.sha1(data).digest() != info_hash:
            return None, "wrong_hash", "the metadata that came is not that of the info hash"
        return data, "ok", ""
