"""What playbooks/preflight.yml asks."""

from __future__ import annotations

import gc
import glob
import os
from typing import Any, Callable, Sequence, TypeVar

import ansible.module_utils

ROOT = os.path.realpath(__file__).rsplit("/roles/", 1)[0]
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

from ansible.module_utils.seedbed.preflight import fault_report, group_faults
from ansible.plugins.loader import filter_loader

Value = TypeVar("Value")


def with_role_filters(value: Value) -> Value:
    """Return the value, and have the filters of all roles loaded in this process.

    When Ansible meets a role that brings filters it forgets all that it has loaded, and with the next filter it loads
    them all. A role that is included while a play runs would have the process of every later task do so, which takes
    three quarters of a run without changes. The header of a play is rendered in Ansible's main process: there it
    happens once, for the whole run.

    What is loaded by then stays to the end, and a task's process, a fork of this one, lives for a fraction of a second.
    Frozen, and looked at less often, neither is what garbage collectors go through again and again: together a quarter
    of the processor time of a run.
    """
    for directory in sorted(glob.glob(os.path.join(ROOT, "roles", "*", "filter_plugins"))):
        filter_loader.add_directory(directory)
    list(filter_loader.all())
    gc.freeze()
    gc.set_threshold(100_000)
    return value


def note_lines(notes: Sequence[str]) -> list[dict[str, str]]:
    """Return notes as lines for people."""
    return [{"severity": "warning", "text": f"note  {note}"} for note in notes]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "fault_report": fault_report,
            "group_faults": group_faults,
            "note_lines": note_lines,
            "with_role_filters": with_role_filters,
        }
