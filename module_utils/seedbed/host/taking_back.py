"""Takes back what the record says was made for a role, and nothing else."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from typing import NamedTuple, Sequence

from ansible.module_utils.seedbed.base.commands import run
from ansible.module_utils.seedbed.base.files import read_file
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.base.ownership import user_exists
from ansible.module_utils.seedbed.base.systemd import UNITS, Unit
from ansible.module_utils.seedbed.base.users import user_ids
from ansible.module_utils.seedbed.host import host_firewall, package_manager, selinux

PATHS = ("files", "trees", "directories")


class Taking(NamedTuple):
    """What goes, by kind, and what stays because somebody else has it, too."""

    goes: dict[str, dict[str, str]]
    stays: list[str]


def content_of(owned: Owned) -> list[str]:
    """Return the paths of content that people may want to keep."""
    return sorted({path for role in owned.roles for path in owned.of(role, "content")})


def plan_taking(owned: Owned, roles: Sequence[str], keep: Sequence[str] = ()) -> Taking:
    """Return what of these roles goes; what other roles have as well stays theirs. keep: paths that stay."""
    goes: dict[str, dict[str, str]] = {}
    stays = []
    others = [role for role in owned.roles if role not in roles]
    for role in roles:
        for kind in KINDS:
            for name, note in owned.of(role, kind).items():
                if any(name in owned.of(other, kind) for other in others):
                    continue
                if kind in PATHS and any(within(name, path) for path in keep):
                    stays.append(name)
                else:
                    goes.setdefault(kind, {})[name] = note
    return Taking(goes, sorted(set(stays)))


KINDS = (
    "units",
    "states",
    "openings",
    "selinux",
    "files",
    "kept",
    "modes",
    "tables",
    "packages",
    "trees",
    "users",
    "directories",
    "used",
    "folders",
    "content",
)
"""In the order in which they go."""


def within(path: str, above: str) -> bool:
    """Return whether a path is another one, or lies below it."""
    above = above.rstrip("/")
    return path == above or path.startswith(above + "/")


class Taken(NamedTuple):
    """What was done, and what could not be because of what others have put there."""

    removed: list[str]
    left: list[str]


def take_back(owned: Owned, roles: Sequence[str], keep: Sequence[str] = ()) -> Taken:
    """Take the roles' things back and strike out what has gone; what stays, stays written down."""
    goes, stays = plan_taking(owned, roles, keep)
    removed: list[str] = []
    left = list(stays)
    _stop(goes, removed)
    removed += [f"ports in {name}" for name in host_firewall.remove(list(goes.get("openings", {})))]
    removed += [f"SELinux: {rule}" for rule in selinux.remove(list(goes.get("selinux", {})))]
    _remove_files(goes, removed)
    _restore_units(goes, removed)
    for table in goes.get("tables", {}):
        if shutil.which("nft") and f"table {table}" in run(["nft", "list", "tables"]).splitlines():
            run(["nft", "delete", "table", *table.split()])
            removed.append(f"table {table}")
    packages = package_manager.remove(list(goes.get("packages", {})))
    removed += [f"package {name}" for name in packages]
    _hand_over(owned, roles, sorted(goes.get("packages", {}).keys() - set(packages)))
    for tree in goes.get("trees", {}):
        if os.path.lexists(tree):
            left += remove_tree(tree, keep)
            removed += [] if os.path.lexists(tree) else [tree]
    owners = {os.lstat(path).st_uid for path in left if os.path.lexists(path)}
    needed = [user for user in filter(user_exists, goes.get("users", {})) if user_ids(user)[0] in owners]
    for user in filter(user_exists, goes.get("users", {})):
        if user not in needed:  # for what stays of its files
            run(["userdel", user])
            removed.append(f"user {user}")
    # The innermost first.
    for directory in sorted(goes.get("directories", {}), key=lambda path: -path.count("/")):
        if not _remove_directory(directory, removed):
            left.append(directory)
    for role in roles:
        for kind in KINDS:
            gone = [name for name in owned.of(role, kind) if name not in needed and not _stays(kind, name, left)]
            owned.forget(role, kind, gone)
    return Taken(removed, _outermost(left))


