"""A change that may shut us out, with the former state coming back by itself unless somebody gets in."""

from __future__ import annotations

from typing import Sequence

from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.systemd import Unit, run_transient


class WayBackError(SeedbedError):
    """The former state is back already."""


def arm(timer: str, seconds: int, argv: Sequence[str]) -> None:
    """Have a command run after this time, in place of one that was armed before."""
    disarm(timer)
    run_transient(timer, ["--on-active", str(seconds), "--timer-property=AccuracySec=1s"], argv)


def disarm(timer: str) -> bool:
    """Have it run no more; return whether it was still waiting."""
    try:
        Unit(timer + ".timer").stop()
    except CommandError:
        return False
    return True


def confirm(timer: str) -> None:
    """Have it run no more, as the host was reached; raise WayBackError where it has run."""
    if not disarm(timer):
        raise WayBackError("the rollback was no longer waiting: the host has its former rules again")
