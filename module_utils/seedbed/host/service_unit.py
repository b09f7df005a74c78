"""A systemd unit with its files, as one state: compared, validated, written, started, proven, or put back.

What systemd says is not enough. A reload whose new configuration cannot work exits 0, a process that has just been made
counts as active, and a run that was cut off between a file and its restart leaves nothing that differs. So the unit has
to hold its ports itself, to answer, and to have read its files after they were last changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import shutil
import stat
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.commands import CommandError, run
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import make_directory, read_file, write_atomically
from ansible.module_utils.seedbed.base.listeners import Socket, listening_sockets
from ansible.module_utils.seedbed.base.ownership import claim, known
from ansible.module_utils.seedbed.base.systemd import Unit

POLL = 0.2
# How much too early the kernel tells the start of a process: it counts in hundredths of a second.
CLOCK_TICK = 0.05
STATE = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "MainPID",
    "NRestarts",
    "InvocationID",
    "ExecMainStartTimestampMonotonic",
    "StateChangeTimestampMonotonic",
)


class ServiceError(SeedbedError):
    """The unit could not be brought to its state; the text says why, and what was put back."""


class ServiceFile(NamedTuple):
    """A file, or a symbolic link, that belongs to a unit; without content and link there shall be none."""

    path: str
    content: bytes | None = None
    link: str = ""
    mode: int = 0o644
    validate: Sequence[str] = ()
    reload: bool = False
    secret: bool = False


class Port(NamedTuple):
    """A port that the unit's own processes have to hold."""

    port: int
    protocol: str

    def __str__(self) -> str:
        return f"{self.protocol.upper()} port {self.port}"


class Service(NamedTuple):
    """All that one unit shall be; `files` has the unit's own file and its drop-ins, too."""

    unit: str
    files: Sequence[ServiceFile]
    state: str = "started"
    enabled: bool | None = None
    ports: Sequence[Port] = ()
    url: str = ""
    journal_faults: Sequence[str] = ()
    renews_workers: bool = False
    seconds: float = 30
    role: str = ""
    directories: Sequence[str] = ()
    trees: Sequence[str] = ()


class Former(NamedTuple):
    """What was at a path: a file's content, a link's target, or nothing."""

    content: bytes | None
    link: str
    mode: int

    def exists(self) -> bool:
        """Return whether there was anything."""
        return self.content is not None or bool(self.link)


class Difference(NamedTuple):
    """A file that is not as it shall be, and what is there now."""

    file: ServiceFile
    former: Former


class ServicePlan(NamedTuple):
    """What is not as it shall be. `action` is one of "", "start", "reload", "restart", "remove"."""

    differences: list[Difference]
    reasons: list[str]
    action: str
    enable: bool | None

    @property
    def changed(self) -> bool:
        """Return whether there is anything to do."""
        return bool(self.differences or self.action or self.enable is not None)


def plan_service(service: Service, unit: Unit, *, wait: bool = True) -> ServicePlan:
    """Compare files, unit and running process with what they shall be; change nothing.

    wait: let a process that has only just been started come up first.
    """
    found = [Difference(file, read_former(file.path)) for file in service.files]
    differences = [item for item in found if _differs(item.file, item.former) and _may_go(service, item)]
    state = unit.properties(STATE)
    if service.state == "absent":
        runs = state["ActiveState"] == "active" or state["UnitFileState"] == "enabled"
        there = bool(differences) or (runs and _is_ours(service, "units", unit.name))
        return ServicePlan(differences, [f"{unit.name} is there"] * there, "remove" * there, None)
    reasons = [f"{item.file.path} {'differs' if item.former.exists() else 'is missing'}" for item in differences]
    enable = _enablement(service, state, differences, unit)
    if enable is not None and state["UnitFileState"] != ("enabled" if enable else "disabled"):
        reasons.append(f"{unit.name} {'does not start' if enable else 'starts'} at boot")
    for port in service.ports:
        _refuse_taken(port, unit)
    action, lacking = _action(service, unit, state, differences, wait)
    return ServicePlan(differences, reasons + lacking, action, enable)


