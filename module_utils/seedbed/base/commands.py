"""Programs of this machine, run to their end."""

from __future__ import annotations

import subprocess
from typing import Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError


class CommandError(SeedbedError):
    """A program that failed; the text says which, with what status, and what it said."""

    def __init__(self, argv: Sequence[str], status: int, said: str) -> None:
        super().__init__(f"{' '.join(argv)} failed ({status}): {said or 'it said nothing'}")
        self.status, self.said = status, said


def run(argv: Sequence[str], text: str | None = None) -> str:
    """Run a program with `text` as its input and return its output; CommandError if it fails."""
    done = subprocess.run(list(argv), input=text, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        raise CommandError(argv, done.returncode, done.stderr.strip())
    return done.stdout
