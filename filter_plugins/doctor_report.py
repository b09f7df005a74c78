"""Show verdicts as a table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_report
short_description: Show verdicts as a table
description:
  - Lays out the verdicts of swarm_verdict for people, worst first, with what to do. Beside the views of leechers that
    of the controller does not count, and is one line when it has no way to the trackers.
positional: _input
options:
  _input: {description: Verdicts., type: list, elements: dict, required: true}
  silent: {description: Names of hosts that should have looked and could not be reached., type: list, elements: str,
    default: []}
"""

EXAMPLES = r"""
- name: Show what is wrong
  show_lines:
    lines: "{{ verdicts | doctor_report }}"
"""

RETURN = r"""
_value: {description: The lines of the table for show_lines., type: list, elements: dict}
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed.doctor.report import report


def doctor_report(verdicts: Sequence[Mapping[str, Any]], *, silent: Sequence[str] = ()) -> list[dict[str, str]]:
    return report(verdicts, silent)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_report": doctor_report}
