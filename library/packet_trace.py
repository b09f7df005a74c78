#!/usr/bin/python
"""Ansible module: have the kernel tell which rule ends packets to some ports."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packet_trace
short_description: Have the kernel tell which rule of nftables ends packets to some ports
description:
  - With O(state=started) a table of its own has the packets to these ports followed from now on. With
    O(state=collected) that ends, and the call returns where they ended. Between the two somebody has to send some.
  - The table goes by itself after O(seconds), whatever becomes of the run.
options:
  state:
    description: Whether to begin or to end.
    type: str
    choices: [started, collected]
    required: true
  ports:
    description: The ports, each with C(protocol) and C(port).
    type: list
    elements: dict
    default: []
  seconds:
    description: After this time it ends by itself.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Then nothing is followed, and nothing returned.
"""

EXAMPLES = r"""
- name: Follow what comes to a port
  packet_trace:
    state: started
    ports: [{protocol: tcp, port: 8081}]
"""

RETURN = r"""
traced:
  description: The ports to which packets came. C(where) and C(rule) are empty where they passed all rules.
  returned: state is collected
  type: list
  elements: dict
  sample:
    - {protocol: tcp, port: 8081, where: inet filter input, rule: reject with icmpx admin-prohibited}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.host import packet_trace


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "collected"], "required": True},
            "ports": {"type": "list", "elements": "dict", "default": []},
            "seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    if module.check_mode:
        module.exit_json(changed=False, traced=[])
    try:
        if params["state"] == "started":
            packet_trace.start(params["ports"], params["seconds"])
            module.exit_json(changed=False)
        module.exit_json(changed=False, traced=list(packet_trace.collect().values()))
    except SeedbedError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
