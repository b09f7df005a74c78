"""Open ports in the firewall that a host has, with the way back that a mistake needs."""

from __future__ import annotations

import os
import shlex
import shutil

from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.files import read_file
from ansible.module_utils.seedbed.host import firewalld, ufw, way_back
from ansible.module_utils.seedbed.host.opening import Files, Opening, present_files, replace_files

FORMER = "/etc/seedbed/firewall.former"  # what the files were before a change that nobody has confirmed yet
TIMER = "seedbed-firewall-former"


class HostFirewallError(SeedbedError):
    """The host's firewall cannot be told of the lab's ports."""


class Plan:
    """One host's firewall as it is and as it shall be."""

    def __init__(self, backend: str, opening: Opening) -> None:
        self.backend, self.opening = backend, opening
        self.wanted: Files = {}
        self.networks_before: list[str] = []
        self.networks: list[str] = []
        if backend == "firewalld":
            self.wanted = firewalld.wanted_files(opening)
        elif backend == "ufw":
            self.wanted = ufw.wanted_files(opening)
            self.networks_before, self.networks = ufw.present_networks(), ufw.wanted_networks(opening)
        self.files = present_files(list(self.wanted))

    @property
    def unfinished(self) -> bool:
        """Whether a change was cut off between its files and its end."""
        return os.path.isdir(FORMER)

    @property
    def differs(self) -> bool:
        """Whether anything is to be done."""
        same = self.files == self.wanted and set(self.networks_before) == set(self.networks)
        return not same or (self.unfinished and self.backend != "nftables")

    def shown(self, files: Files, networks: list[str]) -> str:
        """Return a state for the diff."""
        texts = [f"{path}:\n{text}" for path, text in files.items() if text is not None]
        return "".join([*texts, *(f"ufw allow from {network} to any app {ufw.NAME}\n" for network in sorted(networks))])

    def diff(self) -> dict[str, str]:
        return {
            "before_header": self.backend,
            "after_header": self.backend,
            "before": self.shown(self.files, self.networks_before),
            "after": self.shown(self.wanted, self.networks),
        }


def opened() -> list[str]:
    """Return where something of ours stands."""
    places = {"firewalld": (firewalld.SERVICE, firewalld.POLICY), "ufw": (ufw.PROFILE,)}
    return [name for name, paths in places.items() if any(os.path.lexists(path) for path in paths)]


def obstacles(backend: str, opening: Opening) -> list[str]:
    """Return why the firewall cannot be told now; nothing where nothing is to be told."""
    return firewalld.obstacles() if backend == "firewalld" and Plan(backend, opening).differs else []


@os_errors_reported()
def bring(plan: Plan, seconds: int) -> None:
    """Open the ports, with the former state coming back unless `confirm` is called in time."""
    if plan.backend == "firewalld":
        faults = firewalld.obstacles()
        if faults:
            raise HostFirewallError("; ".join(faults))
    if not plan.unfinished:
        _keep(plan.files)
    undo = (
        firewalld.undo() if plan.backend == "firewalld" else ufw.undo(plan.files, plan.networks_before, plan.networks)
    )
    way_back.arm(TIMER, seconds, ["sh", "-c", restoring(list(plan.wanted), undo)])
    profile_goes = plan.backend == "ufw" and not plan.networks
    if profile_goes:  # ufw knows a rule by its profile
        ufw.bring(plan.opening, changed=False)
    replace_files(plan.wanted)
    if plan.backend == "firewalld":
        firewalld.reload()
    elif not profile_goes:
        ufw.bring(plan.opening, changed=plan.files != plan.wanted)


@os_errors_reported()
def confirm() -> None:
    """Keep what was opened."""
    way_back.confirm(TIMER)
    shutil.rmtree(FORMER)


@os_errors_reported()
def remove(backends: list[str]) -> list[str]:
    """Take what is ours out of these firewalls; return in which there was anything."""
    removers = {"firewalld": firewalld.remove, "ufw": ufw.remove}
    removed = [backend for backend in backends if removers[backend]()]
    if os.path.isdir(FORMER) and removed:
        way_back.disarm(TIMER)
        shutil.rmtree(FORMER)
    return removed


def restoring(paths: list[str], undo: list[str]) -> str:
    """Return the shell's words for the way back: the former files, then what makes the firewall take them."""
    lines = []
    for path in paths:
        kept, place = shlex.quote(_kept(path)), shlex.quote(path)
        lines.append(f"if [ -e {kept} ]; then cp {kept} {place}; else rm -f {place}; fi")
    return "; ".join([*lines, *undo, f"rm -rf {FORMER}"])


def _kept(path: str) -> str:
    """Return where a file is laid aside: under the name of its directory, which differs."""
    return os.path.join(FORMER, os.path.basename(os.path.dirname(path)))


def _keep(files: Files) -> None:
    """Lay the present files aside."""
    os.makedirs(FORMER, mode=0o700, exist_ok=True)
    for path in files:
        data = read_file(path)
        if data is not None:
            replace_files({_kept(path): data.decode()})
