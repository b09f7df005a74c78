#!/usr/bin/python
"""Make things on a host and write them down as ours, or take back what was written down."""

from __future__ import annotations

DOCUMENTATION = r"""
module: owned
short_description: Makes users, directories and packages that are written down as ours, and takes ours back
description:
  - Writes down in C(/var/lib/seedbed/owned.json) what of the wanted is not on the host yet, and then makes it. What was
    there is used as it is and never becomes ours.
  - With O(state=absent) all goes that was written down for the roles, and nothing else. Directories go when they are
    empty, trees with all that is in them, packages when no other package needs them. Files that were replaced come
    back, units that were there are again as they were.
options:
  role:
    description: For which role it is.
    type: str
    default: ""
  roles:
    description: The roles whose things go, with O(state=absent); without any, those of O(role), or else all.
    type: list
    elements: str
    default: []
  state:
    description: Whether things are made or taken back.
    type: str
    choices: [present, absent]
    default: present
  users:
    description: Users of the system that services run as.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {type: str, required: true, description: The name.}
      home: {type: path, default: /nonexistent, description: The home. It is not made.}
  directories:
    description: Directories to make, for everybody to enter. They go when they are empty.
    type: list
    elements: path
    default: []
  trees:
    description: Paths that somebody else makes after this call and that are ours with all that is in them.
    type: list
    elements: path
    default: []
  packages:
    description: Packages to install without what they recommend and without letting them start anything.
    type: list
    elements: str
    default: []
  package_users:
    description: Users that the packages make.
    type: list
    elements: str
    default: []
  disabled:
    description: Units that the packages bring, and that do not start at boot unless they were there before.
    type: list
    elements: str
    default: []
  content:
    description: Which of O(trees) and O(directories) people may want to keep when all else goes.
    type: list
    elements: path
    default: []
  keep_content:
    description: Whether content stays, with O(state=absent). It stays written down, too.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: With packages to install it does not ask the package manager.
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Make the user of a service, and a place for its program
  owned:
    role: opentracker
    users: [{name: opentracker}]
    directories: [/opt/opentracker]

- name: Take back all that was made for it
  owned:
    role: opentracker
    state: absent
"""

RETURN = r"""
made:
  description: What was made.
  returned: state is present
  type: list
  elements: str
  sample: [user opentracker, /opt/opentracker]
removed:
  description: What has gone.
  returned: state is absent
  type: list
  elements: str
  sample: [unit opentracker.service, /opt/opentracker/releases, user opentracker]
left:
  description: What is ours and stays, because it is to be kept or somebody has put things into it.
  returned: state is absent
  type: list
  elements: str
  sample: [/srv/seedbed/portal]
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.commands import run
from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.files import make_directory
from ansible.module_utils.seedbed.base.ownership import claim, known, opened, user_exists
from ansible.module_utils.seedbed.host import package_manager
from ansible.module_utils.seedbed.host.taking_back import content_of, plan_taking, take_back

ARGUMENTS: dict[str, Any] = {
    "role": {"type": "str", "default": ""},
    "roles": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "users": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": {"type": "str", "required": True}, "home": {"type": "path", "default": "/nonexistent"}},
    },
    "directories": {"type": "list", "elements": "path", "default": []},
    "trees": {"type": "list", "elements": "path", "default": []},
    "packages": {"type": "list", "elements": "str", "default": []},
    "package_users": {"type": "list", "elements": "str", "default": []},
    "disabled": {"type": "list", "elements": "str", "default": []},
    "content": {"type": "list", "elements": "path", "default": []},
    "keep_content": {"type": "bool", "default": False},
}


@os_errors_reported()
def present(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Write down and make what is missing."""
    users = [user for user in params["users"] if not user_exists(user["name"])]
    directories = [path for path in params["directories"] if not os.path.isdir(path)]
    made = [f"user {user['name']}" for user in users] + directories
    begun = package_manager.begun()
    if check:
        return {"changed": bool(made or params["packages"] or begun), "made": made + params["packages"]}
    claim(
        params["role"],
        {
            "users": [user["name"] for user in params["users"]] + params["package_users"],
            "directories": params["directories"],
            "trees": params["trees"],
            "content": params["content"],
        },
    )
    for path in directories:
        make_directory(path)
    for user in users:
        words = ["--system", "--no-create-home", "--home-dir", user["home"], "--shell", "/usr/sbin/nologin"]
        run(["useradd", *words, user["name"]])
    if params["packages"]:
        made += package_manager.install(params["role"], params["packages"], params["disabled"])
    elif begun:
        package_manager.finish()
    return {"changed": bool(made) or begun, "made": made}


@os_errors_reported()
def absent(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Take back what was written down for the roles."""
    owned = known()
    roles = params["roles"] or ([params["role"]] if params["role"] else owned.roles)
    if not set(roles) & set(owned.roles):
        return {"changed": False, "removed": [], "left": []}
    keep = content_of(owned) if params["keep_content"] else []
    if check:
        goes, stays = plan_taking(owned, roles, keep)
        names = [name for kind in goes.values() for name in kind]
        return {"changed": bool(names), "removed": names, "left": stays}
    with opened() as record:
        removed, left = take_back(record, roles, keep)
    return {"changed": bool(removed), "removed": removed, "left": left}


def main() -> None:
    """Read the parameters, do the work, return the result."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    do = {"present": present, "absent": absent}[module.params["state"]]
    try:
        module.exit_json(**do(module.params, check=module.check_mode))
    except SeedbedError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
