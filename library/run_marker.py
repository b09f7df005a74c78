"""Ansible module: the mark of a run that has not come to its end. It runs on the controller alone, as action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_marker
short_description: Remembers that a run has begun, until it has come to its end
description:
  - A run that was killed has told nobody what it changed. Its mark is still there when the next one begins, and what
    was proven before counts no more.
  - The mark is bookkeeping on the controller, gone again at the end, and is no change of its own.
options:
  state:
    description: V(begun) sets the mark, and forgets the proofs where one was there already. V(ended) takes it away.
    type: str
    required: true
    choices: [begun, ended]
  path:
    description: The mark, a file on the controller.
    type: path
    required: true
  proofs:
    description: Files and directories on the controller that go with V(begun) where the last run was cut off.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    support: full
"""

EXAMPLES = r"""
- name: Remember that a run has begun
  run_marker:
    state: begun
    path: "{{ lab_directory }}/begun"
    proofs: ["{{ lab_directory }}/acceptance"]
"""

RETURN = r"""
changed: {description: Whether proofs went., type: bool, returned: always}
cut_off: {description: Whether there was a mark., type: bool, returned: always}
"""
