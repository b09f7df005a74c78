"""Forked workers that share a queue of units: every core, no locks, nothing to pickle.

Plain fork, because a module has no importable __main__ and no /dev/shm to count on. A unit's results go
to memory that the caller shares with its workers; here travel unit numbers and failures only.
"""

from __future__ import annotations

import mmap
import os
import select
import struct
import sys
import time
from typing import Callable, Generic, NoReturn, Sequence, TypeVar

from ansible.module_utils.seedbed.base.errors import SeedbedError

Unit = TypeVar("Unit")
ReportDone = Callable[[int], None]  # is called with the bytes that are done

_TOKEN = struct.Struct("<I")
_FAULT = struct.Struct("<IH")
_CELL = struct.Struct("<Qq")  # bytes done, unit at work (-1: none)
_BATCH = 1024  # tokens a write: 4 KiB, which a pipe takes whole or not at all
_MESSAGE = 2000  # with its header below PIPE_BUF, so that failures do not mix


def _quota() -> int | None:
    """Return how many processors a cgroup allows, rounded up; None if it does not say."""
    for quota_file, period_file in (
        ("/sys/fs/cgroup/cpu.max", ""),
        ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
    ):
        try:
            with open(quota_file, encoding="ascii") as file:
                words = file.read().split()
            if period_file:
                with open(period_file, encoding="ascii") as file:
                    words += file.read().split()
            quota, period = int(words[0]), int(words[1])
        except (OSError, ValueError, IndexError):
            continue
        if quota > 0 and period > 0:
            return -(-quota // period)
    return None


def available_processors() -> int:
    """Return how many processors this process may use."""
    allowed = len(os.sched_getaffinity(0))
    quota = _quota()
    return max(1, min(allowed, quota) if quota else allowed)


class Worker:
    """What a unit of work knows about the process that it runs in."""

    def __init__(self, cell: memoryview, *, forked: bool) -> None:
        self.forked = forked  # a fault of memory ends this process alone
        self._cell = cell
        self._done = 0

    def at(self, unit: int) -> None:
        """Note the unit at work, for the parent to name should this process die."""
        _CELL.pack_into(self._cell, 0, self._done, unit)

    def tick(self, amount: int) -> None:
        """Count bytes as done."""
        self._done += amount
        struct.pack_into("<Q", self._cell, 0, self._done)


class _Run(Generic[Unit]):
    """One queue and its workers."""

    def __init__(self, units: Sequence[Unit], do: Callable[[Unit, Worker], None], count: int) -> None:
        self.units, self.do, self.count = units, do, count
        self.shared = mmap.mmap(-1, max(1, count * _CELL.size + len(units)))
        self.cells = memoryview(self.shared)
        self.faults: dict[int, str] = {}

    def cell(self, number: int) -> memoryview:
        return self.cells[number * _CELL.size : (number + 1) * _CELL.size]

    def done(self) -> int:
        return sum(int(_CELL.unpack_from(self.cell(number))[0]) for number in range(self.count))

    def attempt(self, number: int, worker: Worker) -> str | None:
        worker.at(number)
        try:
            self.do(self.units[number], worker)
        except (SeedbedError, OSError) as error:
            return str(error)
        self.shared[self.count * _CELL.size + number] = 1
        return None

    def work_alone(self, report: ReportDone | None) -> None:
        """Do everything in this process."""
        worker = Worker(self.cell(0), forked=False)
        for number in range(len(self.units)):
            fault = self.attempt(number, worker)
            if fault is not None:
                self.faults[number] = fault
            if report:
                report(self.done())

    def child(self, number: int, tokens: int, faults: int, parent: int) -> NoReturn:
        code = 1
        try:
            worker = Worker(self.cell(number), forked=True)
            while True:
                token = os.read(tokens, _TOKEN.size)
                # An orphan stops: whoever comes next must find nobody else at work.
                if not token or os.getppid() != parent:
                    break
                (unit,) = _TOKEN.unpack(token)
                fault = self.attempt(unit, worker)
                if fault is not None:
                    raw = fault.encode(errors="replace")[:_MESSAGE]
                    os.write(faults, _FAULT.pack(unit, len(raw)) + raw)
            worker.at(-1)
            code = 0
        finally:
            # Nothing of the parent's (buffers, exit handlers, the module's answer) may run twice.
            os._exit(code)

    def fork(self, report: ReportDone | None) -> None:
        token_read, token_write = os.pipe()
        fault_read, fault_write = os.pipe()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        children: list[int] = []
        for number in range(self.count):
            _CELL.pack_into(self.cell(number), 0, 0, -1)
            pid = os.fork()
            if not pid:
                os.close(token_write)
                os.close(fault_read)
                self.child(number, token_read, fault_write, parent)
            children.append(pid)
        os.close(token_read)
        os.close(fault_write)
        os.set_blocking(token_write, False)
        self.feed(token_write, fault_read, report)
        os.close(fault_read)
        for number, pid in enumerate(children):
            _pid, status = os.waitpid(pid, 0)
            unit = int(_CELL.unpack_from(self.cell(number))[1])
            if status and unit >= 0:
                how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "an error of its own"
                self.faults.setdefault(unit, f"the process at work on it was ended by {how}")

    def feed(self, tokens: int, faults: int, report: ReportDone | None) -> None:
        """Give out unit numbers and take in failures until every worker has ended."""
        poll = select.poll()
        poll.register(faults, select.POLLIN)
        poll.register(tokens, select.POLLOUT)
        given, waiting, reported = 0, b"", time.monotonic()
        while True:
            for descriptor, _event in poll.poll(500):
                if descriptor == tokens:
                    batch = range(given, min(given + _BATCH, len(self.units)))
                    try:
                        if batch:
                            os.write(tokens, b"".join(map(_TOKEN.pack, batch)))
                        given = batch.stop
                    except BlockingIOError:
                        continue
                    except BrokenPipeError:
                        given = len(self.units)
                    if given >= len(self.units):
                        poll.unregister(tokens)
                        os.close(tokens)
                    continue
                more = os.read(faults, 65536)
                if not more:
                    return
                waiting = self.note(waiting + more)
            if report and time.monotonic() - reported >= 0.5:
                reported = time.monotonic()
                report(self.done())

    def note(self, raw: bytes) -> bytes:
        """Take failures out of the pipe's bytes; return what is not complete yet."""
        while len(raw) >= _FAULT.size:
            unit, length = _FAULT.unpack_from(raw)
            if len(raw) < _FAULT.size + length:
                break
            self.faults[unit] = raw[_FAULT.size : _FAULT.size + length].decode(errors="replace")
            raw = raw[_FAULT.size + length :]
        return raw


def run_units(
    units: Sequence[Unit],
    do: Callable[[Unit, Worker], None],
    *,
    workers: int = 0,
    small: bool = False,
    report: ReportDone | None = None,
) -> list[tuple[int, str]]:
    """Do every unit once; return (unit number, what went wrong) of those that failed.

    workers: 0 for every processor; small: the work is not worth a fork.
    """
    count = max(1, min(workers or available_processors(), len(units)))
    queue = _Run(units, do, count)
    if small or (count == 1 and workers == 1):
        queue.work_alone(report)
    else:
        queue.fork(report)
    if report:
        report(queue.done())
    marks = queue.shared[count * _CELL.size : count * _CELL.size + len(units)]
    for number, mark in enumerate(marks):
        if not mark:
            queue.faults.setdefault(number, "the processes at work ended before its turn")
    return sorted(queue.faults.items())
