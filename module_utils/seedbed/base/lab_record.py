"""What the controller remembers of a lab between its runs: whose inventory it is, and where its hosts are."""

from __future__ import annotations

import json
import os
from typing import Any, Iterable, Mapping, Sequence, TypedDict

from ansible.module_utils.seedbed.base.errors import os_errors_reported
from ansible.module_utils.seedbed.base.files import read_file, write_atomically

KEPT = ("lab_address", "lab_ip", "lab_services")
"""The variables of a host that others need; no secret is among them."""


class LabRecord(TypedDict):
    """What the last runs knew."""

    inventories: list[str]
    """The directories in which the hosts were found."""
    hosts: dict[str, dict[str, Any]]
    """By host, the variables that others need."""


def record_path(directory: str) -> str:
    """Return where the record of a lab lies, by its directory on the controller."""
    return os.path.join(directory, "lab.json")


@os_errors_reported()
def read_record(directory: str) -> LabRecord:
    """Return the record of a lab; one without anything where no run has left any."""
    raw = read_file(record_path(directory))
    try:
        found = json.loads(raw) if raw else {}
        return {"inventories": list(found["inventories"]), "hosts": dict(found["hosts"])}
    except (ValueError, KeyError, TypeError):  # half a disk, or a hand: the next run with all hosts makes it anew
        return {"inventories": [], "hosts": {}}


@os_errors_reported()
def write_record(
    directory: str, seen: Mapping[str, Mapping[str, Any]], *, inventories: Iterable[str], all_hosts: Sequence[str]
) -> None:
    """Keep what this run has seen of hosts, beside what is known of the others, as long as the inventory has them."""
    known = read_record(directory)["hosts"]
    known.update({host: {key: found[key] for key in KEPT if key in found} for host, found in seen.items()})
    record: LabRecord = {
        "inventories": sorted(set(inventories)),
        "hosts": {host: known[host] for host in sorted(known) if host in all_hosts},
    }
    data = (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode()
    if read_file(record_path(directory)) != data:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        write_atomically(record_path(directory), data, mode=0o600)
