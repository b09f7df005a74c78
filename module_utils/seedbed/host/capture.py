"""Packets of this host, as the kernel sees them: for a while, of some ports, and never more than a few megabytes."""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import time
from typing import Callable, Iterator, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.packets import LONGEST, Packet, Segment, port_filter, read_packet

_ETH_P_ALL = 3
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 26, 33
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_OUTGOING, _LOOPBACK = 4, 772
MOST_PORTS = 60
"""The kernel's filter jumps over 255 lines at most."""
ROOM = 8 << 20  # bytes in which packets may wait for us
WHOLE = 256 << 10
"""So many bytes of a conversation are kept whole; then what carries content is left out, and what steers it is not."""
CONTENT = 512  # bytes from which on a payload is content


class CaptureError(SeedbedError):
    """Packets that cannot be taken."""


class Captured(NamedTuple):
    """What was taken, and what was not."""

    packets: list[Packet]
    left_out: int
    """Packets with content, of conversations of which enough was kept."""
    lost: int
    """Packets that came faster than they could be read."""
    full: bool
    """Whether it ended as there was no more room."""


class Keeper:
    """Keeps packets, within bounds."""

    def __init__(self, ports: Sequence[int], most: int) -> None:
        self.packets: list[Packet] = []
        self.left_out = 0
        self.full = False
        self._ports = frozenset(ports)
        self._room = most
        self._seen: dict[object, int] = {}

    def take(self, packet: Packet) -> None:
        """Keep a packet that belongs to a conversation, unless enough is kept."""
        segment = read_packet(packet)
        # Errors of ICMP come whatever they are about.
        if segment is None or self._ports.isdisjoint((segment.source.port, segment.destination.port)):
            return
        if self._is_too_much(segment):
            self.left_out += 1
        elif self._room < len(packet.data):
            self.full = True
        else:
            self._room -= len(packet.data)
            self.packets.append(packet)

    def _is_too_much(self, segment: Segment) -> bool:
        seen = self._seen[segment.flow] = self._seen.get(segment.flow, 0) + segment.length
        return seen > WHOLE and segment.length > CONTENT


def capture(
    ports: Sequence[int], *, seconds: float, most: int, ended: Callable[[], bool], ready: Callable[[], None]
) -> Captured:
    """Take packets from and to these ports until the time is over, the room is full, or `ended` says so."""
    keeper = Keeper(ports, most)
    deadline = time.monotonic() + seconds
    with _open(ports) as sock:
        ready()
        for packet in _packets(sock, lambda: ended() or keeper.full or time.monotonic() > deadline):
            keeper.take(packet)
        _received, lost = struct.unpack("II", sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
    return Captured(keeper.packets, keeper.left_out, lost, keeper.full)


def _open(ports: Sequence[int]) -> socket.socket:
    if len(ports) > MOST_PORTS:
        raise CaptureError(f"packets of {len(ports)} ports are asked for; {MOST_PORTS} is the most")
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    program = port_filter(ports)
    held = ctypes.create_string_buffer(program, len(program))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(program) // 8, ctypes.addressof(held)))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, ROOM)
    except PermissionError:  # in a container
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
    sock.setblocking(False)
    return sock


def _packets(sock: socket.socket, ended: Callable[[], bool]) -> Iterator[Packet]:
    buffer = bytearray(LONGEST)
    while not ended():
        if not select.select([sock], [], [], 0.2)[0]:
            continue
        size, (_device, _kind, way, hardware, _address) = sock.recvfrom_into(buffer, 0, socket.MSG_TRUNC)
        # The loopback device has each packet twice, on its way out and on its way in.
        if not (hardware == _LOOPBACK and way == _OUTGOING):
            yield Packet(time.time(), size, bytes(buffer[: min(size, LONGEST)]))
