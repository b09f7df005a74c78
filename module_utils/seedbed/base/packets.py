"""Packets from the IP header on, and the files that tools read them from (pcap)."""

from __future__ import annotations

import ipaddress
import struct
from typing import Iterable, Iterator, NamedTuple, Sequence, Tuple, Union

TCP, UDP = 6, 17
FIN, SYN, RST, ACK = 1, 2, 4, 16
_ICMP, _ICMP6 = 1, 58
# https://www.tcpdump.org/linktypes.html: packets begin with the IP header, of either version.
LINKTYPE_RAW = 101
_HEAD = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_MAGIC = 0xA1B2C3D4
LONGEST = 2048
"""So much of a packet is kept: all of it, unless network cards put several together."""


class Packet(NamedTuple):
    """One packet as it was seen, cut where it is long."""

    when: float
    size: int
    """Before it was cut."""
    data: bytes


class Place(NamedTuple):
    """One end of a conversation."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Segment(NamedTuple):
    """A packet, read down to its payload."""

    when: float
    protocol: int
    source: Place
    destination: Place
    payload: bytes
    length: int
    """Of the payload before it was cut."""
    sequence: int = 0
    flags: int = 0
    rejected: bool = False
    """Whether it comes back inside of an ICMP message, from somebody who does not pass it on."""

    @property
    def flow(self) -> tuple[int, Place, Place]:
        """The conversation that it belongs to, the same for both directions."""
        first, second = sorted((self.source, self.destination))
        return self.protocol, first, second


def read_packet(packet: Packet) -> Segment | None:
    """Return a TCP or UDP packet down to its payload, or the one that an ICMP message sends back; None for others."""
    found = _addresses(packet.data)
    if found is None:
        return None
    protocol, source, destination, start, size = found
    if protocol in (_ICMP, _ICMP6):
        # Errors alone: "destination unreachable", "packet too big" and the like carry what they are about.
        if packet.data[start : start + 1] not in (b"\1", b"\2", b"\3", b"\x0b"):
            return None
        inner = read_packet(Packet(packet.when, packet.size - start - 8, packet.data[start + 8 :]))
        return inner and inner._replace(rejected=True)
    return _transport(packet, protocol, (source, destination), start, min(size, packet.size))


def _addresses(data: bytes) -> tuple[int, str, str, int, int] | None:
    """Return protocol, source, destination, where the transport begins, and how long the packet says that it is."""
    version = data[0] >> 4 if data else 0
    if version == 4 and len(data) >= 20:
        start, length, fragment = (data[0] & 15) * 4, *struct.unpack(">HxxH", data[2:8])
        if fragment & 0x1FFF:  # not the first one of it: without ports
            return None
        return data[9], *(str(ipaddress.IPv4Address(data[at : at + 4])) for at in (12, 16)), start, length
    if version == 6 and len(data) >= 40:
        (length,) = struct.unpack(">H", data[4:6])
        addresses = (str(ipaddress.IPv6Address(data[at : at + 16])) for at in (8, 24))
        return data[6], *addresses, 40, length + 40
    return None


def _transport(packet: Packet, protocol: int, addresses: tuple[str, str], start: int, end: int) -> Segment | None:
    data = packet.data
    if protocol not in (TCP, UDP) or len(data) < start + 8:
        return None
    source, destination = map(Place, addresses, struct.unpack(">HH", data[start : start + 4]))
    sequence = flags = 0
    body = start + 8
    if protocol == TCP:
        if len(data) < start + 14:  # all that an ICMP message has to carry are eight bytes
            return Segment(packet.when, protocol, source, destination, b"", 0)
        (sequence,) = struct.unpack(">I", data[start + 4 : start + 8])
        body, flags = start + (data[start + 12] >> 4) * 4, data[start + 13]
    # Of a packet that the network card will cut up the header has no length.
    end = end if end > body else packet.size
    return Segment(
        packet.when, protocol, source, destination, data[body:end], max(0, end - body), sequence=sequence, flags=flags
    )


def pcap(packets: Iterable[Packet]) -> bytes:
    """Return packets as the content of a file that Wireshark and tcpdump read."""
    parts = [_HEAD.pack(_MAGIC, 2, 4, 0, 0, LONGEST, LINKTYPE_RAW)]
    for packet in packets:
        seconds = int(packet.when)
        parts.append(_RECORD.pack(seconds, int((packet.when - seconds) * 1e6), len(packet.data), packet.size))
        parts.append(packet.data)
    return b"".join(parts)


def read_pcap(content: bytes) -> Iterator[Packet]:
    """Yield the packets of a file that pcap() has made; nothing of one that was cut off before its first packet."""
    at = _HEAD.size
    while at + _RECORD.size <= len(content):
        seconds, micros, kept, size = _RECORD.unpack_from(content, at)
        at += _RECORD.size
        yield Packet(seconds + micros / 1e6, size, content[at : at + kept])
        at += kept


# -- which packets the kernel hands over ------------------------------------------------------------------------------

_BYTE, _HALF, _HALF_BEHIND_HEADER, _HEADER_LENGTH = 0x30, 0x28, 0x48, 0xB1
_EQUAL, _ANY_BIT, _AND, _RETURN = 0x15, 0x45, 0x54, 0x06
Line = Tuple[int, Union[int, str], Union[int, str], int]
"""An instruction: code, where to go if true, where if false (lines to pass over, or a label), operand."""


def port_filter(ports: Sequence[int]) -> bytes:
    """Return a program of the kernel's packet filter (BPF): TCP and UDP from or to these ports, and errors of ICMP.

    It sees packets from the IP header on, as a socket of type SOCK_DGRAM has them.
    """
    fourth: list[Line] = [
        *_protocols(9, _ICMP),
        (_HALF, 0, 0, 6),
        (_ANY_BIT, "drop", 0, 0x1FFF),
        (_HEADER_LENGTH, 0, 0, 0),
        *_ports(_HALF_BEHIND_HEADER, (0, 2), ports),
    ]
    sixth: list[Line] = [*_protocols(6, _ICMP6), *_ports(_HALF, (40, 42), ports)]
    head: list[Line] = [(_BYTE, 0, 0, 0), (_AND, 0, 0, 0xF0), (_EQUAL, 0, "sixth", 0x40)]
    lines: list[Line] = [
        *head,
        *fourth,
        (_EQUAL, 0, "drop", 0x60),
        *sixth,
        (_RETURN, 0, 0, 0xFFFF),
    ]
    labels = {"sixth": len(head) + len(fourth), "drop": len(lines) - 2, "keep": len(lines) - 1}

    def distance(number: int, target: int | str) -> int:
        return target if isinstance(target, int) else labels[target] - number - 1

    return b"".join(
        struct.pack("=HBBI", code, distance(number, true), distance(number, false), operand)
        for number, (code, true, false, operand) in enumerate(lines)
    )


def _protocols(at: int, errors: int) -> list[Line]:
    return [(_BYTE, 0, 0, at), (_EQUAL, "keep", 0, errors), (_EQUAL, 1, 0, TCP), (_EQUAL, 0, "drop", UDP)]


def _ports(load: int, offsets: Sequence[int], ports: Sequence[int]) -> list[Line]:
    """Lines that keep what has one of the ports at one of the offsets; what has none comes out behind them, to drop."""
    found: list[Line] = []
    for at in offsets:
        found.append((load, 0, 0, at))
        found += [(_EQUAL, "keep", 0, port) for port in ports]
    return [*found, (_RETURN, 0, 0, 0)]
