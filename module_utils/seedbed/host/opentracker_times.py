"""When opentracker has clients announce, and how long it keeps those that fall silent.

All three are constants of its sources without an #ifndef around them, so no compiler flag reaches them. Their text is
replaced in the copy that is compiled on the host. What is as opentracker has it anyway is left alone.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence, TypedDict

OWN_INTERVAL, OWN_LIFETIME = 1800, 2700
SHORTEST_INTERVAL = 10
LONGEST = 24 * 60 * 60
"""Seconds after which opentracker forgets whole torrents."""


class Replacement(TypedDict):
    """Text of a source file, as a regular expression, and what stands in its place."""

    file: str
    old: str
    new: str


class Told(TypedDict):
    """What a tracker told a client that announced; over UDP there is no minimum."""

    tracker: str
    interval: int | None
    min_interval: int | None


def replacements(settings: Mapping[str, Any]) -> list[Replacement]:
    """Return what has to be replaced for these settings (the role's variables without ``opentracker_``)."""
    interval, minimum, lifetime = _seconds(settings)
    found = []
    if interval != OWN_INTERVAL:
        found += [
            _constant("OT_CLIENT_REQUEST_INTERVAL", interval),
            # A fifth, half of it up and half of it down, is opentracker's own measure.
            _constant("OT_CLIENT_REQUEST_VARIATION", _variation(interval)),
        ]
    if minimum:
        found.append(Replacement(file="trackerlogic.c", old=r"\berval / 2\b", new=str(minimum)))
    if lifetime != OWN_LIFETIME:
        # It counts full minutes, in one byte: a peer that may live for one could be gone at once. So its minute is made
        # a sixtieth of the lifetime.
        minute = max(1, lifetime // 60)
        found += [
            _constant("OT_PEER_TIMEOUT", -(-lifetime // minute)),
            _constant("g_now_minutes", f"g_now_seconds / {minute}"),
        ]
    return found


def _constant(name: str, value: object) -> Replacement:
    return Replacement(file="trackerlogic.h", old=rf"(?m)^#define {name}\s.*$", new=f"#define {name} ({value})")


def _variation(interval: int) -> int:
    return interval // 5


def _seconds(settings: Mapping[str, Any]) -> tuple[int, int, int]:
    interval, minimum, lifetime = (int(settings[key]) for key in ("interval", "minimum_interval", "peer_lifetime"))
    return interval, minimum, lifetime


def _lowest(interval: int) -> int:
    return interval - _variation(interval) // 2


def faults(settings: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each value that no tracker should have."""
    for key in ("interval", "minimum_interval", "peer_lifetime"):
        if not str(settings[key]).isdigit():
            return [f"opentracker_{key} is {settings[key]!r}; write a number of seconds"]
    interval, minimum, lifetime = _seconds(settings)
    found = []
    if not SHORTEST_INTERVAL <= interval <= LONGEST // 2:
        found.append(
            f"opentracker_interval is {interval}; write seconds from {SHORTEST_INTERVAL} to {LONGEST // 2}, half a day"
        )
    if minimum > _lowest(interval):
        found.append(
            f"opentracker_minimum_interval is {minimum}, but clients may be told to announce every "
            f"{_lowest(interval)} s already; choose a smaller one, or 0 for half of the interval"
        )
    shortest = -(-interval * 3 // 2)
    if not shortest <= lifetime <= LONGEST:
        found.append(
            f"opentracker_peer_lifetime is {lifetime}, with opentracker_interval {interval}; write seconds from one "
            f"and a half intervals, {shortest}, to {LONGEST}, else peers that live are forgotten between two announces"
        )
    return found


def unlike(settings: Mapping[str, Any], told: Sequence[Told]) -> list[str]:
    """Return what a running tracker told otherwise than these settings say."""
    interval, minimum, _ = _seconds(settings)
    right = range(_lowest(interval), _lowest(interval) + _variation(interval))
    found = []
    for each in told:
        pace, soonest = each["interval"], each["min_interval"]
        if pace is None or pace not in right:
            found.append(f"{each['tracker']} has clients announce every {pace} s, not {interval}")
        elif soonest is not None and soonest != (minimum or pace // 2):
            found.append(
                f"{each['tracker']} lets clients announce again after {soonest} s, not {minimum or 'half of that'}"
            )
    return found
