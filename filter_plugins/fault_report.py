"""Thin shell around seedbed.preflight: the faults of all hosts as one text."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fault_report
short_description: The faults of all hosts as one text
description:
  - A fault that several hosts share is told once, with all their names.
positional: _input
options:
  _input:
    description: Faults by host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: See a report
  ansible.builtin.debug:
    msg: "{{ {'seeder1': ['lab_networks is empty'], 'seeder2': ['lab_networks is empty']} | fault_report }}"
"""

RETURN = r"""
_value:
  description: One line a fault; empty when nothing is wrong.
  type: list
  elements: str
  sample:
    - "seeder1, seeder2: lab_networks is empty"
"""

import os
from typing import Any, Callable

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed.preflight import fault_report


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"fault_report": fault_report}
