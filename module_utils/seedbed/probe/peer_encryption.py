"""The calling side of message stream encryption as BitTorrent clients speak it (Vuze wiki, of the same name)."""

from __future__ import annotations

import hashlib
import os
from typing import Callable

from ansible.module_utils.seedbed.base.net import NetError

PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563",
    16,
)
# crypto_provide: what a client that insists on encryption offers, and one that wants the handshake alone to be.
RC4_ONLY, PLAIN_OR_RC4 = 2, 3
PLAIN = 1
KEY_BYTES = 96
MAX_PADDING = 512


class Rc4:
    """The stream cipher, its first 1024 bytes dropped as the protocol demands."""

    def __init__(self, key: bytes) -> None:
        state = list(range(256))
        j = 0
        for i in range(256):
            j = (j + state[i] + key[i % len(key)]) & 255
            state[i], state[j] = state[j], state[i]
        self._state, self._i, self._j = state, 0, 0
        self.crypt(bytes(1024))

    def crypt(self, data: bytes) -> bytes:
        """Encrypt or decrypt what comes next in the stream."""
        state, i, j = self._state, self._i, self._j
        out = bytearray(data)
        for at, byte in enumerate(out):
            i = (i + 1) & 255
            a = state[i]
            j = (j + a) & 255
            b = state[j]
            state[i], state[j] = b, a
            out[at] = byte ^ state[(a + b) & 255]
        self._i, self._j = i, j
        return bytes(out)


def sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts)).digest()


def call(
    send: Callable[[bytes], None],
    receive: Callable[[int], bytes],
    info_hash: bytes,
    first: bytes,
    provide: int = PLAIN_OR_RC4,
) -> tuple[Rc4, Rc4] | None:
    """Agree on keys and deliver ``first`` encrypted.

    Returns the ciphers (to send, to receive) for what follows; None where the peer wants that plain, as it may if that
    is provided.
    """
    private = int.from_bytes(os.urandom(20), "big")
    send(pow(2, private, PRIME).to_bytes(KEY_BYTES, "big"))
    secret = pow(int.from_bytes(receive(KEY_BYTES), "big"), private, PRIME).to_bytes(KEY_BYTES, "big")
    outgoing, incoming = Rc4(sha1(b"keyA", secret, info_hash)), Rc4(sha1(b"keyB", secret, info_hash))
    masked = bytes(a ^ b for a, b in zip(sha1(b"req2", info_hash), sha1(b"req3", secret)))
    constant = bytes(8)
    head = constant + provide.to_bytes(4, "big") + bytes(2) + len(first).to_bytes(2, "big")
    send(sha1(b"req1", secret) + masked + outgoing.crypt(head) + outgoing.crypt(first))
    # How long the peer's padding is shows only by the constant behind it.
    wanted = incoming.crypt(constant)
    seen = receive(len(wanted))
    while not seen.endswith(wanted):
        if len(seen) > MAX_PADDING + len(wanted):
            raise NetError("not_encrypted", "the peer answers the encrypted handshake with something else")
        seen += receive(1)
    select = int.from_bytes(incoming.crypt(receive(4)), "big")
    incoming.crypt(receive(int.from_bytes(incoming.crypt(receive(2)), "big")))
    if select not in (PLAIN, RC4_ONLY) or not select & provide:
        raise NetError("not_encrypted", f"the peer chose encryption method {select}, offered was {provide}")
    return (outgoing, incoming) if select == RC4_ONLY else None
