"""One HTTP/1 answer, read as it comes in: as liberal as the clients are whose trackers and web seeds answer.

Python's own reader is stricter than they are (a hundred headers, HTTP/2.0 in the first line, interim answers) and does
not tell where an answer that keeps its connection open has ended.
"""

from __future__ import annotations

import re

from ansible.module_utils.seedbed.base.net import NetError

MAX_HEAD = 256 * 1024
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/\d[\d.]* +(\d{3})(?![0-9])")
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(;[^\n]*)?\r?\n")


class HttpAnswer:
    """An answer that grows: `feed` takes what came, `end` is for a connection that has closed."""

    def __init__(self, max_body: int, *, head_alone: bool = False) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.remarks: list[str] = []
        self.whole = False
        self._max_body, self._head_alone = max_body, head_alone
        self._raw = bytearray()
        self._at = 0  # what is before it in the raw bytes is done with, or holds no blank line
        self._length: int | None = None
        self._chunked = self._trailer = False

    def feed(self, data: bytes) -> bool:
        """Take more bytes; return whether the answer is whole."""
        self._raw += data
        while not self.whole and self._step():
            pass
        if len(self.body) > self._max_body:
            raise NetError("too_long", f"an answer of more than {self._max_body} bytes")
        return self.whole

    def end(self) -> None:
        """The connection has closed: what came counts, if it has a head."""
        if self.whole:
            return
        if not self.status:
            if not self._raw:
                raise NetError("reset", "the connection was closed without an answer")
            raise NetError("not_http", f"the answer is no HTTP: it is {_shown(self._raw)} and ends there")
        if self._length is not None or self._chunked:
            self.body += self._cut_chunk()
            self.remarks.append(
                "the connection closes before the end of its answer; libtorrent and Transmission read what came, "
                "aria2 does not"
            )
        self.whole = True

    def _step(self) -> bool:
        """Go one step forward, if enough has come for it."""
        if not self.status:
            return self._take_head()
        if self._chunked:
            return self._take_trailer() if self._trailer else self._take_chunk()
        left = len(self._raw) if self._length is None else self._length - len(self.body)
        if len(self._raw) > left:
            self.remarks.append(
                "more bytes came than the Content-Length of its answer says; libtorrent reads them, aria2 and "
                "Transmission do not"
            )
        self.body += self._raw[:left]
        del self._raw[:]
        self.whole = self._length is not None and len(self.body) >= self._length
        return False

    def _take_head(self) -> bool:
        if b"\n" in self._raw[:4096] or len(self._raw) >= 4096:
            match = _STATUS_LINE.match(self._raw)
            if not match:
                raise NetError("not_http", f"the answer is no HTTP: it begins with {_shown(self._raw)}")
        blank = _BLANK_LINE.search(self._raw, max(0, self._at - 3))
        if not blank:
            self._at = len(self._raw)
            if self._at > MAX_HEAD:
                raise NetError("too_long", f"an answer with headers of more than {MAX_HEAD} bytes")
            return False
        lines = re.split(rb"\r?\n", bytes(self._raw[: blank.start()]))
        del self._raw[: blank.end()]
        self._at = 0
        status = int(lines[0].split()[1][:3])
        if 100 <= status < 200:  # an interim answer; the final one follows
            return True
        self.headers = _headers(lines[1:])
        self.status = status
        self._chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        self._length = None if self._chunked else self._content_length()
        if self._head_alone or status in (204, 304):
            self._length, self._chunked = 0, False
        return True

    def _content_length(self) -> int | None:
        text = self.headers.get("content-length")
        if text is None:
            return None
        if not re.fullmatch("[0-9]+", text):
            raise NetError("not_http", f"the answer's Content-Length is {text[:40]!r}")
        # Python itself refuses numbers of thousands of digits; so much never comes.
        return int(text) if len(text) < 20 else None

    def _take_chunk(self) -> bool:
        match = _CHUNK_LINE.match(self._raw)
        if not match:
            line, newline, _ = bytes(self._raw[:4096]).partition(b"\n")
            if newline or len(self._raw) >= 4096:
                raise NetError("not_http", f"the answer is chunked, and {_shown(line)} is no size of a chunk")
            return False
        size = int(match.group(1), 16)
        if size == 0:
            del self._raw[: match.end()]
            self._trailer = True
            return True
        if len(self.body) + size > self._max_body:
            raise NetError("too_long", f"an answer of more than {self._max_body} bytes")
        end = match.end() + size
        if len(self._raw) <= end or (self._raw[end : end + 1] == b"\r" and len(self._raw) <= end + 1):
            return False
        self.body += self._raw[match.end() : end]
        del self._raw[: end + (2 if self._raw[end : end + 1] == b"\r" else 1)]
        return True

    def _take_trailer(self) -> bool:
        """Pass over the lines behind the last chunk, up to an empty one."""
        line, newline, _ = self._raw.partition(b"\n")
        if not newline:
            if len(self._raw) > MAX_HEAD:
                raise NetError("too_long", f"an answer with a trailer of more than {MAX_HEAD} bytes")
            return False
        del self._raw[: len(line) + 1]
        self.whole = not line.strip()
        return True

    def _cut_chunk(self) -> bytes:
        """Return what came of a chunk that never ended."""
        match = _CHUNK_LINE.match(self._raw) if self._chunked and not self._trailer else None
        return bytes(self._raw[match.end() : match.end() + int(match.group(1), 16)]) if match else b""


def _headers(lines: list[bytes]) -> dict[str, str]:
    """Return the headers by lower-case name, of several alike the first; a line that is none is refused."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if line[:1] in (b" ", b"\t"):
            continue  # the former header goes on: none that matters does
        if not colon:
            raise NetError("not_http", f"the answer has a header without a colon, {_shown(line)}")
        headers.setdefault(name.strip().lower(), value.strip())
    return headers


def _shown(raw: bytes | bytearray) -> str:
    return repr(bytes(raw[:40]).split(b"\n")[0].rstrip(b"\r"))[1:]
