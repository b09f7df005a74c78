"""Long work that outlives the connection it was asked over.

The work runs in a process of its own, which holds a lock, notes how far it is, and leaves its result in a file.
Whoever asks waits for a while, is told how far it is, and asks again; a lost connection loses nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import time
import traceback
from typing import Any, Callable, Mapping

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import make_directory, write_atomically

POLL = 0.2  # seconds between two looks at a lock that a process of another call holds


class JobError(SeedbedError):
    """Work that ended without a result."""


class Job:
    """At most one piece of work in a directory at a time."""

    def __init__(self, directory: str, about: str) -> None:
        self.about = about  # what the work depends on: a result about something else is not ours
        make_directory(directory)
        self._progress = os.path.join(directory, "progress.json")
        self._result = os.path.join(directory, "result.json")
        self._lock = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def acquire(self, deadline: float) -> bool:
        """Become the one at work; False when another still is at the deadline (of time.monotonic)."""
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            select.select([], [], [], min(POLL, left))

    def __enter__(self) -> Job:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Let go of the lock, unless started work has it."""
        os.close(self._lock)

    def _read(self, path: str) -> dict[str, Any]:
        try:
            with open(path, encoding="utf-8") as file:
                known = json.load(file)
        except (FileNotFoundError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _write(self, path: str, told: Mapping[str, Any]) -> None:
        write_atomically(path, json.dumps({**told, "about": self.about}).encode(), mode=0o600)

    def progress(self, told: Mapping[str, Any]) -> None:
        """Note how far the work is."""
        self._write(self._progress, told)

    def told(self) -> dict[str, Any]:
        """How far the work is, whoever does it."""
        return self._read(self._progress)

    def collect(self) -> dict[str, Any] | None:
        """The result of our work that ended since it was last asked for. Needs the lock."""
        found = self._read(self._result)
        for path in (self._result, self._progress):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        if found.get("about") != self.about:
            return None
        if "error" in found:
            raise JobError(str(found["error"]))
        return dict(found["result"])

    def start(self, work: Callable[[], Mapping[str, Any]]) -> int:
        """Do the work in a process of its own, which keeps the lock; returns what tells of its end."""
        ended, told = os.pipe()
        if os.fork():
            os.close(told)
            return ended
        try:
            os.close(ended)
            os.setsid()
            # The connection may go: nothing of it is held on to.
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(nothing, stream)
            try:
                found: dict[str, Any] = {"result": work()}
            except (SeedbedError, OSError) as error:
                found = {"error": str(error)}
            except Exception:  # a fault of ours: the one who asks has to be told all of it
                found = {"error": traceback.format_exc()}
            self._write(self._result, found)
        finally:
            os._exit(0)


def wait(ended: int, seconds: float) -> bool:
    """Wait for the end of started work."""
    try:
        return bool(select.select([ended], [], [], max(0.0, seconds))[0])
    finally:
        os.close(ended)
