"""Which pieces a peer shows that it has, at first and as time goes by (BEP 3, 6, 16)."""

from __future__ import annotations

from typing import Callable

from ansible.module_utils.seedbed.probe.peer_wire import BITFIELD, HAVE, HAVE_ALL, HAVE_NONE
from ansible.module_utils.seedbed.scripted.link import Link
from ansible.module_utils.seedbed.scripted.memory import ClientMemory, PeerMemory
from ansible.module_utils.seedbed.scripted.messages import bitfield, index_message, message
from ansible.module_utils.seedbed.scripted.peer_script import PeerScript
from ansible.module_utils.seedbed.scripted.served import ServedTorrent
from ansible.module_utils.seedbed.torrent.shares import held_pieces

BROKEN = ("short", "long", "empty", "all-then-none")  # bitfields that a client has to refuse: nothing is served then


class Shown:
    """The pieces of one peer as one client knows them."""

    def __init__(
        self, torrent: ServedTorrent, script: PeerScript, memory: PeerMemory, client: ClientMemory, *, fast: bool
    ) -> None:
        self._torrent, self._script, self._memory, self._client, self._fast = torrent, script, memory, client, fast
        self._held: list[bool] | None = None
        count = torrent.count
        if script.have == "share":
            self._held = held_pieces(torrent.name, count, script.share)
        elif script.have == "none":
            self._held = [False] * count
        elif script.have == "grow":
            memory.grown = max(memory.grown, self._grown_by_now())
        elif script.have == "super":
            memory.revealed = max(memory.revealed, 1)

    def _grown_by_now(self) -> int:
        """One that grows has had a piece more every while since the client began, connected or not."""
        every = self._script.every
        grown = int(self._client.age() / every) if every else self._torrent.count
        return min(self._torrent.count, grown)

    def holds(self, index: int) -> bool:
        """Return whether the client was told of this piece."""
        have = self._script.have
        if have == "grow":
            return index < self._memory.grown
        if have == "super":
            return index < self._memory.revealed
        return self._held is None or self._held[index]

    def first_words(self) -> list[bytes]:
        """Return what stands behind the handshake."""
        kind, count = self._script.bitfield, self._torrent.count
        if kind == "all-then-none":
            return [message(HAVE_ALL), message(HAVE_NONE)] if self._fast else [self._field(), message(HAVE_NONE)]
        if kind == "right" and self._fast and self._held is None and self._script.have == "all":
            return [message(HAVE_ALL)]
        held = [self.holds(index) for index in range(count)]
        if kind == "right":
            if any(held):
                return [message(BITFIELD, bitfield(held))]
            return [message(HAVE_NONE)] if self._fast else []
        raw = bitfield(held)
        if kind == "twice":
            return 2 * [message(BITFIELD, raw)]
        return [message(BITFIELD, {"short": raw[:-1], "long": raw + b"\0", "empty": b""}[kind])]

    def _field(self) -> bytes:
        return message(BITFIELD, bitfield([True] * self._torrent.count))

    def keep_showing(self, link: Link) -> None:
        """Tell of pieces as they come."""
        if self._script.have == "grow" and self._memory.grown < self._torrent.count:
            link.later(self._script.every, self._grower(link))

    def _grower(self, link: Link) -> Callable[[], None]:
        def grow() -> None:
            before = self._memory.grown
            self._memory.grown = max(before, self._grown_by_now())
            link.send(*[index_message(HAVE, index) for index in range(before, self._memory.grown)])
            self.keep_showing(link)

        return grow

    def spread(self, index: int) -> list[bytes]:
        """The client says that it has a piece: a super seeder shows the next."""
        memory = self._memory
        if self._script.have != "super" or index != memory.revealed - 1 or memory.revealed >= self._torrent.count:
            return []
        memory.revealed += 1
        return [index_message(HAVE, memory.revealed - 1)]
