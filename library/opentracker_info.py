#!/usr/bin/python
"""Ansible module: what there is of opentracker on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: opentracker_info
short_description: What there is of opentracker on a host
description:
  - Tells compiler, builds, the running process and its complaints in one call, so that role opentracker can decide on
    the controller whether anything is left to do.
options:
  cc: {type: str, required: true, description: The C compiler, with options.}
  prefix: {type: path, required: true, description: Where the builds are installed.}
  user: {type: str, required: true, description: The user that the service runs as.}
  port: {type: int, required: true, description: The port that it listens on.}
  files: {type: list, elements: path, default: [], description: What it reads when it starts.}
  unit: {type: str, default: opentracker.service, description: Its systemd unit.}
attributes:
  check_mode:
    support: full
    description: It only reads.
"""

EXAMPLES = r"""
- name: See which build runs
  opentracker_info:
    cc: gcc
    prefix: /opt/opentracker
    user: opentracker
    port: 8888
  register: opentracker
"""

RETURN = r"""
compiler: {description: 'Version and target of the compiler, empty when there is none.', type: str, returned: always}
build: {description: 'The build installed as current, by its own word.', type: str, returned: always}
builds: {description: The builds that are installed., type: list, elements: str, returned: always}
running: {description: 'The build that runs, empty when none does.', type: str, returned: always}
active: {description: Whether the service is active., type: bool, returned: always}
enabled: {description: Whether it starts at boot., type: bool, returned: always}
stale: {description: Whether one of I(files) changed after the running process started., type: bool, returned: always}
user: {description: Whether the user is there., type: bool, returned: always}
ipv6: {description: Whether the host has any IPv6 address., type: bool, returned: always}
holders: {description: The units or programs that listen on the port., type: list, elements: str, returned: always}
complaints: {description: 'Lines of the journal, since the start of the running process, that tell of configuration
    which it skipped.', type: list, elements: str, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.host.opentracker_state import state


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cc": {"type": "str", "required": True},
            "prefix": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "files": {"type": "list", "elements": "path", "default": []},
            "unit": {"type": "str", "default": "opentracker.service"},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **state(**module.params))


if __name__ == "__main__":
    main()
