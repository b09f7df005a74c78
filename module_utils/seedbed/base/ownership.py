"""What the lab made on this host: written down before it is made, so that nothing else is ever taken away.

What was there is never ours: a file that has to be replaced is kept as a dated copy, and the copy is written down, so
that it can come back.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import time
from typing import Iterator, Mapping, Sequence

from ansible.module_utils.seedbed.base.earlier_versions import recognised
from ansible.module_utils.seedbed.base.errors import os_errors_reported
from ansible.module_utils.seedbed.base.files import make_directory, read_file, remove_files, write_atomically
from ansible.module_utils.seedbed.base.owned_record import KINDS, RECORD, Owned, Things, parse, render
from ansible.module_utils.seedbed.base.systemd import Unit


@os_errors_reported()
def load(path: str | None = None) -> Owned | None:
    """Return this host's record, None where there is none."""
    content = read_file(path or RECORD)
    return None if content is None else parse(content, path or RECORD)


def known(path: str | None = None) -> Owned:
    """Return what is ours on this host: its record, or without one what an earlier version has left."""
    found = load(path)
    return recognised() if found is None else found


@contextlib.contextmanager
def opened(path: str | None = None) -> Iterator[Owned]:
    """Let the record be changed by one process at a time; what was changed is on the disk when the block ends.

    A host without one is asked what an earlier version has left.
    """
    path = path or RECORD
    with os_errors_reported():
        make_directory(os.path.dirname(path))
        lock = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = read_file(path)
        owned = known(path)
        yield owned
        with os_errors_reported():
            if not owned.roles:
                remove_files([path])
            elif render(owned) != before:
                write_atomically(path, render(owned), mode=0o644, durable=True)
    finally:
        os.close(lock)
    with contextlib.suppress(OSError):  # not empty
        os.rmdir(os.path.dirname(path))


# --- what is about to be made


def claim(role: str, wanted: Things, *, path: str | None = None) -> None:
    """Write down what of the wanted is not there yet: whoever calls makes it right after this.

    Of a file that is there and is not ours a dated copy is kept beside it. Without a role nothing is written down.
    """
    if not role or not any(wanted.values()):
        return
    record = load(path)
    if record is not None and not unclaimed(record, wanted):
        return
    with opened(path) as owned, os_errors_reported():
        found = unclaimed(owned, wanted)
        for name, copy in found.get("kept", {}).items():
            copy_beside(name, copy)
        owned.add(role, found)


def unclaimed(owned: Owned, wanted: Things) -> dict[str, dict[str, str]]:
    """Return what claim() has to write down: what is wanted, not there, and not in the record."""
    found = Owned()
    for kind in ("files", "trees", "directories"):
        for name in wanted.get(kind, ()):
            found.add("", _path(owned, kind, name))
    for name in wanted.get("units", ()):
        found.add("", {"states": {name: state_of(Unit(name))}} if unit_file(name) else {"units": [name]})
    found.add("", {"users": [name for name in wanted.get("users", ()) if not user_exists(name)]})
    as_they_are = ("packages", "openings", "selinux", "tables", "folders", "content", "states", "modes")
    found.add("", {kind: wanted.get(kind, ()) for kind in as_they_are})
    new = {
        kind: {name: note for name, note in found.of("", kind).items() if not _knows(owned, kind, name)}
        for kind in KINDS
    }
    return {kind: names for kind, names in new.items() if names}


def _path(owned: Owned, kind: str, name: str) -> Things:
    """Return as what a path is to be written down."""
    if not os.path.lexists(name):
        parents = missing_parents(name)
        return {"directories": [name, *parents]} if kind == "directories" else {kind: [name], "directories": parents}
    if owned.covers(name):
        return {}
    return {"kept": {name: dated(name)}} if kind == "files" else {"used": [name]}


def _knows(owned: Owned, kind: str, name: str) -> bool:
    either = ("units", "states")  # one that was there stays one that was there
    return any(owned.has(each, name) for each in (either if kind in either else [kind]))


def state_of(unit: Unit) -> str:
    """Return what a unit that is there has to become again."""
    found = unit.properties()
    return f"{found['ActiveState'] or 'inactive'} {found['UnitFileState'] or 'disabled'}"


def missing_parents(path: str) -> list[str]:
    """Return the directories above a path that are not there, the outermost last."""
    parents = []
    parent = os.path.dirname(path.rstrip("/"))
    while parent not in ("", "/") and not os.path.lexists(parent):
        parents.append(parent)
        parent = os.path.dirname(parent)
    return parents


def user_exists(name: str) -> bool:
    """Return whether this host has a user of this name."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def dated(path: str, word: str = "before-seedbed") -> str:
    """Return the name of a copy of what is there now."""
    return f"{path}.{word}-{time.strftime('%Y-%m-%d-%H%M%S')}"


def copy_beside(path: str, copy: str) -> None:
    """Copy a file with owner, mode and times, a link as a link, under a name that is there only when it is whole."""
    if os.path.islink(path):
        os.symlink(os.readlink(path), copy)
        return
    part = copy + ".part"
    try:
        with open(path, "rb") as source, open(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
        ) as target:
            shutil.copyfileobj(source, target)
            found = os.fstat(source.fileno())
            os.fchown(target.fileno(), found.st_uid, found.st_gid)
            os.fchmod(target.fileno(), found.st_mode & 0o7777)
            target.flush()
            os.fsync(target.fileno())
        os.utime(part, ns=(found.st_atime_ns, found.st_mtime_ns))
        os.replace(part, copy)
    except BaseException:  # as where there is no space: nobody has it written down
        remove_files([part])
        raise


# --- what the lab would use


def foreign(owned: Owned, claims: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return those of the claims (kind, name, the variable that gave the name) that others have, with what they are.

    kind is one of unit, user and directory; an empty directory is nobody's.
    """
    found = []
    for each in claims:
        what = {"unit": _unit, "user": _user, "directory": _content}[each["kind"]](owned, each["name"])
        if what:
            found.append({**each, "what": what})
    return found


UNIT_PATHS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


def unit_file(name: str) -> str:
    """Return where the file of a unit lies, empty when there is none."""
    paths = [os.path.join(directory, name) for directory in UNIT_PATHS]
    return next((path for path in paths if os.path.lexists(path)), "")


def _unit(owned: Owned, name: str) -> str:
    return "" if owned.has("units", name) or owned.has("states", name) else unit_file(name)


def _user(owned: Owned, name: str) -> str:
    if owned.has("users", name) or not user_exists(name):
        return ""
    user = pwd.getpwnam(name)
    return f"number {user.pw_uid}, at home in {user.pw_dir}"


def _content(owned: Owned, path: str) -> str:
    path = path.rstrip("/") or "/"
    if owned.covers(path) or not os.path.lexists(path):
        return ""
    if not os.path.isdir(path):
        return "a file"
    # A disk of its own has a lost+found, and nothing else.
    names = sorted(set(os.listdir(path)) - {"lost+found"})
    # What the lab has put into a directory that was there, and empty, is no reason to refuse it the next time.
    others = [name for name in names if not owned.covers(os.path.join(path, name))]
    if not others:
        return ""
    return others[0] + (f" and {len(others) - 1} more" if len(others) > 1 else "")
