#!/usr/bin/python
"""Make a Transmission daemon hold, check, seed and announce a set of torrents, and waits until it does."""

from __future__ import annotations

DOCUMENTATION = r"""
module: transmission_torrents
short_description: The torrents of a Transmission daemon, seeding and announced
description:
  - Takes the whole wanted set in one call, over one connection. Missing torrents are added paused, their content is
    looked at, and only what is all there is started, so that wrong content never turns a seeder into a leecher. The
    daemon itself raises no error for content that is missing.
  - Trackers, upload limits, location and share of running torrents are changed in place; info hashes stay as they are.
  - Ends when every torrent seeds (nothing left, every byte valid) and its trackers have taken its announce, or cannot.
    A torrent that cannot is a result with a reason, and the others are still done. Waiting ends when nothing has moved
    for O(timeout) seconds.
  - A torrent that its tracker does not list, as after a restart of the tracker, is announced again at once instead of
    when the daemon's interval is over.
  - Torrents that lack the label of this module belong to somebody else and are only removed with O(alone).
options:
  torrents:
    description: The wanted torrents.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name, for results alone; torrents are told apart by info hash.
        type: str
        required: true
      info_hash:
        description:
          - The v1 info hash, 40 hexadecimal digits. Required for V(present); without it V(absent) removes what has the
            name.
        type: str
      state:
        description: V(absent) removes it from the daemon, if it carries our label.
        type: str
        choices: [present, absent]
        default: present
      metainfo:
        description: The .torrent file in base64. Required for V(present).
        type: str
      download_dir:
        description: Absolute path of the directory in which its content lies. Required for V(present).
        type: path
      trackers:
        description: Announce URLs in tiers.
        type: list
        elements: list
        default: []
      announce:
        description:
          - Which of its trackers have to take its announce. V(any) suits a torrent with a tracker that is dead on
            purpose.
        type: str
        choices: [all, any, none]
        default: all
      upload_limit:
        description: Bytes a second for this torrent; null for no limit of its own. The daemon counts in units of 1000.
        type: int
      available:
        description:
          - The share of the content that this seeder holds, in millionths; null for all of it. It serves that share and
            fetches nothing.
        type: int
      fetch_rest:
        description:
          - Whether it fetches what is not O(torrents[].available) from other peers. It counts as seeding from the
            start; nobody waits until it has become whole.
        type: bool
        default: false
      trusted:
        description:
          - Whether the content was just made and hashed here. Transmission 4 then takes it by sizes and dates;
            otherwise it is read and compared once, when the torrent is added. Transmission 3.00 reads it always.
        type: bool
        default: false
      remade:
        description:
          - Whether its content was made again since the daemon read it. A torrent that is already there is then read
            anew, because a daemon goes on serving the files that it had open, even when others have taken their place.
        type: bool
        default: false
  exclusive:
    description: Remove torrents that carry our label and are not listed.
    type: bool
    default: false
  alone:
    description: Remove torrents that lack our label and are not listed, too.
    type: bool
    default: false
  remove_data:
    description: Delete the content of torrents that are removed.
    type: bool
    default: false
  label:
    description: The label that marks the torrents of this module.
    type: str
    default: seedbed
  host:
    description: Address of the daemon's RPC.
    type: str
    default: 127.0.0.1
  port:
    description: Port of the daemon's RPC.
    type: int
    default: 8081
  path:
    description: The daemon's C(rpc-url).
    type: str
    default: /transmission/
  username:
    description: User name for RPC.
    type: str
    default: seedbed
  password:
    description: Password for RPC.
    type: str
    required: true
  as_found:
    description:
      - Whether the daemon's own settings on this host say where it is to be asked and by whom, not the other options.
        A daemon that cannot be asked then, as it has another password, keeps its torrents, and RV(unasked) says why.
    type: bool
    default: false
  timeout:
    description: Seconds without progress (bytes checked, torrents started, trackers answering) before giving up.
    type: int
    default: 90
  wait:
    description:
      - Seconds after which a wait that moves on is interrupted to tell how far it is; the same call with O(begun) goes
        on with it. The action plugin of this name, on the controller, does both by itself.
    type: int
    default: 60
  begun:
    description: Whether this goes on with an interrupted call. What that one has had read is not read again.
    type: bool
    default: false
  unit:
    description:
      - The daemon's unit on this host. It is restarted once when torrents that the daemon has get other trackers,
        because Transmission 3.00 and 4.1.0-beta.2 serve wrong metadata, or none, to magnets until then. A restart that
        a run could not do any more is done by the next. Empty for no restart.
    type: str
    default: ""
attributes:
  check_mode:
    description:
      - Says what would change. Of a torrent that stands still because content was missing, the content is read and
        compared here, since it alone decides whether a run would start it.
      - A daemon that is not there yet, or has another password still, holds nothing.
    support: full
  diff_mode:
    description: Names the torrents and the fields that change.
    support: full
"""

