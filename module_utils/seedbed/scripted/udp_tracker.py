"""UDP on the daemon's port: the tracker protocol (BEP 15), and the refusal of uTP (BEP 29)."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
from typing import Callable, NamedTuple

from ansible.module_utils.seedbed.probe.tracker_udp import ANNOUNCE, CONNECT, ERROR, PROTOCOL_ID, SCRAPE
from ansible.module_utils.seedbed.scripted.played import PlayedTorrent
from ansible.module_utils.seedbed.scripted.tracker import Announced, compact, handed_out
from ansible.module_utils.seedbed.scripted.tracker_script import INTERVAL, TrackerScript

_SYN, _RESET = 0x41, 0x31
_EVENTS = ("", "completed", "started", "stopped")
MAX_PACKET = 1400
_SECRET = os.urandom(16)


class UdpAnswer(NamedTuple):
    """What goes back, and whether it does so from another of our addresses."""

    data: bytes
    elsewhere: bool = False
    delay: float = 0.0


Asked = Callable[[bytes, Announced], "tuple[PlayedTorrent, TrackerScript, int] | None"]


def answer_packet(data: bytes, sender: str, port: int, asked: Asked) -> UdpAnswer | None:
    """Return the answer to a packet, None for silence.

    asked: notes an announce, and returns the torrent, the tracker's script, and how often it was asked.
    """
    if len(data) >= 20 and data[0] == _SYN:
        return UdpAnswer(_utp_reset(data))
    if len(data) < 16:
        return None
    connection, action = struct.unpack(">QI", data[:12])
    transaction = data[12:16]
    if action == CONNECT and connection == PROTOCOL_ID:
        return UdpAnswer(struct.pack(">I", CONNECT) + transaction + _connection_id(sender))
    known = data[:8] == _connection_id(sender)
    if known and action == SCRAPE:
        hashes = (len(data) - 16) // 20
        return UdpAnswer(struct.pack(">I", SCRAPE) + transaction + struct.pack(">III", 1, 0, 0) * min(hashes, 74))
    if known and action == ANNOUNCE and len(data) >= 98:
        return _announce(data, sender, port, asked)
    return None


def _announce(data: bytes, sender: str, port: int, asked: Asked) -> UdpAnswer | None:
    transaction = data[12:16]
    left, event = struct.unpack(">Q", data[64:72])[0], struct.unpack(">I", data[80:84])[0]
    numwant, their_port = struct.unpack(">iH", data[92:98])
    said = Announced(_EVENTS[event] if event < 4 else "", left, their_port, data[36:56], numwant)
    found = asked(data[16:36], said)
    if found is None:
        return UdpAnswer(struct.pack(">I", ERROR) + transaction + b"not played here")
    torrent, script, times = found
    if script.times and times > script.times:
        script = TrackerScript()
    if script.udp == "mute" or script.answer == "mute":
        return None
    if script.answer == "failure" or script.status != 200:
        return UdpAnswer(struct.pack(">I", ERROR) + transaction + script.message.encode()[:500], delay=script.delay)
    action = SCRAPE if script.udp == "wrong-action" else ANNOUNCE
    if script.udp == "wrong-transaction":
        transaction = bytes(byte ^ 0xFF for byte in transaction)
    interval = int(script.interval[:20])
    interval = interval if -(2**31) <= interval < 2**31 else INTERVAL
    family = socket.AF_INET6 if ":" in sender else socket.AF_INET
    peers = compact(handed_out(torrent, port, script), family)
    width = 18 if ":" in sender else 6
    head = struct.pack(">I", action) + transaction + struct.pack(">iII", interval, 0, len(torrent.peers))
    packet = head + peers[: (MAX_PACKET - len(head)) // width * width]
    if script.udp == "short":
        packet = packet[:13]
    return UdpAnswer(packet, elsewhere=script.udp == "other-address", delay=script.delay)


def _connection_id(sender: str) -> bytes:
    return hashlib.blake2b(sender.encode(), digest_size=8, key=_SECRET).digest()


def _utp_reset(syn: bytes) -> bytes:
    """ST_RESET: a client that tried uTP first comes by TCP at once, instead of after seconds of silence."""
    return bytes([_RESET, 0]) + syn[2:4] + bytes(14) + syn[16:18]
