"""The packages of a distribution that this host has, and who is changing them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from typing import Sequence

from ansible.module_utils.seedbed.base.commands import NOT_RUN, CommandError, run

# How each family lists its packages, as "installed NAME".
_QUERIES = (
    ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\\n"],
    ["rpm", "--query", "--all", "--queryformat", "installed %{NAME}\\n"],
)
# Whoever changes packages on Debian holds one of these. A lock is asked about as struct flock: type, from where, first,
# length, holder (fcntl(2)).
_LOCKS = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
)
_FLOCK = "hhqqi"


def package_lock_holder(locks: Sequence[str] = _LOCKS) -> str:
    """Return who changes packages right now, such as ``unattended-upgr (process 4711)``; empty when nobody does."""
    for path in locks:
        with contextlib.suppress(OSError), open(path, "rb") as file:
            question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, question))
            if kind != fcntl.F_UNLCK:
                return _process(pid)
    return ""


def _process(pid: int) -> str:
    """Return a process with its name, as far as it is to be seen from here."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return f"{file.read().strip()} (process {pid})"
    return f"process {pid}" if pid else "a process"


def installed_packages() -> list[str]:
    """Return the names of the installed packages, sorted; empty on a distribution with other means."""
    for query in _QUERIES:
        try:
            listed = run(query)
        except CommandError as error:
            if error.status != NOT_RUN:
                raise
            continue
        return sorted({line.split(" ", 1)[1] for line in listed.splitlines() if line.startswith("installed ")})
    return []
