#!/usr/bin/python
"""The daemon of scripted peers on a host, with all that it plays, as one state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scripted_peers
short_description: Has a host play torrents by script, with the daemon that does it, in one call
description:
  - Sets those of its addresses that the host does not have, by a unit of its own beside the host's own network
    configuration. They come back when the host boots. An address that the host has anyway is used as it is, and stays.
  - Writes the daemon, its unit, the .torrent files that it reads and its configuration, each in one step, and starts,
    restarts or reloads the unit only where something differs, as M(service_unit) does.
  - What it plays is read again without a restart. Connections of torrents that stay as they are live on.
  - A configuration that the daemon would refuse changes nothing; the call says what is wrong with it.
options:
  port:
    description: The first of its ports, TCP and UDP; the six above it are for what misbehaves before a handshake.
    type: int
    required: true
  addresses:
    description: All addresses at which it plays peers, those among them that the host has by itself.
    type: list
    elements: str
    required: true
  beside:
    description: An address of the host; on the device that has it the others are set.
    type: str
    required: true
  addresses_unit:
    description: The text of the file of the unit that sets addresses.
    type: str
    required: true
  networks:
    description: Who may see what clients did, networks in CIDR form.
    type: list
    elements: str
    default: []
  torrents_json:
    description:
      - What it plays, JSON text of a list of dictionaries, each with C(metainfo), the .torrent as base64, and
        C(scripted), the torrent's scripts on this host. Without it what the host plays stays, but for torrents with a
        peer at an address that is not in O(addresses).
    type: str
  unit:
    description: The text of the unit's file.
    type: str
    required: true
  program:
    description: The daemon as one file, in base64.
    type: str
    required: true
  role:
    description: For which role all of it is noted as ours, see M(owned).
    type: str
    required: true
  fingerprint:
    description: As that of M(service_unit); the controller gives it where O(torrents_json) is absent.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Run the daemon, and have it play what it played
  scripted_peers:
    port: 8086
    addresses: [192.0.2.11, 192.0.2.41]
    networks: [192.0.2.0/24]
    beside: 192.0.2.11
    addresses_unit: "{{ lookup('ansible.builtin.template', 'seedbed-addresses.service.j2') }}"
    unit: "{{ lookup('ansible.builtin.template', 'seedbed-scripted.service.j2') }}"
    program: "{{ 'scripted' | host_program }}"
    role: scripted_peer
"""

RETURN = r"""
action:
  description: What was done to the unit, empty for nothing; C(start), C(restart) or C(reload).
  returned: always
  type: str
  sample: reload
reasons:
  description: What was not as it shall be.
  returned: always
  type: list
  elements: str
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
torrents:
  description: How many torrents it plays.
  returned: always
  type: int
  sample: 57
"""

import base64
import json
import time
import urllib.request
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import read_file
from ansible.module_utils.seedbed.base.ownership import claim
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.host import services_in_force
from ansible.module_utils.seedbed.host.host_addresses import as_services, bring_addresses
from ansible.module_utils.seedbed.host.published_files import publish_files
from ansible.module_utils.seedbed.host.service_unit import (
    Port,
    Service,
    ServiceError,
    ServiceFile,
    apply_service,
    difference_texts,
    plan_service,
)
from ansible.module_utils.seedbed.scripted.config import next_config, render_config
from ansible.module_utils.seedbed.scripted.peer_script import PORTS

UNIT = "seedbed-scripted.service"
PROGRAM = "/opt/seedbed/scripted.pyz"
CONFIG = "/etc/seedbed/scripted.json"
STATE = "/var/lib/seedbed/scripted"
TORRENTS = STATE + "/torrents"
SECONDS = 60.0  # until it plays: ten thousand torrents are read within two
POLL = 0.2


def service_of(params: dict[str, Any], unit: Unit, config: bytes) -> Service:
    """Return what the unit shall be."""
    files = [
        ServiceFile(PROGRAM, base64.b64decode(params["program"])),
        ServiceFile(CONFIG, config, reload=True),
        ServiceFile(unit.path, params["unit"].encode()),
    ]
    first = params["port"]
    ports = [Port(first + above, "tcp") for above in sorted(set(PORTS.values()))] + [Port(first, "udp")]
    url = f"http://127.0.0.1:{first}/status.json"
    return Service(UNIT, files, enabled=True, ports=ports, url=url, seconds=SECONDS, role=params["role"], trees=[STATE])


def wait_for(url: str, torrents: int) -> None:
    """Wait until the daemon says that it plays so many torrents; raise ServiceError with what it says instead."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + SECONDS
    while True:
        with opener.open(url, timeout=SECONDS) as answer:
            said = json.loads(answer.read())
        if said["torrents"] == torrents and not said["fault"]:
            return
        if time.monotonic() > deadline:
            raise ServiceError(f"{UNIT} plays {said['torrents']} torrents of {torrents}. {said['fault']}")
        time.sleep(POLL)  # between two questions; the deadline bounds the wait


def main() -> None:
    """Read the parameters, compare, apply, report."""
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "int", "required": True},
            "addresses": {"type": "list", "elements": "str", "required": True},
            "beside": {"type": "str", "required": True},
            "addresses_unit": {"type": "str", "required": True},
            "networks": {"type": "list", "elements": "str", "default": []},
            "torrents_json": {"type": "str"},
            "unit": {"type": "str", "required": True},
            "program": {"type": "str", "required": True},
            "role": {"type": "str", "required": True},
            "fingerprint": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params, unit = module.params, Unit(UNIT)
    wanted = None if params["torrents_json"] is None else json.loads(params["torrents_json"])
    try:
        torrents = None if wanted is None else [torrent["scripted"] for torrent in wanted]
        keys = ("port", "addresses", "networks")
        config = next_config(read_file(CONFIG), torrents=torrents, **{key: params[key] for key in keys})
        service = service_of(params, unit, render_config(config))
        plan = plan_service(service, unit, wait=not module.check_mode)
        files = {f"{each['scripted']['info_hash']}.torrent": each["metainfo"] for each in wanted or []}
        check = module.check_mode
        # Before the daemon: it binds none of them by name, but its torrents' peers are found at them.
        addresses = bring_addresses(
            params["addresses"],
            beside=params["beside"],
            unit=params["addresses_unit"],
            role=params["role"],
            check=check,
        )
        if files and not check:
            claim(params["role"], {"trees": [STATE]})
        written, _ = publish_files(TORRENTS, files, check=check)
        if plan.changed and not check:
            apply_service(service, unit, plan)
            wait_for(service.url, len(config["torrents"]))
        gone: list[str] = []
        if wanted is not None:  # when nobody reads them any more
            _, gone = publish_files(TORRENTS, files, owned=["*.torrent"], check=check)
        if params["fingerprint"] and not check:
            same = {"action": "", "reasons": [], "added": [], "removed": [], "torrents": len(config["torrents"])}
            services = [service, *as_services()]
            services_in_force.remember(params["fingerprint"], services, same, params["addresses"])
    except (SeedbedError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=plan.changed or addresses.changed or bool(written or gone),
        action=plan.action,
        reasons=[*plan.reasons, *(f"{name} is new" for name in written), *(f"{name} goes" for name in gone)],
        added=addresses.added,
        removed=addresses.removed,
        torrents=len(config["torrents"]),
        diff=[*difference_texts(plan), {"header": "addresses", "before": addresses.before, "after": addresses.after}],
    )


if __name__ == "__main__":
    main()
