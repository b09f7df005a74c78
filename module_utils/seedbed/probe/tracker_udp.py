"""The UDP tracker protocol (BEP 15): connect, then announce or scrape, with retransmission."""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

from ansible.module_utils.seedbed.base.net import Address, Deadline, NetError, net_error, resolve, try_each

PROTOCOL_ID = 0x41727101980
CONNECT, ANNOUNCE, SCRAPE, ERROR = range(4)
# BEP 15 waits 15 * 2^n s; a question here has seconds in all, so the tries start at these parts of its time.
_TRIES = (1 / 7, 2 / 7, 4 / 7)


class Endpoint(NamedTuple):
    """Where a tracker is: name or address, port, and the family to use (any, ipv4, ipv6)."""

    host: str
    port: int
    family: str


class UdpAnswer(NamedTuple):
    """The payload after action and transaction id."""

    payload: bytes
    address: str
    own_address: str


def exchange(endpoint: Endpoint, action: int, payload: bytes, deadline: Deadline) -> UdpAnswer:
    """Connect and ask one thing, at the name's addresses in turn until one answers."""
    addresses = resolve(endpoint.host, endpoint.port, endpoint.family, deadline)
    return try_each(addresses, deadline, lambda address, share: _exchange_one(address, action, payload, share))


def _exchange_one(address: Address, action: int, payload: bytes, deadline: Deadline) -> UdpAnswer:
    with socket.socket(address[0], socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(address[1])
            answer = _request(sock, struct.pack(">Q", PROTOCOL_ID), CONNECT, b"", deadline)
            if len(answer) < 8:
                raise NetError("malformed", f"a connect answer of {len(answer) + 8} bytes, BEP 15 says 16")
            answer = _request(sock, answer[:8], action, payload, deadline)
            return UdpAnswer(answer, address[1][0], sock.getsockname()[0])
        except OSError as error:
            raise net_error(error, deadline) from error


def _request(sock: socket.socket, connection_id: bytes, action: int, payload: bytes, deadline: Deadline) -> bytes:
    """Send until an answer with our transaction id comes; others are ignored, and reported when nothing else came."""
    transaction = os.urandom(4)
    packet = connection_id + struct.pack(">I", action) + transaction + payload
    strange = 0
    total = deadline.left()
    for part in _TRIES:
        turn = Deadline(min(total * part, deadline.left()))
        sock.send(packet)
        while True:
            try:
                sock.settimeout(turn.left())
                data = sock.recv(65536)
            except (socket.timeout, NetError):
                break
            if len(data) >= 8 and data[4:8] == transaction:
                return _payload(data, action)
            strange += 1
    if strange:
        raise NetError("wrong_transaction", f"{strange} UDP answers, none with the transaction id of the question")
    raise NetError("timeout", f"no answer within {deadline.seconds:.2g} s to {len(_TRIES)} UDP packets")


def _payload(data: bytes, action: int) -> bytes:
    answered = struct.unpack(">I", data[:4])[0]
    if answered == ERROR:
        text = data[8:].rstrip(b"\0").decode("utf-8", "replace")
        raise NetError("failure", f"the tracker refuses: {text}")
    if answered != action:
        raise NetError("malformed", f"the tracker answered action {answered} to action {action}")
    if action == ANNOUNCE and len(data) == 8:
        # opentracker's way of saying no over UDP: the head of an answer and nothing else, not even a text.
        raise NetError(
            "not_authorized", "the tracker's access list does not allow this info hash (answer cut to 8 bytes)"
        )
    return data[8:]
