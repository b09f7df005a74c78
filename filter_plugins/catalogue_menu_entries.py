"""Thin shell around seedbed.menu: ready entries for a catalogue."""

from __future__ import annotations

DOCUMENTATION = r"""
name: catalogue_menu_entries
short_description: Ready catalogue entries, by name
description:
  - Each was made for one thing that clients get wrong, which its comment tells. V(all) stands for every one that is not
    too large for a laptop.
positional: _input
options:
  _input:
    description: The names.
    type: list
    elements: str
    required: true
  beside:
    description: Entries to which those of the menu are added.
    type: list
    elements: dict
    default: []
  trackers:
    description: The lab's tracker tiers, for entries that mix them with dead ones.
    type: list
    elements: list
    default: []
"""

EXAMPLES = r"""
- name: Show an entry of the menu
  ansible.builtin.debug:
    msg: "{{ ['one-piece-plus-one'] | catalogue_menu_entries }}"
"""

RETURN = r"""
_value:
  description: Entries for C(catalogue_torrents).
  type: list
  elements: dict
  sample:
    - name: one-piece-plus-one
      comment: a last piece of one byte
      synthetic: {size: 256KiB+1}
      piece_length: 256KiB
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.catalogue import menu


def catalogue_menu_entries(
    wanted: Any, *, beside: Sequence[Mapping[str, Any]] = (), trackers: Sequence[Sequence[str]] = ()
) -> list[Mapping[str, Any]]:
    """Entries of the menu."""
    faults = menu.menu_faults(wanted)
    if faults:
        raise AnsibleFilterError(f"catalogue_menu_entries: the order {faults[0]}")
    return [*beside, *menu.menu_entries(wanted, trackers=trackers)]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"catalogue_menu_entries": catalogue_menu_entries}
