"""Evidence on one host: a recording that ends by itself, and what else the host can tell of that time.

Where a daemon's log level is raised, the recording's unit puts it back when it ends, also when it is killed, and
whatever becomes of who asked; at the next boot nothing of it is there any more.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shlex
import shutil
import time
from typing import Any, Mapping, NamedTuple, Sequence, TypedDict

from ansible.module_utils.seedbed.base.commands import CommandError, run
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import read_file, write_atomically
from ansible.module_utils.seedbed.base.systemd import Unit, run_transient
from ansible.module_utils.seedbed.clients.contract import ClientError
from ansible.module_utils.seedbed.evidence import aria2_log
from ansible.module_utils.seedbed.evidence.belonging import Recording
from ansible.module_utils.seedbed.transmission.inside import Inside, look_inside
from ansible.module_utils.seedbed.transmission.rpc import RpcClient, RpcError

DIRECTORY = "/run/seedbed-evidence"
UNIT = Unit("seedbed-evidence.service")
BEFORE = 600  # seconds of the journal before the recording
LINES = 4000  # of each unit's journal at most
LONGEST = 64 << 10  # characters of a command's output
PATIENCE = 240  # seconds that a daemon may take for its restart
_DROP_IN = "zz-seedbed-evidence.conf"
# What a host is, at a glance: whatever of it is there.
COMMANDS = (
    "uname -a",
    "date --iso-8601=ns",
    "uptime",
    "ip -brief address",
    "ip route",
    "ip -6 route",
    "ss --tcp --udp --listening --numeric --processes",
    "ss --tcp --numeric --info state established",
    "nft list ruleset",
    "tc -statistics qdisc show",
    "df --human-readable",
    "free --mebi",
    "systemctl --no-pager --failed",
)
# Root's, as packets are; of root's powers it has what taking them needs, and no way to anybody.
_GUARDS = (
    "Type=notify",
    f"TimeoutStopSec={PATIENCE}",
    "TasksMax=8",
    "CPUWeight=20",
    "CapabilityBoundingSet=CAP_NET_RAW CAP_NET_ADMIN",
    f"ReadWritePaths={DIRECTORY}",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "NoNewPrivileges=yes",
    "RestrictAddressFamilies=AF_PACKET AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "IPAddressDeny=any",
    "UMask=0077",
)


class EvidenceError(SeedbedError):
    """There is no recording to be had."""


class Daemon(NamedTuple):
    """Transmission on this host, as it is asked; `unit` is empty where there is none."""

    unit: str
    port: int
    login: tuple[str, str]


class HostEvidence(TypedDict):
    """All that a host tells beside the packets."""

    began: float
    clock: float
    packets: dict[str, Any]
    before: list[Inside]
    """The seeder's view before anything was changed."""
    seeder: list[Inside]
    """And while the recording went on."""
    seeder_error: str
    logs: dict[str, str]
    facts: dict[str, str]
    raised: list[str]
    """The services that told more for that time."""


# -- begin ------------------------------------------------------------------------------------------------------------


def begin(config: Recording, program: bytes, daemon: Daemon, *, aria2: str = "", raise_log: bool) -> list[str]:
    """Start to record, in place of a recording that goes on; return the services that tell more meanwhile.

    aria2: the configuration of the service, where there is one.
    """
    clear()
    os.makedirs(DIRECTORY, mode=0o700)
    raised = raised_start(daemon.unit) if raise_log and daemon.unit else ""
    quiet = _aria2_now(aria2) if raise_log and aria2 else {}
    services = [daemon.unit] * bool(raised) + ["aria2"] * bool(quiet)
    state = {"began": time.time(), "before": [], "raised": services, "seeder_error": ""}
    with _asked(daemon, state) as client:
        if client:
            state["before"] = look_inside(client, [config["info_hash"]] if config["info_hash"] else [])
    _write("state.json", state)
    path = os.path.join(DIRECTORY, "recorder.pyz")
    write_atomically(path, program, mode=0o600)
    longest = config["seconds"] + PATIENCE
    properties = [*_GUARDS, f"RuntimeMaxSec={longest:.0f}", f"MemoryMax={64 + 4 * (config['most'] >> 20)}M"]
    put_back = [f"+/bin/sh -c {shlex.quote(_put_back(daemon.unit))}"] if raised else []
    if quiet:
        # "-": a service that is down meanwhile has nothing to be put back.
        words = ["/usr/bin/python3", "-I", path, "quiet", aria2, json.dumps(quiet)]
        put_back.append("-+" + " ".join(map(shlex.quote, words)))
        properties.append("IPAddressAllow=localhost")  # the guard is the whole unit's; the recorder has no such sockets
    properties += [f"ExecStopPost={each}" for each in put_back]
    run_transient(
        UNIT.name,
        [f"--property={each}" for each in properties],
        ["/usr/bin/python3", "-I", path, json.dumps(config)],
    )
    # Only now, as from here on the unit's end puts it back.
    if quiet:
        aria2_log.change(aria2, aria2_log.LOUD)
    if raised:
        os.makedirs(_drop_in_directory(daemon.unit), exist_ok=True)
        write_atomically(os.path.join(_drop_in_directory(daemon.unit), _DROP_IN), raised.encode())
        Unit(daemon.unit).reload_files()
        Unit(daemon.unit).restart()
    elif daemon.unit and config["info_hash"]:
        with _asked(daemon, state) as client:
            if client:  # so that there is an announce to be seen
                client.call("torrent-reannounce", {"ids": [config["info_hash"]]})
    return services


