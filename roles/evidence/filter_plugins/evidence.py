"""What role evidence decides: what may be recorded, which ports, which names, and what must not be told."""

from __future__ import annotations

import os
import re
import time
from typing import Any, Callable, Iterable, Mapping, Sequence

import ansible.module_utils

ROOT = os.path.realpath(__file__).rsplit("/roles/", 1)[0]
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

from ansible.errors import AnsibleError
from ansible.module_utils.seedbed.base.services import host_ip, scripted_addresses

Variables = Mapping[str, Any]
"""The variables of a host."""
SCRIPTED_PORTS = 9
LONGEST_STEM = 80


def evidence_faults(torrent: Any, *, seconds: Any, mebibytes: Any) -> list[str]:
    """Return what is wrong with the variables, a sentence each."""
    faults = []
    if not isinstance(torrent, str) or "," in torrent:
        faults.append(f"torrent is {torrent!r}; expected the name of one item, or none for all that the lab does")
    for name, value, first, last in (("seconds", seconds, 5, 600), ("evidence_mebibytes", mebibytes, 1, 256)):
        if not re.fullmatch(r"\d{1,9}", str(value)) or not first <= int(value) <= last:
            faults.append(f"{name} is {value!r}; expected a number from {first} to {last}")
    return faults


def evidence_ports(hosts: Iterable[Variables]) -> dict[str, list[int]]:
    """Return the ports of trackers and of peers in the whole lab."""
    trackers, peers = set(), set()
    for services in (host.get("lab_services") or {} for host in hosts):
        if "tracker" in services:
            trackers.add(int(services["tracker"]["port"]))
        peers |= {int(services[name]["peer_port"]) for name in ("seeder", "leecher") if name in services}
        if "scripted_peer" in services:
            first = int(services["scripted_peer"]["port"])
            peers |= set(range(first, first + SCRIPTED_PORTS))
    return {"tracker": sorted(trackers), "peer": sorted(peers - trackers)}


def evidence_names(hosts: Iterable[Variables]) -> dict[str, str]:
    """Return the hosts by their addresses."""
    names: dict[str, str] = {}
    for host in hosts:
        found = [host_ip(host)]
        if "scripted_peer" in (host.get("lab_services") or {}):
            found += scripted_addresses(host)
        for address in filter(None, found):
            names.setdefault(address, str(host["inventory_hostname"]))
    return names


def evidence_secrets(hosts: Iterable[Variables]) -> list[str]:
    """Return the values of all variables whose name says that they are secret."""
    found: set[str] = set()
    for host in hosts:
        for name in [name for name in host if str(name).endswith(("_password", "_secret", "_token"))]:
            try:
                value = host[name]
            except (AnsibleError, KeyError):  # one that needs another variable, which this run does not have
                continue
            if isinstance(value, str):
                found.add(value)
    return sorted(found)


def evidence_stem(torrent: str, *, began: float) -> str:
    """Return the name of the archive, without what not every file system takes."""
    name = re.sub(r"[^\w.-]+", "_", torrent or "lab").lstrip(".")[:LONGEST_STEM] or "item"
    return f"{name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(began))}"


def evidence_lines(made: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
    """Return what people read at the end."""
    silent: Sequence[str] = made.get("silent", [])
    missing = [{"text": f"{name} told nothing", "severity": "warning"} for name in silent]
    return [{"text": f"Evidence  {made['page']}"}, {"text": f"          {made['archive']}"}, *missing]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "evidence_faults": evidence_faults,
            "evidence_lines": evidence_lines,
            "evidence_names": evidence_names,
            "evidence_ports": evidence_ports,
            "evidence_secrets": evidence_secrets,
            "evidence_stem": evidence_stem,
        }
