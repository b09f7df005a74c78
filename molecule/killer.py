"""Runs on a host: waits until something is there, then kills what Ansible runs on this host, as a crash would.

killer.py process:WORD    a process with this in its command line
killer.py path:PATTERN    a path that was not there before, or was another file
killer.py now:            nothing
With a second argument it kills nothing: it says when the moment has come.
"""

from __future__ import annotations

import glob
import os
import signal
import sys
import time
from pathlib import Path

SECONDS = 600
Processes = dict[int, tuple[int, list[bytes]]]


def processes() -> Processes:
    """Return parent and command line of every process but this one."""
    found: Processes = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")[:-1]
            parent = int((place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue
        if int(place.name) != os.getpid():
            found[int(place.name)] = parent, words
    return found


def is_module(words: list[bytes]) -> bool:
    """Return whether a process is a module: it comes to Python on its standard input, or as a file of Ansible's."""
    return words == [b"/usr/bin/python3"] or any(b"/.ansible" in word or b"AnsiballZ" in word for word in words)


def kill_modules() -> list[str]:
    """Kill every module with all that it has started; return what was killed."""
    found = processes()
    doomed = {pid for pid, (_, words) in found.items() if is_module(words)}
    while more := {pid for pid, (parent, _) in found.items() if parent in doomed} - doomed:
        doomed |= more
    for pid in doomed:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return sorted(b" ".join(found[pid][1]).decode(errors="replace")[:80] for pid in doomed)


def state(pattern: str) -> set[tuple[str, int]]:
    """Return the paths of a pattern, each with its inode."""
    found = set()
    for path in glob.glob(pattern, recursive=True):
        try:
            found.add((path, os.lstat(path).st_ino))
        except FileNotFoundError:
            continue
    return found


def main() -> None:
    kind, what = sys.argv[1].split(":", 1)
    before = state(what) if kind == "path" else set()
    print("ready", flush=True)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if kind == "path":
            there = bool(state(what) - before)
        elif kind == "now":
            there = True
        else:
            there = any(what.encode() in b" ".join(words) for _, words in processes().values())
        if there:
            print("killed", *(kill_modules() if len(sys.argv) == 2 else []), sep=" | ", flush=True)
            return
        time.sleep(0.002)  # a moment is short; the deadline bounds the wait
    sys.exit(f"{sys.argv[1]} never came")


main()
