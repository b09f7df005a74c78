"""A day of a few numbers, in steps, small enough for a file."""

from __future__ import annotations

from typing import Any, Mapping, TypedDict

STEP = 300  # seconds
STEPS = 24 * 3600 // STEP


class History(TypedDict):
    """Numbers by name, one for each step, the oldest first, as far back as there are; None where nobody asked."""

    step: int
    end: int
    """The step that the last value is of, in steps since 1970."""
    values: dict[str, list[int | None]]


def empty() -> History:
    """Return a history before its first value."""
    return {"step": STEP, "end": 0, "values": {}}


def read_history(told: Any) -> History:
    """Return a history as it was written; an empty one where it is none of this form."""
    try:
        if told["step"] == STEP and all(isinstance(each, list) for each in told["values"].values()):
            return {"step": STEP, "end": int(told["end"]), "values": dict(told["values"])}
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    return empty()


def with_values(history: History, when: float, values: Mapping[str, int | None]) -> History:
    """Return a history with the values of now: the last of a step counts. Who has no value any more is forgotten."""
    now = int(when) // STEP
    passed = now - history["end"]
    if passed < 0:  # the clock was set back
        history, passed = empty(), 1
    new = {}
    for name, value in values.items():
        old = history["values"].get(name, [])
        gap: list[int | None] = [None] * min(passed - 1, STEPS) if old else []
        before = old[:-1] if passed == 0 else old + gap
        last = old[-1] if value is None and passed == 0 and old else value
        new[name] = [*before, last][-STEPS:]
    return {"step": STEP, "end": now, "values": new}
