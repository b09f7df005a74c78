#!/usr/bin/python
"""See what listens on a range of ports of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: listener_info
short_description: Tells what listens on a range of ports of a host
description:
  - Reads the kernel's socket tables and says which process and which systemd unit holds each listening TCP port and
    bound UDP port of the range. Changes nothing.
options:
  first:
    description: The first port of the range.
    type: int
    required: true
  last:
    description: The last port of the range, included.
    type: int
    required: true
attributes:
  check_mode:
    support: full
    description: It only reads.
"""

EXAMPLES = r"""
- name: See what the lab's range is used for
  listener_info:
    first: 8000
    last: 9000
  register: listeners
"""

RETURN = r"""
sockets:
  description: The listening sockets, one for each protocol, port and holder.
  returned: always
  type: list
  elements: dict
  sample:
    - protocol: tcp
      port: 8888
      loopback: false
      pid: 812
      process: opentracker
      unit: opentracker.service
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.listeners import listening_sockets


def main() -> None:
    """Read the parameters and return the sockets."""
    module = AnsibleModule(
        argument_spec={"first": {"type": "int", "required": True}, "last": {"type": "int", "required": True}},
        supports_check_mode=True,
    )
    module.exit_json(changed=False, sockets=listening_sockets(module.params["first"], module.params["last"]))


if __name__ == "__main__":
    main()
