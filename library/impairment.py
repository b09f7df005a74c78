#!/usr/bin/python
"""Make the way to and from a host's lab ports bad for a while."""

from __future__ import annotations

DOCUMENTATION = r"""
module: impairment
short_description: Make the way to and from a host's lab ports bad for a while
description:
  - Holds up, loses or cuts off packets of the lab's ports, by one nftables table and one htb tree that are ours alone.
    What was there before of the same kind is replaced. All other traffic of the host is left alone.
  - A timer of the host's own systemd ends it after O(seconds), whatever becomes of the controller; so does a boot.
  - It is tried in a network namespace first. What the kernel has nothing for is left out and returned in RV(lacking).
options:
  state:
    type: str
    choices: [present, absent]
    default: present
    description: Whether there shall be one, or none.
  impairment: {type: str, default: none, description: A preset. With V(none) it is the same as O(state=absent).}
  numbers:
    type: dict
    default: {}
    description: >-
      Numbers in place of the preset's, by C(delay) and C(jitter) in milliseconds, C(loss) in percent, C(rate) in
      Mbit/s.
  seconds: {type: int, default: 600, description: For how long.}
  devices:
    type: list
    elements: str
    default: []
    description: Devices that it is for; without any, those with one of O(addresses).
  addresses: {type: list, elements: str, default: [], description: The host's addresses in the lab.}
  first: {type: int, default: 8000, description: The first of the lab's ports.}
  last: {type: int, default: 9000, description: The last of them.}
  spared: {type: list, elements: int, default: [], description: 'Ports in between that are left alone, as that of SSH.'}
  trackers: {type: list, elements: int, default: [], description: The ports of the lab's trackers.}
  web: {type: list, elements: int, default: [], description: Ports on which no peer listens.}
  units: {type: list, elements: str, default: [], description: 'Services that connect to peers, by whatever port.'}
  role: {type: str, default: "", description: 'For which role it is noted as ours, see M(owned).'}
attributes:
  check_mode:
    support: full
    description: It is tried in a network namespace, and nothing is changed.
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Have a seeder send 1 Mbit/s for ten minutes
  impairment:
    impairment: slow
    addresses: [192.0.2.21]
    spared: [22]

- name: End it
  impairment:
    state: absent
"""

RETURN = r"""
current:
  description: What befalls the host from now on, null for nothing.
  returned: always
  type: dict
  sample: {impairment: 3g, words: '2% lost, 2 Mbit/s', until: 1700000000,
           lacking: ['100 ms late, give or take 30: its kernel has no netem']}
lacking:
  description: What of it the kernel cannot do, with the reason.
  returned: always
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.host import impairing
from ansible.module_utils.seedbed.host.impairment import NONE, Place, impairment_of, option_faults


def absent(module: AnsibleModule) -> dict[str, Any]:
    """End what there is."""
    changed = impairing.present()
    if changed and not module.check_mode:
        impairing.end(module.params["role"])
    return {"changed": changed, "current": None, "lacking": []}


def present(module: AnsibleModule) -> dict[str, Any]:
    """Try it, and do it unless this is check mode."""
    params = module.params
    numbers = {key: value for key, value in params["numbers"].items() if value != ""}
    faults = option_faults(params["impairment"], params["seconds"] / 60, numbers)
    if faults:
        module.fail_json(msg=" ".join(faults))
    place = Place(
        devices=params["devices"] or impairing.devices_of(params["addresses"]),
        first=params["first"],
        last=params["last"],
        spared=params["spared"],
        trackers=params["trackers"],
        web=params["web"],
        users=impairing.users_of(params["units"]),
    )
    plan = impairing.plan(impairment_of(params["impairment"], numbers), place)
    current = None if module.check_mode else impairing.begin(plan, params["seconds"], params["role"])
    return {"changed": True, "current": current, "lacking": plan.lacking}


def main() -> None:
    numbers = ("spared", "trackers", "web")
    texts = ("devices", "addresses", "units")
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "impairment": {"type": "str", "default": NONE},
            "numbers": {"type": "dict", "default": {}},
            "seconds": {"type": "int", "default": 600},
            "first": {"type": "int", "default": 8000},
            "last": {"type": "int", "default": 9000},
            **{name: {"type": "list", "elements": "int", "default": []} for name in numbers},
            **{name: {"type": "list", "elements": "str", "default": []} for name in texts},
            "role": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    none = module.params["state"] == "absent" or module.params["impairment"] == NONE
    try:
        module.exit_json(**(absent if none else present)(module))
    except SeedbedError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
