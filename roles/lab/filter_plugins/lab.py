"""What the roles ask about ports, hosts and archives."""

from __future__ import annotations

import base64
import datetime
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
from ansible.module_utils.seedbed.base.systems import DEBIAN, enforces_selinux, system_of
from ansible.module_utils.seedbed.host.program_archive import program_archive
from cryptography import x509
from cryptography.hazmat.primitives import serialization


def host_faults(
    listeners: Sequence[Mapping[str, Any]],
    *,
    facts: Mapping[str, Any],
    sockets: Sequence[Mapping[str, Any]],
    address: str,
    groups: Sequence[str],
    roles: Sequence[str] = (),
    resolved: Sequence[str] | None = None,
    packages: Sequence[str] = (),
    foreign: Sequence[Mapping[str, Any]] = (),
    adopt: Sequence[str] = (),
    networks: Sequence[str] = ("0.0.0.0/0", "::/0"),
) -> list[str]:
    """Return what only the host itself can show to be wrong.

    roles: those that the host takes. resolved: what the host finds behind its address, should that be a name.
    """
    unknown = preflight.system_faults(facts)
    if unknown:
        return unknown
    found = system_of(facts)
    wanted = [package for role in roles for package in found.names.packages.get(role, [])]
    return [
        *(preflight.address_faults(address, resolved) or preflight.admission_faults(address, resolved or [], networks)),
        # Others' sockets have no names for those who are not root.
        *(
            preflight.user_faults(int(facts.get("effective_user_id") or 0))
            or preflight.foreign_port_faults(listeners, sockets)
        ),
        *preflight.topology_faults(groups, found),
        *preflight.package_faults(groups, packages, wanted, found),
        *preflight.foreign_faults(foreign, adopt),
    ]


def system(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a host's system calls things and has: the names of its family, and its release."""
    try:
        found = system_of(facts)
    except SeedbedError as error:
        raise AnsibleFilterError(str(error)) from error
    return {
        "called": found.name,
        **found.names._asdict(),
        **found.release._asdict(),
        "clients": found.client_packages(),
        "source_suites": found.distribution.source_suites,
    }


def _asked_of_known(fault: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Return a question about a host's system as a filter of its facts; one that nobody knows is role lab's affair."""

    def asked(facts: Mapping[str, Any], **more: Any) -> list[str]:
        return [] if preflight.system_faults(facts) else fault(system=system_of(facts), **more)

    return asked


def debian_packages(roles: Sequence[str]) -> list[str]:
    """Return the packages that roles take on Debian."""
    return sorted({package for role in roles for package in DEBIAN.packages.get(role, [])})


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


def tls_names(host: Mapping[str, Any], more: Sequence[str]) -> list[str]:
    """Return what a host's certificate has to be for, from its variables: all that the lab calls it."""
    facts = host.get("ansible_facts") or {}
    routed = [(facts.get(family) or {}).get("address") for family in ("default_ipv4", "default_ipv6")]
    found = [host.get("lab_address"), host.get("lab_ip"), host["inventory_hostname"], *routed, *more]
    return list(dict.fromkeys(str(name) for name in found if name and str(name).isascii()))


def tls_faults(files: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the files of an operator's certificate, by the variables that name them."""
    named = {variable: path for variable, path in files.items() if path}
    if not named:
        return []
    missing = [
        f"{name} is {path}, which is no file on the controller"
        for name, path in named.items()
        if not os.path.isfile(path)
    ]
    lacking = [name for name in ("lab_tls_certificate", "lab_tls_key") if name not in named]
    if missing or lacking:
        return missing + [f"{name} is empty, but {' and '.join(named)} is set; give the file" for name in lacking]
    return _unfit_certificate(files["lab_tls_certificate"], files["lab_tls_key"])


def _unfit_certificate(certificate: str, key: str) -> list[str]:
    """Return why a certificate and its key are not to be had together."""
    try:
        with open(certificate, "rb") as file:
            signed = x509.load_pem_x509_certificate(file.read())
        if signed.not_valid_after_utc < datetime.datetime.now(datetime.timezone.utc):
            return [
                f"lab_tls_certificate is {certificate}, which ended on {signed.not_valid_after_utc:%Y-%m-%d}; renew it"
            ]
        with open(key, "rb") as file:
            content = file.read()
        if content.startswith(b"$ANSIBLE_VAULT"):
            # Its passwords are the run's, and module service_unit's task has them.
            return []
        fits = serialization.load_pem_private_key(content, password=None).public_key() == signed.public_key()
    except (ValueError, TypeError) as error:
        return [f"lab_tls_certificate ({certificate}) or lab_tls_key ({key}) cannot be read as PEM: {error}"]
    return [] if fits else [f"lab_tls_key is {key}, which is not the key of lab_tls_certificate ({certificate})"]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "absent_hosts": preflight.absent_hosts,
            "archive_faults": archive_faults,
            "budget_faults": preflight.budget_faults,
            "debian_packages": debian_packages,
            "endpoint": endpoint,
            "enforces_selinux": enforces_selinux,
            "host_faults": host_faults,
            "host_ip": services.host_ip,
            "host_program": host_program,
            "in_url": services.bracketed,
            "lab_record": read_record,
            "node_faults": _asked_of_known(preflight.node_faults),
            "own_ip": services.own_ip,
            "password_faults": preflight.password_faults,
            "source_faults": _asked_of_known(preflight.source_faults),
            "system": system,
            "system_notes": lambda facts: [] if preflight.system_faults(facts) else preflight.system_notes(facts),
            "tls_faults": tls_faults,
            "tls_names": tls_names,
            "without_absent": without_absent,
        }
