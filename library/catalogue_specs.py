"""Ansible module: what follows from the catalogue's variables. It runs on the controller alone, as action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: catalogue_specs
short_description: Find out what each host has to hold of the catalogue
description:
  - Reads every C(.torrent) file once, and refuses a catalogue with faults, all of them in one message.
  - Runs on the controller, once a play, and changes nothing. The addresses of trackers are read from their variables.
options:
  variables:
    description: The variables of role catalogue, by name.
    type: dict
    required: true
  seeders:
    description: The hosts of group C(seeders).
    type: list
    elements: str
    required: true
  portals:
    description: The hosts of group C(portals).
    type: list
    elements: str
    required: true
  trackers:
    description: The hosts of group C(trackers), for the tiers of entries without their own.
    type: list
    elements: str
    required: true
  scripted_peers:
    description: The hosts of group C(scripted_peers), which play scripts.
    type: list
    elements: str
    default: []
  absent:
    description: The hosts that are left out on purpose. With trackers among them, one that answers is enough.
    type: list
    elements: str
    default: []
  reachable:
    description: The hosts that can be asked.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    support: full
    description: It changes nothing, so it does the same in check mode.
seealso:
  - module: catalogue_payload
  - module: catalogue_items
"""

EXAMPLES = r"""
- name: Find out what each host has to hold
  catalogue_specs:
    variables:
      catalogue_menu: [one-byte]
    seeders: "{{ groups['seeders'] }}"
    portals: "{{ groups['portals'] }}"
    trackers: "{{ groups['trackers'] }}"
    reachable: "{{ ansible_play_hosts }}"
  run_once: true
  register: resolved
"""

RETURN = r"""
specs_json:
  description: By host that has to be asked, the parameter C(entries) of module M(catalogue_payload) as JSON text.
  returned: success
  type: dict
  sample: {seeder1: '[{"kind":"synthetic","name":"one-byte","recipe":{"seed":"one-byte","size":1}}]'}
webseeds:
  description: Whether the portals serve content.
  returned: success
  type: bool
resolved_json:
  description: The entries with all that follows from them, for module M(catalogue_items), as JSON text.
  returned: success
  type: str
  sample: "[]"
"""
