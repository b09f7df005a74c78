"""Thin shell around seedbed.catalogue: the announce URLs of the lab."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tracker_tiers
short_description: Tiers of announce URLs, one a tracker host
description:
  - Each tracker becomes a tier of its HTTP and its UDP URL, at the address by which the other hosts reach it.
positional: _input
options:
  _input:
    description: The variables of the tracker hosts, such as C(groups['trackers'] | map('extract', hostvars)).
    type: list
    elements: dict
    required: true
  port:
    description: The port of trackers that have no C(opentracker_port).
    type: int
    default: 8888
"""

EXAMPLES = r"""
- name: Show the tiers
  ansible.builtin.debug:
    msg: "{{ [{'lab_address': '192.0.2.10'}, {'lab_address': '2001:db8::10'}] | tracker_tiers }}"
"""

RETURN = r"""
_value:
  description: The tiers.
  type: list
  elements: list
  sample:
    - [http://192.0.2.10:8888/announce, udp://192.0.2.10:8888/announce]
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.catalogue import addresses


def tracker_tiers(hosts: Sequence[Mapping[str, Any]], *, port: int = 8888) -> list[list[str]]:
    """One tier a tracker host."""
    try:
        return [addresses.tracker_tier(host, port) for host in hosts]
    except SeedbedError as error:
        raise AnsibleFilterError(f"tracker_tiers: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"tracker_tiers": tracker_tiers}
