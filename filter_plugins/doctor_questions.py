"""Tell what to ask which tracker."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_questions
short_description: Tell what to ask which tracker
description:
  - Pairs each item with the trackers of its tiers, as tracker_info takes them.
positional: _input
options:
  _input:
    description: Items as in catalogue.json.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Ask each item's own trackers
  tracker_info:
    torrents: "{{ catalogue | doctor_questions }}"
"""

RETURN = r"""
_value:
  description: Info hash and trackers of each item.
  type: list
  elements: dict
  sample: [{info_hash: 2aa4f5a7e209e54b32803d43670971c4c8caaa05, trackers: ["udp://192.0.2.10:8888/announce"]}]
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed.doctor.questions import questions


def doctor_questions(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return questions(items)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_questions": doctor_questions}
