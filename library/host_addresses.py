#!/usr/bin/python
"""Further addresses of a host, as one state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_addresses
short_description: Give a host further addresses without touching its network configuration
description:
  - A unit, C(seedbed-addresses.service), sets them at every boot when the network is up, each as the only address of
    its network (/32 or /128), and takes them away when it stops. The host goes on to use its own addresses for what it
    does itself.
  - Addresses that the host has anyway are left alone. Those that an earlier call set and this one does not name go.
    The others stay throughout, and so do connections to them.
options:
  addresses:
    description: All IP addresses that the host shall have, those that it has anyway among them.
    type: list
    elements: str
    required: true
  beside:
    description: An address of the host, on whose device the further ones are set.
    type: str
    required: true
  unit:
    description: The text of the unit's file.
    type: str
    required: true
  role:
    description: For which role they are noted as ours, see M(owned), which takes them away, too.
    type: str
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Give the host two more addresses
  host_addresses:
    addresses: [192.0.2.41, 192.0.2.42]
    beside: 192.0.2.11
    unit: "{{ lookup('ansible.builtin.template', 'seedbed-addresses.service.j2') }}"
    role: scripted_peer
"""

RETURN = r"""
added:
  description: The addresses that were set.
  returned: always
  type: list
  elements: str
  sample: [192.0.2.41]
removed:
  description: The addresses that were taken away.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.host.host_addresses import apply, installed, ours, plan


def main() -> None:
    """Read the parameters, compare, apply, report."""
    module = AnsibleModule(
        argument_spec={
            "addresses": {"type": "list", "elements": "str", "required": True},
            "beside": {"type": "str", "required": True},
            "unit": {"type": "str", "required": True},
            "role": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    if module.check_mode and not installed():  # which the role does before
        module.exit_json(changed=True, added=params["addresses"], removed=[])
    try:
        before = ours()
        changes = plan(params["addresses"], params["beside"], params["unit"])
        if changes.changed and not module.check_mode:
            apply(changes, params["role"])
    except SeedbedError as error:
        module.fail_json(msg=str(error))
    after = [address for address in [*before, *changes.added] if address not in changes.removed]
    module.exit_json(
        changed=changes.changed,
        added=changes.added,
        removed=changes.removed,
        diff={
            "before": "".join(f"{one}\n" for one in before),
            "after": "".join(f"{one}\n" for one in dict.fromkeys(after)),
        },
    )


if __name__ == "__main__":
    main()
