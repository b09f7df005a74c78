"""Thin shell around seedbed.catalogue: what is wrong with a catalogue."""

from __future__ import annotations

DOCUMENTATION = r"""
name: catalogue_faults
short_description: Faults of a catalogue, as sentences
description:
  - Checks every entry of C(catalogue_torrents), and all of them together, without asking a host.
positional: _input
options:
  _input:
    description: The catalogue.
    type: list
    elements: dict
    required: true
  seeders:
    description: The hosts of group C(seeders).
    type: list
    elements: str
    default: []
  trackers:
    description: The tracker tiers that entries without their own get.
    type: list
    elements: list
    default: []
  menu:
    description: What is ordered from the menu of ready entries.
    type: list
    elements: str
    default: []
  directory:
    description: Directory on the controller from which relative paths of C(torrent) begin.
    type: str
    default: "."
"""

EXAMPLES = r"""
- name: See that a size is no size
  ansible.builtin.debug:
    msg: "{{ [{'name': 'fruit', 'synthetic': {'size': '10 bananas'}}] | catalogue_faults }}"
"""

RETURN = r"""
_value:
  description: One sentence a fault; empty when nothing is wrong.
  type: list
  elements: str
  sample:
    - "catalogue_torrents[0] (fruit): synthetic: size: '10 bananas' is not a size: write bytes, or a number with B, kB,
      MB, GB, TB, KiB, MiB, GiB or TiB"
"""

import os
from typing import Any, Callable, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.catalogue import faults
from ansible.module_utils.seedbed.catalogue.menu import menu_faults
from ansible.module_utils.seedbed.torrent.torrent_files import torrent_reader
from ansible.module_utils.seedbed.torrent.trackers import tiers_faults


def catalogue_faults(
    entries: Any, *, seeders: Sequence[str] = (), trackers: Any = (), menu: Any = (), directory: str = "."
) -> list[str]:
    """One sentence for everything that is wrong."""
    if not isinstance(seeders, (list, tuple)):
        raise AnsibleFilterError(f"catalogue_faults: expected a list of seeders, got {type(seeders).__name__}")
    found = [f"catalogue_trackers {fault}" for fault in tiers_faults(list(trackers or []))]
    names = [one.get("name", "") for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    found += [
        f"catalogue_menu {fault}" for fault in menu_faults(list(menu) if isinstance(menu, tuple) else menu, names)
    ]
    return found + faults.catalogue_faults(entries, seeders=seeders, read=torrent_reader(directory))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"catalogue_faults": catalogue_faults}
