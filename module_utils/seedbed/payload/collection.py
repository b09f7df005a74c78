"""A folder as a catalogue: every match of a pattern is an entry, as long as it lies there."""

from __future__ import annotations

import glob
import itertools
import os
from typing import Any, Mapping

from ansible.module_utils.seedbed.torrent.names import name_faults


def expand(spec: Mapping[str, Any], taken: set[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """An entry for each match, and a sentence for each that cannot be one. Notes the names as taken."""
    pattern = str(spec["collection"])
    entries: list[dict[str, Any]] = []
    faults = []
    plain = itertools.takewhile(lambda part: not glob.has_magic(part), os.path.dirname(pattern).split("/"))
    folder = "/".join(plain) or "/"
    if not os.path.isdir(folder):
        return [], [f"{folder} does not exist"]
    for path in sorted(glob.glob(pattern), key=os.fsencode):
        name = os.path.basename(path.rstrip("/"))
        fault = next(iter(name_faults(name)), "")
        if name in taken:
            fault = f"name {name!r} is taken by another entry"
        if fault:
            faults.append(f"{os.fsencode(path).decode(errors='backslashreplace')}: {fault}")
            continue
        taken.add(name)
        entries.append({**spec, "kind": "source", "name": name, "source": path})
    return entries, faults
