"""Thin shell around seedbed.catalogue: from what the seeders hold to what is published."""

from __future__ import annotations

DOCUMENTATION = r"""
name: catalogue_items
short_description: The items of a catalogue, ready to seed and to publish
description:
  - Joins the catalogue with what module M(catalogue_payload) returned on each seeder, makes the torrents, and tells in
    sentences what could not be done.
positional: _input
options:
  _input:
    description: The catalogue.
    type: list
    elements: dict
    required: true
  results:
    description: By seeder, the result of M(catalogue_payload) there.
    type: dict
    required: true
  seeders:
    description: The hosts of group C(seeders).
    type: list
    elements: str
    required: true
  trackers:
    description: The tracker tiers of entries without their own.
    type: list
    elements: list
    default: []
  portals:
    description: The hosts of group C(portals).
    type: list
    elements: str
    default: []
  webseed_urls:
    description: URLs of the directories in which the portals serve the payloads, with a slash at the end.
    type: list
    elements: str
    default: []
  directory:
    description: Directory on the controller from which relative paths of C(torrent) begin.
    type: str
    default: "."
"""

EXAMPLES = r"""
- name: Make the torrents
  ansible.builtin.set_fact:
    made: "{{ catalogue_torrents | catalogue_items(results, seeders=groups['seeders'], trackers=catalogue_trackers) }}"
  vars:
    results: {seeder1: "{{ hostvars['seeder1']['payload_result'] }}"}
"""

RETURN = r"""
_value:
  description:
    - The C(items) as JSON text, which Ansible hands on whole, where it would walk every value of a list at each use;
      P(ansible.builtin.from_json#filter) makes it one.
    - The C(failures) as sentences that begin with the host. C(notes) are sentences about entries that a seeder cannot
      hold for its version of Transmission, while others do and nobody asked for this one by name. C(gone) are the names
      of what is absent.
  type: dict
  sample:
    items: "[]"
    gone: []
    failures: ["seeder1: film.mkv: /srv/media/film.mkv does not exist"]
    notes: ["seeder2: hybrid-files: Transmission 3.00 cannot load hybrid torrents; a seeder with version 4 would do"]
"""

import json
import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.constants import ANSIBLE_HOME  # made from its configuration when imported
from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.catalogue import items as catalogue
from ansible.module_utils.seedbed.catalogue.payload_cache import Remembered
from ansible.module_utils.seedbed.torrent.torrent_files import torrent_reader


def catalogue_items(
    entries: Any,
    results: Mapping[str, Any],
    *,
    seeders: Sequence[str],
    trackers: Sequence[Sequence[str]] = (),
    portals: Sequence[str] = (),
    webseed_urls: Sequence[str] = (),
    directory: str = ".",
) -> dict[str, Any]:
    """Items and failures."""
    if not isinstance(entries, list) or not isinstance(results, Mapping):
        raise AnsibleFilterError(
            f"catalogue_items: expected entries and results, got {type(entries).__name__} and {type(results).__name__}"
        )
    try:
        made = catalogue.catalogue_items(
            entries,
            results,
            seeders=seeders,
            trackers=trackers,
            portals=portals,
            webseed_urls=webseed_urls,
            read=torrent_reader(directory),
            compute=Remembered(os.path.join(ANSIBLE_HOME, "seedbed")),
        )
    except SeedbedError as error:
        raise AnsibleFilterError(f"catalogue_items: {error}") from error
    return {**made, "items": json.dumps(made["items"], separators=(",", ":"))}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"catalogue_items": catalogue_items}
