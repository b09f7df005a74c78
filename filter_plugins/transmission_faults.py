"""Thin shell around seedbed.transmission_keys: what is wrong with a host's Transmission variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: transmission_faults
short_description: What is wrong with Transmission settings, a sentence each
description:
  - Checks type and range of every key, since the daemon checks none (a port of 70000 becomes 4464).
positional: _input
options:
  _input:
    description: Settings of one's own, in kebab-case or snake_case.
    type: dict
    required: true
  variables:
    description: Variables that have keys of the settings file to themselves, and the values that they give these keys.
    type: dict
    default: {}
  password:
    description: The RPC password; only whether it is there is looked at.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: See the faults of some settings
  ansible.builtin.debug:
    msg: "{{ {'cache-size-mb': -1} | transmission_faults(variables={'my_port': {'rpc-port': 70000}}, password='x') }}"
"""

RETURN = r"""
_value:
  description: The faults; empty when nothing is wrong.
  type: list
  elements: str
  sample:
    - my_port is 70000, expected a port from 1 to 65535
    - transmission_settings.cache-size-mb is -1, expected MiB from 0 to 4096
"""

import os
from typing import Any, Callable, Mapping

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.transmission.keys import faults


def transmission_faults(
    own: Mapping[str, Any],
    *,
    variables: Mapping[str, Mapping[str, Any]] | None = None,
    password: str = "",
) -> list[str]:
    """The faults of the settings, and of a password that is missing."""
    if not isinstance(own, Mapping) or not isinstance(variables or {}, Mapping):
        raise AnsibleFilterError(f"transmission_faults: expected dicts, got {type(own).__name__}")
    missing = []
    if not isinstance(password, str) or not password:
        missing.append("transmission_rpc_password is missing; set it to a text of your choice, best in a vault")
    return missing + faults(own, variables or {})


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"transmission_faults": transmission_faults}
