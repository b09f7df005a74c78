"""One Transmission daemon under systemd: its settings file and its unit's drop-in, changed while it is stopped."""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
import subprocess
import time
from typing import Any, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import read_file
from ansible.module_utils.seedbed.base.listeners import holders
from ansible.module_utils.seedbed.base.ownership import claim, copy_beside, dated, state_of
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.transmission.keys import Version
from ansible.module_utils.seedbed.transmission.rpc import (
    RpcClient,
    RpcDenied,
    RpcError,
    RpcUnreachable,
    parse_version,
    version_of,
)
from ansible.module_utils.seedbed.transmission.settings import (
    DaemonSettings,
    SettingChange,
    access_fault,
    drifted_settings,
    load_whole_settings,
    merge_settings,
    read_trusted,
    render_settings,
    write_trusted,
)

POLL = 0.2
# What a daemon may need to open its ports while another process listens on one of them.
GRACE = 5
DEFAULT_UMASK = 0o22


class DaemonError(SeedbedError):
    """The daemon did not do what a working one does; the text says what, and what was put back."""


class PortTaken(DaemonError):
    """Another process listens on the daemon's port, and the daemon does not."""


class DaemonSpec(NamedTuple):
    """All that one daemon shall be: parameters of module transmission_settings."""

    path: str
    unit: str
    program: str
    owner: str
    settings: DaemonSettings
    password: str
    drop_in: str | None
    timeout: float
    role: str = ""
    folders: Sequence[str] = ()
    makes: Sequence[str] = ()


def installed_version(program: str) -> Version:
    """Return the version of the installed daemon; () when there is none."""
    try:
        done = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except FileNotFoundError:
        return ()
    return parse_version(done.stdout.decode(errors="replace"))


def start_if(unit: Unit, active: bool) -> None:
    """Have systemd read the unit's files again, and start the unit as they now say if it shall be active."""
    unit.reload_files()
    if active:
        try:
            unit.start()
        except CommandError as error:
            raise DaemonError(f"{unit.name} does not start. Last words of {unit.name}: {unit.journal()}") from error


def rpc_client(settings: Mapping[str, Any], password: str) -> RpcClient:
    """Return a client for a daemon that runs with these settings, from the host itself."""
    address = str(settings.get("rpc-bind-address", "0.0.0.0"))
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    port, user = int(settings.get("rpc-port", 9091)), str(settings.get("rpc-username", ""))
    path = str(settings.get("rpc-url", "/transmission/"))
    return RpcClient(host, port, (user, password), path=path, timeout=10)


class DaemonReport(NamedTuple):
    """The daemon as it answers."""

    version: str
    rpc_port: int
    peer_port: int
    web_ui: int


class DaemonPlan(NamedTuple):
    """What differs on the host, and so why the daemon has to be stopped; `report` when it already is as it shall be."""

    changes: list[SettingChange]
    drop_in: bool
    reasons: list[str]
    report: DaemonReport | None


def plan_daemon(spec: DaemonSpec, unit: Unit, version: Version) -> DaemonPlan:
    """Compare file, drop-in, unit and the running daemon with what is wanted; change nothing."""
    current, cut_off = load_whole_settings(spec.path)
    settings, changes = merge_settings(current, spec.settings, spec.password, version)
    drop_in = spec.drop_in is not None and read_trusted(unit.drop_in) != spec.drop_in.encode()
    access = access_fault(spec.path, spec.owner, settings.get("umask", DEFAULT_UMASK))
    reasons = _unit_faults(unit) + [fault for fault in (access, cut_off) if fault]
    if changes or drop_in or reasons:
        return DaemonPlan(changes, drop_in, reasons, None)
    rpc = rpc_client(settings, spec.password)
    try:
        session, report = _query(rpc, unit, settings)
    except (RpcError, DaemonError) as error:
        # It runs on other settings than its file's, or came up without its ports: a start mends both.
        return DaemonPlan([], False, [str(error)], None)
    finally:
        rpc.close()
    drift = drifted_settings(session, spec.settings, version)
    return DaemonPlan(drift, False, [], None if drift else report)


def _unit_faults(unit: Unit) -> list[str]:
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


def wait_for_daemon(spec: DaemonSpec, unit: Unit, settings: Mapping[str, Any]) -> DaemonReport:
    """Wait until the daemon serves RPC with our password, the web interface and the peer port.

    systemd calls it started even when it got none of its ports.
    """
    start = time.monotonic()
    rpc = rpc_client(settings, spec.password)
    try:
        while True:
            try:
                return _query(rpc, unit, settings)[1]
            except RpcDenied as error:
                raise DaemonError(f"{error}: {unit.name} does not run with its file") from error
            except (RpcUnreachable, DaemonError) as error:
                # Who has taken a port does not give it away because the daemon waits.
                patience = min(spec.timeout, GRACE) if isinstance(error, PortTaken) else spec.timeout
                if time.monotonic() > start + patience or not unit.active():
                    last = unit.journal() or "nothing"
                    raise DaemonError(f"{error}. The journal of {unit.name} ends with: {last}") from error
            time.sleep(POLL)  # between two questions; the patience above bounds the wait
    finally:
        rpc.close()


