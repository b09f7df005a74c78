"""One TCP connection: what comes goes to a speaker, what the speaker has goes out as fast as it is taken."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from itertools import islice
from typing import Any, Callable, Protocol, Union

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.scripted.pace import REST
from ansible.module_utils.seedbed.scripted.rc4 import Cipher

READ = 128 * 1024
READ_CROWDED = 4096
TURN = 4 * 1024 * 1024  # bytes that one connection sends before the others have their turn
VECTOR = 256  # buffers of one sendmsg
CROWDED = 32 * 1024 * 1024  # bytes that wait on all connections together, above which each gets little at a time
BACKLOG = 4096  # buffers that wait on one connection, above which its client is not listened to
BACKLOG_CROWDED = 64
# What the system keeps for a connection is our memory, too: from so many connections on, so many bytes (it takes the
# double); before, as much as it likes.
NARROW = ((256, 32 * 1024), (16, 256 * 1024))
BUFFERS = 200_000  # that wait on all connections together, above which the smaller numbers hold

Buffer = Union[bytes, bytearray, memoryview]
_RESET = struct.pack("ii", 1, 0)


class Speaker(Protocol):
    """What talks over a connection."""

    def take(self, data: bytes) -> None:
        """Take what came."""

    def more(self) -> bool:
        """All that was queued is sent: queue more, and return whether there was any."""

    def ended(self, why: str) -> None:
        """The connection is over."""


class Link:
    """A connection that reads and writes without ever waiting."""

    waiting = 0  # bytes that wait on all of them
    buffers = 0  # in so many parts

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, forget: Callable[[Link], None]) -> None:
        self.loop = loop
        self._sock, self._forget = sock, forget
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.own, self.client = address_of(sock.getsockname()), address_of(sock.getpeername())
        self.client_port: int = sock.getpeername()[1]
        self.speaker: Speaker | None = None
        self.incoming: Cipher | None = None
        self.outgoing: Cipher | None = None
        self.open = True
        self._reading = self._writing = self._soon = False
        self._out: deque[Buffer] = deque()
        self._queued = 0
        self._deaf = False
        self._timers: set[asyncio.TimerHandle] = set()
        self._last_words = ""
        self.listen(True)

    def listen(self, wanted: bool) -> None:
        """Read from now on, or do not."""
        if wanted and not self._reading and self.open:
            self.loop.add_reader(self._sock.fileno(), self._readable)
        elif not wanted and self._reading:
            self.loop.remove_reader(self._sock.fileno())
        self._reading = wanted and self.open

    def narrow(self, connections: int) -> None:
        """Bound what the system keeps for this connection, by how many there are."""
        for above, size in NARROW:
            if connections >= above:
                with contextlib.suppress(OSError):  # gone already, which the next read tells
                    self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
                    self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
                return

    def later(self, seconds: float, call: Callable[[], Any]) -> None:
        """Call something in a while, unless the connection is over by then."""

        def run() -> None:
            self._timers.discard(handle)
            try:
                call()
            except SeedbedError as error:
                self.end(str(error))

        handle = self.loop.call_later(seconds, run)
        self._timers.add(handle)

    def rest(self, seconds: float = REST) -> None:
        """Read nothing for a while: who talks without end shall not cost a core."""
        self.listen(False)
        self.later(seconds, lambda: self.listen(not self._deaf))

    @property
    def backlog(self) -> int:
        """How many buffers wait."""
        return len(self._out)

    def send(self, *buffers: Buffer) -> None:
        """Queue bytes; they go out when the work at hand is done."""
        if not self.open or self._last_words:
            return
        if self.outgoing:
            buffers = (self.outgoing.crypt(b"".join(buffers)),)
        # Of an empty buffer sendmsg sends nothing, again and again.
        for buffer in buffers:
            size = len(buffer)
            if size:
                self._out.append(buffer)
                self._queued += size
                Link.waiting += size
                Link.buffers += 1
        if not self._soon:
            self._soon = True
            self.loop.call_soon(self._flush)

    def wake(self) -> None:
        """Ask the speaker for more."""
        if self.open and not self._soon:
            self._soon = True
            self.loop.call_soon(self._flush)

    def finish(self, why: str) -> None:
        """Send what is queued, then close."""
        self._last_words = why
        self.wake()

    def end(self, why: str, *, reset: bool = False) -> None:
        """Close now."""
        if not self.open:
            return
        self.listen(False)
        self._write(False)
        self.open = False
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        Link.waiting -= self._queued
        Link.buffers -= len(self._out)
        self._out.clear()
        if reset:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._sock.close()
        self._forget(self)
        speaker, self.speaker = self.speaker, None
        if speaker:
            speaker.ended(why)

    def _readable(self) -> None:
        crowded = Link.buffers > BUFFERS
        try:
            data = self._sock.recv(READ_CROWDED if crowded else READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.end(f"the client's side: {error.strerror}")
            return
        if not data:
            self.end("the client closed")
            return
        if self.incoming:
            data = self.incoming.crypt(data)
        try:
            if self.speaker:
                self.speaker.take(data)
        except SeedbedError as error:
            self.end(str(error))
        if len(self._out) > (BACKLOG_CROWDED if crowded else BACKLOG) and self._reading:
            self._deaf = True  # it asks and does not read
            self.listen(False)

    def _write(self, wanted: bool) -> None:
        if wanted != self._writing:
            if wanted:
                self.loop.add_writer(self._sock.fileno(), self._flush)
            else:
                self.loop.remove_writer(self._sock.fileno())
            self._writing = wanted

    def _flush(self) -> None:
        self._soon = False
        turn = TURN
        try:
            while self.open:
                if not self._out:
                    if self._deaf:
                        self._deaf = False
                        self.listen(True)
                    if self._last_words:
                        self.end(self._last_words)
                        return
                    if turn <= 0:
                        self.wake()
                        return
                    if not (self.speaker and self.speaker.more()):
                        self._write(False)
                        return
                    continue  # nothing may have been queued although there will be more
                sent = self._sock.sendmsg(list(islice(self._out, VECTOR)))
                turn -= sent
                self._drop(sent)
        except (BlockingIOError, InterruptedError):
            self._write(True)
        except SeedbedError as error:
            self.end(str(error))
        except OSError as error:
            self.end(f"the client's side: {error.strerror}")

    def _drop(self, sent: int) -> None:
        out = self._out
        self._queued -= sent
        Link.waiting -= sent
        while sent:
            first = out[0]
            size = len(first)
            if size > sent:
                out[0] = memoryview(first)[sent:]
                return
            sent -= size
            out.popleft()
            Link.buffers -= 1


def address_of(name: Any) -> str:
    """Return the address of a socket's name, IPv4 as such also where it came over IPv6."""
    address = str(name[0]).partition("%")[0]
    return address[7:] if address.startswith("::ffff:") and "." in address else address
