"""What a peer says that no client expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible.module_utils.seedbed.probe.peer_wire import EXTENDED, HAVE, INTERESTED, PIECE, REQUEST
from ansible.module_utils.seedbed.scripted.messages import index_message, message, triple_message

if TYPE_CHECKING:
    from ansible.module_utils.seedbed.scripted.peer_session import PeerSession

FLOOD = 1000  # keep-alives at a time, ten times a second
GIB = 2**30


def make_noise(session: PeerSession) -> bool:
    """Say it; return whether nothing that follows could be understood, or has to be."""
    link, kind = session.link, session.script.noise
    if kind == "length":
        link.send(b"\x7f\xff\xff\xff" + bytes([PIECE]) + bytes(8))
        _fill(session)
        return True
    if kind == "have-beyond":
        link.send(index_message(HAVE, session.torrent.count + 7))
        return True
    if kind == "keep-alives":
        _flood(session)
    elif kind == "asks":
        link.send(message(INTERESTED), triple_message(REQUEST, 0, 0, GIB))
    elif kind == "message":
        link.send(message(99, b"what no client knows"))
    elif kind == "extension":
        link.send(message(EXTENDED, b"\x63d4:what6:nobodye"))
    return False


def _flood(session: PeerSession) -> None:
    if not session.link.backlog:  # a client that does not read gets no more of them
        session.link.send(bytes(4 * FLOOD))
    session.link.later(0.1, lambda: _flood(session))


def _fill(session: PeerSession) -> None:
    """A part of the long message that never ends, now and then."""
    if not session.link.backlog:
        session.link.send(bytes(16384))
    session.link.later(1.0, lambda: _fill(session))
