"""Which pieces a partial seed holds: a function of the torrent's name and the pieces' numbers alone."""

from __future__ import annotations

import hashlib

from ansible.module_utils.seedbed.base.sizes import WHOLE


def held_pieces(name: str, count: int, share: int) -> list[bool]:
    """Return for each piece whether it is among a share, in millionths: scattered over the whole, never all of it."""
    if share >= WHOLE:
        return [True] * count
    keep = min(count * share // WHOLE, max(0, count - 1))
    order = sorted(range(count), key=lambda n: hashlib.sha256(f"{name}/{n}".encode()).digest())
    chosen = set(order[:keep])
    return [number in chosen for number in range(count)]
