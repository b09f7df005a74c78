"""Long work that outlives the connection it was asked over.

The work runs in a process of its own, which holds a lock, notes how far it is, and leaves its result in a file.
Whoever started it waits for a while, reports how far it is, and asks again by the job's id. A lost connection loses
nothing that was done; but the result is about the moment at which the job ended, and only the one who waits for it may
take it for the present state. Whoever comes later inspects again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import select
import time
import traceback
from typing import Any, Callable, Mapping, NamedTuple

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import make_directory, read_file, remove_files, write_atomically

JOB_FILES = ("progress.json", "result.json", "lock")  # what a job keeps in its directory
POLL = 0.2  # seconds between two tries for a lock that a process of another call holds


class JobError(SeedbedError):
    """Work that ended without a result."""


class JobOutcome(NamedTuple):
    """What a job left when it ended."""

    job_id: str
    result: dict[str, Any]
    error: str  # why there is no result, else empty

    def result_of(self, job_id: str) -> dict[str, Any]:
        """Return the result if it is this job's; raise JobError if there is none."""
        if self.job_id != job_id:
            raise JobError("the process that did the work was ended before it had a result; run again to go on")
        if self.error:
            raise JobError(self.error)
        return self.result


NO_OUTCOME = JobOutcome("", {}, "")


class StartedJob:
    """A process at work, as the one who started it sees it."""

    def __init__(self, job_id: str, ended: int) -> None:
        self.job_id = job_id
        self._ended = ended

    def wait(self, seconds: float) -> bool:
        """Wait for its end; return whether it came."""
        try:
            return bool(select.select([self._ended], [], [], max(0.0, seconds))[0])
        finally:
            os.close(self._ended)


class BackgroundJob:
    """At most one piece of work in a directory at a time."""

    def __init__(self, directory: str) -> None:
        make_directory(directory)
        self._progress, self._outcome, lock = (os.path.join(directory, name) for name in JOB_FILES)
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def acquire(self, deadline: float) -> bool:
        """Become the one at work; return False when another still is at the deadline (of time.monotonic)."""
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            select.select([], [], [], min(POLL, left))

    def __enter__(self) -> BackgroundJob:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Let go of the lock, unless started work has it."""
        os.close(self._lock)

    def note_progress(self, progress: Mapping[str, Any]) -> None:
        """Note how far the work is."""
        _write(self._progress, progress)

    def read_progress(self) -> dict[str, Any]:
        """Return how far the work is, whoever does it; empty before its first note."""
        return _read(self._progress)

    def collect(self) -> JobOutcome:
        """Return what the last job left, once. Needs the lock."""
        known = _read(self._outcome)
        remove_files([self._outcome, self._progress])
        try:
            return JobOutcome(str(known["job_id"]), dict(known["result"]), str(known["error"]))
        except (KeyError, TypeError, ValueError):  # there is none, or one of another version
            return NO_OUTCOME

    def start(self, work: Callable[[], Mapping[str, Any]]) -> StartedJob:
        """Do the work in a process of its own, which keeps the lock."""
        job_id = secrets.token_hex(8)
        ended, keep_open = os.pipe()
        if os.fork():
            os.close(keep_open)
            return StartedJob(job_id, ended)
        try:
            os.close(ended)
            os.setsid()
            # The connection may go: nothing of it is held on to.
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(nothing, stream)
            result: Mapping[str, Any] = {}
            error = ""
            try:
                result = work()
            except (SeedbedError, OSError) as fault:
                error = str(fault) or type(fault).__name__
            except Exception:  # a fault of ours: whoever asks has to get all of it
                error = traceback.format_exc()
            _write(self._outcome, JobOutcome(job_id, dict(result), error)._asdict())
        finally:
            os._exit(0)


def _read(path: str) -> dict[str, Any]:
    try:
        known = json.loads(read_file(path) or b"{}")
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


def _write(path: str, values: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(values).encode(), mode=0o600)
