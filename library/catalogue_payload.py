#!/usr/bin/python
"""Make, inspect and hash the payloads of a catalogue on the host that seeds them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: catalogue_payload
short_description: Make and hash the payloads of a catalogue
description:
  - Carries out recipes (content that is a function of seed, path and offset, so that every host makes the same bytes),
    inspects existing content, hashes both on every processor, and returns what a torrent is made from.
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
      - Seconds to wait for long work. It goes on in a process of its own, whatever becomes of the connection; the next
        call waits for its end before it begins its own. The action plugin of this name, on the controller, calls again
        by itself with O(job), and shows each time how far the work is.
    type: int
    default: 60
  job:
    description:
      - The work that an earlier call of the same task began, as it was returned in RV(again). Its result is returned as
        it is. A call without it inspects what is there now, whatever was found before.
    type: str
    default: ""
  processes:
    description: Processes to work with; V(0) for one a processor. V(1) suits a spinning disk.
    type: int
    default: 0
  role:
    description: For which role the directories are noted as ours, see M(owned). Without one nothing is noted.
    type: str
    default: ""
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
again:
  description: What the next call of the same task is called with besides.
  returned: when not finished
  type: dict
  sample: {job: 4f1c0a9be2d37785}
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
from typing import Any, Collection

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.jobs import JOB_FILES, BackgroundJob
from ansible.module_utils.seedbed.base.ownership import claim
from ansible.module_utils.seedbed.base.sizes import GIB, format_size
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.payload.manifest import Manifests
from ansible.module_utils.seedbed.payload.placement import STAGE, PayloadHost
from ansible.module_utils.seedbed.payload.store import Store, StoreProgress
from ansible.module_utils.seedbed.torrent.model import Payload, from_json, to_json
from ansible.module_utils.seedbed.transmission.daemon import installed_version

LOCK_SECONDS = 5  # for a process that has ended to let go of its lock
LONG = GIB  # work of more bytes than this is done in a process of its own


def inspect(params: dict[str, Any], *, check: bool, job: BackgroundJob | None = None) -> Store:
    """Return the payloads that are wanted, and what of them is there."""
    manifests = Manifests(os.path.join(params["state_dir"], "manifests"))
    client = installed_version(params["client"]) if params["client"] else ()
    begins: dict[str, tuple[float, int]] = {}

    def report(progress: StoreProgress) -> None:
        now = time.monotonic()
        since, before = begins.setdefault(progress.step, (now, progress.done))
        # What was done in the first moment says nothing about the speed.
        rate = (progress.done - before) / (now - since) if now - since >= 1 else 0
        if job:
            job.note_progress({**progress._asdict(), "rate": rate})

    # Asked only where it matters: it costs a process.
    grows = any(entry.get("fetch_rest") for entry in params["entries"])
    host = PayloadHost(params["payload_dir"], manifests, client, Unit(params["unit"]).user() if grows else None)
    store = Store(host, processes=params["processes"], check=check, report=report)
    store.inspect(params["entries"], prune=params["prune"])
    return store


def do(store: Store, remade: Collection[str] = ()) -> dict[str, Any]:
    """Do what is to be done and return the result; remade: names of what a call that was interrupted changed."""
    began = time.monotonic()
    payloads = store.run()
    for payload in payloads:
        payload["changed"] = payload["changed"] or payload["name"] in remade
    changed = sorted({*store.changed, *(payload["name"] for payload in payloads if payload["changed"])})
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


def changed_names(result: dict[str, Any]) -> set[str]:
    """Return the payloads that a result calls changed."""
    payloads: list[Payload] = from_json(result.get("payloads_json", "[]"))
    return {payload["name"] for payload in payloads if payload["changed"]}


def unfinished(progress: dict[str, Any], job_id: str) -> dict[str, Any]:
    """Return the result of a call that did not see the end."""
    text = "at work, with nothing done yet"
    if progress.get("total"):
        done, total, rate = progress["done"], progress["total"], int(progress["rate"])
        text = f"{progress['step']}: {format_size(done)} of {format_size(total)} ({done * 100 // total} %)"
        if rate:
            text += f", {format_size(rate)}/s, about {(total - done) // rate} s left for this step"
    return {
        "changed": False,
        "finished": False,
        "again": {"job": job_id},
        "progress": text,
        "payloads_json": "[]",
        "failures": [],
    }


@os_errors_reported()
def run(params: dict[str, Any]) -> dict[str, Any]:
    """Return the result, or how far the work is when the time to wait is over."""
    deadline = time.monotonic() + params["wait"]
    state, payloads = params["state_dir"], params["payload_dir"]
    if not params["entries"] and not os.path.lexists(state):
        return foresee(params)  # nothing is held, and nothing is to be: not even a place for it
    if params["entries"]:
        made = {
            "directories": [payloads, state],
            "trees": [os.path.join(payloads, STAGE), os.path.join(state, "manifests")],
            "files": [os.path.join(state, name) for name in JOB_FILES],
            "content": [payloads, state],
        }
        claim(params["role"], made)
    with BackgroundJob(params["state_dir"]) as job:
        if not job.acquire(deadline):
            return unfinished(job.read_progress(), params["job"])
        outcome = job.collect()
        if params["job"]:
            return outcome.result_of(params["job"])
        # What a call that was interrupted has left is history: the host may have changed since.
        remade = changed_names(outcome.result)
        store = inspect(params, check=False, job=job)
        if store.cost() < LONG:
            return do(store, remade)
        started = job.start(lambda: do(store, remade))
    if not started.wait(deadline - time.monotonic()):
        return unfinished(job.read_progress(), started.job_id)
    with BackgroundJob(params["state_dir"]) as job:
        acquired = job.acquire(time.monotonic() + LOCK_SECONDS)
        return job.collect().result_of(started.job_id) if acquired else unfinished({}, started.job_id)


@os_errors_reported()
def foresee(params: dict[str, Any]) -> dict[str, Any]:
    """Return what a run would return, without changing anything."""
    return do(inspect(params, check=True))


def main() -> None:
    """Read the parameters, do the work, return the result."""
    module = AnsibleModule(
        argument_spec={
            "payload_dir": {"type": "path", "required": True},
            "state_dir": {"type": "path", "required": True},
            "entries": {"type": "list", "elements": "dict", "required": True},
            "prune": {"type": "bool", "default": True},
            "client": {"type": "str", "default": "transmission-daemon"},
            "unit": {"type": "str", "default": "transmission-daemon.service"},
            "wait": {"type": "int", "default": 60},
            "job": {"type": "str", "default": ""},
            "processes": {"type": "int", "default": 0},
            "role": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        result = foresee(module.params) if module.check_mode else run(module.params)
    except SeedbedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
