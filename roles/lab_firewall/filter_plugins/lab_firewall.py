"""What role lab_firewall decides of a host's own firewalls, and of what comes through them."""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping, Sequence, cast

import ansible.module_utils

ROOT = os.path.realpath(__file__).rsplit("/roles/", 1)[0]
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

from ansible.module_utils.seedbed.host import firewall_faults, nft_table, opening, port_proof
from ansible.module_utils.seedbed.host.port_proof import Closed, Member, Seen
from ansible.module_utils.seedbed.torrent.model import Knock, KnockAnswer, LoadedTable

Hosts = Sequence[Mapping[str, Any]]
"""The variables of hosts."""


def table_in_force(found: Mapping[str, Any], *, table: str, rules: str, unit_text: str) -> bool:
    """Return whether module host_info has found a table in force that is the wanted one, down to the last word."""
    return bool(found) and nft_table.is_in_force(cast(LoadedTable, found), table, rules, unit_text)


def knock_members(hosts: Hosts) -> dict[str, dict[str, Any]]:
    """Return who takes part: each host that was reached, and whose address is known."""
    return {
        str(host["inventory_hostname"]): {"address": str(host["lab_address"]), "listeners": _listeners(host)}
        for host in hosts
        if host.get("lab_address") and not host.get("__doctor_facts", {}).get("unreachable")
    }


def _listeners(host: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return opening.reachable(host.get("lab_listeners") or host.get("lab_firewall_listeners") or [])


def _members(members: Mapping[str, Mapping[str, Any]]) -> port_proof.Members:
    return {name: Member(member["address"], member["listeners"]) for name, member in members.items()}


def knock_doors(members: Mapping[str, Any], *, prober: str, networks: Sequence[str]) -> list[Knock]:
    """Return where a host has to knock."""
    return port_proof.doors(_members(members), prober, networks)


def knock_unprobed(members: Mapping[str, Any], *, networks: Sequence[str]) -> list[str]:
    """Return the hosts at which no other one can knock."""
    known = _members(members)
    return [name for name in sorted(known) if known[name].listeners and not port_proof.prober_of(name, known, networks)]


def unprobed_lines(hosts: Sequence[str]) -> list[dict[str, str]]:
    """Return for people that ports were not probed."""
    text = f"note  {', '.join(hosts)}: not probed from outside, as no other host of the lab is there to knock"
    return [{"severity": "warning", "text": text}]


def _seen(hosts: Hosts) -> dict[str, Seen]:
    found = {}
    for host in hosts:
        knocks, again, traced = (host.get(f"__lab_firewall_{name}") or {} for name in ("knocks", "again", "traced"))
        found[str(host["inventory_hostname"])] = Seen(
            knocks.get("answers", []), knocks.get("sockets", []), again.get("answers", []), traced.get("traced")
        )
    return found


def knock_suspects(hosts: Hosts) -> list[KnockAnswer]:
    """Return the answers that a firewall may have given."""
    return port_proof.suspects(_seen(hosts))


def closed_ports(hosts: Hosts) -> list[Closed]:
    """Return what keeps others out of ports."""
    return port_proof.closed_ports(_seen(hosts))


def closed_lines(closed: Sequence[Closed]) -> list[dict[str, str]]:
    """Return that for people, under the doctor's table."""
    return [{"severity": "warning", "text": f"WARN  {port['text']}"} for port in closed]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "chosen_backend": firewall_faults.chosen_backend,
            "closed_lines": closed_lines,
            "closed_ports": closed_ports,
            "firewall_faults": firewall_faults.firewall_faults,
            "firewall_notes": firewall_faults.firewall_notes,
            "knock_doors": knock_doors,
            "knock_members": knock_members,
            "knock_suspects": knock_suspects,
            "knock_unprobed": knock_unprobed,
            "open_listeners": opening.reachable,
            "table_in_force": table_in_force,
            "unprobed_lines": unprobed_lines,
        }
