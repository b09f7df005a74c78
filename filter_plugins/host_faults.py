"""Thin shell around seedbed.preflight: what only the host itself can tell."""

from __future__ import annotations

DOCUMENTATION = r"""
name: host_faults
short_description: Faults that show only on the host, as sentences
description:
  - Compares what a host's roles want to listen on with what listens there now, and checks the address by which the
    other hosts reach it, the groups that it serves together, and whether its release is new enough.
positional: _input
options:
  _input:
    description:
      - What the roles of the host listen on, each with C(variable), C(port), C(protocols) and C(unit), and C(releases)
        where only newer releases of a distribution have what it needs.
    type: list
    elements: dict
    required: true
  sockets:
    description: What listens on the host now, as M(listener_info) returns it.
    type: list
    elements: dict
    required: true
  address:
    description: The host's C(lab_address).
    type: str
    required: true
  groups:
    description: The groups of the host.
    type: list
    elements: str
    required: true
  distribution:
    description: The host's distribution, such as C(Debian).
    type: str
    required: true
  version:
    description: The distribution's major version.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: See that a port is taken
  ansible.builtin.debug:
    msg: "{{ [{'variable': 'portal_port', 'port': 8000, 'protocols': ['tcp'], 'unit': 'nginx.service'}]
             | host_faults(sockets=[{'protocol': 'tcp', 'port': 8000, 'process': 'caddy', 'unit': 'caddy.service'}],
                           address='192.0.2.1', groups=['portals'], distribution='Debian', version='12') }}"
"""

RETURN = r"""
_value:
  description: One sentence a fault; empty when nothing is wrong.
  type: list
  elements: str
  sample:
    - portal_port is 8000, but tcp port 8000 is held by caddy (caddy.service); stop that or choose another port
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed.preflight import address_faults, foreign_port_faults, release_faults, topology_faults


def host_faults(
    listeners: Sequence[Mapping[str, Any]],
    *,
    sockets: Sequence[Mapping[str, Any]],
    address: str,
    groups: Sequence[str],
    distribution: str,
    version: str,
) -> list[str]:
    return [
        *address_faults(address),
        *foreign_port_faults(listeners, sockets),
        *topology_faults(groups, distribution, version),
        *release_faults(listeners, distribution, version),
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_faults": host_faults}