def _hand_over(owned: Owned, roles: Sequence[str], packages: Sequence[str]) -> None:
    """Write packages that stay down for another role that has any: one of its own may need them, and goes later."""
    others = [role for role in owned.roles if role not in roles and owned.of(role, "packages")]
    if others:
        owned.add(others[0], {"packages": packages})


def _outermost(paths: Sequence[str]) -> list[str]:
    """Return the paths that lie in none of the others, sorted."""
    return sorted({path for path in paths if not any(within(path, other) and path != other for other in paths)})


def _stays(kind: str, name: str, left: Sequence[str]) -> bool:
    """Return whether a thing has to stay written down: it, or something in it, is still there."""
    return kind in (*PATHS, "content") and os.path.lexists(name) and any(within(path, name) for path in left)


def _stop(goes: dict[str, dict[str, str]], removed: list[str]) -> None:
    for name in goes.get("units", {}):
        unit = Unit(name)
        if unit.properties()["LoadState"] not in ("", "not-found"):
            unit.disable()
            removed.append(f"unit {name}")
    for name in goes.get("states", {}):
        if Unit(name).active():
            Unit(name).stop()


def _remove_files(goes: dict[str, dict[str, str]], removed: list[str]) -> None:
    """Delete what was written, and put back what was replaced."""
    touched = []
    for path in goes.get("files", {}):
        # A full disk may have kept it from being made; a directory in its place is somebody else's.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            os.unlink(path)
            touched.append(path)
    for path, copy in goes.get("kept", {}).items():
        if copy and os.path.lexists(copy):
            os.replace(copy, path)
            touched.append(path)
    for path, mode in goes.get("modes", {}).items():
        if os.path.isdir(path) and stat.S_IMODE(os.stat(path).st_mode) != int(mode, 8):
            os.chmod(path, int(mode, 8))
            touched.append(path)
    if any(within(path, UNITS) for path in touched):
        Unit("").reload_files()
    removed += touched


def _restore_units(goes: dict[str, dict[str, str]], removed: list[str]) -> None:
    """Have units that were there before us be what they were."""
    for name, state in goes.get("states", {}).items():
        unit, (active, enabled) = Unit(name), state.split()
        now = unit.properties()
        if now["LoadState"] in ("", "not-found"):
            continue
        if enabled in ("enabled", "disabled") and now["UnitFileState"] != enabled:
            unit.enable() if enabled == "enabled" else unit.disable(stop=False)
        if active == "active":
            unit.start()
        removed.append(f"changes of {name}")


def remove_tree(path: str, keep: Sequence[str] = (), mounts: Sequence[str] | None = None) -> list[str]:
    """Delete a directory with what is in it but for what is kept and what is mounted there; return what was left."""
    mounts = mount_points() if mounts is None else mounts
    if any(within(path, each) for each in keep) or path in mounts:
        return [path]
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
        return []
    if not any(within(each, path) for each in (*keep, *mounts)):
        shutil.rmtree(path)
        return []
    left = [each for name in sorted(os.listdir(path)) for each in remove_tree(os.path.join(path, name), keep, mounts)]
    if not os.listdir(path):
        os.rmdir(path)
    return left


def mount_points() -> list[str]:
    """Return where file systems are mounted (proc(5), mountinfo: spaces and the like are written as octal numbers)."""
    lines = (read_file("/proc/self/mountinfo") or b"").decode(errors="surrogateescape").splitlines()
    return [re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), line.split()[4]) for line in lines]


def _remove_directory(path: str, removed: list[str]) -> bool:
    """Delete an empty directory; return whether it is gone."""
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            return True  # somebody's by now
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:  # not empty, or a mount point
        return False
    removed.append(path)
    return True
