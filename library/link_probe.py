#!/usr/bin/python
"""Measure the way from one host of the lab to another."""

from __future__ import annotations

DOCUMENTATION = r"""
module: link_probe
short_description: Measure the way from one host of the lab to another
description:
  - With V(measured) sends datagrams and a few seconds of content to a host where V(counted) runs meanwhile, by
    C(async), and returns what arrived. Bounded in bytes and in time.
options:
  state:
    type: str
    choices: [measured, counted, ended]
    required: true
    description: V(counted) counts what comes to this host, until V(ended) is asked for on the same host.
  port: {type: int, required: true, description: 'The port, TCP and UDP, where it is counted.'}
  address: {type: str, default: "", description: Where it is counted. Needed for V(measured).}
  seconds: {type: int, default: 60, description: 'How long V(counted) waits at most.'}
attributes:
  check_mode:
    support: full
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Measure the way to the leecher
  link_probe:
    state: measured
    address: 192.0.2.31
    port: 8085
  register: link
"""

RETURN = r"""
measured:
  description: >-
    What the way is like: whether TCP gets through, milliseconds there and back, Mbit/s that arrived, percent of the
    datagrams that were lost, and whether a large one arrived. null for what could not be measured.
  returned: state is measured
  type: dict
  sample: {reached: true, milliseconds: 0.4, mbit: 0.96, lost: 0.0, large: true}
message: {description: Why nothing was counted., returned: state is counted, type: str}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.probe.link import Meter, end, measure


def counted(port: int, seconds: int) -> str:
    """Count; return why it could not be."""
    try:
        Meter(port).run(seconds)
    except OSError as error:
        return f"port {port} cannot be had: {error.strerror or error}"
    return ""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["measured", "counted", "ended"], "required": True},
            "port": {"type": "int", "required": True},
            "address": {"type": "str", "default": ""},
            "seconds": {"type": "int", "default": 60},
        },
        required_if=[("state", "measured", ("address",))],
        supports_check_mode=True,
    )
    params = module.params
    if params["state"] == "counted":
        module.exit_json(changed=False, message=counted(params["port"], params["seconds"]))
    if params["state"] == "ended":
        end(params["port"])
        module.exit_json(changed=False)
    module.exit_json(changed=False, measured=measure(params["address"], params["port"]))


if __name__ == "__main__":
    main()
