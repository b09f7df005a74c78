#!/usr/bin/python
"""Ansible module: knock at ports of other hosts, and say what listens on this one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: port_info
short_description: Knock at ports of other hosts, and say what listens on this one
description:
  - Opens a TCP connection, or sends datagrams that trackers and peers answer, to each port. Nothing is said over the
    connection.
  - A port that does not answer is a result with a reason, not a failure of the task.
options:
  doors:
    description: The ports, each with C(host), C(address), C(protocol), C(port) and C(variable).
    type: list
    elements: dict
    default: []
  timeout:
    description: Seconds for each port; all are asked side by side.
    type: float
    default: 5
  first:
    description: The first port of the range for RV(sockets).
    type: int
    required: true
  last:
    description: The last one.
    type: int
    required: true
attributes:
  check_mode:
    support: full
    description: It changes nothing, so it does the same in check mode.
seealso:
  - module: listener_info
"""

EXAMPLES = r"""
- name: Knock at the tracker
  port_info:
    doors:
      - {host: tracker1, address: 192.0.2.11, protocol: udp, port: 8888, variable: opentracker_port}
    first: 8000
    last: 9000
  register: knocks
"""

RETURN = r"""
answers:
  description: The doors, each with what came of it.
  returned: always
  type: list
  elements: dict
  contains:
    reason:
      description: V(open), V(silent) where no datagram came back, or why there is no connection, as V(refused),
        V(unreachable) and V(timeout).
      type: str
    message: {description: The same in words., type: str}
sockets:
  description: What listens on this host, as M(listener_info) tells it.
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.listeners import listening_sockets
from ansible.module_utils.seedbed.probe.ports import knock
from ansible.module_utils.seedbed.torrent.model import Knock


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "doors": {"type": "list", "elements": "dict", "default": []},
            "timeout": {"type": "float", "default": 5},
            "first": {"type": "int", "required": True},
            "last": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    doors: list[Knock] = [{**door, "port": int(door["port"])} for door in params["doors"]]  # type: ignore[typeddict-item]
    module.exit_json(
        changed=False,
        answers=knock(doors, params["timeout"]),
        sockets=listening_sockets(params["first"], params["last"]),
    )


if __name__ == "__main__":
    main()
