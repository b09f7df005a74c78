"""The record of what the lab made on a host, as data: for each role the names of what was not there before, by kind."""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping, Union

from ansible.module_utils.seedbed.base.errors import SeedbedError

RECORD = "/var/lib/seedbed/owned.json"
FORMAT = 1

PLAIN = (
    "packages",
    "users",
    "units",
    "openings",
    "selinux",
    "tables",
    "files",
    "trees",
    "directories",
    "used",
    "folders",
    "content",
)
"""Kinds of which a name says all. A tree is a directory with all that is in it; a directory goes when it is empty. Used
is a directory that was there, empty or handed to us: it stays. Openings are the host's own firewalls that were told of
ports, selinux the rules that its policy was taught. Folders are those of a daemon that was taken over.
Content says of what is ours by another kind that people may want to keep it when all else goes."""
NOTED = ("kept", "states", "modes")
"""Kinds with a note: of a file that was replaced the path of its copy, empty when there is none; of a unit that was
there what it was before, such as ``active enabled``; of a directory that was there its mode, such as ``2775``."""
KINDS = PLAIN + NOTED

Things = Mapping[str, Union[Iterable[str], Mapping[str, str]]]
"""Names by kind, with their notes where the kind has them."""


class BrokenRecord(SeedbedError):
    """A record that cannot be read: without it nobody knows what is ours."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path} is no record of what Seedbed made: {why}. Put back a copy of it; without any, move it away: then "
            "only what is recognisably Seedbed's counts as its own"
        )


class Owned:
    """The record, as data."""

    def __init__(self, roles: Mapping[str, Things] | None = None) -> None:
        self._roles: dict[str, dict[str, dict[str, str]]] = {}
        for role, things in (roles or {}).items():
            self.add(role, things)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Owned) and self.plain() == other.plain()

    __hash__ = None  # type: ignore[assignment]

    @property
    def roles(self) -> list[str]:
        """Return the roles for which anything was made, sorted."""
        return sorted(self._roles)

    def add(self, role: str, things: Things) -> None:
        """Write things down for a role; the note of one that is known stays as it was."""
        for kind, names in things.items():
            notes = names if isinstance(names, Mapping) else dict.fromkeys(names, "")
            for name, note in notes.items():
                self._roles.setdefault(role, {}).setdefault(kind, {}).setdefault(str(name), str(note))

    def forget(self, role: str, kind: str, names: Iterable[str]) -> None:
        """Strike names out."""
        known = self._roles.get(role, {})
        for name in names:
            known.get(kind, {}).pop(name, None)
        if kind in known and not known[kind]:
            del known[kind]
        if role in self._roles and not known:
            del self._roles[role]

    def of(self, role: str, kind: str) -> dict[str, str]:
        """Return the names of a kind that were written down for a role, with their notes."""
        return dict(self._roles.get(role, {}).get(kind, {}))

    def has(self, kind: str, name: str) -> bool:
        """Return whether a thing is written down for any role."""
        return any(name in kinds.get(kind, {}) for kinds in self._roles.values())

    def elsewhere(self, role: str, kind: str) -> set[str]:
        """Return the names of a kind that were written down for other roles, too."""
        return {name for other, kinds in self._roles.items() if other != role for name in kinds.get(kind, {})}

    def covers(self, path: str) -> bool:
        """Return whether a path is ours: by its name, or because it lies in a tree that is."""
        if any(self.has(kind, path) for kind in ("files", "directories", "trees", "used", "kept")):
            return True
        return any(path.startswith(tree + "/") for kinds in self._roles.values() for tree in kinds.get("trees", {}))

    def plain(self) -> dict[str, Any]:
        """Return the record as it is written: sorted, so that two records of the same things are the same text."""
        return {
            role: {
                kind: dict(sorted(names.items())) if kind in NOTED else sorted(names)
                for kind, names in sorted(self._roles[role].items())
            }
            for role in self.roles
        }


def render(owned: Owned) -> bytes:
    """Return the record as a file's content."""
    return (json.dumps({"format": FORMAT, "made_for": owned.plain()}, indent=1, ensure_ascii=False) + "\n").encode()


def parse(content: bytes, path: str = RECORD) -> Owned:
    """Return the record in a file's content."""
    try:
        known = json.loads(content.decode())
    except ValueError as error:
        raise BrokenRecord(path, str(error)) from error
    if not isinstance(known, dict) or known.get("format") != FORMAT or not isinstance(known.get("made_for"), dict):
        raise BrokenRecord(path, f"it has no format {FORMAT}")
    for role, kinds in known["made_for"].items():
        for kind, names in kinds.items() if isinstance(kinds, dict) else [("", None)]:
            shape = {**dict.fromkeys(PLAIN, list), **dict.fromkeys(NOTED, dict)}.get(kind)
            texts = names.values() if isinstance(names, dict) else names
            if shape is None or not isinstance(names, shape) or not all(isinstance(text, str) for text in texts):
                raise BrokenRecord(path, f"what was made for {role} is not told in lists of names")
    return Owned(known["made_for"])
