"""What there is of opentracker on this host: compiler, builds, the running process and its own words."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from typing import Any, Sequence

from ansible.module_utils.seedbed.base.listeners import listening_sockets
from ansible.module_utils.seedbed.base.systemd import Unit

# Words that opentracker says when it skipped part of its configuration and went on (opentracker.c, ot_accesslist.c).
COMPLAINTS = ("Unhandled line", "Parse error", "Can't open", "Could not", "Not enough memory")


def state(*, cc: str, prefix: str, user: str, port: int, unit: str, files: Sequence[str]) -> dict[str, Any]:
    """All of it in one go; what is not there is empty."""
    service = _service(unit)
    journal = _journal(service["invocation"]) if service["pid"] else []
    return {
        "compiler": compiler(cc),
        "build": _build(os.path.join(prefix, "current")),
        "builds": _builds(os.path.join(prefix, "releases")),
        "running": _build(os.path.dirname(_link(f"/proc/{service['pid']}/exe"))) if service["pid"] else "",
        "active": service["active"],
        "enabled": service["enabled"],
        "stale": bool(service["pid"]) and any(_changed_after(service["started"], path) for path in files),
        "user": user in _lines("/etc/passwd"),
        "ipv6": bool(_lines("/proc/net/if_inet6")),
        "holders": sorted({socket["unit"] or socket["process"] for socket in listening_sockets(port, port)}),
        "complaints": [line for line in journal if any(word in line for word in COMPLAINTS)],
    }


def compiler(cc: str) -> str:
    """Version and target of the compiler, empty when there is none: a build by another one is another build."""
    # -dumpfullversion came with gcc 7; older ones print the full version for -dumpversion and ignore the other.
    version = _output([*shlex.split(cc), "-dumpfullversion", "-dumpversion"])
    machine = _output([*shlex.split(cc), "-dumpmachine"])
    return f"{version} {machine}" if version and machine else ""


def _build(directory: str) -> str:
    """The build that a directory holds, as its program itself tells."""
    return parse_version(_output([os.path.join(directory, "opentracker"), "-v"])) if directory else ""


def parse_version(text: str) -> str:
    """The build id in what ``opentracker -v`` prints: the address of a commit, in which ours stands as the commit."""
    match = re.search(r"id=([A-Za-z0-9.+~-]+)", text)
    return match.group(1) if match else ""


def _builds(releases: str) -> list[str]:
    return sorted(name for name in _list(releases) if os.path.exists(os.path.join(releases, name, "opentracker")))


def _list(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:  # the process has ended meanwhile
        return ""


def _lines(path: str) -> list[str]:
    """The first fields of a file's lines."""
    try:
        with open(path, encoding="utf-8") as file:
            return [re.split("[: ]", line, maxsplit=1)[0] for line in file]
    except FileNotFoundError:
        return []


def _service(unit: str) -> dict[str, Any]:
    shown = Unit(unit).properties(
        ("ActiveState", "UnitFileState", "MainPID", "InvocationID", "ExecMainStartTimestampMonotonic")
    )
    # systemd counts from the boot; files carry the time of day.
    age = time.monotonic() - int(shown.get("ExecMainStartTimestampMonotonic") or 0) / 1e6
    return {
        "started": time.time() - age,
        "active": shown.get("ActiveState") == "active",
        "enabled": shown.get("UnitFileState") == "enabled",
        "pid": int(shown.get("MainPID") or 0),
        "invocation": shown.get("InvocationID", ""),
    }


def _changed_after(moment: float, path: str) -> bool:
    try:
        return os.stat(path).st_mtime > moment
    except FileNotFoundError:
        return False


def _journal(invocation: str) -> list[str]:
    """What the running process has said since it started."""
    if not invocation:
        return []
    return _output(["journalctl", "-q", "-o", "cat", f"_SYSTEMD_INVOCATION_ID={invocation}"]).splitlines()


def _output(command: list[str]) -> str:
    """What a command prints on both streams, empty when it is missing, fails or does not end."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""
