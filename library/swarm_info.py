#!/usr/bin/python
"""Ansible module: look at the swarms of torrents from this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_info
short_description: Look at the swarms of torrents from this host
description:
  - Asks the trackers of each torrent as M(tracker_info) does, then meets the peers that they hand out, and the seeders
    that should be among them, as M(peer_info) does.
  - At most 20 peers of a torrent are met.
  - Web seeds are asked for HEAD and for the ranges of I(subjects[].sample), which are compared with its hash.
  - What does not answer, refuses or answers nonsense is a result with a reason, not a failure of the task.
options:
  subjects:
    type: raw
    required: true
    description:
      - The torrents, a list or the same as JSON text, each with C(info_hash), C(trackers) (tiers, each a list of
        announce addresses) and, where they are known, C(swarm.seeders), the names of seeders that should be there, and
        C(peers), others to meet, each with C(address) and C(port).
  seeders:
    type: raw
    default: {}
    description: The seeders by name, each with C(address) and C(peer_port); a dictionary or the same as JSON text.
  own_address: {type: str, default: "", description: The address of this host's own client, which is not met.}
  own_port: {type: int, default: 0, description: The peer port of this host's own client.}
  source:
    type: str
    default: ""
    description: The address of this host to meet peers from, where it has several; empty for the system's choice.
  tracker_timeout: {type: float, default: 5, description: Seconds for each question to a tracker.}
  peer_timeout: {type: float, default: 6, description: Seconds for each peer to take the connection and shake hands.}
  ports:
    type: list
    elements: int
    default: [8000, 9000]
    description:
      - First and last of the ports of which one is announced to a tracker that refuses port 1, as private ones do. It
        is bound for the time of the questions.
  piece: {type: bool, default: false, description: Whether to read a piece from each peer and check its hash.}
attributes:
  check_mode:
    support: full
    description: It changes nothing, so it does the same in check mode.
"""

EXAMPLES = r"""
- name: Look at one torrent and its seeder
  swarm_info:
    subjects:
      - info_hash: 2aa4f5a7e209e54b32803d43670971c4c8caaa05
        trackers: [["http://tracker.example:8888/announce"]]
        swarm: {seeders: [seeder1]}
    seeders:
      seeder1: {address: 192.0.2.20, peer_port: 8082}
  register: swarms
"""

RETURN = r"""
trackers: {description: What each tracker answered as the results of M(tracker_info)., type: list, elements: dict,
  returned: always}
webseeds:
  description: What each web seed showed, with C(url), C(info_hash), C(ok), C(reason), C(message), what was C(compared)
    and is right, C(remarks) and C(seconds).
  type: list
  elements: dict
  returned: always
peers: {description: What each peer showed as the results of M(peer_info)., type: list, elements: dict,
  returned: always}
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.probe.announce import AnnounceOptions, ports_fault
from ansible.module_utils.seedbed.probe.peer_handshake import PeerOptions
from ansible.module_utils.seedbed.probe.swarms import ask_swarms
from ansible.module_utils.seedbed.torrent.credentials import without_password
from ansible.module_utils.seedbed.torrent.model import Peer, from_json, to_json


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "subjects": {"type": "raw", "required": True},
            "seeders": {"type": "raw", "default": {}},
            "own_address": {"type": "str", "default": ""},
            "own_port": {"type": "int", "default": 0},
            "source": {"type": "str", "default": ""},
            "tracker_timeout": {"type": "float", "default": 5},
            "peer_timeout": {"type": "float", "default": 6},
            "ports": {"type": "list", "elements": "int", "default": [8000, 9000]},
            "piece": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    subjects, seeders = from_json(params["subjects"]), from_json(params["seeders"])
    # Ansible shows the arguments beside the results.
    params["subjects"] = without_password(to_json(subjects))
    if ports_fault(params["ports"]):
        module.fail_json(msg=ports_fault(params["ports"]))
    for subject in subjects:
        if not re.fullmatch("[0-9a-f]{40}", subject["info_hash"]):
            module.fail_json(msg=f"subjects has info_hash {subject['info_hash']!r}; expected 40 hexadecimal digits")
    own: Peer = {"address": params["own_address"], "port": params["own_port"]}
    peer_options = PeerOptions(timeout=params["peer_timeout"], piece=params["piece"], source=params["source"])
    announce_options = AnnounceOptions(timeout=params["tracker_timeout"], ports=tuple(params["ports"]))
    answers = ask_swarms(subjects, seeders, own, announce_options, peer_options)
    module.exit_json(changed=False, **answers)


if __name__ == "__main__":
    main()
