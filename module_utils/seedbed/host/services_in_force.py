"""Which services are still what a run has made of them: written down on the host, and looked at anew by the next run.

To compare a service with what it shall be takes a call of its own, with all its files in it. So module service_unit
leaves a fingerprint of what it was asked for, and digests of the files that follow from it; whether they, the unit and
the running process are still right is seen beside everything else that a run asks a host first. The notes end with the
next boot, and where there is none, the module is called as ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import Any, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.files import make_directory, read_file, remove_files, write_atomically
from ansible.module_utils.seedbed.base.ownership import claim
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.host.service_unit import (
    Former,
    Port,
    Service,
    ServiceError,
    ServiceFile,
    http_status,
    plan_service,
    read_former,
)
from ansible.module_utils.seedbed.torrent.model import ServiceInForce

DIRECTORY = "/run/seedbed-services"


@os_errors_reported()
def remember(fingerprint: str, services: Sequence[Service], directory: str = DIRECTORY) -> None:
    """Write down what was asked for and is in force; the first of the services gives the note its name.

    Where nothing shall be left of them, there is nothing to remember either.
    """
    path = os.path.join(directory, f"{services[0].unit}.json")
    if not any(file.content is not None or file.link for service in services for file in service.files):
        remove_files([path])
        return
    note = {"fingerprint": fingerprint, "services": [_to_json(service) for service in services]}
    data = json.dumps(note, sort_keys=True).encode()
    if read_file(path) != data:
        claim(services[0].role, {"files": [path]})
        make_directory(directory)
        write_atomically(path, data, mode=0o600)


def services_in_force(directory: str = DIRECTORY) -> dict[str, ServiceInForce]:
    """Return by unit what is as it was remembered: files, unit, process, ports, and what it answers."""
    found: dict[str, ServiceInForce] = {}
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        # What is wrong with it, or with the note, the module finds out, which then looks itself.
        with contextlib.suppress(SeedbedError, OSError, ValueError, LookupError, TypeError):
            note = json.loads(read_file(os.path.join(directory, name)) or b"{}")
            services = [_from_json(each) for each in note["services"]]
            if not any(plan_service(service, Unit(service.unit), wait=False).changed for service in services):
                first = services[0]
                status = http_status(first.url) if first.url and first.state == "started" else 0
                found[first.unit] = {"fingerprint": note["fingerprint"], "status": status}
    return found


def _to_json(service: Service) -> dict[str, Any]:
    files = [[file.path, file.reload, _digest(read_former(file.path))] for file in service.files]
    return {**service._asdict(), "files": files}


def _from_json(note: dict[str, Any]) -> Service:
    """Return the service with its files as they are; ServiceError if they are not what they were."""
    files = []
    for path, reload, digest in note["files"]:
        there = read_former(path)
        if _digest(there) != digest:
            raise ServiceError(f"{path} is not what it was")
        files.append(ServiceFile(path, there.content, there.link, there.mode, reload=reload))
    return Service(**{**note, "files": files, "ports": [Port(*port) for port in note["ports"]]})


def _digest(there: Former) -> str:
    """Return the SHA-256 of what is at a path, in hexadecimal."""
    head = json.dumps([there.content is not None, there.link, there.mode])
    return hashlib.sha256(head.encode() + (there.content or b"")).hexdigest()
