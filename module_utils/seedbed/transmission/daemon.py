"""One Transmission daemon under systemd: its settings file and its unit's drop-in, changed while it is stopped."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import time
from typing import Any, Mapping, NamedTuple

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.listeners import holders
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.transmission import settings as files
from ansible.module_utils.seedbed.transmission.keys import Version
from ansible.module_utils.seedbed.transmission.rpc import (
    RpcClient,
    RpcDenied,
    RpcError,
    RpcUnreachable,
    parse_version,
    version_of,
)
from ansible.module_utils.seedbed.transmission.settings import Change

POLL = 0.2
# What a daemon may need to open its ports while another process listens on one of them.
GRACE = 5


class DaemonError(SeedbedError):
    """The daemon did not do what a working one does; the text says what, and what was put back."""


class PortTaken(DaemonError):
    """Another process listens on the daemon's port, and the daemon does not."""


class Wanted(NamedTuple):
    """All that one daemon shall be."""

    path: str
    unit: str
    program: str
    owner: str
    settings: dict[str, Any]
    password: str
    drop_in: str | None
    timeout: float


def installed_version(program: str) -> Version:
    """The version of the installed daemon; () when there is none."""
    try:
        done = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except FileNotFoundError:
        return ()
    return parse_version(done.stdout.decode(errors="replace"))


def start_if(unit: Unit, wanted: bool) -> None:
    """Have systemd read the unit's files again, and start the unit as they now say when that is wanted."""
    unit.reload_files()
    if wanted:
        unit.start()


def client(wanted: Wanted, settings: Mapping[str, Any]) -> RpcClient:
    """A client for a daemon that runs with these settings, from the host itself."""
    address = str(settings.get("rpc-bind-address", "0.0.0.0"))
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    port, user = int(settings.get("rpc-port", 9091)), str(settings.get("rpc-username", ""))
    path = str(settings.get("rpc-url", "/transmission/"))
    return RpcClient(host, port, (user, wanted.password), path=path, timeout=10)


class Report(NamedTuple):
    """The daemon as it answers."""

    version: str
    rpc_port: int
    peer_port: int
    web_ui: int


class Plan(NamedTuple):
    """What differs on the host, and so why the daemon has to be stopped; `report` when it already is as it shall be."""

    changes: list[Change]
    drop_in: bool
    reasons: list[str]
    report: Report | None


def plan(wanted: Wanted, unit: Unit, version: Version) -> Plan:
    """Compares file, drop-in, unit and the running daemon with what is wanted; changes nothing."""
    current = files.load(wanted.path)
    settings, changes = files.merge(current, wanted.settings, wanted.password, version)
    drop_in = wanted.drop_in is not None and files.read(unit.drop_in) != wanted.drop_in.encode()
    reasons = _standing(unit)
    if changes or drop_in or reasons:
        return Plan(changes, drop_in, reasons, None)
    rpc = client(wanted, settings)
    try:
        session, report = _asked(rpc, unit, settings)
    except (RpcError, DaemonError) as error:
        # It runs on other settings than its file's, or came up without its ports: a start mends both.
        return Plan([], False, [str(error)], None)
    finally:
        rpc.close()
    drift = files.drifted(session, wanted.settings, version)
    return Plan(drift, False, [], None if drift else report)


def _standing(unit: Unit) -> list[str]:
    state = unit.properties()
    if state["LoadState"] == "not-found":
        return [f"{unit.name} is not installed"]
    found = []
    if state["ActiveState"] != "active":
        found.append(f"{unit.name} is {state['ActiveState']}")
    if state["NeedDaemonReload"] == "yes":
        found.append(f"{unit.name} runs on older unit files than those on disk")
    if state["UnitFileState"] == "disabled":
        found.append(f"{unit.name} does not start at boot")
    return found


