#!/usr/bin/python
"""Ansible module: record what a torrent's swarm does on this host, and collect what else the host tells of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence
short_description: Record what a torrent's swarm does on this host
description:
  - With O(state=started) the packets of a torrent are recorded from now on, by a unit of its own that ends after
    O(seconds) whatever becomes of the run. The log levels of Transmission and aria2 are raised for that time with
    O(raise_log), for which Transmission is restarted at the beginning and at the end.
  - With O(state=collected) the call waits for the end, and leaves what the host tells in files. With O(state=absent)
    they are deleted, and a recording that goes on is ended.
options:
  state:
    description: Whether to begin, to end, or to clear away.
    type: str
    choices: [started, collected, absent]
    required: true
  program: {type: str, default: "", description: 'The recorder, as filter P(host_program#filter) returns it.'}
  info_hash: {type: str, default: "", description: The torrent; empty for all of them.}
  tracker_ports: {type: list, elements: int, default: [], description: Ports of trackers.}
  peer_ports: {type: list, elements: int, default: [], description: Ports of peers.}
  seconds: {type: int, default: 30, description: How long.}
  mebibytes: {type: int, default: 16, description: How much of packets is kept at most.}
  units: {type: list, elements: str, default: [], description: Whose journals are collected.}
  raise_log: {type: bool, default: false, description: 'Whether aria2 and Transmission tell more, see above.'}
  aria2: {type: path, default: "", description: 'The aria2.conf of the service; empty where there is none.'}
  unit: {type: str, default: "", description: Transmission's unit; empty where there is none.}
  rpc_port: {type: int, default: 8081, description: Port of its RPC.}
  rpc_user: {type: str, default: "", description: User name for RPC.}
  rpc_password: {type: str, default: "", description: Password for RPC.}
attributes:
  check_mode:
    support: full
    description: Then nothing is recorded, and nothing returned.
"""

EXAMPLES = r"""
- name: Record
  evidence:
    state: started
    program: "{{ 'recorder' | host_program }}"
    info_hash: "0123456789abcdef0123456789abcdef01234567"
    tracker_ports: [8888]
    peer_ports: [8082]
"""

RETURN = r"""
raised: {description: Services that tell more., type: list, elements: str, returned: state is started,
  sample: [transmission-daemon.service, aria2]}
files: {description: What is to be fetched., type: list, elements: str, returned: state is collected,
  sample: [/run/seedbed-evidence/host.json, /run/seedbed-evidence/packets.pcap]}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.evidence import on_host


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "collected", "absent"], "required": True},
            "program": {"type": "str", "default": ""},
            "info_hash": {"type": "str", "default": ""},
            "tracker_ports": {"type": "list", "elements": "int", "default": []},
            "peer_ports": {"type": "list", "elements": "int", "default": []},
            "seconds": {"type": "int", "default": 30},
            "mebibytes": {"type": "int", "default": 16},
            "units": {"type": "list", "elements": "str", "default": []},
            "raise_log": {"type": "bool", "default": False},
            "aria2": {"type": "path", "default": ""},
            "unit": {"type": "str", "default": ""},
            "rpc_port": {"type": "int", "default": 8081},
            "rpc_user": {"type": "str", "default": ""},
            "rpc_password": {"type": "str", "default": "", "no_log": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    if module.check_mode:
        module.exit_json(changed=False, raised=[], files=[])
    daemon = on_host.Daemon(params["unit"], params["rpc_port"], (params["rpc_user"], params["rpc_password"]))
    # What is recorded is no state of the host: it is gone when it was fetched.
    try:
        if params["state"] == "absent":
            on_host.clear()
            module.exit_json(changed=False)
        if params["state"] == "collected":
            module.exit_json(changed=False, files=on_host.collect(params["units"], params["info_hash"], daemon))
        raised = on_host.begin(
            {
                "info_hash": params["info_hash"],
                "tracker_ports": params["tracker_ports"],
                "ports": sorted({*params["tracker_ports"], *params["peer_ports"]}),
                "seconds": params["seconds"],
                "most": params["mebibytes"] << 20,
                "directory": on_host.DIRECTORY,
            },
            on_host.decoded(params["program"]),
            daemon,
            aria2=params["aria2"],
            raise_log=params["raise_log"],
        )
        module.exit_json(changed=bool(raised), raised=raised)
    except (SeedbedError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
