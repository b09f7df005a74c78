"""Installs packages without letting them start anything, and takes back those that were installed for us alone.

What will be installed, dependencies too, is asked first and written down; an installation that would remove somebody's
package is refused. What somebody else's package needs by now stays. An installation that was killed is written down as
begun until the next one has finished it.
"""

from __future__ import annotations

import contextlib
import fcntl
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
from ansible.module_utils.seedbed.base.ownership import claim, load, opened
from ansible.module_utils.seedbed.base.packages import installed_packages
from ansible.module_utils.seedbed.base.systemd import Unit

DAY = 86400
LOCK_SECONDS = 300  # for another run of the package manager
POLL = 1.0
LOCK = "/run/seedbed-packages.lock"  # so that one of ours takes no other one for killed
POLICY = "/usr/sbin/policy-rc.d"
ROLE = "packages"  # for which it is written down what ends with an installation
PLAIN = ["env", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"]
APT = [*PLAIN, "apt-get", "-q", "-oAcquire::Retries=3"]
DNF = ["env", "LC_ALL=C", "dnf", "-q", "-y"]
RPM = ["env", "LC_ALL=C", "rpm"]
LEAN = ["--no-install-recommends"]
# What apt and dpkg say while another one is at work, and when packages did not come from the mirror.
LOCKED = re.compile(
    r"Could not get lock \S+?\.(?: It is held by (?P<holder>process .*?\)))?(?:\s|$)"
    r"|locked by another process with pid (?P<pid>\d+)"
)
UNFETCHED = re.compile(r"Failed to fetch|Unable to (?:fetch|locate)|no installation candidate")
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
    with _alone():
        _finish()
        new = [unit.name for unit in map(Unit, disabled) if unit.properties()["LoadState"] in ("", "not-found")]
        return (_install_with_apt if has_apt() else _install_with_dnf)(role, names, new)


def begun() -> bool:
    """Return whether an installation of ours was killed, or is at work."""
    record = load()
    return record is not None and ROLE in record.roles


def finish() -> None:
    """Finish what an installation of ours has left that was killed."""
    with _alone():
        _finish()


def _finish() -> None:
    if not begun():
        return
    if has_apt():
        if not os.path.lexists(POLICY):
            _write_policy()
        with contextlib.suppress(CommandError):  # it lacks what was not unpacked yet: apt brings that
            _while_locked([*PLAIN, "dpkg", "--configure", "-a"])
        _while_locked([*APT, "-y", "--no-remove", *LEAN, "--fix-broken", "install"])
    _end_installation()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other installation of ours is at work on this host."""
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _install_with_apt(role: str, names: Sequence[str], new_units: Sequence[str]) -> list[str]:
    if _lists_are_old():
        _while_locked([*APT, "update"])
    try:
        return _bring(role, names, new_units)
    except CommandError as error:
        if not UNFETCHED.search(error.message):
            raise
    # The mirror failed for a moment, or has other versions by now than the lists say.
    _while_locked([*APT, "update"])
    return _bring(role, names, new_units)


def _bring(role: str, names: Sequence[str], new_units: Sequence[str]) -> list[str]:
    came, lost = new_packages(_while_locked([*APT, *LEAN, "-s", "install", *names]))
    if lost:
        raise PackageError(
            f"to install {', '.join(names)} would remove {', '.join(lost)} from this host, which Seedbed does not do; "
            "replace it yourself, or run the service on another host. Nothing was installed"
        )
    claim(role, {"packages": came})
    try:
        with _nothing_starts(new_units):
            _while_locked([*APT, "-y", *LEAN, "install", *names])
    except SeedbedError:
        with opened() as owned:  # what somebody installs later is not ours
            owned.forget(role, "packages", set(came) - set(installed_packages()))
        raise
    return came


def _install_with_dnf(role: str, names: Sequence[str], new_units: Sequence[str]) -> list[str]:
    """Install with dnf, which removes and starts nothing for it, and says too late what comes along."""
    before = set(installed_packages())
    claim(role, {"packages": sorted(set(names) - before)})
    with _nothing_starts(new_units):
        run([*DNF, "install", "--setopt=install_weak_deps=False", *names])
    came = sorted(set(installed_packages()) - before)
    claim(role, {"packages": came})
    return came


def _lists_are_old() -> bool:
    lists = glob.glob("/var/lib/apt/lists/*Release")
    return not lists or max(map(os.path.getmtime, ["/var/lib/apt/lists", *lists])) < time.time() - DAY


def _while_locked(argv: Sequence[str]) -> str:
    """Run a program, and run it again while another one has its lock; PackageError, with who that is, if it stays."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return run(argv)
        except CommandError as error:
            held = LOCKED.search(error.message)
            if not held:
                raise
            if time.monotonic() > deadline:
                raise PackageError(_lock_fault(held)) from error
        time.sleep(POLL)  # between two tries; the deadline bounds the wait


def _lock_fault(held: re.Match[str]) -> str:
    who = held["holder"] or f"process {held['pid'] or '?'}"
    return (
        f"{who} has had the package manager of this host for itself for {LOCK_SECONDS // 60} minutes; wait until it "
        "has ended, or end it, and run again. Nothing was installed"
    )


@contextlib.contextmanager
def _nothing_starts(new_units: Sequence[str]) -> Iterator[None]:
    """Keep what packages bring from being started, as Debian's policy layer lets an administrator do it."""
    claim(ROLE, {"files": [POLICY] * has_apt(), "units": new_units})
    if has_apt():
        _write_policy()
    try:
        yield
    finally:
        _end_installation()


def _write_policy() -> None:
    write_atomically(POLICY, b"#!/bin/sh\n# Seedbed installs packages\nexit 101\n", mode=0o755)


def _end_installation() -> None:
    """Have new units not start at boot, and give the host its own policy back, if it had one."""
    with opened() as owned:
        for name in owned.of(ROLE, "units"):
            if Unit(name).properties()["LoadState"] not in ("", "not-found"):
                Unit(name).disable()
        for path in owned.of(ROLE, "files"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        for path, copy in owned.of(ROLE, "kept").items():
            with contextlib.suppress(FileNotFoundError):
                os.replace(copy, path)
        for kind in ("units", "files", "kept"):
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
        _while_locked([*APT, "-y", "purge", *gone] if has_apt() else [*RPM, "--erase", *gone])
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
