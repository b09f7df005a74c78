"""Which of the packets on the lab's ports belong to one torrent, as far as packets tell."""

from __future__ import annotations

import re
import struct
from typing import Iterable, NamedTuple, Sequence, TypedDict
from urllib.parse import unquote_to_bytes

from ansible.module_utils.seedbed.base.packets import TCP, Packet, Segment, read_packet

HANDSHAKE = b"\x13BitTorrent protocol"
CONNECT, ANNOUNCE, SCRAPE = 0, 1, 2
_UTP_SYN = 4
_AUTHORIZATION = re.compile(rb"(?i)(\r\n(?:proxy-)?authorization:[ \t]*)([^\r\n]+)")


class Recording(TypedDict):
    """What program ``recorder`` is to record."""

    info_hash: str
    """Of the torrent; empty for all of them."""
    tracker_ports: list[int]
    ports: list[int]
    """All of them, those of trackers, too."""
    seconds: float
    most: int
    """Bytes."""
    directory: str


class _Read(NamedTuple):
    packet: Packet
    segment: Segment


def redacted(packet: Packet) -> Packet:
    """Return a packet, as long as it was, without the password with which a client comes to a tracker over HTTP."""
    data = _AUTHORIZATION.sub(lambda found: found[1] + b"x" * len(found[2]), packet.data)
    return packet._replace(data=data)


def of_torrent(packets: Iterable[Packet], info_hash: bytes, tracker_ports: Sequence[int]) -> list[Packet]:
    """Return the packets of one torrent, in order: what is plainly another's is left out.

    A conversation that says of no torrent that it is about it is kept, as one that is encrypted or was refused.
    """
    read = [
        _Read(packet, segment) for packet, segment in ((packet, read_packet(packet)) for packet in packets) if segment
    ]
    if not info_hash:
        return [each.packet for each in read]
    questions = _questions(read, info_hash, tracker_ports)
    foreign = _foreign_flows(read, info_hash, tracker_ports)
    opened: set[object] = {
        (each.segment.flow, _utp_id(each.segment)) for each in read if _is_utp(each.segment, _UTP_SYN)
    }

    def belongs(segment: Segment) -> bool:
        if segment.rejected:
            return segment.flow not in foreign
        if segment.protocol != TCP and _is_with_tracker(segment, tracker_ports):
            return _is_part_of(segment, info_hash, questions)
        return _conversation(segment, opened) not in foreign

    return [each.packet for each in read if belongs(each.segment)]


def _is_with_tracker(segment: Segment, tracker_ports: Sequence[int]) -> bool:
    return segment.source.port in tracker_ports or segment.destination.port in tracker_ports


# -- trackers over UDP: one socket asks for all torrents ---------------------------------------------------------------


def udp_question(payload: bytes) -> tuple[int, bytes, list[bytes]] | None:
    """Return action, transaction and info hashes of a question to a tracker (BEP 15); None for something else."""
    if len(payload) < 16:
        return None
    action = int.from_bytes(payload[8:12], "big")
    if action == ANNOUNCE and len(payload) >= 98:
        return action, payload[12:16], [payload[16:36]]
    if action == SCRAPE and len(payload) >= 36:
        return action, payload[12:16], [payload[at : at + 20] for at in range(16, len(payload) - 19, 20)]
    if payload[:8] == struct.pack(">Q", 0x41727101980):
        return CONNECT, payload[12:16], []
    return None


def _questions(read: Iterable[_Read], info_hash: bytes, tracker_ports: Sequence[int]) -> set[object]:
    """Return flow and transaction of the questions about the torrent, and of those that come before any."""
    found: set[object] = set()
    for _packet, segment in read:
        question = udp_question(segment.payload) if segment.destination.port in tracker_ports else None
        if question and (info_hash in question[2] or question[0] == CONNECT):
            found.add((segment.flow, question[1]))
    return found


def _is_part_of(segment: Segment, info_hash: bytes, questions: set[object]) -> bool:
    question = udp_question(segment.payload)
    if question:
        return info_hash in question[2] or question[0] == CONNECT
    return (segment.flow, segment.payload[4:8]) in questions


# -- all that has a connection -----------------------------------------------------------------------------------------


def http_hashes(payload: bytes) -> list[bytes]:
    """Return the info hashes that the questions in a payload are about (BEP 3)."""
    return [unquote_to_bytes(found) for found in re.findall(rb"[?&]info_hash=([^&\s]+)", payload)]


def _foreign_flows(read: Iterable[_Read], info_hash: bytes, tracker_ports: Sequence[int]) -> set[object]:
    """Return the conversations that are about other torrents alone, or that ask a tracker for something else."""
    opened: set[object] = set()
    foreign: set[object] = set()
    ours: set[object] = set()
    for _packet, segment in read:
        if _is_utp(segment, _UTP_SYN):
            opened.add((segment.flow, _utp_id(segment)))
        conversation, payload = _conversation(segment, opened), segment.payload
        greeting = payload.find(HANDSHAKE, 0, 64)
        if greeting >= 0 and len(payload) >= greeting + 48:
            (ours if payload[greeting + 28 : greeting + 48] == info_hash else foreign).add(conversation)
        elif payload.startswith(b"GET ") and segment.destination.port in tracker_ports:
            (ours if info_hash in http_hashes(payload) else foreign).add(conversation)
    return foreign - ours


def _conversation(segment: Segment, opened: set[object]) -> object:
    """Return what tells a conversation from others: over uTP, its connection id, which is one more in one direction."""
    if not _is_utp(segment):
        return segment.flow
    number = _utp_id(segment)
    before = (segment.flow, (number - 1) % 65536)
    return before if before in opened else (segment.flow, number)


def _is_utp(segment: Segment, kind: int | None = None) -> bool:
    """Return whether a packet is one of uTP (BEP 29), of one kind if that is given."""
    payload = segment.payload
    if segment.protocol == TCP or len(payload) < 20 or payload[0] & 15 != 1 or payload[0] >> 4 > _UTP_SYN:
        return False
    return kind is None or payload[0] >> 4 == kind


def _utp_id(segment: Segment) -> int:
    return int.from_bytes(segment.payload[2:4], "big")
