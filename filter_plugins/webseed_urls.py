"""Thin shell around seedbed.catalogue: where the portals serve the payloads."""

from __future__ import annotations

DOCUMENTATION = r"""
name: webseed_urls
short_description: URLs below which the portals serve the payloads
description:
  - One a portal, at the address by which the other hosts reach it.
positional: _input
options:
  _input:
    description: The variables of the portals, such as C(groups['portals'] | map('extract', hostvars)).
    type: list
    elements: dict
    required: true
  port:
    description: The port of portals that have no C(portal_port).
    type: int
    default: 8000
"""

EXAMPLES = r"""
- name: Show where the payloads are served
  ansible.builtin.debug:
    msg: "{{ [{'lab_address': '192.0.2.30'}] | webseed_urls }}"
"""

RETURN = r"""
_value:
  description: The URLs, with a slash at the end.
  type: list
  elements: str
  sample: [http://192.0.2.30:8000/payload/]
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


def webseed_urls(hosts: Sequence[Mapping[str, Any]], *, port: int = 8000) -> list[str]:
    """One a portal."""
    try:
        return [addresses.webseed_base(host, port) for host in hosts]
    except SeedbedError as error:
        raise AnsibleFilterError(f"webseed_urls: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"webseed_urls": webseed_urls}
