"""What is odd in a .torrent or a magnet that clients load all the same: one sentence each, and who makes what of it."""

from __future__ import annotations

from typing import Any, NamedTuple

ALL = "libtorrent, Transmission and aria2"
PASSED_OVER = f"{ALL} pass over it, strict parsers may not"


class _Note(NamedTuple):
    what: str
    clients: str
    harm: bool


class Notes:
    """The oddities of one file; what is seen a thousand times is one sentence."""

    def __init__(self) -> None:
        self._notes: dict[str, _Note] = {}
        self._counts: dict[str, int] = {}

    def add(self, what: str, clients: str = PASSED_OVER, *, kind: str = "", harm: bool = False) -> None:
        """Note what is odd, and what clients do. kind: what makes oddities one and the same.

        harm: some client refuses the torrent for it or takes it for another one, and only another info hash mends it.
        """
        key = kind or what
        self._notes.setdefault(key, _Note(what, clients, harm))
        self._counts[key] = self._counts.get(key, 0) + 1

    def sentences(self, *, harm_alone: bool = False) -> list[str]:
        """Return a sentence for each oddity."""
        return [
            f"{note.what}{_more(self._counts[key] - 1)}; {note.clients}"
            for key, note in self._notes.items()
            if note.harm or not harm_alone
        ]


def _more(count: int) -> str:
    return f" (and {count} more like it)" if count else ""


def type_name(value: Any) -> str:
    """Return what a bencoded value is, as people say it."""
    names = {bytes: "a text", int: "a number", list: "a list", dict: "a dictionary"}
    return names.get(type(value), "missing")
