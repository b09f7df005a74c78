"""What there is of opentracker on this host: compiler, builds, the running process and its own answers."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import subprocess
from typing import Any, Sequence, TypedDict

from ansible.module_utils.seedbed.base.listeners import listening_sockets
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.host.opentracker_times import Told
from ansible.module_utils.seedbed.probe import announce
from ansible.module_utils.seedbed.torrent.model import TrackerAnswer

ALL_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}


# What a module has to be told of the tracker, as state() takes it.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "cc": {"type": "str", "required": True},
    "prefix": {"type": "path", "required": True},
    "user": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "listen": {"type": "list", "elements": "str", "default": []},
    "unit": {"type": "str", "default": "opentracker.service"},
    "announced": {"type": "str", "default": ""},
}


class TrackerState(TypedDict):
    """What there is; what is not there is empty."""

    compiler: str
    builds: list[str]
    running: str
    active: bool
    user: bool
    holders: list[str]
    unanswered: list[str]
    told: list[Told]


def state(
    *, cc: str, prefix: str, user: str, port: int, unit: str, listen: Sequence[str], announced: str
) -> TrackerState:
    """Return all of it; a tracker that runs is itself asked at the addresses of `listen`.

    announced: info hash of a torrent that is announced, and taken back, to learn when it has clients come again.
    """
    shown = Unit(unit).properties(("ActiveState", "MainPID"))
    pid = int(shown["MainPID"] or 0)
    asked = own_announce_urls(listen if pid else [], port, ipv6=bool(_first_fields("/proc/net/if_inet6")))
    return TrackerState(
        compiler=compiler(cc),
        builds=_builds(os.path.join(prefix, "releases")),
        running=_build(os.path.dirname(_link(f"/proc/{pid}/exe"))) if pid else "",
        active=shown["ActiveState"] == "active",
        user=user in _first_fields("/etc/passwd"),
        holders=sorted({socket["unit"] or socket["process"] for socket in listening_sockets(port, port)}),
        unanswered=unanswered(asked),
        told=told(asked, announced) if announced else [],
    )


def own_announce_urls(listen: Sequence[str], port: int, *, ipv6: bool) -> list[str]:
    """Return where the host itself reaches the tracker; an address that stands for all is asked at loopback."""
    asked = [address for address in listen if address not in ALL_ADDRESSES]
    if len(asked) < len(listen):
        # "::" takes IPv4, too.
        asked += ["127.0.0.1"] + ["::1"] * ("::" in listen and ipv6)
    places = [f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address in dict.fromkeys(asked)]
    return [f"{scheme}://{place}/announce" for scheme in ("http", "udp") for place in places]


def unanswered(trackers: Sequence[str]) -> list[str]:
    """Return those that do not answer a scrape, which changes nothing, each with the reason."""
    answers = _ask(trackers, "scrape", secrets.token_hex(20))
    return [f"{answer['tracker']}: {answer['message']}" for answer in answers if not answer["ok"]]


def told(trackers: Sequence[str], info_hash: str) -> list[Told]:
    """Return when each that takes an announce of this torrent has clients come again."""
    return [
        Told(tracker=answer["tracker"], interval=answer["interval"], min_interval=answer["min_interval"])
        for answer in _ask(trackers, "announce", info_hash)
        if answer["ok"]
    ]


def _ask(trackers: Sequence[str], kind: str, info_hash: str) -> list[TrackerAnswer]:
    questions = [announce.Question(tracker, kind, info_hash) for tracker in trackers]
    return announce.ask(questions, announce.AnnounceOptions(timeout=10)) if questions else []


def compiler(cc: str) -> str:
    """Return version and target of the compiler, empty when there is none: a build by another one is another build."""
    # -dumpfullversion came with gcc 7; older ones print the full version for -dumpversion and ignore the other.
    version = _output([*shlex.split(cc), "-dumpfullversion", "-dumpversion"])
    machine = _output([*shlex.split(cc), "-dumpmachine"])
    return f"{version} {machine}" if version and machine else ""


def _build(directory: str) -> str:
    """Return the build that a directory holds, as its program itself tells."""
    return parse_build(_output([os.path.join(directory, "opentracker"), "-v"])) if directory else ""


def parse_build(text: str) -> str:
    """Return the build id that ``opentracker -v`` prints in the place of a commit, in the address of one."""
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


def _first_fields(path: str) -> list[str]:
    """Return the first fields of a file's lines."""
    try:
        with open(path, encoding="utf-8") as file:
            return [re.split("[: ]", line, maxsplit=1)[0] for line in file]
    except FileNotFoundError:
        return []


def _output(command: list[str]) -> str:
    """Return what a command prints on both streams, empty when it is missing, fails or does not end."""
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