def _query(rpc: RpcClient, unit: Unit, settings: Mapping[str, Any]) -> tuple[dict[str, Any], DaemonReport]:
    pid = int(unit.properties()["MainPID"])
    rpc_port = int(settings.get("rpc-port", 9091))
    _require_listener(pid, unit, rpc_port, "rpc-port")
    session = rpc.call("session-get")
    peer_port = int(session["peer-port"])
    if settings.get("tcp-enabled", True):
        _require_listener(pid, unit, peer_port, "peer-port")
    version = ".".join(map(str, version_of(session)))
    return session, DaemonReport(version, rpc_port, peer_port, rpc.web_ui())


def _require_listener(pid: int, unit: Unit, port: int, key: str) -> None:
    found = holders(port)
    if pid in found:
        return
    if not found:
        raise DaemonError(f"{unit.name} does not listen on {key} {port}; nobody does")
    others = ", ".join(f"{name} (process {other})" for other, name in sorted(found.items()))
    raise PortTaken(f"{unit.name} does not listen on {key} {port}; {others} does")


def apply_daemon(spec: DaemonSpec, unit: Unit, version: Version) -> tuple[list[SettingChange], DaemonReport]:
    """Stop the daemon, merge into the file as it left it, start it, wait for it. A failure puts everything back."""
    if unit.properties()["LoadState"] == "not-found":
        raise DaemonError(f"{unit.name} is not installed; install Transmission first")
    was_active, state = unit.active(), state_of(unit)
    owner = pwd.getpwnam(spec.owner)
    old_drop_in = read_trusted(unit.drop_in)
    try:
        unit.stop()
        # Only now: its exit wrote what was changed over RPC.
        old = read_trusted(spec.path)
    except BaseException:
        start_if(unit, was_active)
        raise
    try:
        current, cut_off = load_whole_settings(spec.path)
        files = [spec.path, *[unit.drop_in] * (spec.drop_in is not None)]
        content = [path for path in [spec.settings.get("download-dir")] if path]
        directory = os.path.dirname(spec.path)
        was = {directory: f"{stat.S_IMODE(os.stat(directory).st_mode):o}"} if os.path.isdir(directory) else {}
        made = {"files": files, "directories": spec.makes, "states": {unit.name: state}, "modes": was}
        claim(spec.role, {**made, "folders": spec.folders, "content": content})
        if cut_off:  # nothing of it is lost
            copy_beside(spec.path, dated(spec.path, "broken"))
        new, changes = merge_settings(current, spec.settings, spec.password, version)
        if changes or access_fault(spec.path, spec.owner, new.get("umask", DEFAULT_UMASK)):
            write_trusted(spec.path, render_settings(new), owner.pw_uid, owner.pw_gid)
        if spec.drop_in is not None and spec.drop_in.encode() != old_drop_in:
            _restore(unit.drop_in, spec.drop_in.encode(), 0, 0, 0o644)
        start_if(unit, True)
        report = wait_for_daemon(spec, unit, new)
        unit.enable()
    except BaseException as error:
        unit.stop()
        lost = _put_back(spec.path, old, owner.pw_uid, owner.pw_gid, 0o600)
        lost += _put_back(unit.drop_in, old_drop_in, 0, 0, 0o644)
        start_if(unit, was_active)
        if not isinstance(error, (SeedbedError, OSError)):
            raise
        back = f"{' and '.join(lost)} could not be put back" if lost else "The former settings are back"
        after = ("runs again" if lost else "runs with them again") if was_active else "stays stopped, as it was"
        raise DaemonError(f"{str(error).rstrip('.')}. {back}, {unit.name} {after}.") from error
    return changes, report


def _put_back(path: str, content: bytes | None, uid: int, gid: int, mode: int) -> list[str]:
    """Give the file its former content; return what could not be: the daemon is to run all the same."""
    try:
        if read_trusted(path) != content:
            _restore(path, content, uid, gid, mode)
    except OSError as error:  # no space, most often
        return [f"{path} ({error.strerror})"]
    return []


def _restore(path: str, content: bytes | None, uid: int, gid: int, mode: int) -> None:
    """Give the file this content; None: have no file there."""
    if content is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    write_trusted(path, content, uid, gid, mode)


def udp_buffers() -> dict[str, int | None]:
    """Return the largest socket buffers that this host allows; None where it does not show them (containers)."""
    found: dict[str, int | None] = {}
    for name in ("rmem_max", "wmem_max"):
        content = read_file(f"/proc/sys/net/core/{name}")
        found[f"net.core.{name}"] = int(content) if content else None
    return found
