"""Judge swarms by what was seen of them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: swarm_verdict
short_description: Judge swarms by what was seen of them
description:
  - Turns the results of tracker_info, peer_info and seeder_info into one verdict an item, with cause and remedy.
positional: _input
options:
  _input:
    description: Items as in catalogue.json, with name, info_hash, private, trackers, swarm, size and webseeds.
    type: list
    elements: dict
    required: true
  view:
    description: From where it was seen, with from, address, trackers and peers.
    type: dict
    required: true
  seeders:
    description: The seeders by name, each with address, peer_port and info (null when its host cannot be reached).
    type: dict
    default: {}
  trackers:
    description: The trackers by name, each with address, port and active (null when its host cannot be reached),
      and interval where one has clients announce at a pace of its own, in seconds.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Judge the catalogue as a leecher sees it
  ansible.builtin.debug:
    msg: "{{ catalogue | swarm_verdict(view=seen) }}"
  vars:
    seen:
      from: leecher1
      address: 192.0.2.30
      trackers: "{{ answers.results }}"
      peers: "{{ peers.results }}"
"""

RETURN = r"""
_value:
  description: One verdict an item.
  type: list
  elements: dict
  sample:
    - item: hello.bin
      info_hash: 0123456789abcdef0123456789abcdef01234567
      from: leecher1
      verdict: torrent_paused
      severity: fault
      where: seeder1
      cause: the torrent is paused on seeder1
      remedy: resume it, or run the site playbook
      more: []
      remarks: []
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed.doctor.judge import verdict
from ansible.module_utils.seedbed.torrent.model import Seeder, Subject, Tracker, Verdict, View


def swarm_verdict(
    items: Sequence[Subject],
    *,
    view: View,
    seeders: Mapping[str, Seeder] | None = None,
    trackers: Mapping[str, Tracker] | None = None,
) -> list[Verdict]:
    return [verdict(item, view, seeders or {}, trackers or {}) for item in items]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"swarm_verdict": swarm_verdict}
