#!/usr/bin/python
"""Open ports in the firewall that a host has."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_firewall
short_description: Open ports in the firewall that a host has, firewalld or ufw
description:
  - In firewalld with a service and a policy named seedbed, for all zones; it is reloaded when a file of these changed.
    Where that would drop rules that stand in its memory alone, or its rules are gone from the kernel, the call refuses.
  - In ufw with an application profile named Seedbed, and one rule for each network before all others.
  - A change is taken back by a timer unless a later call with O(state=confirmed) arrives. Make that call over a new
    connection.
  - What the one firewall has of an earlier run is taken away when the other one decides.
options:
  state:
    description:
      - V(present) opens the ports; what it changed waits for V(confirmed). M(owned) closes them again.
    type: str
    choices: [present, confirmed]
    default: present
  backend:
    description: Which firewall; V(nftables) stands for neither. Needed for V(present).
    type: str
    choices: [firewalld, ufw, nftables]
  listeners:
    description: What may be reached, each with C(port) and C(protocols).
    type: list
    elements: dict
    default: []
  networks:
    description: From where, networks in CIDR form.
    type: list
    elements: str
    default: []
  role:
    description: For which role the opening is noted as ours, see M(owned). Without one nothing is noted.
    type: str
    default: ""
  rollback_seconds:
    description: After this time the former state comes back, unless the new one was confirmed.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
seealso:
  - module: nft_table
"""

EXAMPLES = r"""
- name: Open the tracker's port
  host_firewall:
    backend: firewalld
    listeners: [{port: 8888, protocols: [tcp, udp]}]
    networks: [192.168.10.0/24]
  register: opened

- name: Keep it, as this new connection proves that the host is reachable
  host_firewall:
    state: confirmed
  when: opened.waiting
"""

RETURN = r"""
waiting:
  description: Whether what was opened goes away again unless it is confirmed.
  type: bool
  returned: state is present
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.ownership import claim
from ansible.module_utils.seedbed.host import host_firewall
from ansible.module_utils.seedbed.host.opening import opening


def present(module: AnsibleModule) -> dict[str, Any]:
    """Bring the firewall that decides to the wanted state, and take ours out of the other one."""
    params = module.params
    plan = host_firewall.Plan(params["backend"], opening(params["listeners"], params["networks"]))
    others = [name for name in host_firewall.opened() if name != params["backend"]]
    if not module.check_mode:
        host_firewall.remove(others)
        if plan.differs:
            claim(params["role"], {"openings": [plan.backend]})
            host_firewall.bring(plan, params["rollback_seconds"])
    return {
        "changed": plan.differs or bool(others),
        "waiting": plan.differs and not module.check_mode,
        "diff": plan.diff(),
    }


def confirmed(module: AnsibleModule) -> dict[str, Any]:
    """Cancel the rollback."""
    if not module.check_mode:
        host_firewall.confirm()
    return {"changed": True}


def main() -> None:
    """Read the parameters, do the work, return the result."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "confirmed"], "default": "present"},
            "backend": {"type": "str", "choices": ["firewalld", "ufw", "nftables"]},
            "listeners": {"type": "list", "elements": "dict", "default": []},
            "networks": {"type": "list", "elements": "str", "default": []},
            "role": {"type": "str", "default": ""},
            "rollback_seconds": {"type": "int", "default": 60},
        },
        required_if=[("state", "present", ("backend",))],
        supports_check_mode=True,
    )
    states = {"present": present, "confirmed": confirmed}
    try:
        module.exit_json(**states[module.params["state"]](module))
    except SeedbedError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
