"""Long work in a process of its own: who waits gets its result, who comes later does not take it for the present."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.jobs import NO_OUTCOME, BackgroundJob, JobError, JobOutcome

DEADLINE = 120.0


def test_long_work_goes_on_without_the_one_who_asked(tmp_path: Path) -> None:
    go, went = os.pipe()
    with BackgroundJob(str(tmp_path)) as job:
        assert job.acquire(0)
        started = job.start(lambda: {"read": os.read(go, 10).decode()})
    assert not started.wait(0)
    with BackgroundJob(str(tmp_path)) as job:
        assert not job.acquire(time.monotonic() + 0.05)
        os.write(went, b"done")
        assert job.acquire(time.monotonic() + DEADLINE)
        assert job.collect() == JobOutcome(started.job_id, {"read": "done"}, "")
        assert job.collect() == NO_OUTCOME


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), r"^\[Errno 28\] No space left on device$"),
        (SeedbedError("one vanished"), "^one vanished$"),
        (OSError(), "^OSError$"),
        (ZeroDivisionError("a fault of ours"), r"(?s)^Traceback.*ZeroDivisionError: a fault of ours"),
    ],
)
def test_work_that_breaks_is_reported_to_the_one_who_waits(tmp_path: Path, fault: Exception, message: str) -> None:
    def work() -> dict[str, Any]:
        raise fault

    with BackgroundJob(str(tmp_path)) as job:
        assert job.acquire(0)
        started = job.start(work)
    assert started.wait(DEADLINE)
    with BackgroundJob(str(tmp_path)) as job:
        assert job.acquire(time.monotonic() + DEADLINE)
        with pytest.raises(JobError, match=message):
            job.collect().result_of(started.job_id)


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b'{"result": {"a": 1}, "about": "x"}'])
def test_a_result_that_nobody_can_read_is_none(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "result.json").write_bytes(left)
    with BackgroundJob(str(tmp_path)) as job:
        assert job.collect() == NO_OUTCOME
    assert not (tmp_path / "result.json").exists()


def test_a_process_that_was_killed_has_no_result(tmp_path: Path) -> None:
    with BackgroundJob(str(tmp_path)) as job:
        assert job.acquire(0)
        started = job.start(lambda: os.kill(os.getpid(), 9) or {})
    assert started.wait(DEADLINE)
    with BackgroundJob(str(tmp_path)) as job:
        assert job.acquire(time.monotonic() + DEADLINE)
        with pytest.raises(JobError, match="was ended before it had a result; run again to go on"):
            job.collect().result_of(started.job_id)
