"""What the roles ask about ports, hosts and archives."""

from __future__ import annotations

import base64
import os
import re
import shutil
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ROOT = os.path.realpath(__file__).rsplit("/roles/", 1)[0]
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed import preflight
from ansible.module_utils.seedbed.base import services
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.lab_record import read_record
from ansible.module_utils.seedbed.host.program_archive import program_archive


def host_faults(
    listeners: Sequence[Mapping[str, Any]],
    *,
    sockets: Sequence[Mapping[str, Any]],
    address: str,
    groups: Sequence[str],
    distribution: str,
    version: str,
    user: int = 0,
    resolved: Sequence[str] | None = None,
    packages: Sequence[str] = (),
    foreign: Sequence[Mapping[str, Any]] = (),
    adopt: Sequence[str] = (),
) -> list[str]:
    """Return what only the host itself can show to be wrong.

    user: the number of the user that asked. resolved: what the host finds behind its address, should that be a name.
    """
    return [
        *preflight.address_faults(address, resolved),
        # Others' sockets have no names for those who are not root.
        *(preflight.user_faults(int(user)) or preflight.foreign_port_faults(listeners, sockets)),
        *preflight.topology_faults(groups, distribution, version),
        *preflight.release_faults(listeners, distribution, version),
        *preflight.package_faults(groups, packages, distribution, version),
        *preflight.foreign_faults(foreign, adopt),
    ]


def archive_faults(archive: str, *, sha256: str, variable: str, found: Any = "") -> list[str]:
    """Return why an archive cannot be had; the variable of its SHA-256 ends in sha256 instead of archive."""
    return preflight.archive_faults(
        archive,
        sha256,
        variable=variable,
        pin=re.sub("archive$", "sha256", variable),
        found=str(found or ""),
        npm=shutil.which("npm") is not None,
    )


def endpoint(host: Mapping[str, Any], name: str, port: str = "port") -> str:
    """Return address and port of a host's service as they stand in a URL."""
    try:
        return services.endpoint(host, name, port)
    except SeedbedError as error:
        raise AnsibleFilterError(str(error)) from error


def host_program(name: str) -> str:
    """Return a program of ``module_utils/seedbed/programs`` as one file for a host's Python, in base64."""
    try:
        return base64.b64encode(program_archive(os.path.join(ROOT, "module_utils", "seedbed"), name)).decode()
    except SeedbedError as error:
        raise AnsibleFilterError(str(error)) from error


def without_absent(pattern: str, absent: Any) -> str:
    """Return a pattern of hosts without those in ``lab_absent``."""
    return ":".join([pattern, *(f"!{host}" for host in preflight.absent_hosts(absent))])


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "absent_hosts": preflight.absent_hosts,
            "archive_faults": archive_faults,
            "budget_faults": preflight.budget_faults,
            "endpoint": endpoint,
            "host_faults": host_faults,
            "host_ip": services.host_ip,
            "host_program": host_program,
            "lab_record": read_record,
            "own_ip": services.own_ip,
            "password_faults": preflight.password_faults,
            "without_absent": without_absent,
        }
