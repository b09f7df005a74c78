"""The sockets that the daemon listens on: one TCP and UDP port for all, further TCP ports for strangers."""

from __future__ import annotations

import contextlib
import socket
import struct
from functools import partial
from typing import Any, Callable

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.scripted.link import address_of
from ansible.module_utils.seedbed.scripted.pace import REST, Pace
from ansible.module_utils.seedbed.scripted.peer_script import PORTS
from ansible.module_utils.seedbed.scripted.stage import Stage

BACKLOG = 1024
FREE_TRIES = 50  # for a port of the system's choice, which has to have free ones above it
ACCEPTED = 64  # connections of one turn
ARRIVALS = 1000  # connections a second on all ports, above which nobody is let in for a while
PACKETS = 20_000  # the same of UDP
DELAYED = 1000  # UDP answers that wait for their time
_PKTINFO = 8  # IP_PKTINFO: absent from older versions of socket
_PKTINFO6, _RECVPKTINFO6 = 50, 49
_INFO = struct.Struct("i4s4s")
_INFO6 = struct.Struct("16sI")


class Sockets:
    """All listening sockets of a stage."""

    def __init__(self, stage: Stage, port: int, *, ipv6: bool = True) -> None:
        self._stage, self._loop = stage, stage.loop
        self._open: list[socket.socket] = []
        self._arrivals, self._packets_pace = Pace(ARRIVALS), Pace(PACKETS)
        self._delayed = 0
        for tries in range(1 if port else FREE_TRIES, 0, -1):
            try:
                stage.port = self._listen(port, ipv6=ipv6)
                return
            except OSError as error:
                self.close()
                if tries == 1:
                    raise SeedbedError(f"port {port} or one of the next six is taken: {error.strerror}") from error

    def _listen(self, port: int, *, ipv6: bool) -> int:
        port = self._listen_on(socket.AF_INET, port)
        if ipv6 and _has_ipv6():
            self._listen_on(socket.AF_INET6, port)
        return port

    def _listen_on(self, family: int, port: int) -> int:
        first = self._tcp(family, port, "here")
        for reach, above in PORTS.items():
            if above:
                self._tcp(family, first + above, reach)
        self._udp(family, first)
        return first

    def _tcp(self, family: int, port: int, reach: str) -> int:
        sock = _bound(family, socket.SOCK_STREAM, port)
        self._open.append(sock)
        sock.listen(BACKLOG)
        self._loop.add_reader(sock.fileno(), partial(self._accept, sock, reach))
        return int(sock.getsockname()[1])

    def _accept(self, sock: socket.socket, reach: str) -> None:
        for _turn in range(ACCEPTED):
            try:
                client, _address = sock.accept()
            except OSError:  # none is waiting, or it has gone again, or there are too many files open
                return
            self._stage.welcome(client, reach)
            if self._arrivals.is_over():
                self._rest(sock, partial(self._accept, sock, reach))
                return

    def _rest(self, sock: socket.socket, reader: Callable[[], None]) -> None:
        """Leave a socket alone for a moment; the system keeps, or drops, what comes meanwhile."""
        self._loop.remove_reader(sock.fileno())

        def go_on() -> None:
            if sock in self._open:
                self._loop.add_reader(sock.fileno(), reader)

        self._loop.call_later(REST, go_on)

    def _udp(self, family: int, port: int) -> None:
        sock = _bound(family, socket.SOCK_DGRAM, port)
        self._open.append(sock)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _RECVPKTINFO6, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _PKTINFO, 1)
        self._loop.add_reader(sock.fileno(), partial(self._packets, sock))

    def _packets(self, sock: socket.socket) -> None:
        for _turn in range(ACCEPTED):
            try:
                data, told, _flags, sender = sock.recvmsg(2048, 256)
            except OSError:
                return
            if self._packets_pace.is_over():
                self._rest(sock, partial(self._packets, sock))
                return
            answer = self._stage.questions.packet(data, (address_of(sender), sender[1]))
            if answer is None:
                continue
            source = None if answer.elsewhere else _source(told)
            send = partial(_send, sock, answer.data, source, sender)
            if answer.delay:
                self._send_later(answer.delay, send)
            elif answer.elsewhere:
                _send_from_elsewhere(answer.data, sender)
            else:
                send()

    def _send_later(self, seconds: float, send: Callable[[], None]) -> None:
        def now() -> None:
            self._delayed -= 1
            if self._open:
                send()

        if self._delayed < DELAYED:  # what UDP loses is lost
            self._delayed += 1
            self._loop.call_later(seconds, now)

    def close(self) -> None:
        """Listen no more."""
        for sock in self._open:
            self._loop.remove_reader(sock.fileno())
            sock.close()
        self._open = []


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def _bound(family: int, kind: int, port: int) -> socket.socket:
    sock = socket.socket(family, kind)
    try:
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    except OSError:
        sock.close()
        raise
    return sock


def _source(told: Any) -> tuple[int, int, bytes] | None:
    """From which of our addresses an answer has to leave: the one that was asked."""
    for level, kind, data in told:
        if level == socket.IPPROTO_IP and kind == _PKTINFO:
            _index, _local, asked = _INFO.unpack(data[: _INFO.size])
            return level, kind, _INFO.pack(0, asked, bytes(4))
        if level == socket.IPPROTO_IPV6 and kind == _PKTINFO6:
            return level, kind, data
    return None


def _send(sock: socket.socket, data: bytes, source: tuple[int, int, bytes] | None, sender: Any) -> None:
    with contextlib.suppress(OSError):  # what UDP loses is lost
        sock.sendmsg([data], [source] if source else [], 0, sender)


def _send_from_elsewhere(data: bytes, sender: Any) -> None:
    """From a port that nobody asked."""
    with contextlib.suppress(OSError), socket.socket(
        socket.AF_INET6 if ":" in sender[0] else socket.AF_INET, socket.SOCK_DGRAM
    ) as sock:
        sock.sendto(data, sender)
