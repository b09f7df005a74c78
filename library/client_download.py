#!/usr/bin/python
"""Download catalogue items with one client, compare every byte, and judge each download by its promise."""

from __future__ import annotations

DOCUMENTATION = r"""
module: client_download
short_description: Download items of the lab's catalogue with a client and compare every file with it
description:
  - Reads the catalogue from the portal, as a tester would, and fetches the chosen items side by side, each by its
    .torrent, its magnet or its bare magnet, with the trackers of one kind alone.
  - The client runs in a transient unit without rights. DHT has no entry point, PEX and local discovery are off unless
    O(finds) has them, so that a success proves the tracker.
  - Each download is judged by what its item promises, so that one that was to stall at 60 % and does so is no failure.
  - The downloads are a process of their own on the host. It ends with its client when nobody has asked for two minutes
    how far it is, so that a run that was interrupted leaves nothing at work.
  - A download goes on for as long as it gets anything.
  - A download that fails is a result with the step and the client's last words; the others go on. What the client lacks
    is skipped.
options:
  client:
    description: V(aria2), V(deluge), V(libtorrent), V(qbittorrent), V(rtorrent), V(transmission), or one of O(own).
    type: str
    default: aria2
  own:
    description:
      - Clients of your own, by name. C(program) is the argument list of one that speaks lines of JSON; or C(commands)
        has the argument lists C(torrent) and C(magnet) of a command that is run for each download. C(features) says
        what it can do, all by default. C(docs/clients.md) describes both.
    type: dict
    default: {}
  missing:
    description:
      - What the host lacks for this client, such as a package. All that the client was to fetch is skipped then, with
        this reason.
    type: str
    default: ""
  portal:
    description: URL of the portal.
    type: str
    required: true
  items:
    description:
      - V(acceptance), V(all) (but those that scripts play in), or names separated by commas; or a list of names.
    type: raw
    default: acceptance
  via:
    description: By what the items are fetched. To a bare magnet the client is told of the trackers in its own way.
    type: list
    elements: str
    choices: [torrent, magnet, bare_magnet]
    default: [torrent, magnet]
  trackers:
    description: Over which kind of tracker the peers are found.
    type: list
    elements: str
    choices: [http, udp]
    default: [http, udp]
  finds:
    description:
      - By what peers are found besides trackers. An item without any tracker is fetched only with V(dht) or V(lpd).
      - A client that lacks one of them fetches nothing.
    type: list
    elements: str
    choices: [dht, pex, lpd]
    default: []
  dht_nodes:
    description: Where a client's DHT begins, as address and port; nowhere else.
    type: list
    elements: str
    default: []
  files:
    description: Of items with several files, the paths that are wanted, as the catalogue writes them. Empty for all.
    type: list
    elements: str
    default: []
  spread:
    description:
      - Fetch each item one way only, all ways being covered by the items together. Without it each item is fetched
        every way.
      - The default is to spread for V(acceptance) only.
    type: bool
  once:
    description:
      - Fetch no item a second time when the ways are spread over fewer items than there are ways. Transmission 3.00
        serves a torrent once to each address.
    type: bool
    default: false
  largest:
    description: The acceptance takes no item of more bytes than this.
    type: int
    default: 268435456
  directory:
    description: Where the files lie meanwhile.
    type: path
    required: true
  keep:
    description: Leave the files there.
    type: bool
    default: false
  user:
    description: The system user that the client runs as.
    type: str
    required: true
  rpc_port:
    description: The port by which the client is told what to do, on loopback unless there is a secret.
    type: int
    required: true
  rpc_secret:
    description:
      - With it the RPC can be used from other hosts by those who know it. Empty for loopback and a secret of its own.
    type: str
    default: ""
  peer_port:
    description: The port of its peers, and by UDP the one from which it asks UDP trackers.
    type: int
    required: true
  address:
    description: The address that it comes from; empty for the system's choice.
    type: str
    default: ""
  parallel:
    description: How many items are fetched at a time.
    type: int
    default: 16
  stall_seconds:
    description: A download without progress for so long has failed. A first byte takes ten seconds from any seeder.
    type: int
    default: 45
  seconds:
    description: The time for all of them; V(0) for as long as they go on.
    type: int
    default: 0
  wait:
    description:
      - After so many seconds a call returns how far the downloads are, and they go on in a process of their own. The
        action plugin then calls again, and shows how far they are.
    type: int
    default: 10
  job:
    description: What an earlier call began and this one waits for. For the action plugin.
    type: str
    default: ""
attributes:
  check_mode:
    support: none
"""

