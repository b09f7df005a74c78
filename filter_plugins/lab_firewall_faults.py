# Copyright: Seedbed contributors
# MIT License (see LICENSE)
"""Filter that finds networks which mean something else than they say."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_firewall_faults
short_description: Say what is wrong with the networks and listeners of the lab's firewall
description:
  - A network with host bits, such as C(10.0.0.1/8), is refused, because the firewall would open far more than its
    author may think.
options:
  _input:
    description: The networks that may reach the lab, in CIDR form.
    type: list
    elements: str
    required: true
  listeners:
    description: What the host declares to listen on.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Refuse networks with host bits
  ansible.builtin.assert:
    that: lab_networks | lab_firewall_faults | length == 0
"""

RETURN = r"""
_value:
  description: One sentence a fault; empty when all is well.
  type: list
  elements: str
  sample: ["lab_networks: 10.0.0.1/8 has host bits set; write 10.0.0.0/8"]
"""

import ipaddress
from typing import Any, Callable, Sequence


def network_fault(network: object) -> str | None:
    """Return what is wrong with one network, or nothing."""
    if not isinstance(network, str) or "/" not in network:
        return f"lab_networks: {network!r} is not a network; write ADDRESS/BITS, for example 192.168.0.0/16"
    try:
        loose = ipaddress.ip_network(network, strict=False)
    except ValueError as error:
        return f"lab_networks: {error}; write ADDRESS/BITS, for example 192.168.0.0/16 or fd00::/8"
    if str(loose.network_address) != str(ipaddress.ip_interface(network).ip):
        return f"lab_networks: {network} has host bits set; write {loose}"
    return None


def lab_firewall_faults(networks: Sequence[object], listeners: Sequence[dict[str, Any]] = ()) -> list[str]:
    """Say what is wrong with the networks, one sentence a fault."""
    faults = [fault for fault in map(network_fault, networks) if fault]
    if listeners and not networks:
        faults.append("lab_networks: is empty, so nobody could reach the lab; name at least one network")
    return faults


class FilterModule:
    """Tell Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Return the filters of this file."""
        return {"lab_firewall_faults": lab_firewall_faults}
