"""A folder as a catalogue: every match of a pattern is an entry, as long as it lies there."""

from __future__ import annotations

import glob
import itertools
import os

from ansible.module_utils.seedbed.torrent.model import Spec
from ansible.module_utils.seedbed.torrent.names import name_faults


def expand_collection(spec: Spec, taken: set[str]) -> tuple[list[Spec], list[str]]:
    """Return an entry for each match, and a sentence for each that cannot be one. Note the names as taken."""
    pattern = spec["collection"]
    entries: list[Spec] = []
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
