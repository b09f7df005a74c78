"""Programs of this machine, run to their end."""

from __future__ import annotations

import subprocess
from typing import Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError

NOT_RUN = 127  # as a shell says it


class CommandError(SeedbedError):
    """A program that failed; the text says which, with what status, and its own words."""

    def __init__(self, argv: Sequence[str], status: int, message: str) -> None:
        super().__init__(f"{' '.join(argv)} failed ({status}): {message or 'no message'}")
        self.status, self.message = status, message


def run(argv: Sequence[str], text: str | None = None) -> str:
    """Run a program with `text` as its input and return its output; raise CommandError if it fails or is missing."""
    try:
        done = subprocess.run(
            list(argv), input=text, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError as error:
        raise CommandError(argv, NOT_RUN, error.strerror or str(error)) from error
    if done.returncode:
        raise CommandError(argv, done.returncode, done.stderr.strip())
    return done.stdout
