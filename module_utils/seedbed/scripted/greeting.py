"""How a connection begins: a plain handshake (BEP 3), an encrypted one, or HTTP, told apart by its first bytes."""

from __future__ import annotations

from typing import Callable, Generator, NamedTuple, Union

from ansible.module_utils.seedbed.probe.peer_handshake import PROTOCOL
from ansible.module_utils.seedbed.scripted.encryption import Send, answer
from ansible.module_utils.seedbed.scripted.messages import WireError
from ansible.module_utils.seedbed.scripted.rc4 import Cipher


class Hello(NamedTuple):
    """A client's handshake, and the state in which it leaves the connection."""

    info_hash: bytes
    reserved: bytes
    peer_id: bytes
    rest: bytes  # what came behind it, decrypted
    encrypted: bool
    outgoing: Cipher | None
    incoming: Cipher | None

    @property
    def fast(self) -> bool:
        """Whether the client knows BEP 6."""
        return bool(self.reserved[7] & 0x04)

    @property
    def extended(self) -> bool:
        """Whether the client knows BEP 10."""
        return bool(self.reserved[5] & 0x10)


class WebQuestion(NamedTuple):
    """The first bytes of an HTTP request."""

    start: bytes


Greeting = Generator[int, bytes, Union[Hello, WebQuestion]]


def greeting(send: Send, find: Callable[[bytes], bytes | None], choose: Callable[[bytes, int], int]) -> Greeting:
    """Take the first words of a connection, as a conversation in steps."""
    first = yield 4
    if first in (b"GET ", b"HEAD"):
        return WebQuestion(first)
    if PROTOCOL.startswith(first):
        return _read_hello(first + (yield 64), encrypted=False)
    agreed = yield from answer(first, send, find, choose)
    words = agreed.first
    if len(words) < 68:
        more = yield 68 - len(words)
        words += agreed.incoming.crypt(more) if agreed.incoming else more
    hello = _read_hello(words, encrypted=agreed.outgoing is not None)
    return hello._replace(outgoing=agreed.outgoing, incoming=agreed.incoming)


def called_greeting() -> Greeting:
    """Take the answer of a client that was called."""
    return _read_hello((yield 68), encrypted=False)


def _read_hello(words: bytes, *, encrypted: bool) -> Hello:
    if not words.startswith(PROTOCOL):
        raise WireError("a handshake of another protocol")
    return Hello(words[28:48], words[20:28], words[48:68], words[68:], encrypted, None, None)


class Steps:
    """Feeds a conversation from a stream."""

    def __init__(self, steps: Greeting) -> None:
        self._steps = steps
        self._held = bytearray()
        self._needed = next(steps)
        self.rest = b""

    def feed(self, data: bytes) -> Hello | WebQuestion | None:
        """Return how it ended, once it has; what came behind is the rest."""
        held = self._held
        held += data
        while len(held) >= self._needed:
            part = bytes(held[: self._needed])
            del held[: self._needed]
            try:
                self._needed = self._steps.send(part)
            except StopIteration as end:
                self.rest = bytes(held)
                found: Hello | WebQuestion = end.value
                return found
        return None
