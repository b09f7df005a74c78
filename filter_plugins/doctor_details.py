"""Show what trackers and peers said."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_details
short_description: Show what trackers and peers said
description:
  - Lays out the results of tracker_info and peer_info for people.
positional: _input
options:
  _input: {description: Items as in catalogue.json., type: list, elements: dict, required: true}
  answers: {description: Results of tracker_info., type: list, elements: dict, required: true}
  peers: {description: Results of peer_info., type: list, elements: dict, default: []}
  view: {description: The host from which it was seen., type: str, required: true}
"""

EXAMPLES = r"""
- name: Show what they said
  show_lines:
    lines: "{{ catalogue | doctor_details(answers=answers.results, peers=peers.results, view='leecher1') }}"
"""

RETURN = r"""
_value: {description: Lines for show_lines., type: list, elements: dict}
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed.doctor.details import details


def doctor_details(
    items: Sequence[Mapping[str, Any]],
    *,
    answers: Sequence[Mapping[str, Any]],
    peers: Sequence[Mapping[str, Any]] = (),
    view: str,
) -> list[dict[str, str]]:
    return details(items, answers, peers, view)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_details": doctor_details}
