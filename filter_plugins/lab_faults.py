"""Thin shell around seedbed.preflight: what is wrong with a host's variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_faults
short_description: Faults of a host's variables, as sentences
description:
  - Checks what the lab shares, the port budget, and what Ansible found wrong with the types of the roles' variables.
    Nothing but the inventory is needed, no host is asked.
positional: _input
options:
  _input:
    description: What the roles of the host listen on, each with C(variable), C(port), C(protocols) and C(unit).
    type: list
    elements: dict
    required: true
  port_range:
    description: The range in which every port must be, C(first) and C(last) included.
    type: dict
    required: true
  networks:
    description: The lab's networks.
    type: list
    elements: str
    required: true
  types:
    description: The results of C(validate_argument_spec) over the host's roles, each with C(role).
    type: list
    elements: dict
    default: []
  declared:
    description: Faults that the roles themselves have found.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: See that a port is outside the range
  ansible.builtin.debug:
    msg: "{{ [{'variable': 'opentracker_port', 'port': 9500, 'protocols': ['tcp'], 'unit': 'opentracker.service'}]
             | lab_faults(port_range={'first': 8000, 'last': 9000}, networks=['10.0.0.0/8']) }}"
"""

RETURN = r"""
_value:
  description: One sentence a fault; empty when nothing is wrong.
  type: list
  elements: str
  sample:
    - opentracker_port is 9500, outside lab_port_range 8000-9000; choose a free port inside the range
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed.preflight import argument_faults, network_faults, port_faults, range_faults


def lab_faults(
    listeners: Sequence[Mapping[str, Any]],
    *,
    port_range: Mapping[str, Any],
    networks: Sequence[str],
    types: Sequence[Mapping[str, Any]] = (),
    declared: Sequence[str] = (),
) -> list[str]:
    faults = argument_faults(types)
    faults += range_faults(port_range) or port_faults(listeners, port_range)
    return [*faults, *network_faults(networks), *declared]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"lab_faults": lab_faults}
