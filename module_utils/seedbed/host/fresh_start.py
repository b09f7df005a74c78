"""Services that forget what they have seen, and directories that are empty again, as before the first test."""

from __future__ import annotations

import os
import shutil
from typing import NamedTuple, Sequence

from ansible.module_utils.seedbed.base.ownership import known
from ansible.module_utils.seedbed.base.systemd import Unit


class FreshStart(NamedTuple):
    """What was done, and which directories were left alone."""

    restarted: list[str]
    emptied: list[str]
    left: list[str]


def fresh_start(units: Sequence[str], directories: Sequence[str], *, check: bool = False) -> FreshStart:
    """Stop the units that run, empty the directories that are ours with all in them, and start the units again."""
    owned = known()
    there = [path for path in directories if os.path.isdir(path) and not os.path.islink(path)]
    left = [path for path in there if not owned.has("trees", path)]
    content = [entry.path for path in there if path not in left for entry in sorted(os.scandir(path), key=_name)]
    running = [unit for unit in map(Unit, units) if unit.active()]
    if not check:
        for unit in running:
            unit.stop()
        for path in content:
            _remove(path)
        for unit in running:
            unit.start()
    return FreshStart([unit.name for unit in running], content, left)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.remove(path)