EXAMPLES = r"""
- name: Fetch two items every way
  client_download:
    portal: http://192.0.2.10:8000/
    items: [盲道.mp4, thousand-files]
    directory: /srv/seedbed/leecher
    user: seedbed-leecher
    rpc_port: 8084
    peer_port: 8085

- name: Fetch all with the company's own client
  client_download:
    client: acme
    own:
      acme:
        commands:
          torrent: [/opt/acme/get, --port, "{peer_port}", --into, "{directory}", "{torrent}"]
          magnet: [/opt/acme/get, --port, "{peer_port}", --into, "{directory}", "{magnet}"]
        features: [torrent, magnet, udp_tracker, private]
    portal: http://192.0.2.10:8000/
    items: all
    directory: /srv/seedbed/leecher
    user: seedbed-leecher
    rpc_port: 8084
    peer_port: 8085
"""

RETURN = r"""
downloads:
  description: One entry a download.
  type: list
  elements: dict
  returned: always
  sample:
    - client: aria2
      name: 盲道.mp4
      info_hash: aa7e899801bbd02e07c585f3c2f4d26cf6bc9c59
      via: magnet
      tracker: udp
      ok: true
      expected: completes
      fault: ""
      skipped: ""
      step: null
      words: []
      size: 300000
      piece_length: 16384
      files: 1
      bytes: 300000
      connections: 1
      seconds: {metadata: 2.4, first_byte: 9.8, download: 10.2, verified: 10.3}
      rate: null
failures:
  description: One sentence a download that is not as its item promises; the reason why there are none at all, too.
  type: list
  elements: str
  returned: always
finished:
  description: Whether the downloads have ended; the action plugin ends with that alone.
  type: bool
  returned: always
again:
  description: What the next call of the same task is called with besides.
  type: dict
  returned: when not finished
  sample: {job: .job-4ux9a2hd/4f1c0a9be2d37785}
progress:
  description: How far they are, for people.
  type: str
  returned: when not finished
  sample: |-
    aria2: 3 of 5 downloads have ended, 1 wait
        one-file.bin  magnet over udp  downloading   43 %  12.3 MiB/s  2 peers
directory:
  description: Where the files were left, one numbered directory a download, in their order.
  type: str
  returned: when O(keep=true)
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.clients.contract import FINDS
from ansible.module_utils.seedbed.clients.fetching import run

VIAS = ["torrent", "magnet", "bare_magnet"]
ARGUMENTS = {
    "client": {"type": "str", "default": "aria2"},
    "own": {"type": "dict", "default": {}},
    "missing": {"type": "str", "default": ""},
    "portal": {"type": "str", "required": True},
    "items": {"type": "raw", "default": "acceptance"},
    "via": {"type": "list", "elements": "str", "choices": VIAS, "default": ["torrent", "magnet"]},
    "trackers": {"type": "list", "elements": "str", "choices": ["http", "udp"], "default": ["http", "udp"]},
    "finds": {"type": "list", "elements": "str", "choices": [*FINDS], "default": []},
    "dht_nodes": {"type": "list", "elements": "str", "default": []},
    "files": {"type": "list", "elements": "str", "default": []},
    "spread": {"type": "bool"},
    "once": {"type": "bool", "default": False},
    "largest": {"type": "int", "default": 268435456},
    "directory": {"type": "path", "required": True},
    "keep": {"type": "bool", "default": False},
    "user": {"type": "str", "required": True},
    "rpc_port": {"type": "int", "required": True},
    "rpc_secret": {"type": "str", "default": "", "no_log": True},
    "peer_port": {"type": "int", "required": True},
    "address": {"type": "str", "default": ""},
    "parallel": {"type": "int", "default": 16},
    "stall_seconds": {"type": "int", "default": 45},
    "seconds": {"type": "int", "default": 0},
    "wait": {"type": "int", "default": 10},
    "job": {"type": "str", "default": ""},
}


def main() -> None:
    """Read the parameters, do the work or ask how far it is, return the result."""
    module = AnsibleModule(argument_spec=ARGUMENTS)
    try:
        result = run(module.params)
    except SeedbedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
