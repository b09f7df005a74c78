"""Thin shell around seedbed.opentracker: what is wrong with the role's variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: opentracker_faults
short_description: Faults of the variables of role opentracker, as sentences
description:
  - Finds features that crash opentracker, configuration that it would skip in silence, and pins that are none.
    Nothing but the inventory and, with O(_input.source=controller), the archives on the controller are looked at.
positional: _input
options:
  _input:
    description: The role's variables, their names without C(opentracker_).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ __opentracker_settings | opentracker_faults }}"
"""

RETURN = r"""
_value:
  description: One sentence a fault; empty when nothing is wrong.
  type: list
  elements: str
  sample:
    - "opentracker_features has WANT_SYNC_LIVE, which is refused: it hands out garbage peers for IPv4, and a burst of
      IPv6 peers crashes it; leave it out"
"""

import os
from typing import Any, Callable, Mapping

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.host.opentracker import faults


def opentracker_faults(settings: Mapping[str, Any]) -> list[str]:
    if not isinstance(settings, Mapping):
        raise AnsibleFilterError(f"opentracker_faults: expected a dictionary, got {type(settings).__name__}")
    return faults(settings)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"opentracker_faults": opentracker_faults}
