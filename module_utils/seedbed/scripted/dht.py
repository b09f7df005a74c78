"""A node of a DHT that is the lab's own (BEP 5): who begins at it learns of no other node, and stays inside the lab."""

from __future__ import annotations

import hashlib
import os
import socket
from collections import OrderedDict
from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.scripted.tracker import compact
from ansible.module_utils.seedbed.torrent.bencode import BencodeError, decode, encode
from ansible.module_utils.seedbed.torrent.model import Peer

NODE_ID = hashlib.sha1(b"the node of a lab").digest()
REMEMBERED = 64  # info hashes under which clients announced themselves, and clients of each
MAX_PACKET = 1400
_SECRET = os.urandom(16)


class Refusal(Exception):
    """A question that has no answer: its number and words go back (BEP 5, errors)."""


class DhtNode:
    """What clients said at it, besides what scripts have it say."""

    def __init__(self) -> None:
        self._announced: OrderedDict[bytes, OrderedDict[tuple[str, int], None]] = OrderedDict()

    def answer(self, asked: Mapping[Any, Any], sender: tuple[str, int], scripted: Sequence[Peer]) -> bytes | None:
        """Return the answer to a question, None for what is none; scripted: the peers of its info hash by script."""
        transaction, said = asked.get(b"t"), asked.get(b"a")
        if asked.get(b"y") != b"q" or not isinstance(transaction, bytes) or not isinstance(said, dict):
            return None
        try:
            answer = {"id": NODE_ID, **self._answer(asked.get(b"q"), said, sender, scripted)}
            return encode({"r": answer, "t": transaction, "y": "r"})
        except Refusal as refusal:
            return encode({"e": [*refusal.args], "t": transaction, "y": "e"})

    def _answer(
        self, query: object, said: Mapping[Any, Any], sender: tuple[str, int], scripted: Sequence[Peer]
    ) -> dict[str, Any]:
        if query == b"ping":
            return {}
        if query == b"find_node":
            return {"nodes": b""}
        if query not in (b"get_peers", b"announce_peer"):
            raise Refusal(204, "Method Unknown")
        info_hash = asked_hash(said)
        if not info_hash:
            raise Refusal(203, "no info hash of 20 bytes")
        if query == b"announce_peer":
            self._note(info_hash, said, sender)
            return {}
        heard: list[Peer] = [{"address": address, "port": port} for address, port in self._announced.get(info_hash, ())]
        peers, width = compact([*scripted, *heard], _family(sender)), 18 if ":" in sender[0] else 6
        values = [peers[at : at + width] for at in range(0, len(peers), width)]
        found = {"values": values} if values else {}
        return {"nodes": b"", "token": _token(sender), **found}

    def _note(self, info_hash: bytes, said: Mapping[Any, Any], sender: tuple[str, int]) -> None:
        port = sender[1] if said.get(b"implied_port") else said.get(b"port")
        if said.get(b"token") != _token(sender) or not isinstance(port, int) or not 0 < port < 65536:
            raise Refusal(203, "Bad Token, or no port")
        peers = self._announced.setdefault(info_hash, OrderedDict())
        peers[sender[0], port] = None
        for kept in (self._announced, peers):
            if len(kept) > REMEMBERED:
                kept.popitem(last=False)


def read_question(data: bytes) -> dict[Any, Any] | None:
    """Return a packet as a message of BEP 5, None where it is none."""
    if not data.startswith(b"d") or len(data) > MAX_PACKET:
        return None
    try:
        asked = decode(data, strict=False)
    except BencodeError:
        return None
    return asked if isinstance(asked, dict) else None


def asked_hash(said: Mapping[Any, Any]) -> bytes:
    """Return the info hash of a question, empty where it has none."""
    info_hash = said.get(b"info_hash")
    return info_hash if isinstance(info_hash, bytes) and len(info_hash) == 20 else b""


def _family(sender: tuple[str, int]) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in sender[0] else socket.AF_INET


def _token(sender: tuple[str, int]) -> bytes:
    return hashlib.blake2b(sender[0].encode(), digest_size=8, key=_SECRET).digest()
