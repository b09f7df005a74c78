"""Which pieces a partial seed holds: a function of the torrent's name and the pieces' numbers alone."""

from __future__ import annotations

import hashlib

from ansible.module_utils.seedbed.base.sizes import WHOLE, Range


def held_pieces(name: str, count: int, held: Range) -> list[bool]:
    """Return for each piece whether it is in a range of an order that scatters all of them over the whole."""
    if held == (0, WHOLE):
        return [True] * count
    begin, end = (count * share // WHOLE for share in held)
    order = sorted(range(count), key=lambda n: hashlib.sha256(f"{name}/{n}".encode()).digest())
    chosen = set(order[begin:end])
    return [number in chosen for number in range(count)]
