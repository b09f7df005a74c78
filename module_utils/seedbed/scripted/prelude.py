"""The first words of a connection: a handshake or HTTP, after which others take over; or a stranger's."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Callable

from ansible.module_utils.seedbed.probe.peer_handshake import PROTOCOL
from ansible.module_utils.seedbed.scripted.greeting import Hello, Steps, called_greeting, greeting
from ansible.module_utils.seedbed.scripted.http_talk import HttpTalk
from ansible.module_utils.seedbed.scripted.link import Link

if TYPE_CHECKING:
    from ansible.module_utils.seedbed.scripted.stage import Stage

MUTE = 300.0


class Prelude:
    """The first words of a connection, after which a session takes over."""

    def __init__(self, stage: Stage, link: Link, *, called: bool = False) -> None:
        self._stage, self._link, self._called = stage, link, called
        steps = greeting(link.send, stage.program.marked, partial(stage.choose, link))
        self._steps = Steps(called_greeting() if called else steps)

    def take(self, data: bytes) -> None:
        """Take a part of the first words."""
        found = self._steps.feed(data)
        if found is None:
            return
        link = self._link
        if not isinstance(found, Hello):
            talk = HttpTalk(link, self._stage.questions.answer)
            link.speaker = talk
            talk.take(found.start + self._steps.rest)
            return
        session = self._stage.talk(link, found, called=self._called)
        link.speaker = session
        session.begin()
        rest = self._steps.rest
        session.take(found.rest + (link.incoming.crypt(rest) if link.incoming else rest))

    def more(self) -> bool:
        """Nothing is sent unasked."""
        return False

    def ended(self, _why: str) -> None:
        """Nothing is kept."""


class Stranger:
    """What misbehaves before it knows of which torrent a connection is."""

    def __init__(self, stage: Stage, link: Link, reach: str) -> None:
        self._stage, self._link, self._reach = stage, link, reach
        self._held = b""
        self._went: Callable[[str], None] | None = None
        link.later(MUTE, lambda: link.end("silent for long enough"))
        if reach == "garbage":
            link.send(os.urandom(512))

    def take(self, data: bytes) -> None:
        """Hear the client's hello, which says whom to count it for."""
        if len(self._held) >= 48:
            return
        self._held += data[:68]
        if len(self._held) < 48 and self._held.startswith(PROTOCOL[:4]):
            return
        self._went = self._stage.note_stranger(self._link, self._reach, self._held)
        if self._reach == "close":
            self._link.end("scripted: closes")
        elif self._reach == "reset":
            self._link.end("scripted: resets", reset=True)
        elif self._reach == "http":
            self._link.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self._link.finish("scripted: a web server")

    def more(self) -> bool:
        """Nothing is sent unasked."""
        return False

    def ended(self, why: str) -> None:
        """Note who ended it, and after what."""
        if self._went:
            self._went(why)