def _aria2_now(config: str) -> dict[str, str]:
    """Return how much aria2 tells; nothing where it is down, or not as it was set up."""
    try:
        return aria2_log.options_now(config)
    except (ClientError, OSError, ValueError):
        return {}


def raised_start(unit: str) -> str:
    """Return a drop-in with which Transmission tells all that it does; empty where it is down, or started otherwise."""
    shown = Unit(unit).properties(["ActiveState", "ExecStart"])
    command = re.search(r"argv\[\]=(.*?) ;", shown["ExecStart"])
    if shown["ActiveState"] != "active" or not command:
        return ""
    # The one spelling of the flag that both 3.00 and 4.x take.
    louder, count = re.subn(r"--log-(?:error|info|level=\w+)", "--log-debug", command[1])
    return f"[Service]\nExecStart=\nExecStart={louder}\n" if count else ""


def _drop_in_directory(unit: str) -> str:
    return f"/run/systemd/system/{unit}.d"


def _put_back(unit: str) -> str:
    file = os.path.join(_drop_in_directory(unit), _DROP_IN)
    return f"[ ! -e {file} ] || {{ rm {file} && systemctl daemon-reload && systemctl try-restart {unit}; }}"


@contextlib.contextmanager
def _asked(daemon: Daemon, state: dict[str, Any]) -> Any:
    """Have the daemon asked, if there is one; what it refuses is noted."""
    if not daemon.unit:
        yield None
        return
    client = RpcClient("127.0.0.1", daemon.port, daemon.login, timeout=10)
    try:
        yield client
    except RpcError as error:
        state["seeder_error"] = str(error)
    finally:
        client.close()


# -- collect ----------------------------------------------------------------------------------------------------------


def collect(units: Sequence[str], info_hash: str, daemon: Daemon) -> list[str]:
    """Wait for the end of the recording, and return the files that tell of it."""
    state = _read("state.json")
    if not state:
        raise EvidenceError("no recording was begun on this host, or the host was booted since")
    with _asked(daemon, state) as client:
        if client:
            state["seeder"] = look_inside(client, [info_hash] if info_hash else [])
    facts = {command: _said(command.split()) for command in COMMANDS}
    _wait_for_the_end()
    evidence: HostEvidence = {
        "began": state["began"],
        "clock": time.time(),
        "packets": _read("packets.json") or {"error": "the recorder left nothing: " + UNIT.journal()},
        "before": state["before"],
        "seeder": state.get("seeder", []),
        "seeder_error": state["seeder_error"],
        "logs": {unit: journal(unit, state["began"] - BEFORE) for unit in units},
        "facts": facts,
        "raised": state["raised"],
    }
    _write("host.json", evidence)
    return [
        path
        for path in (os.path.join(DIRECTORY, name) for name in ("host.json", "packets.pcap"))
        if os.path.exists(path)
    ]


def _wait_for_the_end() -> None:
    """Wait until the unit is gone, with what it puts back; its own limit bounds that."""
    while UNIT.properties()["ActiveState"] not in ("inactive", "failed", ""):
        time.sleep(0.2)  # between two looks at a unit that ends by itself


def journal(unit: str, since: float) -> str:
    """Return what a unit has said since."""
    told = ["--output=short-iso-precise", f"--lines={LINES}", "--unit", unit, "--since", f"@{since:.0f}"]
    return _said(["journalctl", "--quiet", "--no-pager", *told], LONGEST * 16)


def _said(argv: Sequence[str], longest: int = LONGEST) -> str:
    try:
        text = run(argv)
    except CommandError as error:
        return f"({error.message})"
    return text if len(text) <= longest else "(...)\n" + text[-longest:]


def clear() -> None:
    """End a recording, which puts back what was changed for it, and delete what it left."""
    with contextlib.suppress(CommandError):  # there is none
        UNIT.stop()
    shutil.rmtree(DIRECTORY, ignore_errors=True)


def _write(name: str, content: Mapping[str, Any]) -> None:
    write_atomically(os.path.join(DIRECTORY, name), json.dumps(content).encode(), mode=0o600)


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read_file(os.path.join(DIRECTORY, name)) or b"{}")
    return found


def decoded(program: str) -> bytes:
    """Return a program that came as base64."""
    return base64.b64decode(program)
