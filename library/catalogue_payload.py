#!/usr/bin/python
"""Make, look at and hash the payloads of a catalogue on the host that seeds them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: catalogue_payload
short_description: Make and hash the payloads of a catalogue
version_added: "0.1.0"
description:
  - Carries out recipes (content that is a function of seed, path and offset, so that every host makes the same bytes),
    looks at existing content, hashes both on every processor, and returns what a torrent is made from.
  - An unchanged payload costs one stat a file; what was hashed before is not read again.
  - An entry that cannot be done is listed in RV(failures); the others are done all the same.
attributes:
  check_mode:
    support: full
    description: Returns the true digests of recipes without writing a byte, by hashing computed content.
  diff_mode:
    support: full
options:
  payload_dir:
    description: Directory that the content of recipes is laid out in.
    type: path
    required: true
  state_dir:
    description: Directory of the manifests, which remember what was made and hashed.
    type: path
    required: true
  entries:
    description: What this host holds, as filter P(catalogue_entries#filter) returns it.
    type: list
    elements: dict
    required: true
  prune:
    description: Whether to remove what earlier runs made for entries that are not listed any more, sources never.
    type: bool
    default: true
  processes:
    description: Processes to work with; V(0) for one a processor. V(1) suits a spinning disk.
    type: int
    default: 0
author:
  - Seedbed contributors
"""

EXAMPLES = r"""
- name: Make and hash what this seeder holds
  catalogue_payload:
    payload_dir: /srv/seedbed/payload
    state_dir: /srv/seedbed/state
    entries: "{{ catalogue_torrents | catalogue_entries(inventory_hostname, seeders=groups['seeders']) }}"
"""

RETURN = r"""
payloads:
  description: A descriptor of each payload that is complete. Digests are missing where another host hashes.
  returned: always
  type: list
  elements: dict
  sample:
    - name: hello.bin
      download_dir: /srv/seedbed/payload
      changed: false
      length: 5
      single_file: true
      piece_length: 16384
      hybrid: false
      pieces: qvTGHdzF6KLavt4PO0gs2a6pQ00=
      files:
        - path: []
          length: 5
          sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
failures:
  description: The entries that could not be done, with the reason.
  returned: always
  type: list
  elements: dict
  sample:
    - name: film.mkv
      reason: /srv/media/film.mkv does not exist
made:
  description: Bytes that were written.
  returned: always
  type: int
hashed:
  description: Bytes that were hashed.
  returned: always
  type: int
seconds:
  description: How long it took.
  returned: always
  type: float
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.store import Store


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "payload_dir": {"type": "path", "required": True},
            "state_dir": {"type": "path", "required": True},
            "entries": {"type": "list", "elements": "dict", "required": True},
            "prune": {"type": "bool", "default": True},
            "processes": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    params = module.params
    began = time.monotonic()
    store = Store(params["payload_dir"], params["state_dir"], processes=params["processes"], check=module.check_mode)
    payloads = store.run(params["entries"], prune=params["prune"])
    module.exit_json(
        changed=bool(store.changed),
        payloads=payloads,
        failures=store.failures,
        made=store.made,
        hashed=store.hashed,
        seconds=round(time.monotonic() - began, 3),
        diff={"before": "", "after": "".join(f"{name}\n" for name in sorted(store.changed))},
    )


if __name__ == "__main__":
    main()
