"""Which services are still what a run has made of them: written down on the host, and looked at anew by the next run.

To compare a service with what it shall be takes a call of its own, with all its files in it. So the module that did it
leaves a fingerprint of what it was asked for, and digests of the files that follow from it; whether they, the unit and
the running process are still right is seen beside everything else that a run asks a host first. The notes end with the
next boot, and where there is none, the module is called as ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import Any, Iterable, Mapping, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.files import make_directory, read_file, remove_files, write_atomically
from ansible.module_utils.seedbed.base.ownership import claim
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.host.host_addresses import devices
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
def remember(
    fingerprint: str,
    services: Sequence[Service],
    result: Mapping[str, Any],
    addresses: Sequence[str] = (),
    directory: str = DIRECTORY,
) -> None:
    """Write down what was asked for and is in force; the first of the services gives the note its name.

    result: what the module returns where nothing differs; addresses: those of the host that belong to it. Where nothing
    shall be left of the services, there is nothing to remember either.
    """
    path = os.path.join(directory, f"{services[0].unit}.json")
    if not any(file.content is not None or file.link for service in services for file in service.files):
        remove_files([path])
        return
    note = {
        "fingerprint": fingerprint,
        "services": [_to_json(service) for service in services],
        "result": result,
        "addresses": _devices_of(addresses),
    }
    data = json.dumps(note, sort_keys=True).encode()
    if read_file(path) != data:
        claim(services[0].role, {"files": [path]})
        make_directory(directory)
        write_atomically(path, data, mode=0o600)


def services_in_force(directory: str = DIRECTORY) -> dict[str, ServiceInForce]:
    """Return by unit what is as it was remembered: files, unit, process, ports, addresses, and what it answers."""
    found: dict[str, ServiceInForce] = {}
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        # What is wrong with it, or with the note, the module finds out, which then looks itself.
        with contextlib.suppress(SeedbedError, OSError, ValueError, LookupError, TypeError, AttributeError):
            note = json.loads(read_file(os.path.join(directory, name)) or b"{}")
            first, result = _in_force(note), note["result"]
            if first.url and "status" in result:
                result["status"] = http_status(first.url)
            found[first.unit] = {"fingerprint": note["fingerprint"], "result": result}
    return found


def _in_force(note: Mapping[str, Any]) -> Service:
    """Return the first of the services that were remembered; ServiceError if one of them is not as it was."""
    services = [_from_json(each) for each in note["services"]]
    for service in services:
        if plan_service(service, Unit(service.unit), wait=False).changed:
            raise ServiceError(f"{service.unit} is not what it was")
    if _devices_of(note["addresses"]) != note["addresses"]:
        raise ServiceError("an address is not where it was")
    return services[0]


def _devices_of(addresses: Iterable[str]) -> dict[str, str]:
    """Return the device of each address that the host has."""
    have = devices() if addresses else {}
    return {address: have.get(address, "") for address in addresses}


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