def verify(wanted: Wanted, unit: Unit, settings: Mapping[str, Any]) -> Report:
    """Waits until the daemon serves RPC with our password, the web interface and the peer port.

    systemd calls it started even when it got none of its ports.
    """
    start = time.monotonic()
    rpc = client(wanted, settings)
    try:
        while True:
            try:
                return _asked(rpc, unit, settings)[1]
            except RpcDenied as error:
                raise DaemonError(f"{error}: {unit.name} does not run with its file") from error
            except (RpcUnreachable, DaemonError) as error:
                # Who has taken a port does not give it away because the daemon waits.
                patience = min(wanted.timeout, GRACE) if isinstance(error, PortTaken) else wanted.timeout
                if time.monotonic() > start + patience or not unit.active():
                    last = unit.journal() or "none"
                    raise DaemonError(f"{error}. Last words of {unit.name}: {last}") from error
            time.sleep(POLL)  # between two questions; the patience above bounds the wait
    finally:
        rpc.close()


def _asked(rpc: RpcClient, unit: Unit, settings: Mapping[str, Any]) -> tuple[dict[str, Any], Report]:
    pid = int(unit.properties()["MainPID"])
    rpc_port = int(settings.get("rpc-port", 9091))
    _owned(pid, unit, rpc_port, "rpc-port")
    session = rpc.call("session-get")
    peer_port = int(session["peer-port"])
    if settings.get("tcp-enabled", True):
        _owned(pid, unit, peer_port, "peer-port")
    version = ".".join(map(str, version_of(session)))
    return session, Report(version, rpc_port, peer_port, rpc.web_ui())


def _owned(pid: int, unit: Unit, port: int, key: str) -> None:
    found = holders(port)
    if pid in found:
        return
    if not found:
        raise DaemonError(f"{unit.name} does not listen on {key} {port}; nobody does")
    others = ", ".join(f"{name} (process {other})" for other, name in sorted(found.items()))
    raise PortTaken(f"{unit.name} does not listen on {key} {port}; {others} does")


def apply(wanted: Wanted, unit: Unit, version: Version) -> tuple[list[Change], Report]:
    """Stops the daemon, merges into the file as it left it, starts it, waits for it. A failure puts everything back."""
    if unit.properties()["LoadState"] == "not-found":
        raise DaemonError(f"{unit.name} is not installed; install Transmission first")
    was_active = unit.active()
    owner = pwd.getpwnam(wanted.owner)
    old_drop_in = files.read(unit.drop_in)
    try:
        unit.stop()
        # Only now: its exit wrote what was changed over RPC.
        old = files.read(wanted.path)
    except BaseException:
        start_if(unit, was_active)
        raise
    try:
        current = {} if old is None else files.parse(old, wanted.path)
        new, changes = files.merge(current, wanted.settings, wanted.password, version)
        if changes:
            files.write(wanted.path, files.render(new), owner.pw_uid, owner.pw_gid)
        if wanted.drop_in is not None and wanted.drop_in.encode() != old_drop_in:
            _put(unit.drop_in, wanted.drop_in.encode(), 0, 0, 0o644)
        start_if(unit, True)
        report = verify(wanted, unit, new)
        unit.enable()
    except BaseException as error:
        unit.stop()
        _put(wanted.path, old, owner.pw_uid, owner.pw_gid, 0o600)
        _put(unit.drop_in, old_drop_in, 0, 0, 0o644)
        start_if(unit, was_active)
        if not isinstance(error, (SeedbedError, OSError)):
            raise
        after = "runs with them again" if was_active else "stays stopped, as it was"
        raise DaemonError(f"{error}. The former settings are back, {unit.name} {after}.") from error
    return changes, report


def _put(path: str, content: bytes | None, uid: int, gid: int, mode: int) -> None:
    """The file with this content; no file for None."""
    if content is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    files.write(path, content, uid, gid, mode)


def udp_buffers() -> dict[str, int | None]:
    """The largest socket buffers that this host allows; None where it does not show them (containers)."""
    found: dict[str, int | None] = {}
    for name in ("rmem_max", "wmem_max"):
        content = files.read(f"/proc/sys/net/core/{name}")
        found[f"net.core.{name}"] = int(content) if content else None
    return found
