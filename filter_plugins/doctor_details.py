"""Show what trackers and peers said."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_details
short_description: Show what trackers and peers said
description:
  - Lays out the results of tracker_info and peer_info for people.
positional: _input
options:
  _input: {description: Results of tracker_info., type: list, elements: dict, required: true}
  peers: {description: Results of peer_info., type: list, elements: dict, default: []}
"""

EXAMPLES = r"""
- name: Show what they said
  ansible.builtin.debug:
    msg: "{{ answers.results | doctor_details(peers=peers.results) }}"
"""

RETURN = r"""
_value: {description: One line a question., type: str}
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed.doctor import details


def doctor_details(answers: Sequence[Mapping[str, Any]], *, peers: Sequence[Mapping[str, Any]] = ()) -> str:
    return details(answers, peers)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_details": doctor_details}
