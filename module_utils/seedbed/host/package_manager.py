"""Installs packages without letting them start anything, and takes back those that were installed for us alone.

What will be installed, dependencies too, is asked first and written down; an installation that would remove somebody's
package is refused. What somebody else's package needs by now stays.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import tempfile
import time
from typing import Iterator, Sequence

from ansible.module_utils.seedbed.base.commands import CommandError, run
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import write_atomically
from ansible.module_utils.seedbed.base.ownership import claim, opened
from ansible.module_utils.seedbed.base.packages import installed_packages
from ansible.module_utils.seedbed.base.systemd import Unit

DAY = 86400
LOCK_SECONDS = 300  # for another run of the package manager
POLL = 1.0
POLICY = "/usr/sbin/policy-rc.d"
ROLE = "packages"  # for which the policy is written down while it is there
APT = ["env", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
DNF = ["env", "LC_ALL=C", "dnf", "-q", "-y"]
RPM = ["env", "LC_ALL=C", "rpm"]
LEAN = ["--no-install-recommends"]
PATIENT = ["-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}"]
# What another package merely recommends was not there before us either.
STRICT = ["-o", "APT::AutoRemove::RecommendsImportant=false", "-o", "APT::AutoRemove::SuggestsImportant=false"]


class PackageError(SeedbedError):
    """An installation that cannot be, or would cost somebody a package."""


def has_apt() -> bool:
    """Return whether the host's packages are Debian's."""
    return shutil.which("apt-get") is not None


def new_packages(simulation: str) -> tuple[list[str], list[str]]:
    """Return what an installation would bring, and what it would remove, from apt's simulation of it.

    A package that is there in an older version has that version in brackets.
    """
    words = [line.split() for line in simulation.splitlines()]
    brings = [line[1] for line in words if line[:1] == ["Inst"] and not line[2].startswith("[")]
    return brings, [line[1] for line in words if line[:1] in (["Remv"], ["Purg"])]


def install(role: str, names: Sequence[str], disabled: Sequence[str] = ()) -> list[str]:
    """Install packages and write down all that comes with them; return what came.

    disabled: units that the packages bring, and that shall not start at boot unless they were there before.
    """
    new = [unit for unit in map(Unit, disabled) if unit.properties()["LoadState"] in ("", "not-found")]
    came = _install_with_apt(role, names) if has_apt() else _install_with_dnf(role, names)
    for unit in new:
        unit.disable()
    return came


def _install_with_apt(role: str, names: Sequence[str]) -> list[str]:
    if _lists_are_old():
        _while_locked([*APT, "update"])
    came, lost = new_packages(_while_locked([*APT, *LEAN, "-s", "install", *names]))
    if lost:
        raise PackageError(
            f"to install {', '.join(names)} would remove {', '.join(lost)} from this host, which Seedbed does not do; "
            "replace it yourself, or run the service on another host. Nothing was installed"
        )
    claim(role, {"packages": came})
    with _nothing_starts():
        run([*APT, "-y", *PATIENT, *LEAN, "install", *names])
    return came


def _install_with_dnf(role: str, names: Sequence[str]) -> list[str]:
    """Install with dnf, which removes and starts nothing for it, and says too late what comes along."""
    before = set(installed_packages())
    claim(role, {"packages": sorted(set(names) - before)})
    run([*DNF, "install", "--setopt=install_weak_deps=False", *names])
    came = sorted(set(installed_packages()) - before)
    claim(role, {"packages": came})
    return came


def _lists_are_old() -> bool:
    lists = glob.glob("/var/lib/apt/lists/*Release")
    return not lists or max(map(os.path.getmtime, ["/var/lib/apt/lists", *lists])) < time.time() - DAY


def _while_locked(argv: Sequence[str]) -> str:
    """Run a program, and run it again while another one has its lock."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return run(argv)
        except CommandError as error:
            if "Could not get lock" not in error.message or time.monotonic() > deadline:
                raise
        time.sleep(POLL)  # between two tries; the deadline bounds the wait


@contextlib.contextmanager
def _nothing_starts() -> Iterator[None]:
    """Keep what packages bring from being started, as Debian's policy layer lets an administrator do it."""
    restore_policy()  # of a run that was killed
    claim(ROLE, {"files": [POLICY]})
    write_atomically(POLICY, b"#!/bin/sh\n# Seedbed installs packages\nexit 101\n", mode=0o755)
    try:
        yield
    finally:
        restore_policy()


def restore_policy() -> None:
    """Give the host its own policy back, if it had one."""
    with opened() as owned:
        for path in owned.of(ROLE, "files"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        for path, copy in owned.of(ROLE, "kept").items():
            with contextlib.suppress(FileNotFoundError):
                os.replace(copy, path)
        for kind in ("files", "kept"):
            owned.forget(ROLE, kind, owned.of(ROLE, kind))


# --- taking back


def remove(ours: Sequence[str]) -> list[str]:
    """Remove those of our packages that nobody else's needs, with their configuration; return what went."""
    there = sorted(set(ours) & set(installed_packages()))
    if not there:
        return []
    gone = removable(there) if has_apt() else removable_rpms(there)
    if gone:
        # Not by dnf, which would remove what needs them, too.
        run([*APT, "-y", *PATIENT, "purge", *gone] if has_apt() else [*RPM, "--erase", *gone])
    return gone


def removable(ours: Sequence[str]) -> list[str]:
    """Return those of the packages without which every other package still has what it depends on.

    apt is asked with a list of its own of what was installed by hand: ours count as not, and then it can tell which of
    them nobody needs.
    """
    with tempfile.TemporaryDirectory(prefix="seedbed-") as directory:
        states = os.path.join(directory, "extended_states")
        if os.path.exists("/var/lib/apt/extended_states"):
            shutil.copy("/var/lib/apt/extended_states", states)
        private = ["-o", f"Dir::State::extended_states={states}"]
        _while_locked(["env", "LC_ALL=C", "apt-mark", "-qq", *private, "auto", *ours])
        while True:
            unneeded = new_packages(_while_locked([*APT, *private, *STRICT, "-s", "autoremove"]))[1]
            gone = sorted(set(ours) & set(unneeded))
            if not gone:
                return []
            others = set(new_packages(_while_locked([*APT, "-s", "purge", *gone]))[1]) - set(ours)
            if not others:
                return gone
            # Nobody needs those either, but they are not ours to remove: from now on they are needed.
            _while_locked(["env", "LC_ALL=C", "apt-mark", "-qq", *private, "manual", *sorted(others)])


def removable_rpms(ours: Sequence[str]) -> list[str]:
    """Return the same of a host with RPM, which names what others would lack and not whose it is."""
    gone = set(ours)
    while gone:
        try:
            run([*RPM, "--erase", "--test", *sorted(gone)])
            break
        except CommandError as error:
            lacking = re.findall(r"^\s*(\S+).* is needed by \(installed\)", error.message, re.MULTILINE)
        needed = gone & {name for each in lacking for name in _providers(each)}
        if not needed:  # a need of a kind that nobody can look up: rather too much stays
            return []
        gone -= needed
    return sorted(gone)


def _providers(capability: str) -> list[str]:
    try:
        return run([*RPM, "--query", "--whatprovides", "--queryformat", "%{NAME}\\n", capability]).split()
    except CommandError:
        return []
