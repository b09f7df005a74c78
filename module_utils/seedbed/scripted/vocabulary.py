"""What a behaviour may be made of: independent facets with a value each, and presets that set some of them.

A script as people write it is a mapping: ``behaviour`` names a preset, every other key is a facet of its own.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.sizes import parse_range, parse_rate, parse_seconds, parse_share
from ansible.module_utils.seedbed.base.text import is_text, quoted

ENDLESS = 1000  # redirects: so many are a loop

Read = Callable[[Any], Any]
Rule = Callable[[Mapping[str, Any]], str]


class FacetError(SeedbedError):
    """A value that a facet does not have; the text says which it has."""


class Preset(NamedTuple):
    """A behaviour by name."""

    why: str  # what it exercises in a client
    facets: Mapping[str, Any] = {}


class Vocabulary(NamedTuple):
    """All that scripts of one kind may say."""

    facets: Mapping[str, Read]
    presets: Mapping[str, Preset]
    rules: Sequence[Rule]  # each returns a sentence for a contradiction, or nothing

    def faults(self, wish: Any) -> list[str]:
        """Return a sentence for everything that is wrong with a script."""
        if not isinstance(wish, Mapping):
            return [f"{quoted(wish)} is no script; a mapping like {{behaviour: healthy}} would be right"]
        name = wish.get("behaviour", "healthy")
        if not isinstance(name, str) or name not in self.presets:
            return [f"behaviour {quoted(name)} is not known; known are {', '.join(self.presets)}"]
        given = {**self.presets[name].facets, **{key: wish[key] for key in wish if key != "behaviour"}}
        faults, values = [], {}
        for key, value in given.items():
            if key not in self.facets:
                faults.append(f"facet {quoted(key)} is not known; known are {', '.join(self.facets)}")
                continue
            try:
                values[key] = self.facets[key](value)
            except SeedbedError as error:
                faults.append(f"{key}: {error}")
        return faults or [sentence for rule in self.rules for sentence in [rule(values)] if sentence]

    def values(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Return the facets that a script without faults sets, preset and its own, each read."""
        given = {**self.presets[wish.get("behaviour", "healthy")].facets, **wish}
        return {key: self.facets[key](value) for key, value in given.items() if key != "behaviour"}


def described(script: Mapping[str, Any]) -> str:
    """Return a script as people write it, in short: its behaviour, and what it says besides."""
    more = ", ".join(f"{key} {_short(value)}" for key, value in script.items() if key != "behaviour")
    name = str(script.get("behaviour", "healthy"))
    return f"{name} ({more})" if more else name


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(str, value[:5])) + (" ..." if len(value) > 5 else "")
    return str(value)[:40]


def choice(*names: str) -> Read:
    """Return a reader of one of these texts."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise FacetError(f"{quoted(value)} is none of {', '.join(names)}")
        return value

    return read


def count(low: int, high: int) -> Read:
    """Return a reader of a whole number."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise FacetError(f"{quoted(value)} is no number from {low} to {high}")
        return value

    return read


def flag(value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise FacetError(f"{quoted(value)} is neither true nor false")
    return value


def text(value: Any) -> str:
    """Read a text of a size that fits an answer."""
    if not is_text(value) or len(value) > 4096:
        raise FacetError(f"{quoted(value)} is no text of at most 4096 characters")
    return str(value)


def rate(value: Any) -> int:
    """Read bytes a second, of which there is at least one."""
    found = parse_rate(value)
    if not found:
        raise FacetError("0 is no rate; choke: never serves nothing at all")
    return found


def pieces(value: Any) -> Any:
    """Read which pieces: ``all``, ``1/8`` for every eighth, or their numbers."""
    if value == "all":
        return 1
    if isinstance(value, str) and value.startswith("1/") and value[2:].isascii() and value[2:].isdigit():
        step = int(value[2:][:9])
        if step:
            return step
    if isinstance(value, list) and value and all(map(_is_index, value)):
        return tuple(sorted(set(value)))
    raise FacetError(f"{quoted(value)} names no pieces: write all, 1/8 for every eighth, or a list of their numbers")


def _is_index(value: Any) -> bool:
    # What comes from an inventory is of a subclass of int.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32


def is_picked(picked: Any, index: int) -> bool:
    """Return whether a piece is one of those that were read: of every eighth, the fourth of each eight."""
    if isinstance(picked, tuple):
        return index in picked
    return bool(index % picked == (picked - 1) // 2)


def next_hop(hop: int, redirects: int) -> int:
    """Return the number of the redirect that follows the one with this number, 0 where none does."""
    if hop < redirects:
        return hop + 1
    return ENDLESS if redirects == ENDLESS else 0


seconds, share, share_range = parse_seconds, parse_share, parse_range
