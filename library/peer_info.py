#!/usr/bin/python
"""Ansible module: meet BitTorrent peers from this host and see what they have."""

from __future__ import annotations

DOCUMENTATION = r"""
module: peer_info
short_description: Meet BitTorrent peers and see what they have
description:
  - Connects to peers over TCP, shakes hands for an info hash, plain and encrypted, and tells which of the two the peer
    takes, its client, and the share of pieces held.
  - Fetches the metadata and checks it against the info hash, so that it is known whether a bare magnet works, and with
    I(piece) reads one piece and checks its hash.
  - A peer that is not there, refuses or talks nonsense is a result with a reason, not a failure of the task.
  - uTP, the transport over UDP, is not probed.
options:
  targets:
    type: list
    elements: dict
    required: true
    description: The peers, each with the torrent that it is asked for; all are asked side by side.
    suboptions:
      address: {type: str, required: true, description: IP address or name.}
      port: {type: int, required: true, description: TCP port.}
      info_hash: {type: str, required: true, description: 'The torrent, 40 hexadecimal digits.'}
  timeout:
    type: float
    default: 6
    description: Seconds for each peer to take the connection and shake hands.
  metadata:
    type: bool
    default: true
    description: Whether to fetch the metadata.
  metadata_timeout:
    type: float
    default: 15
    description: Seconds that a peer which is there has to show what it has and to send its metadata.
  piece:
    type: bool
    default: false
    description: Whether to read a piece. That takes a while, since seeders serve a newcomer after ten seconds.
  piece_timeout:
    type: float
    default: 25
    description: Seconds to wait for the piece.
  source:
    type: str
    default: ""
    description: The address of this host to look from, where it has several; empty for the system's choice.
attributes:
  check_mode:
    support: full
    description: It changes nothing, so it does the same in check mode.
"""

EXAMPLES = r"""
- name: See whether the seeder serves the torrent
  peer_info:
    targets:
      - address: 192.0.2.20
        port: 8082
        info_hash: 2aa4f5a7e209e54b32803d43670971c4c8caaa05
  register: peers
"""

RETURN = r"""
results:
  description: One entry for each target, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    address: {description: As given., type: str}
    port: {description: As given., type: int}
    info_hash: {description: As given., type: str}
    ok: {description: Whether the peer serves the torrent., type: bool}
    reason:
      description: Why not. C(dns), C(refused), C(timeout), C(unreachable), C(blocked), C(not_served), C(closed),
        C(reset), C(malformed), C(wrong_hash), C(not_encrypted).
      type: str
    message: {description: The reason for people., type: str}
    encryption: {description: 'C(plain), or C(encrypted) for a peer that closes on a plain handshake.', type: str}
    plain_only:
      description: Whether the peer, which takes plain connections, refuses encrypted ones; null where it is not known.
      type: bool
    client: {description: 'The client, by its own word.', type: str}
    share: {description: 'Share of the pieces that it holds, 0 to 1; null where it is not known.', type: float}
    revealing:
      description: Whether it shows what it has piece by piece, as a super-seeder does, so that it may have more.
      type: bool
    remarks: {description: What is odd about it and clients take all the same., type: list, elements: str}
    metadata:
      description:
        - C(ok), C(slow) where it was still coming when the time was up, or why the metadata cannot be had, such as
          C(not_offered).
      type: str
    metadata_message: {description: The same for people., type: str}
    piece: {description: 'C(ok), or why no good piece came, such as C(wrong_hash) or C(choked).', type: str}
    piece_message: {description: The same for people., type: str}
    utp: {description: Always C(not probed)., type: str}
    seconds: {description: How long it took., type: float}
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.probe.peer_handshake import PeerOptions, Target
from ansible.module_utils.seedbed.probe.peers import meet_all


def main() -> None:
    target = {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "required": True},
        "info_hash": {"type": "str", "required": True},
    }
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "options": target, "required": True},
            "timeout": {"type": "float", "default": 6},
            "metadata": {"type": "bool", "default": True},
            "metadata_timeout": {"type": "float", "default": 15},
            "piece": {"type": "bool", "default": False},
            "piece_timeout": {"type": "float", "default": 25},
            "source": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    targets = [Target(entry["address"], entry["port"], entry["info_hash"].lower()) for entry in params.pop("targets")]
    for entry in targets:
        if not 0 < entry.port < 65536:
            module.fail_json(msg=f"targets has port {entry.port}; expected 1 to 65535")
        if not re.fullmatch("[0-9a-f]{40}", entry.info_hash):
            module.fail_json(msg=f"targets has info_hash {entry.info_hash!r}; expected 40 hexadecimal digits")
    module.exit_json(changed=False, results=meet_all(targets, PeerOptions(**params)))


if __name__ == "__main__":
    main()
