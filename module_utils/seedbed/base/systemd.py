"""systemd's units, by way of systemctl: nothing else in this package calls it. And a service's own word to systemd."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Iterable, Sequence

from ansible.module_utils.seedbed.base.commands import CommandError, run
from ansible.module_utils.seedbed.base.users import UserError, user_ids

UNITS = "/etc/systemd/system"
STATE = ("ActiveState", "UnitFileState", "NeedDaemonReload", "MainPID", "LoadState")

# Of a program that talks to the network, writes where it is told, and needs nothing else of the host.
SANDBOX = (
    "LimitNOFILE=65536",
    "MemoryMax=2G",
    "TasksMax=64",
    "CapabilityBoundingSet=",
    "DevicePolicy=closed",
    "KeyringMode=private",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "NoNewPrivileges=yes",
    "PrivateDevices=yes",
    "PrivateTmp=yes",
    "PrivateUsers=yes",
    "ProcSubset=pid",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHome=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "ProtectSystem=strict",
    "RemoveIPC=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallErrorNumber=EPERM",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
)


class Unit:
    """One unit, whether it exists or not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = f"{UNITS}/{name}"
        self.drop_in = f"{UNITS}/{name}.d/seedbed.conf"

    def is_wanted(self) -> bool:
        """Return whether the unit is enabled for the usual target; systemd is not asked."""
        return os.path.lexists(f"{UNITS}/multi-user.target.wants/{self.name}")

    def properties(self, names: Sequence[str] = STATE) -> dict[str, str]:
        """Return properties of the unit, empty where it does not have them, also on a host without systemd."""
        try:
            shown = run(["systemctl", "show", "--property=" + ",".join(names), self.name])
        except CommandError:
            shown = ""
        return {**dict.fromkeys(names, ""), **dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)}

    def active(self) -> bool:
        """Return whether the service runs, or is on its way up."""
        return self.properties()["ActiveState"] in ("active", "activating", "reloading")

    def user(self) -> tuple[int, int] | None:
        """Return user and group that the unit runs as; None for root, and for a unit that is not there."""
        try:
            return user_ids(self.properties(["User"])["User"])
        except UserError:
            return None

    def reload_files(self) -> None:
        """Have systemd read its files again."""
        run(["systemctl", "daemon-reload"])

    def start(self) -> None:
        """Start it, also after a start that failed too often."""
        with contextlib.suppress(CommandError):  # it has not failed, or is not loaded
            run(["systemctl", "reset-failed", self.name])
        run(["systemctl", "start", self.name])

    def restart(self) -> None:
        """Stop it if it runs and start it, also after a start that failed too often."""
        with contextlib.suppress(CommandError):  # it has not failed, or is not loaded
            run(["systemctl", "reset-failed", self.name])
        run(["systemctl", "restart", self.name])

    def reload(self) -> None:
        """Have the running service read its configuration again."""
        run(["systemctl", "reload", self.name])

    def stop(self) -> None:
        """Stop it and return when it has ended."""
        run(["systemctl", "stop", self.name])

    def enable(self) -> None:
        """Have it start at boot."""
        run(["systemctl", "--quiet", "reenable", self.name])

    def disable(self, *, stop: bool = True) -> None:
        """Have it start at boot no more, and stop it."""
        run(["systemctl", "--quiet", "disable", *["--now"] * stop, self.name])

    def journal(self, lines: int = 5) -> str:
        """Return its last words, empty if there are none to be had."""
        command = ["journalctl", "--unit", self.name, "--lines", str(lines), "--no-pager", "--output", "cat"]
        try:
            return run(command).strip()
        except CommandError:
            return ""

    def said(self, invocation: str) -> list[str]:
        """Return all that one invocation of it has written to the journal; nothing where there is no journal."""
        try:
            return run(["journalctl", "--quiet", "--output=cat", f"_SYSTEMD_INVOCATION_ID={invocation}"]).splitlines()
        except (CommandError, FileNotFoundError):
            return []


def unit_options(properties: Iterable[str]) -> list[str]:
    """Return properties of a unit as options of systemd-run."""
    return [f"--property={each}" for each in properties]


def run_transient(unit: str, options: Sequence[str], argv: Sequence[str]) -> None:
    """Start a program as a unit that is gone when it ends; options are further ones of systemd-run."""
    run(["systemd-run", "--quiet", "--collect", "--unit", unit, *options, *argv])


def notify(state: str) -> None:
    """Tell systemd the state of this service, such as ``READY=1`` (sd_notify(3)), where systemd has asked."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)
