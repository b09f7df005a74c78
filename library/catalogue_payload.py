#!/usr/bin/python
"""Make, look at and hash the payloads of a catalogue on the host that seeds them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: catalogue_payload
short_description: Make and hash the payloads of a catalogue
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
    description: What this host holds, as module M(catalogue_specs) returns it.
    type: list
    elements: dict
    required: true
  prune:
    description: Whether to remove what earlier runs made for entries that are not listed any more, sources never.
    type: bool
    default: true
  client:
    description:
      - The program of the host's Transmission, which is asked for its version. Content for 3.00 is laid out under the
        names that it looks for; what it cannot load is a failure with the reason. Empty to not ask.
    type: str
    default: transmission-daemon
  unit:
    description:
      - The systemd unit of the host's Transmission. Its user becomes the owner of the files that it shall complete by
        itself (C(swarm.fetch_rest)); the others are root's, and it only reads them.
    type: str
    default: transmission-daemon.service
  wait:
    description:
      - Seconds to wait for long work. It goes on in a process of its own, whatever becomes of the connection; the same
        call again waits for it again. The action plugin of this name, on the controller, calls again by itself, and
        tells each time how far the work is.
    type: int
    default: 60
  processes:
    description: Processes to work with; V(0) for one a processor. V(1) suits a spinning disk.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Make and hash what this seeder holds
  catalogue_payload:
    payload_dir: /srv/seedbed/payload
    state_dir: /srv/seedbed/state
    entries: "{{ resolved.specs_json[inventory_hostname] | from_json }}"
"""

RETURN = r"""
payloads_json:
  description:
    - A list as JSON text, which Ansible hands on whole, with a descriptor of each payload that is complete. Digests are
      missing where another host hashes.
  returned: always
  type: str
  sample: >-
    [{"name": "hello.bin", "download_dir": "/srv/seedbed/payload", "changed": false, "length": 5, "single_file": true,
    "piece_length": 16384, "hybrid": false, "pieces": "qvTGHdzF6KLavt4PO0gs2a6pQ00=", "recipe": null,
    "files": [{"path": [], "length": 5, "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}]}]
finished:
  description: Whether the work is done; the action plugin ends with that alone.
  returned: always
  type: bool
progress:
  description: How far it is, for people.
  returned: when not finished
  type: str
  sample: "making: 3.1 GiB of 12 GiB (25 %), 1.9 GiB/s, about 4 s left for this step"
failures:
  description: The entries that could not be done, with the reason; unfit where the host's Transmission is too old.
  returned: always
  type: list
  elements: dict
  sample:
    - name: film.mkv
      reason: /srv/media/film.mkv does not exist
      unfit: false
gone:
  description: Names of the entries that are absent, or are no longer listed and were pruned.
  returned: when finished
  type: list
  elements: str
  sample: []
made:
  description: Bytes that were written.
  returned: when finished
  type: int
hashed:
  description: Bytes that were hashed.
  returned: when finished
  type: int
seconds:
  description: How long it took.
  returned: when finished
  type: float
"""

import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import digest
from ansible.module_utils.seedbed.base.jobs import Job, JobError, wait
from ansible.module_utils.seedbed.base.sizes import GIB, format_size
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.payload.manifest import Manifests
from ansible.module_utils.seedbed.payload.placement import Host
from ansible.module_utils.seedbed.payload.store import Report, Store
from ansible.module_utils.seedbed.torrent.model import to_json
from ansible.module_utils.seedbed.transmission.daemon import installed_version

LOCK_SECONDS = 5  # for a process that has ended to let go of its lock
LONG = GIB  # work of more bytes than this is done in a process of its own


def _store(params: dict[str, Any], check: bool, job: Job | None) -> Store:
    manifests = Manifests(os.path.join(params["state_dir"], "manifests"))
    client = installed_version(params["client"]) if params["client"] else ()
    begins: dict[str, tuple[float, int]] = {}

    def report(told: Report) -> None:
        now = time.monotonic()
        since, before = begins.setdefault(told.step, (now, told.done))
        # What was done in the first moment says nothing about the speed.
        rate = (told.done - before) / (now - since) if now - since >= 1 else 0
        if job:
            job.progress({"step": told.step, "done": told.done, "total": told.total, "rate": rate})

    # Asked only where it matters: it costs a process.
    grows = any(entry.get("fetch_rest") for entry in params["entries"])
    host = Host(params["payload_dir"], manifests, client, Unit(params["unit"]).user() if grows else None)
    store = Store(host, processes=params["processes"], check=check, report=report)
    store.look(params["entries"], prune=params["prune"])
    return store


def _result(store: Store) -> dict[str, Any]:
    began = time.monotonic()
    payloads = store.run()
    changed = sorted(store.changed)
    return {
        "changed": bool(changed),
        "finished": True,
        "payloads_json": to_json(payloads),
        "failures": store.failures,
        "gone": store.gone,
        "made": store.made,
        "hashed": store.hashed,
        "seconds": round(time.monotonic() - began, 3),
        "diff": {"before": "", "after": "".join(f"{name}\n" for name in changed)},
    }


def _unfinished(told: dict[str, Any]) -> dict[str, Any]:
    text = "at work, with nothing done yet"
    if told.get("total"):
        done, total, rate = told["done"], told["total"], int(told["rate"])
        text = f"{told['step']}: {format_size(done)} of {format_size(total)} ({done * 100 // total} %)"
        if rate:
            text += f", {format_size(rate)}/s, about {(total - done) // rate} s left for this step"
    return {"changed": False, "finished": False, "progress": text, "payloads_json": "[]", "failures": []}


def _run(params: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + params["wait"]
    about = digest(params["entries"], params["prune"], params["payload_dir"])
    with Job(params["state_dir"], about) as job:
        if not job.acquire(deadline):
            return _unfinished(job.told())
        found = job.collect()
        if found is not None:
            return found
        store = _store(params, False, job)
        if store.cost() < LONG:
            return _result(store)
        ended = job.start(lambda: _result(store))
    if not wait(ended, deadline - time.monotonic()):
        return _unfinished(job.told())
    with Job(params["state_dir"], about) as job:
        found = job.collect() if job.acquire(time.monotonic() + LOCK_SECONDS) else None
    if found is None:
        raise JobError("the process that did the work was ended before it had a result; run again to go on")
    return found


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "payload_dir": {"type": "path", "required": True},
            "state_dir": {"type": "path", "required": True},
            "entries": {"type": "list", "elements": "dict", "required": True},
            "prune": {"type": "bool", "default": True},
            "client": {"type": "str", "default": "transmission-daemon"},
            "unit": {"type": "str", "default": "transmission-daemon.service"},
            "wait": {"type": "int", "default": 60},
            "processes": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    try:
        result = _result(_store(module.params, True, None)) if module.check_mode else _run(module.params)
    except (SeedbedError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