def _action(
    service: Service, unit: Unit, state: dict[str, str], differences: Sequence[Difference], wait: bool
) -> tuple[str, list[str]]:
    """Return what has to be done to a unit that shall run, and why beside files that differ."""
    if state["ActiveState"] not in ("active", "reloading"):
        if service.state == "present":
            return "", []
        return "start", [f"{unit.name} is {state['ActiveState'] or 'not there'}"]
    if state["NeedDaemonReload"] == "yes":
        return "restart", [f"{unit.name} runs on older unit files than those on disk"]
    old = _stale(service, state, reload=False)
    # What it said stays in the journal of this invocation: only another one can be without it.
    restart = old or _journal_faults(service, unit, state) or any(not item.file.reload for item in differences)
    if differences:
        return "restart" if restart else "reload", []
    unread = _stale(service, state, reload=True)
    found = shortcomings(service, unit)
    young = service.seconds - _age(state["ExecMainStartTimestampMonotonic"])
    if found and wait and young > 0 and not restart and not unread:
        found = _wait(service, unit, young)
    return ("reload" if unread and not restart else "restart") if found else "", found


def apply_service(service: Service, unit: Unit, plan: ServicePlan) -> None:
    """Carry the plan out, and prove that the unit serves. A failure puts everything back."""
    if plan.action == "remove":
        _remove(unit, plan)
        return
    _refuse_missing(service, unit)
    for item in plan.differences:
        validate(item.file)
    was_active = unit.active()
    written = [item.file.path for item in plan.differences if _desired(item.file).exists()]
    own = [unit.name] if any(file.path == unit.path and file.content is not None for file in service.files) else []
    made = {"directories": service.directories, "trees": service.trees}
    claim(service.role, {"files": written, "units": own, **made})
    try:
        for item in plan.differences:
            _put(item.file.path, _desired(item.file))
        if _has_unit_file(plan, unit) or plan.action in ("start", "restart"):
            unit.reload_files()
        _act(unit, plan.action)
        if plan.action or service.state == "started":
            _prove(service, unit)
        if plan.enable is not None:
            unit.enable() if plan.enable else unit.disable(stop=False)
    except BaseException as error:
        # Before it is restarted: the words of the one that failed.
        journal = unit.journal(12) or "none"
        after = _put_back(unit, plan, was_active)
        if not isinstance(error, (SeedbedError, OSError)):
            raise
        raise ServiceError(f"{error}. {after}\nThe last lines of its journal:\n{journal}") from error


def read_former(path: str) -> Former:
    """Return what is at a path."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return Former(None, "", 0)
    if stat.S_ISLNK(mode):
        return Former(None, os.readlink(path), 0o777)
    return Former(read_file(path), "", stat.S_IMODE(mode))


def validate(file: ServiceFile) -> None:
    """Run the program that judges a new content; ServiceError with its words if it refuses."""
    if not file.validate or file.content is None:
        return
    with tempfile.TemporaryDirectory(prefix="seedbed-") as directory:
        candidate = os.path.join(directory, os.path.basename(file.path))
        write_atomically(candidate, file.content, mode=0o600)
        argv = [word.replace("{file}", candidate).replace("{directory}", directory) for word in file.validate]
        try:
            run(argv)
        except (CommandError, FileNotFoundError) as error:
            raise ServiceError(f"{file.path} would not be valid, nothing was changed: {error}") from error


def can_validate(file: ServiceFile) -> bool:
    """Return whether the program that judges the file is installed: on a bare host in check mode it is not."""
    return bool(file.validate) and shutil.which(file.validate[0]) is not None


def shortcomings(service: Service, unit: Unit) -> list[str]:
    """Return what the running unit lacks, a sentence without a full stop each."""
    state = unit.properties(STATE)
    if state["SubState"] == "auto-restart":
        return [f"{unit.name} ends soon after its start"]
    if state["ActiveState"] != "active":
        return [f"{unit.name} is {state['ActiveState'] or 'not there'}"]
    found = [f"{unit.name} has not read {path} since it changed" for path in _stale(service, state, reload=True)]
    found += [
        f"{unit.name} has not been restarted since {path} changed" for path in _stale(service, state, reload=False)
    ]
    for port in service.ports:
        found += _port_faults(port, unit)
    if not found and service.url:
        found += _answer_faults(service.url)
    return found + _journal_faults(service, unit, state)


def _journal_faults(service: Service, unit: Unit, state: dict[str, str]) -> list[str]:
    if not service.journal_faults or not state["InvocationID"]:
        return []
    pattern = re.compile("|".join(service.journal_faults))
    return [f"{unit.name} said: {line}" for line in unit.said(state["InvocationID"]) if pattern.search(line)]


def _refuse_missing(service: Service, unit: Unit) -> None:
    ours = any(file.path == unit.path and file.content is not None for file in service.files)
    state = unit.properties()["LoadState"]
    if not ours and state in ("not-found", "masked"):
        raise ServiceError(f"{unit.name} is {state.replace('-', ' ')} on this host; install its package first")


def _refuse_taken(port: Port, unit: Unit) -> None:
    """Refuse a port that another holds before anything is touched: no start and no reload could get it."""
    others = _other_holders(port, unit)
    if others:
        raise ServiceError(
            f"{port} is held by {' and '.join(others)}, and {unit.name} needs it; stop that or choose another port. "
            "Nothing was changed"
        )


def _enablement(service: Service, state: dict[str, str], differences: Sequence[Difference], unit: Unit) -> bool | None:
    """Return what has to be done about its start at boot; a new unit file may name another target."""
    if service.enabled is None:
        return None
    other = state["UnitFileState"] != ("enabled" if service.enabled else "disabled")
    rewritten = service.enabled and any(item.file.path == unit.path for item in differences)
    return service.enabled if other or rewritten else None


def _may_go(service: Service, item: Difference) -> bool:
    """Return whether a file may be replaced, which keeps a copy of somebody's, or removed, which only ours may be."""
    return _desired(item.file).exists() or _is_ours(service, "files", item.file.path)


