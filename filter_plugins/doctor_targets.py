"""Tell which peers to meet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_targets
short_description: Tell which peers to meet
description:
  - Collects the peers that trackers hand out, and the seeders that should be among them, as targets for peer_info.
positional: _input
options:
  _input: {description: Items as in catalogue.json., type: list, elements: dict, required: true}
  answers: {description: Results of tracker_info., type: list, elements: dict, required: true}
  seeders: {description: 'The seeders by name: address, peer_port.', type: dict, default: {}}
  own: {description: Address and port of this host's own client., type: list, default: []}
"""

EXAMPLES = r"""
- name: Meet the peers
  peer_info:
    targets: "{{ catalogue | doctor_targets(answers=answers.results) }}"
"""

RETURN = r"""
_value: {description: Targets for peer_info., type: list, elements: dict}
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed.doctor.questions import peer_targets


def doctor_targets(
    items: Sequence[Mapping[str, Any]],
    *,
    answers: Sequence[Mapping[str, Any]],
    seeders: Mapping[str, Mapping[str, Any]] | None = None,
    own: Sequence[Any] = (),
) -> list[dict[str, Any]]:
    return peer_targets(items, answers, seeders or {}, own)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_targets": doctor_targets}
