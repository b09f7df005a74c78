"""HTTP/1.1 as trackers, web seeds and the testimony need it: short requests, answers that may be long or never come."""

from __future__ import annotations

import json
import re
from typing import Callable, Iterable, NamedTuple
from urllib.parse import unquote_to_bytes

from ansible.module_utils.seedbed.scripted.link import CROWDED, Buffer, Link
from ansible.module_utils.seedbed.scripted.messages import WireError
from ansible.module_utils.seedbed.scripted.pace import Pace

MAX_HEAD = 16 * 1024
PIECE_OF_BODY = 256 * 1024
IDLE = 60.0
BUSY = 1000  # requests a second over one connection, above which it is not listened to for a while
AHEAD = 16  # answers that wait before the next request is looked at
_LINE = re.compile(rb"(GET|HEAD) (\S{1,8192}) HTTP/1\.[01]")
_REASONS = {
    200: "OK",
    206: "Partial Content",
    302: "Found",
    403: "Forbidden",
    404: "Not Found",
    416: "Range Not Satisfiable",
}
_REASONS.update({500: "Internal Server Error", 503: "Service Unavailable", 400: "Bad Request"})


class Question(NamedTuple):
    """An HTTP request."""

    method: str
    path: str
    query: bytes
    headers: dict[str, str]

    def parameters(self) -> dict[str, bytes]:
        """Return the query's parameters, each by its last value, as bytes: an info hash is no text."""
        found = {}
        for pair in self.query.split(b"&"):
            key, _equals, value = pair.partition(b"=")
            found[unquote_to_bytes(key).decode("utf-8", "replace")] = unquote_to_bytes(value.replace(b"+", b" "))
        return found


class Body(NamedTuple):
    """A body that is made while it is sent."""

    length: int
    read: Callable[[int, int], Buffer]  # from where, how much
    rate: int = 0
    cut: int = 0  # the connection closes after so many bytes of it


class Reply(NamedTuple):
    """An answer. Without any status there is none, ever."""

    status: int = 200
    headers: Iterable[tuple[str, str]] = ()
    body: bytes = b""
    stream: Body | None = None
    delay: float = 0.0
    length: str = "right"  # none: it ends with the connection; chunked
    ends: bool = False


def json_reply(value: object, status: int = 200) -> Reply:
    """Return a value as JSON, for whoever may ask."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    headers = (
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        ("Access-Control-Allow-Origin", "*"),
    )
    return Reply(status, headers, body)


class HttpTalk:
    """The requests of one connection, answered one after the other."""

    def __init__(self, link: Link, answer: Callable[[Question, Link], Reply]) -> None:
        self._link, self._answer = link, answer
        self._held = bytearray()
        self._busy = False
        self._stream: Body | None = None
        self._at = 0
        self._last = False
        self._serial = 0
        self._pace = Pace(BUSY)
        self._watch()

    def take(self, data: bytes) -> None:
        """Take a part of a request."""
        self._held += data
        self._next()
        if len(self._held) > MAX_HEAD:
            raise WireError("more than one request's worth behind those that are being answered")

    def _next(self) -> None:
        """Answer requests until one takes its time."""
        while not self._busy and self._link.open and self._link.backlog < AHEAD:
            end = self._held.find(b"\r\n\r\n")
            if end < 0:
                return
            self._begin(end)

    def _begin(self, end: int) -> None:
        head = bytes(self._held[:end])
        del self._held[: end + 4]
        self._busy = True
        self._serial += 1
        if self._pace.is_over():
            self._link.rest()
        question = _read(head)
        if question is None:
            self._say(Question("GET", "/", b"", {}), Reply(400, ends=True))
            return
        reply = self._answer(question, self._link)
        if not reply.status:
            return  # never answered: the client gives up, or we do when it is idle for long
        if reply.delay:
            self._link.later(reply.delay, lambda: self._go_on(question, reply))
        else:
            self._say(question, reply)

    def _go_on(self, question: Question, reply: Reply) -> None:
        self._say(question, reply)
        self._next()

    def _say(self, question: Question, reply: Reply) -> None:
        wants_close = question.headers.get("connection", "").lower() == "close"
        self._last = reply.ends or wants_close or reply.length == "none"
        body = reply.body
        headers = [*reply.headers, ("Connection", "close" if self._last else "keep-alive")]
        if reply.length == "chunked":
            headers.append(("Transfer-Encoding", "chunked"))
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _parts(body)) + b"0\r\n\r\n"
        elif reply.length == "right":
            headers.append(("Content-Length", str(reply.stream.length if reply.stream else len(body))))
        lines = [
            f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Answer')}",
            *(f"{key}: {value}" for key, value in headers),
        ]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
        if question.method == "HEAD":
            self._link.send(head)
        else:
            self._link.send(head + body)
            self._stream, self._at = reply.stream, 0
        if not self._stream:
            self._done()

    def _done(self) -> None:
        self._stream = None
        if self._last:
            self._link.finish("the HTTP answer is complete")
            return
        self._busy = False

    def more(self) -> bool:
        """Send the next part of a long body."""
        body = self._stream
        if body is None:
            serial = self._serial
            self._next()
            return self._serial != serial
        end = min(body.length, body.cut or body.length)
        most = 16384 if self._link.waiting > CROWDED else PIECE_OF_BODY
        take = min(most, end - self._at, max(4096, body.rate // 4) if body.rate else PIECE_OF_BODY)
        if take <= 0:
            if end < body.length:
                self._link.finish("scripted: the answer is cut")
                self._stream = None
            else:
                self._done()
                self._next()
            return True
        self._link.send(body.read(self._at, take))
        self._at += take
        if body.rate:
            self._stream = None

            def go_on() -> None:
                self._stream = body
                self._link.wake()

            self._link.later(take / body.rate, go_on)
        return True

    def _watch(self) -> None:
        """Close when nothing was asked for long."""
        serial = self._serial

        def look() -> None:
            if self._serial == serial and not self._stream:
                self._link.end("no HTTP request for long")
            else:
                self._watch()

        self._link.later(IDLE if not self._busy else 4 * IDLE, look)

    def ended(self, _why: str) -> None:
        """Nothing is kept."""


def _parts(body: bytes) -> list[bytes]:
    middle = max(1, len(body) // 2)
    return [part for part in (body[:middle], body[middle:]) if part]


def _read(head: bytes) -> Question | None:
    first, *lines = head.split(b"\r\n")
    match = _LINE.fullmatch(first)
    if not match:
        return None
    path, _mark, query = match.group(2).partition(b"?")
    headers = {}
    for line in lines:
        key, _colon, value = line.decode("latin-1").partition(":")
        headers[key.strip().lower()] = value.strip()
    return Question(match.group(1).decode(), path.decode("latin-1"), query, headers)
