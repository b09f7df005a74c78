#!/usr/bin/python
"""What a host's daemon of scripted peers says of itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scripted_info
short_description: Asks a host's daemon of scripted peers what it plays
description:
  - Says whether the daemon answers, which torrents it plays, and which of the addresses that it plays them at the host
    does not have. A daemon that does not answer is a result, not a failure of the task.
options:
  port:
    description: The daemon's first port.
    type: int
    required: true
  addresses:
    description: The addresses at which it shall play peers.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: It only reads.
"""

EXAMPLES = r"""
- name: Ask the daemon
  scripted_info:
    port: 8086
    addresses: [192.0.2.11, 192.0.2.41]
  register: scripted
"""

RETURN = r"""
active: {description: Whether it answers., type: bool, returned: always}
message: {description: Why it does not, returned: always, type: str, sample: Connection refused}
fault: {description: What is wrong with a configuration that it did not take over; empty for nothing., type: str,
  returned: always}
info_hashes: {description: What it plays., type: list, elements: str, returned: always}
missing: {description: The addresses that the host does not have., type: list, elements: str, returned: always}
"""

import http.client
import json
import urllib.request

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.services import is_ip
from ansible.module_utils.seedbed.host.host_addresses import devices
from ansible.module_utils.seedbed.torrent.model import ScriptedInfo

SECONDS = 10.0


def ask(port: int) -> ScriptedInfo:
    """Ask the daemon at loopback, where it tells everything."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    silent: ScriptedInfo = {"active": False, "message": "", "fault": "", "info_hashes": [], "missing": []}
    try:
        with opener.open(f"http://127.0.0.1:{port}/status.json?info_hashes=1", timeout=SECONDS) as answer:
            said = json.loads(answer.read())
        return {**silent, "active": True, "fault": str(said["fault"]), "info_hashes": list(said["info_hashes"])}
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        return {**silent, "message": str(getattr(error, "reason", error))}


def main() -> None:
    """Ask, look, report."""
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "int", "required": True},
            "addresses": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    found = ask(module.params["port"])
    try:
        have = devices()
    except SeedbedError as error:
        module.fail_json(msg=str(error))
    found["missing"] = [address for address in module.params["addresses"] if is_ip(address) and address not in have]
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