def _is_ours(service: Service, kind: str, name: str) -> bool:
    """Return whether a thing is ours to remove: without a role nothing is noted, and whoever calls has to know."""
    return not service.role or known().has(kind, name)


def _differs(file: ServiceFile, former: Former) -> bool:
    wanted = _desired(file)
    return former != wanted and (former.exists() or wanted.exists())


def _desired(file: ServiceFile) -> Former:
    if file.link:
        return Former(None, file.link, 0o777)
    return Former(file.content, "", file.mode)


def _has_unit_file(plan: ServicePlan, unit: Unit) -> bool:
    return any(item.file.path.startswith(os.path.dirname(unit.path) + "/") for item in plan.differences)


def _put(path: str, content: Former) -> None:
    """Make the path what the content says, in one step."""
    if content.link:
        make_directory(os.path.dirname(path))
        with tempfile.TemporaryDirectory(dir=os.path.dirname(path), prefix=".part-") as directory:
            os.symlink(content.link, os.path.join(directory, "link"))
            os.replace(os.path.join(directory, "link"), path)
    elif content.content is not None:
        make_directory(os.path.dirname(path))
        write_atomically(path, content.content, mode=content.mode)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _act(unit: Unit, action: str) -> None:
    # One that is between two attempts counts as started for systemd: restarting it begins anew.
    if action in ("start", "restart"):
        unit.restart()
    elif action == "reload":
        unit.reload()


def _prove(service: Service, unit: Unit) -> None:
    found = _wait(service, unit, service.seconds)
    if found:
        raise ServiceError("; ".join(found))


def _wait(service: Service, unit: Unit, seconds: float) -> list[str]:
    """Return what the unit still lacks when it has everything, has ended, or the time is over."""
    deadline, restarts = time.monotonic() + seconds, unit.properties(STATE)["NRestarts"]
    while True:
        found = shortcomings(service, unit)
        if not found or time.monotonic() > deadline or _has_died(unit, restarts):
            return found
        time.sleep(POLL)  # between two looks; the deadline bounds the wait


def _has_died(unit: Unit, restarts: str) -> bool:
    """Return whether the process has ended meanwhile, also if systemd tries again."""
    state = unit.properties(STATE)
    ended = state["ActiveState"] in ("failed", "inactive") or state["SubState"] == "auto-restart"
    return ended or state["NRestarts"] != restarts


def _port_faults(port: Port, unit: Unit) -> list[str]:
    others = _other_holders(port, unit)
    if others:
        return [f"{port} is held by {' and '.join(others)}"]
    return [] if _sockets(port) else [f"{unit.name} does not listen on {port}"]


def _other_holders(port: Port, unit: Unit) -> list[str]:
    """Return the units and programs that hold the port beside the unit's own processes."""
    return sorted({socket["unit"] or socket["process"] or "a process" for socket in _sockets(port)} - {unit.name})


def _sockets(port: Port) -> list[Socket]:
    return [socket for socket in listening_sockets(port.port, port.port) if socket["protocol"] == port.protocol]


