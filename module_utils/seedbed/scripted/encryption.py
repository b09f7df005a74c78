"""The called side of message stream encryption (Vuze wiki, of the same name), as a conversation in steps.

A conversation is a generator: it yields how many bytes it needs next, is sent exactly those, and sends its own words
through a function. So it knows nothing of sockets, and is tested byte by byte.
"""

from __future__ import annotations

import hashlib
import os
from typing import Callable, Generator, NamedTuple

from ansible.module_utils.seedbed.probe.peer_encryption import KEY_BYTES, MAX_PADDING, PRIME, sha1
from ansible.module_utils.seedbed.scripted.messages import WireError
from ansible.module_utils.seedbed.scripted.rc4 import Cipher, cipher

PLAIN, RC4 = 1, 2  # of crypto_provide and crypto_select
MAX_FIRST = 4096  # bytes of the initial payload: a handshake, and what little may stand behind it
_CONSTANT = bytes(8)

Send = Callable[[bytes], None]


class Agreed(NamedTuple):
    """What both sides are at after the encrypted handshake."""

    first: bytes  # of the initial payload, which is always encrypted on the wire
    outgoing: Cipher | None  # None where the rest is plain
    incoming: Cipher | None


def torrent_mark(info_hash: bytes) -> bytes:
    """Return by what a caller names the torrent that it wants."""
    return sha1(b"req2", info_hash)


def answer(
    start: bytes, send: Send, find: Callable[[bytes], bytes | None], choose: Callable[[bytes, int], int]
) -> Generator[int, bytes, Agreed]:
    """Answer one who began with these bytes.

    find: the info hash behind a torrent's mark. choose: the method for a torrent out of those that are offered, 0 for
    none. Raises WireError where the other side does not keep to the protocol or nothing can be agreed on.
    """
    theirs = int.from_bytes(start + (yield KEY_BYTES - len(start)), "big")
    private = int.from_bytes(os.urandom(20), "big")
    padding = os.urandom(os.urandom(2)[0] * 2)
    send(pow(2, private, PRIME).to_bytes(KEY_BYTES, "big") + padding)
    secret = pow(theirs, private, PRIME).to_bytes(KEY_BYTES, "big")
    yield from _find(hashlib.sha1(b"req1" + secret).digest())
    masked = yield 20
    info_hash = find(bytes(a ^ b for a, b in zip(masked, sha1(b"req3", secret))))
    if info_hash is None:
        raise WireError("an encrypted handshake for a torrent that is not played here")
    incoming, outgoing = cipher(sha1(b"keyA", secret, info_hash)), cipher(sha1(b"keyB", secret, info_hash))
    head = incoming.crypt((yield 14))
    if head[:8] != _CONSTANT:
        raise WireError("an encrypted handshake whose constant is wrong")
    padded = int.from_bytes(head[12:14], "big")
    if padded > MAX_PADDING:
        raise WireError(f"padding of {padded} bytes, {MAX_PADDING} are the most")
    incoming.crypt((yield padded))
    length = int.from_bytes(incoming.crypt((yield 2)), "big")
    if length > MAX_FIRST:
        raise WireError(f"an initial payload of {length} bytes, where a handshake has 68")
    first = incoming.crypt((yield length))
    method = choose(info_hash, int.from_bytes(head[8:12], "big"))
    if not method:
        raise WireError("no method of encryption that both sides take")
    send(outgoing.crypt(_CONSTANT + method.to_bytes(4, "big") + bytes(2)))
    return Agreed(first, outgoing, incoming) if method == RC4 else Agreed(first, None, None)


def _find(wanted: bytes) -> Generator[int, bytes, None]:
    """Pass over the padding before these bytes, of which nobody says how long it is."""
    seen = yield len(wanted)
    while not seen.endswith(wanted):
        if len(seen) >= MAX_PADDING + len(wanted):
            raise WireError("neither a handshake nor HTTP")
        seen += yield 1
