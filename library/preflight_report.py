"""Ansible module: end a preflight. The action plugin of the same name does it, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_report
short_description: Stop a run with all faults of all hosts, or remember the hosts for later runs
description:
  - Fails with one message when there are faults of hosts, when the run leaves out hosts that it needs, or when another
    inventory has the lab's name.
  - Otherwise, with O(remember), keeps address and services of the hosts in the directory of the lab on the controller,
    for runs that leave these hosts out.
  - Runs on the controller, once a play.
options:
  faults:
    description: By host, its faults, a sentence each.
    type: dict
    required: true
  name:
    description: The lab's name.
    type: str
    required: true
  directory:
    description: The lab's directory on the controller.
    type: path
    required: true
  absent:
    description: The hosts that are left out on purpose, a list or a text with commas.
    type: raw
    default: ""
  remember:
    description: Whether the hosts have been asked, and are remembered.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: It remembers nothing in check mode.
"""

EXAMPLES = r"""
- name: Stop when something is wrong
  preflight_report:
    faults: {seeder1: []}
    name: seedbed
    directory: .lab/seedbed
  run_once: true
"""

RETURN = r"""
msg:
  description: All faults, one a line, in the words for the operator.
  returned: failure
  type: str
  sample: |-
    Nothing was changed. Mend this in the inventory:
    - seeder1: transmission_rpc_password is missing; set it to a text of your choice, best in a vault
"""