def http_status(url: str) -> int:
    """Return the status of an address over HTTP, without the proxy that the environment may name."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (OSError, http.client.HTTPException) as error:
        raise ServiceError(f"{url} does not answer: {getattr(error, 'reason', error)}") from error


def _answer_faults(url: str) -> list[str]:
    try:
        status = http_status(url)
    except ServiceError as error:
        return [str(error)]
    return [f"{url} answers {status}"] if status >= 500 else []


def _stale(service: Service, state: dict[str, str], *, reload: bool) -> list[str]:
    """Return the paths that changed after the process read them: at its start, or at its last reload."""
    pid = int(state["MainPID"] or 0)
    if not pid:
        return []
    if not reload:
        since = time.time() - _age(state["ExecMainStartTimestampMonotonic"])
    elif service.renews_workers:
        since = _youngest_child(pid) + CLOCK_TICK
    else:
        # A service gets this time stamp when it has started, and again when a reload has ended.
        since = time.time() - _age(state["StateChangeTimestampMonotonic"])
    return [file.path for file in service.files if file.reload == reload and since < _changed_at(file.path)]


def _age(microseconds: str) -> float:
    return time.monotonic() - int(microseconds or 0) / 1e6


def _changed_at(path: str) -> float:
    """Return when a path last changed; 0 if it is not there, or claims to be from the future."""
    try:
        changed = os.lstat(path).st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return changed if changed <= time.time() + 1 else 0


def _youngest_child(pid: int) -> float:
    """Return when the last of the process's children was started, 0 without any."""
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    youngest = 0.0
    for entry in filter(str.isdigit, os.listdir("/proc")):
        fields = (read_file(f"/proc/{entry}/stat") or b"").rpartition(b") ")[2].split()
        # Counted from the state, the third field (proc(5)): the parent is the fourth, the start the 22nd.
        if len(fields) > 19 and int(fields[1]) == pid:
            youngest = max(youngest, booted + int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    return youngest


def _put_back(unit: Unit, plan: ServicePlan, was_active: bool) -> str:
    """Put the former files back and run what ran before; return a sentence about it."""
    if not was_active:
        with contextlib.suppress(CommandError):  # systemd does not know it
            unit.stop()
    lost = []
    for item in plan.differences:
        try:
            if read_former(item.file.path) != item.former:
                _put(item.file.path, item.former)
        except OSError as error:  # no space, most often: the service is to run all the same
            lost.append(f"{item.file.path} ({error.strerror})")
    if _has_unit_file(plan, unit):
        unit.reload_files()
    if was_active and plan.action:
        with contextlib.suppress(CommandError):  # said below
            _act(unit, "reload" if plan.action == "reload" and unit.active() else "restart")
    files = "The former files are back, " if plan.differences else ""
    if lost:
        files = f"The former {' and '.join(lost)} could not be put back, "
    if not was_active:
        return f"{files}{unit.name} stays stopped, as it was."
    if unit.active():
        return f"{files}{unit.name} runs{' with them' if files and not lost else ''} again."
    return f"{files}{unit.name} does not run."


def _remove(unit: Unit, plan: ServicePlan) -> None:
    if unit.properties()["LoadState"] != "not-found":
        unit.disable()
    for item in plan.differences:
        _put(item.file.path, Former(None, "", 0))
    with contextlib.suppress(OSError):  # somebody else's drop-ins are in it
        os.rmdir(f"{unit.path}.d")
    unit.reload_files()


def difference_texts(plan: ServicePlan) -> list[dict[str, Any]]:
    """Return the plan as Ansible shows differences; the content of secret files is left out."""
    shown: list[dict[str, Any]] = []
    for item in plan.differences:
        before, after = (_text(content, item.file.secret) for content in (item.former, _desired(item.file)))
        shown.append(
            {"before_header": item.file.path, "after_header": item.file.path, "before": before, "after": after}
        )
    if plan.action or plan.enable is not None:
        state = "\n".join(plan.reasons) + "\n"
        shown.append({"before_header": "unit", "after_header": "unit", "before": state, "after": "as it shall be\n"})
    return shown


def _text(content: Former, secret: bool) -> str:
    if not content.exists():
        return ""
    if content.link:
        return f"-> {content.link}\n"
    data = content.content or b""
    if b"\0" in data:
        return f"({len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()})\n"
    return "(a secret)\n" if secret else data.decode("utf-8", "replace")
