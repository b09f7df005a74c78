"""Ansible module: show lines to people. It runs on the controller alone, as action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: show_lines
short_description: Show lines to people
description:
  - Prints lines as they are, without the quotes and indentation of a task's result, in Ansible's colours for errors,
    warnings and successes.
  - There are colours on a terminal, or with E(ANSIBLE_FORCE_COLOR); E(NO_COLOR) and E(ANSIBLE_NOCOLOR) are respected.
options:
  lines:
    description: The lines.
    type: list
    elements: dict
    required: true
    suboptions:
      text: {description: The line., type: str, required: true}
      severity: {description: 'C(fault), C(warning) or C(ok); anything else is not coloured.', type: str, default: ""}
attributes:
  check_mode:
    support: full
    description: It changes nothing, so it does the same in check mode.
"""

EXAMPLES = r"""
- name: Show a table
  show_lines:
    lines: "{{ verdicts | doctor_report }}"
"""

RETURN = r"""
changed: {description: Never., type: bool, returned: always}
"""
