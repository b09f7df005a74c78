"""The root of every error that Seedbed's own code raises on purpose."""

from __future__ import annotations

import contextlib
from typing import Iterator


class SeedbedError(Exception):
    """A fault that a person can mend: the text says what was wrong, where, and what would be right."""


class OperatingSystemError(SeedbedError):
    """What the operating system refused, in its own words: no space, no permission, not there."""


@contextlib.contextmanager
def os_errors_reported() -> Iterator[None]:
    """Raise an OSError as a SeedbedError, as whoever runs the program can mend it. A decorator, too."""
    try:
        yield
    except OSError as error:
        raise OperatingSystemError(str(error)) from error
