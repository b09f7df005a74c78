"""Measures the way from one host of the lab to another: how late, how much of it is lost, how fast.

The one who is measured to (`Meter`) counts what comes; the one who measures (`measure`) sends, and is told over the
same connection. All of it is bounded, in bytes and in time.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from typing import TypedDict

SMALL, LARGE = 100, 1400  # bytes of a datagram
DATAGRAMS, LARGE_ONES = 400, 5
PAUSE = 0.003  # seconds between two datagrams, so that a slow line keeps up
BULK_SECONDS = 4.0
BULK_BYTES = 256 * 1024 * 1024
CHUNK = 16 * 1024
ROUNDS = 5
END, COUNT, MEASURE = b"X", b"C", b"M"


class Measured(TypedDict):
    """What the way is like; None for what could not be measured."""

    reached: bool
    """Whether a connection over TCP came about."""
    milliseconds: float | None
    """There and back, the least of some rounds."""
    mbit: float | None
    """Mbit/s of content that arrived."""
    lost: float | None
    """Percent of the datagrams; all of them where no UDP gets through."""
    large: bool | None
    """Whether any datagram arrived that fills a packet of Ethernet."""


class Meter:
    """Counts what comes to one port, over TCP and UDP."""

    def __init__(self, port: int) -> None:
        self._tcp = socket.socket(socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET)
        self._udp = socket.socket(self._tcp.family, socket.SOCK_DGRAM)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            for channel in (self._tcp, self._udp):
                if channel.family == socket.AF_INET6:
                    channel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                channel.bind(("", port))
                port = channel.getsockname()[1]
        except OSError:
            self._close()
            raise
        self._tcp.listen(16)
        self.port = port
        self._seen: dict[int, tuple[set[int], set[int]]] = {}
        """By the number of a measurement: which small and which large datagrams have come."""
        self._ended = threading.Event()

    def run(self, seconds: float) -> None:
        """Count until somebody of this host says that it is enough, or the time is over."""
        deadline = time.monotonic() + seconds
        threading.Thread(target=self._count, daemon=True).start()
        self._tcp.settimeout(0.2)
        while not self._ended.is_set() and time.monotonic() < deadline:
            with contextlib.suppress(socket.timeout):
                connection, address = self._tcp.accept()
                threading.Thread(target=self._serve, args=(connection, address[0], deadline), daemon=True).start()
        self._ended.set()
        self._close()

    def _close(self) -> None:
        self._tcp.close()
        self._udp.close()

    def _count(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while not self._ended.is_set():
                data = self._udp.recv(2 * LARGE)
                if len(data) >= SMALL:
                    name, number = struct.unpack(">QI", data[:12])
                    self._seen.setdefault(name, (set(), set()))[len(data) > SMALL].add(number)

    def _serve(self, connection: socket.socket, address: str, deadline: float) -> None:
        with contextlib.suppress(OSError, struct.error), connection:
            connection.settimeout(max(1.0, deadline - time.monotonic()))
            kind = connection.recv(1)
            if kind == END and address.rpartition(":")[2] in ("127.0.0.1", "1"):
                self._ended.set()
            elif kind == COUNT:
                (name,) = struct.unpack(">Q", connection.recv(8))
                small, large = self._seen.get(name, (set(), set()))
                connection.sendall(json.dumps([len(small), len(large)]).encode())
            elif kind == MEASURE:
                for _ in range(ROUNDS):
                    connection.sendall(connection.recv(1))
                connection.sendall(json.dumps(_arrived(connection)).encode())


def _arrived(connection: socket.socket) -> list[float]:
    """Return how many bytes came after the first ones, and in how many seconds."""
    connection.recv(CHUNK)
    began = last = time.monotonic()
    count = 0
    while part := connection.recv(CHUNK):
        count += len(part)
        last = time.monotonic()
    return [count, last - began]


def end(port: int) -> None:
    """Tell the meter of this host that it is enough; one that is gone needs no telling."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(END)


def measure(address: str, port: int, *, seconds: float = BULK_SECONDS, timeout: float = 10) -> Measured:
    """Return what the way to a meter is like."""
    name = time.monotonic_ns()
    _send_datagrams(address, port, name)
    measured = Measured(reached=False, milliseconds=None, mbit=None, lost=None, large=None)
    with contextlib.suppress(OSError, ValueError):
        with socket.create_connection((address, port), timeout=timeout) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(MEASURE)
            measured["milliseconds"] = round(min(_round(connection) for _ in range(ROUNDS)) * 1000, 1)
            measured["reached"] = True
            connection.settimeout(timeout + seconds)
            _send_bulk(connection, seconds)
            count, took = json.loads(_all(connection))
            measured["mbit"] = round(count * 8 / 1_000_000 / took, 2) if took > 0 else None
        with socket.create_connection((address, port), timeout=timeout) as connection:
            connection.sendall(COUNT + struct.pack(">Q", name))
            small, large = json.loads(_all(connection))
            measured["lost"] = round(100 - 100 * small / DATAGRAMS, 1)
            measured["large"] = large > 0
    return measured


def _send_datagrams(address: str, port: int, name: int) -> None:
    with contextlib.suppress(OSError):  # told by a network that has no way there
        family, _, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as channel:
            for number in range(DATAGRAMS + LARGE_ONES):
                length = SMALL if number < DATAGRAMS else LARGE
                channel.sendto(struct.pack(">QI", name, number).ljust(length, b"\0"), place)
                time.sleep(PAUSE)  # so that a short queue on the way is not what is measured


def _round(connection: socket.socket) -> float:
    began = time.monotonic()
    connection.sendall(b"?")
    if not connection.recv(1):
        raise ConnectionError("somebody else listens there")
    return time.monotonic() - began


def _send_bulk(connection: socket.socket, seconds: float) -> None:
    deadline, left = time.monotonic() + seconds, BULK_BYTES
    chunk = b"\0" * CHUNK
    while left > 0 and time.monotonic() < deadline:
        connection.sendall(chunk)
        left -= CHUNK
    connection.shutdown(socket.SHUT_WR)


def _all(connection: socket.socket) -> bytes:
    data = b""
    while part := connection.recv(CHUNK):
        data += part
    return data