EXAMPLES = r"""
- name: Seed the catalogue
  transmission_torrents:
    password: "{{ transmission_rpc_password }}"
    torrents:
      - name: hello.bin
        info_hash: 0123456789abcdef0123456789abcdef01234567
        metainfo: "{{ lookup('ansible.builtin.file', 'hello.bin.torrent.b64') }}"
        download_dir: /srv/seedbed/payload
        trackers:
          - [http://192.0.2.10:8888/announce, udp://192.0.2.10:8888]
        trusted: true
"""

RETURN = r"""
seeding:
  description: How many torrents seed as wanted.
  type: int
  returned: always
  sample: 12
restarted:
  description: Whether the daemon was restarted, or would be, because of other trackers.
  type: bool
  returned: always
  sample: false
failures:
  description: Name, reason and error of the torrents that do not seed as wanted.
  type: list
  elements: dict
  returned: always
  sample:
    - name: other.bin
      reason: missing_content
      error: "/srv/seedbed/payload holds 0 B of 1 MiB: the content is not there, or other content is"
unasked:
  description: Why the daemon could not be asked and nothing was changed.
  type: str
  returned: with as_found, when it could not
  sample: Transmission's RPC at 127.0.0.1:9091 refuses the user name or the password (401)
finished:
  description: Whether there is nothing left to wait for; the action plugin ends with that alone.
  returned: always
  type: bool
progress:
  description: How far the wait is, for people.
  returned: when not finished
  type: str
  sample: 3 of 12 torrents seed; 3.1 GiB of 12 GiB of 9 being checked are read
again:
  description: Arguments that the call which goes on takes besides; for the action plugin.
  returned: always
  type: dict
  sample: {begun: true}
seconds:
  description: How long adding and waiting took; in the call that ended it.
  type: dict
  returned: when something was done
  sample: {adding: 0.4, waiting: 25.2}
"""

import contextlib
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.transmission.converge import TorrentOptions, converge_torrents
from ansible.module_utils.seedbed.transmission.daemon import rpc_client
from ansible.module_utils.seedbed.transmission.existing import PLACES
from ansible.module_utils.seedbed.transmission.rpc import RpcClient, RpcDenied, RpcUnreachable
from ansible.module_utils.seedbed.transmission.settings import BrokenSettings, load_settings
from ansible.module_utils.seedbed.transmission.torrents import wanted_torrent

TORRENT = {
    "name": {"type": "str", "required": True},
    "info_hash": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "metainfo": {"type": "str"},
    "download_dir": {"type": "path"},
    "trackers": {"type": "list", "elements": "list", "default": []},
    "announce": {"type": "str", "choices": ["all", "any", "none"], "default": "all"},
    "upload_limit": {"type": "int"},
    "available": {"type": "int"},
    "fetch_rest": {"type": "bool", "default": False},
    "trusted": {"type": "bool", "default": False},
    "remade": {"type": "bool", "default": False},
}
ARGUMENTS = {
    "torrents": {"type": "list", "elements": "dict", "required": True, "options": TORRENT},
    "exclusive": {"type": "bool", "default": False},
    "alone": {"type": "bool", "default": False},
    "remove_data": {"type": "bool", "default": False},
    "label": {"type": "str", "default": "seedbed"},
    "host": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "default": 8081},
    "path": {"type": "str", "default": "/transmission/"},
    "username": {"type": "str", "default": "seedbed"},
    "password": {"type": "str", "required": True, "no_log": True},
    "as_found": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 90},
    "wait": {"type": "int", "default": 60},
    "begun": {"type": "bool", "default": False},
    "unit": {"type": "str", "default": ""},
}


def main() -> None:
    """Read the arguments, converge, report."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    options = TorrentOptions(**{name: params[name] for name in TorrentOptions._fields})
    try:
        wanted = [wanted_torrent(spec) for spec in params["torrents"]]
        with contextlib.closing(_client(params)) as rpc:
            result = converge_torrents(rpc, wanted, options, check_mode=module.check_mode)
    except SeedbedError as error:
        if not params["as_found"] or not isinstance(error, (RpcUnreachable, RpcDenied, BrokenSettings)):
            module.fail_json(msg=str(error))
        module.exit_json(
            changed=False, seeding=0, restarted=False, failures=[], unasked=str(error), again={}, finished=True
        )
    module.exit_json(**result)


def _client(params: dict[str, Any]) -> RpcClient:
    if params["as_found"]:
        found = [place.settings for place in PLACES if os.path.lexists(place.settings)]
        return rpc_client(load_settings(found[0]) if found else {}, params["password"])
    login = (params["username"], params["password"])
    return RpcClient(params["host"], params["port"], login, path=params["path"])


if __name__ == "__main__":
    main()
