"""What a peer says it has: at once (BEP 3, 6), or piece by piece (super-seeding, BEP 16; lazy bitfields)."""

from __future__ import annotations

from ansible.module_utils.seedbed.probe.peer_wire import BITFIELD, HAVE, HAVE_ALL, HAVE_NONE


class Haves:
    """The pieces that a peer has shown."""

    def __init__(self) -> None:
        self.everything = False
        self.shown = False
        self._bitfield = b""
        self._one_by_one: set[int] = set()

    def take(self, kind: int, payload: bytes) -> None:
        """Take a message; of others than those of pieces nothing is taken."""
        if kind == BITFIELD:
            self._bitfield = payload
        elif kind in (HAVE_ALL, HAVE_NONE):
            self.everything = kind == HAVE_ALL
        elif kind == HAVE and len(payload) == 4:
            self._one_by_one.add(int.from_bytes(payload, "big"))
        self.shown = self.shown or kind in (BITFIELD, HAVE_ALL, HAVE_NONE, HAVE)

    def has(self, index: int) -> bool:
        if self.everything or index in self._one_by_one:
            return True
        return index // 8 < len(self._bitfield) and bool(self._bitfield[index // 8] & (0x80 >> index % 8))

    def seem_whole(self) -> bool:
        """Return whether there is nothing to wait for; how many pieces there are may not be known yet."""
        return self.everything or (bool(self._bitfield) and self._number(8 * len(self._bitfield)) >= self._least())

    def reveal(self, pieces: int) -> bool:
        """Return whether they came one by one alone, and not all of them, as those of a super-seeder do."""
        alone = not self.everything and not any(self._bitfield)
        return alone and 0 < self._number(pieces) < pieces

    def share(self, pieces: int | None) -> float | None:
        """Return the share of the pieces, 0 to 1; None where it cannot be known without their number."""
        if self.everything:
            return 1.0
        if pieces is not None:
            return round(self._number(pieces) / pieces, 4) if pieces else 1.0
        if self._bitfield:
            # Their number is known to within the last byte.
            return round(min(1.0, self._number(8 * len(self._bitfield)) / self._least()), 4)
        return None if self._one_by_one else 0.0  # no bitfield means none (BEP 3: it may be left out)

    def _least(self) -> int:
        return max(1, 8 * len(self._bitfield) - 7)

    def _number(self, pieces: int) -> int:
        """Return how many of the first so many pieces it has."""
        bits = int.from_bytes(self._bitfield[: -(-pieces // 8)], "big")
        spare = 8 * len(self._bitfield[: -(-pieces // 8)]) - pieces
        held = bin(bits >> spare if spare > 0 else bits).count("1")
        return held + sum(
            index < pieces and not (index // 8 < len(self._bitfield) and self._bitfield[index // 8] & 0x80 >> index % 8)
            for index in self._one_by_one
        )
