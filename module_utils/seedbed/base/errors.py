"""The root of every error that Seedbed's own code raises on purpose."""

from __future__ import annotations


class SeedbedError(Exception):
    """A fault that a person can mend: the text says what was wrong, where, and what would be right."""
