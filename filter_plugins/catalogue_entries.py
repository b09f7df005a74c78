"""Thin shell around seedbed.catalogue: what one host holds of a catalogue."""

from __future__ import annotations

DOCUMENTATION = r"""
name: catalogue_entries
short_description: What one seeder holds of a catalogue
description:
  - The entries of a valid catalogue that a host seeds, sizes as numbers, as module M(catalogue_payload) wants them.
positional: _input
options:
  _input:
    description: The catalogue; P(catalogue_faults#filter) finds nothing wrong with it.
    type: list
    elements: dict
    required: true
  host:
    description: The host.
    type: str
    required: true
  seeders:
    description: The hosts of group C(seeders). The first that holds a recipe hashes it for all.
    type: list
    elements: str
    required: true
  portals:
    description: The hosts of group C(portals), which hold what they are web seeds of.
    type: list
    elements: str
    default: []
  directory:
    description: Directory on the controller from which relative paths of C(torrent) begin.
    type: str
    default: "."
"""

EXAMPLES = r"""
- name: Show what seeder1 holds
  ansible.builtin.debug:
    msg: "{{ [{'name': 'one', 'synthetic': {'size': '64MiB'}}] | catalogue_entries('seeder1', seeders=['seeder1']) }}"
"""

RETURN = r"""
_value:
  description: The parameter C(entries) of module M(catalogue_payload).
  type: list
  elements: dict
  sample:
    - name: one
      kind: synthetic
      state: present
      piece_length: 0
      hybrid: false
      hash: true
      recipe: {seed: one, size: 67108864}
      available: null
      fetch_rest: false
"""

import os
from typing import Any, Callable, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.catalogue import specs
from ansible.module_utils.seedbed.torrent.torrent_files import torrent_reader


def catalogue_entries(
    entries: Any, host: str, *, seeders: Sequence[str], portals: Sequence[str] = (), directory: str = "."
) -> list[dict[str, Any]]:
    """What one seeder holds."""
    if not isinstance(entries, list):
        raise AnsibleFilterError(f"catalogue_entries: expected a list of entries, got {type(entries).__name__}")
    try:
        return specs.host_entries(entries, host, seeders=seeders, portals=portals, read=torrent_reader(directory))
    except SeedbedError as error:
        raise AnsibleFilterError(f"catalogue_entries: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"catalogue_entries": catalogue_entries}
