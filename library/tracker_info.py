#!/usr/bin/python
"""Ansible module: ask BitTorrent trackers about torrents, from this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tracker_info
short_description: Ask BitTorrent trackers about torrents
description:
  - Scrapes trackers and announces to them, over HTTP and UDP, IPv4 and IPv6, and returns what they say, decoded.
  - Many trackers and info hashes are asked in one call and side by side, each question with its own deadline.
  - A tracker that is down, refuses or answers nonsense is a result with a reason, not a failure of the task.
  - The announce registers this host for a moment, as a leecher on a port where no client listens, and says C(stopped)
    at once. It is left out of the numbers and the peers that are returned.
  - What clients take all the same, such as bytes behind the end of an answer, is taken with a remark.
  - A user and a password in an announce address are sent, and shown nowhere.
  - The trackers are asked without the proxy that the environment may name.
options:
  trackers:
    type: list
    elements: str
    default: []
    description: Announce addresses, C(http://), C(https://) or C(udp://), as they stand in a torrent.
  info_hashes:
    type: list
    elements: str
    default: []
    description: The torrents, as 40 hexadecimal digits each. Each is asked of each of I(trackers).
  torrents:
    type: list
    elements: dict
    default: []
    description: Further torrents, each with trackers of its own.
    suboptions:
      info_hash: {type: str, required: true, description: 40 hexadecimal digits.}
      trackers: {type: list, elements: str, required: true, description: Announce addresses.}
  kinds:
    type: list
    elements: str
    choices: [scrape, announce]
    default: [scrape, announce]
    description: What to ask. Scrape changes nothing on the tracker.
  timeout:
    type: float
    default: 5
    description: Seconds for each question, from looking up the name to the last byte.
  family:
    type: str
    choices: [any, ipv4, ipv6]
    default: any
    description: Which addresses of the trackers to use; with C(any) they are tried in turn, as clients do.
  numwant:
    type: int
    default: 50
    description: How many peers to ask for.
  compact:
    type: bool
    default: true
    description: Whether to ask over HTTP for peers in their compact form. opentracker refuses anything else.
  port:
    type: int
    default: 1
    description: The port to announce.
  ports:
    type: list
    elements: int
    default: [8000, 9000]
    description:
      - First and last of the ports of which one is announced to a tracker that refuses I(port), as private ones do. It
        is bound for the time of the questions.
  raw:
    type: bool
    default: false
    description: Whether to return the undecoded answers too.
attributes:
  check_mode:
    support: full
    description: It changes nothing, so it does the same in check mode.
"""

EXAMPLES = r"""
- name: Ask who seeds
  tracker_info:
    trackers:
      - http://tracker.example:8888/announce
      - udp://tracker.example:8888/announce
    info_hashes: [2aa4f5a7e209e54b32803d43670971c4c8caaa05]
  register: answers

- name: See that each tracker knows a seeder
  ansible.builtin.assert:
    that: answers.results | rejectattr('ok') | length == 0
"""

RETURN = r"""
results:
  description: One entry for each tracker, info hash and kind.
  returned: always
  type: list
  elements: dict
  contains:
    tracker: {description: 'The address asked, without user and password.', type: str}
    remarks: {description: What is odd about the answer and clients take all the same., type: list, elements: str}
    info_hash: {description: The torrent., type: str}
    kind: {description: C(scrape) or C(announce)., type: str}
    ok: {description: Whether the tracker answered the question., type: bool}
    reason:
      description:
        - Why not, as a code. C(bad_url), C(for_browsers), C(dns), C(refused), C(timeout), C(unreachable), C(blocked),
          C(reset), C(tls),
          C(redirect), C(not_http), C(http_status), C(not_gzip), C(too_long), C(not_bencode), C(malformed), C(failure),
          C(not_authorized), C(wrong_transaction), C(no_scrape), C(os_error).
      type: str
    message: {description: The reason for people., type: str}
    address: {description: The tracker's address that answered., type: str}
    own_address: {description: This host's address on that connection., type: str}
    probes: {description: 'How many entries were of hosts that only ask, this one too; announce only.', type: int}
    seen_as: {description: The address under which the tracker hands this host out; announce only., type: str}
    status: {description: HTTP status., type: int}
    redirects: {description: Addresses that the tracker redirected to., type: list}
    known: {description: Whether the tracker knows the torrent; scrape only., type: bool}
    seeders: {description: Peers that have everything., type: int}
    leechers: {description: 'Peers that have not, without those who only ask.', type: int}
    downloaded: {description: How often the torrent was completed., type: int}
    interval: {description: Seconds until a client announces again., type: int}
    min_interval: {description: Seconds before which it may not., type: int}
    peers: {description: The peers handed out, each with C(address) and C(port)., type: list}
    deregistered: {description: Whether the tracker took our C(stopped)., type: bool}
    seconds: {description: How long the answer took., type: float}
    raw: {description: The answer in base64, if asked for., type: str}
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.probe.announce import AnnounceOptions, Question, ask, ports_fault
from ansible.module_utils.seedbed.torrent.credentials import without_password

ARGUMENTS = {
    "trackers": {"type": "list", "elements": "str", "default": []},
    "info_hashes": {"type": "list", "elements": "str", "default": []},
    "torrents": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "info_hash": {"type": "str", "required": True},
            "trackers": {"type": "list", "elements": "str", "required": True},
        },
    },
    "kinds": {
        "type": "list",
        "elements": "str",
        "choices": ["scrape", "announce"],
        "default": ["scrape", "announce"],
    },
    "timeout": {"type": "float", "default": 5},
    "family": {"type": "str", "choices": ["any", "ipv4", "ipv6"], "default": "any"},
    "numwant": {"type": "int", "default": 50},
    "compact": {"type": "bool", "default": True},
    "port": {"type": "int", "default": 1},
    "ports": {"type": "list", "elements": "int", "default": [8000, 9000]},
    "raw": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
    )
    params = module.params
    pairs = [(tracker, info_hash) for tracker in params["trackers"] for info_hash in params["info_hashes"]]
    pairs += [(tracker, torrent["info_hash"]) for torrent in params["torrents"] for tracker in torrent["trackers"]]
    # Ansible shows the arguments beside the results.
    params["trackers"] = [without_password(tracker) for tracker in params["trackers"]]
    for torrent in params["torrents"]:
        torrent["trackers"] = [without_password(tracker) for tracker in torrent["trackers"]]
    for _, info_hash in pairs:
        if not re.fullmatch("[0-9a-fA-F]{40}", info_hash):
            module.fail_json(msg=f"{info_hash!r} is no info hash; expected 40 hexadecimal digits")
    if not 0 <= params["port"] <= 65535:
        module.fail_json(msg=f"port is {params['port']}; expected 0 to 65535")
    if ports_fault(params["ports"]):
        module.fail_json(msg=ports_fault(params["ports"]))
    names = ("timeout", "family", "numwant", "compact", "port", "raw")
    options = AnnounceOptions(**{name: params[name] for name in names}, ports=tuple(params["ports"]))
    questions = [Question(tracker, kind, info_hash.lower()) for tracker, info_hash in pairs for kind in params["kinds"]]
    module.exit_json(changed=False, results=ask(questions, options))


if __name__ == "__main__":
    main()
