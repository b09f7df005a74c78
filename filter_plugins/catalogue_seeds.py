"""Thin shell around seedbed.catalogue: what one host seeds."""

from __future__ import annotations

DOCUMENTATION = r"""
name: catalogue_seeds
short_description: What one seeder seeds
description:
  - The items that a host seeds, as module M(transmission_torrents) wants them.
positional: _input
options:
  _input:
    description: The items, from P(catalogue_items#filter).
    type: raw
    required: true
  host:
    description: The host.
    type: str
    required: true
  gone:
    description: Names of what it gives up, as P(catalogue_items#filter) returns them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show what seeder1 seeds
  ansible.builtin.debug:
    msg: "{{ catalogue_items | catalogue_seeds('seeder1') }}"
"""

RETURN = r"""
_value:
  description: The parameter C(torrents) of module M(transmission_torrents).
  type: list
  elements: dict
  sample: []
"""

import os
from typing import Any, Callable, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.catalogue import items as catalogue
from ansible.module_utils.seedbed.catalogue import publication


def catalogue_seeds(items: Any, host: str, *, gone: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What one seeder seeds."""
    try:
        return publication.host_torrents(catalogue.handed_on(items), host, gone)
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"catalogue_seeds: expected what catalogue_items returned ({error})") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"catalogue_seeds": catalogue_seeds}
