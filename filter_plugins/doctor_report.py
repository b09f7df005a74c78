"""Show verdicts as a table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_report
short_description: Show verdicts as a table
description:
  - Lays out the verdicts of swarm_verdict for people, worst first, with what to do.
positional: _input
options:
  _input: {description: Verdicts., type: list, elements: dict, required: true}
"""

EXAMPLES = r"""
- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ verdicts | doctor_report }}"
"""

RETURN = r"""
_value: {description: The table., type: str}
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed.doctor import report


def doctor_report(verdicts: Sequence[Mapping[str, Any]]) -> str:
    return report(verdicts)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_report": doctor_report}
