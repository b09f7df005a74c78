#!/usr/bin/python
"""Ansible module: what a Transmission seeder says about its torrents, and what lies on its disk."""

from __future__ import annotations

DOCUMENTATION = r"""
module: seeder_info
short_description: What a Transmission seeder says about its torrents, and what lies on its disk
description:
  - Asks the daemon by RPC about torrents and compares files that it believes complete with the disk, since Transmission
    does not notice content that is deleted under it.
  - A daemon that is down or refuses is a result with a reason, not a failure of the task.
options:
  info_hashes: {type: list, elements: str, default: [], description: The torrents; empty for all.}
  host: {type: str, default: 127.0.0.1, description: Address of the daemon's RPC.}
  port: {type: int, default: 8081, description: Port of the daemon's RPC.}
  username: {type: str, default: seedbed, description: User name for RPC.}
  password: {type: str, required: true, description: Password for RPC.}
  unit: {type: str, default: transmission-daemon.service, description: The daemon's systemd unit.}
  timeout: {type: float, default: 10, description: Seconds that the daemon may stay silent.}
attributes:
  check_mode:
    support: full
    description: It changes nothing, so it does the same in check mode.
"""

EXAMPLES = r"""
- name: Ask the seeder
  seeder_info:
    password: "{{ transmission_rpc_password }}"
  register: seeder
"""

RETURN = r"""
active: {description: Whether the service runs., type: bool, returned: always}
reason: {description: 'Why the daemon could not be asked: C(unreachable), C(denied), C(failed), or nothing.', type: str,
  returned: always}
message: {description: The reason for people., type: str, returned: always}
version: {description: The daemon's version., type: str, returned: always}
default_route: {description: Whether the host has a default route., type: bool, returned: always}
clock: {description: 'The host''s time, in seconds since 1970.', type: int, returned: always}
session: {description: Settings that matter to peers., type: dict, returned: always}
torrents: {description: 'State, content that is missing on disk, and announces of each torrent.', type: list,
  elements: dict, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.transmission.listing import inspect_seeder
from ansible.module_utils.seedbed.transmission.rpc import RpcClient


def main() -> None:
    """Read the arguments, ask, report."""
    module = AnsibleModule(
        argument_spec={
            "info_hashes": {"type": "list", "elements": "str", "default": []},
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 8081},
            "username": {"type": "str", "default": "seedbed"},
            "password": {"type": "str", "required": True, "no_log": True},
            "unit": {"type": "str", "default": "transmission-daemon.service"},
            "timeout": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    params = module.params
    login = (params["username"], params["password"])
    client = RpcClient(params["host"], params["port"], login, timeout=params["timeout"])
    module.exit_json(changed=False, **inspect_seeder(client, params["unit"], params["info_hashes"]))


if __name__ == "__main__":
    main()
