"""Knock at ports of other hosts: does a connection, or a datagram, get through?"""

from __future__ import annotations

import os
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Sequence

from ansible.module_utils.seedbed.base.net import Address, Deadline, NetError, net_error, open_tcp, resolve, try_each
from ansible.module_utils.seedbed.probe.tracker_udp import CONNECT, PROTOCOL_ID
from ansible.module_utils.seedbed.torrent.model import Knock, KnockAnswer

AT_ONCE = 32
TRIES = 3  # of each datagram: UDP may lose some
RESET, SYN = 3, 4  # types of uTP packets (BEP 29)


def knock(doors: Sequence[Knock], timeout: float) -> list[KnockAnswer]:
    """Return what each port answers, asked side by side."""
    if not doors:
        return []
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(doors))) as workers:
        return list(workers.map(lambda door: _knock(door, timeout), doors))


def _knock(door: Knock, timeout: float) -> KnockAnswer:
    deadline = Deadline(timeout)
    ask = _tcp if door["protocol"] == "tcp" else _udp
    try:
        addresses = resolve(door["address"], door["port"], "any", deadline)
        try_each(addresses, deadline, ask)
    except NetError as error:
        return _answer(door, error.reason, str(error))
    return _answer(door, "open", "")


def _answer(door: Knock, reason: str, message: str) -> KnockAnswer:
    return {
        "host": door["host"],
        "address": door["address"],
        "protocol": door["protocol"],
        "port": door["port"],
        "variable": door["variable"],
        "reason": reason,
        "message": message,
    }


def _tcp(address: Address, deadline: Deadline) -> None:
    open_tcp(address, deadline).close()


def _udp(address: Address, deadline: Deadline) -> None:
    """Ask as a client of a tracker (BEP 15) and as a peer (BEP 29) would: whatever answers was reached."""
    with socket.socket(address[0], socket.SOCK_DGRAM) as sock:
        connections: list[bytes] = []
        try:
            sock.connect(address[1])
            share = deadline.left() / TRIES
            for _ in range(TRIES):
                turn = Deadline(min(share, deadline.left()))
                connections.append(os.urandom(2))
                sock.send(tracker_connect())
                sock.send(utp_packet(SYN, connections[-1]))
                if _answered(sock, turn):
                    return
        except OSError as error:
            raise net_error(error, deadline) from error
        finally:
            _hang_up(sock, connections)
    raise NetError("silent", f"nothing came back within {deadline.seconds:.2g} s")


def _answered(sock: socket.socket, turn: Deadline) -> bool:
    try:
        sock.settimeout(turn.left())
        sock.recv(2048)
    except (socket.timeout, NetError):
        return False
    return True


def _hang_up(sock: socket.socket, connections: Sequence[bytes]) -> None:
    """Take back the connections that were begun: Transmission 3.00 would wait half a minute for their handshakes, and
    meanwhile close on every peer from this address."""
    with suppress(OSError):
        for connection in connections:
            sock.send(utp_packet(RESET, connection))


def tracker_connect() -> bytes:
    """Return the packet by which a client introduces itself to a tracker (BEP 15)."""
    return struct.pack(">QI", PROTOCOL_ID, CONNECT) + os.urandom(4)


def utp_packet(kind: int, connection: bytes) -> bytes:
    """Return a packet without data of the connection that has these two bytes as its id (BEP 29)."""
    return struct.pack(">BB2sIIIHH", kind << 4 | 1, 0, connection, 0, 0, 65536, 1, 0)
