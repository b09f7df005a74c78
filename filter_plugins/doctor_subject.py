"""Choose the items that the doctor looks at."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_subject
short_description: Choose the items that the doctor looks at
description:
  - Takes items from the catalogue, or makes one of any .torrent or magnet, and tells what is wrong with the choice.
positional: _input
options:
  _input: {description: Items as in catalogue.json., type: list, elements: dict, required: true}
  names: {description: Which of them; empty for all., type: list, elements: str, default: []}
  torrent_file: {description: Path of a .torrent on the controller to look at instead., type: str, default: ""}
  magnet: {description: A magnet link to look at instead., type: str, default: ""}
"""

EXAMPLES = r"""
- name: Show what would be looked at
  ansible.builtin.debug:
    msg: "{{ catalogue | doctor_subject(names=['hello.bin']) }}"

- name: Show what a magnet says
  ansible.builtin.debug:
    msg: "{{ [] | doctor_subject(magnet='magnet:?xt=urn:btih:2aa4f5a7e209e54b32803d43670971c4c8caaa05&dn=hello') }}"
"""

RETURN = r"""
_value:
  description: The items as in catalogue.json, without a swarm where they are not the catalogue's, and the faults.
  type: dict
  sample:
    items:
      - {name: hello, info_hash: 2aa4f5a7e209e54b32803d43670971c4c8caaa05, private: false, trackers: [], swarm: null}
    faults: []
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed.doctor.choice import subject


def doctor_subject(
    catalogue: Sequence[Mapping[str, Any]], *, names: Sequence[str] = (), torrent_file: str = "", magnet: str = ""
) -> dict[str, Any]:
    return subject(catalogue, names, torrent_file, magnet)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_subject": doctor_subject}
