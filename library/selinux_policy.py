#!/usr/bin/python
"""Thin shell around seedbed.host.selinux: what a service needs of a host's SELinux policy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: selinux_policy
short_description: Teach a host's SELinux policy the ports and directories of a service
description:
  - For hosts that enforce a policy. Ports and directories get the types that the service's domain may use, booleans are
    switched on; all in one transaction of C(semanage). Then what is there is labelled anew.
  - What somebody else has taught the policy is never changed; where that stands in the way, the call refuses.
  - What it sets is written down for O(role), see M(owned). What a role no longer asks for is taken back.
options:
  role:
    description: For which role it is.
    type: str
    required: true
  ports:
    description: Ports that the service listens on.
    type: list
    elements: dict
    default: []
    suboptions:
      port: {type: int, required: true, description: The port.}
      protocol: {type: str, choices: [tcp, udp], default: tcp, description: The protocol.}
      type: {type: str, required: true, description: 'The type, such as V(http_port_t).'}
  contexts:
    description: Directories, each with all that is in it.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {type: path, required: true, description: The directory.}
      type: {type: str, required: true, description: 'The type, such as V(httpd_sys_content_t).'}
  booleans:
    description: Booleans of the policy that have to be on.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: On a host that still lacks semanage it says that all would be set.
  diff_mode:
    support: none
seealso:
  - module: owned
"""

EXAMPLES = r"""
- name: Let nginx listen on the portal's port and read what it serves
  selinux_policy:
    role: portal
    ports: [{port: 8000, type: http_port_t}]
    contexts: [{path: /srv/seedbed/portal, type: httpd_sys_content_t}]
  when: ansible_facts['selinux']['mode'] == 'enforcing'
"""

RETURN = r"""
added:
  description: The rules that were set.
  returned: always
  type: list
  elements: str
  sample: [port tcp 8000 http_port_t, 'fcontext /srv/seedbed/portal(/.*)? httpd_sys_content_t']
dropped:
  description: The rules of earlier runs that were taken back.
  returned: always
  type: list
  elements: str
  sample: [port tcp 8010 http_port_t]
relabelled:
  description: What restorecon says of files that got another label.
  returned: always
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.ownership import claim, known, opened
from ansible.module_utils.seedbed.host import selinux

KIND = "selinux"


def present(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Bring the policy to the wanted rules, and the files to its labels."""
    role = params["role"]
    wanted = selinux.rules(params["ports"], params["contexts"], params["booleans"], selinux.substitutions())
    if check and not selinux.is_there():
        return {"changed": bool(wanted), "added": wanted, "dropped": [], "relabelled": []}
    plan, listing = selinux.planned(wanted, list(known().of(role, KIND)))
    if not check:
        claim(role, {KIND: plan.add})
        selinux.bring(plan, listing)
        with opened() as owned:
            owned.forget(role, KIND, plan.drop)
    labelled = selinux.relabel([each["path"] for each in params["contexts"]], check=check)
    changed = bool(plan.add or plan.drop or labelled)
    return {"changed": changed, "added": plan.add, "dropped": plan.drop, "relabelled": labelled}


def main() -> None:
    """Read the parameters, do the work, return the result."""
    port = {
        "port": {"type": "int", "required": True},
        "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
        "type": {"type": "str", "required": True},
    }
    context = {"path": {"type": "path", "required": True}, "type": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "required": True},
            "ports": {"type": "list", "elements": "dict", "default": [], "options": port},
            "contexts": {"type": "list", "elements": "dict", "default": [], "options": context},
            "booleans": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**present(module.params, check=module.check_mode))
    except SeedbedError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
