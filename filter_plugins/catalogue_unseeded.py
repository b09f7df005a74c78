"""Thin shell around seedbed.catalogue: what does not seed as wanted."""

from __future__ import annotations

DOCUMENTATION = r"""
name: catalogue_unseeded
short_description: Sentences about what does not seed as wanted
description:
  - Torrents of one seeder with the same fault share a sentence.
positional: _input
options:
  _input:
    description: By seeder, the result of module M(transmission_torrents) there.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse to go on while something does not seed
  ansible.builtin.assert:
    that: faults | length == 0
    fail_msg: "{{ faults }}"
  vars:
    faults: "{{ {'seeder1': seeded} | catalogue_unseeded }}"
"""

RETURN = r"""
_value:
  description: Sentences that begin with the seeder and the names of its torrents.
  type: list
  elements: str
  sample: ["seeder1: a.bin and b.bin: waited for http://192.0.2.10:8888/announce: Could not connect to tracker"]
"""

import os
from typing import Any, Callable, Mapping

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.catalogue import publication


def catalogue_unseeded(results: Any) -> list[str]:
    """A sentence for each seeder and fault."""
    if not isinstance(results, Mapping):
        raise AnsibleFilterError(f"catalogue_unseeded: expected results by seeder, got {type(results).__name__}")
    return publication.unseeded(results)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"catalogue_unseeded": catalogue_unseeded}
