"""Users of this machine, and what is given to them."""

from __future__ import annotations

import os
import pwd

from ansible.module_utils.seedbed.base.errors import SeedbedError


class UserError(SeedbedError):
    """A user that this machine does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"this host has no user {name!r}")


def user_ids(name: str) -> tuple[int, int]:
    """Return a user's own number and that of its group."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise UserError(name) from None
    return found.pw_uid, found.pw_gid


def give_directory(path: str, owner: tuple[int, int]) -> None:
    """Make a directory somebody's: it itself, never what a link in its place leads to."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(descriptor, *owner)
    finally:
        os.close(descriptor)
