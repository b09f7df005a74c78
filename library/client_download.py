#!/usr/bin/python
"""Download catalogue items with one client, compare every byte, and judge each download by its promise."""

from __future__ import annotations

DOCUMENTATION = r"""
module: client_download
short_description: Download items of the lab's catalogue with a client and compare every file with it
description:
  - Reads the catalogue from the portal, as a tester would, and fetches the chosen items side by side, each by its
    .torrent, its magnet or its bare magnet, with the trackers of one kind alone.
  - The client runs in a transient unit without rights. DHT has no entry point, PEX and local discovery are off, so that
    a success proves the tracker.
  - Each download is judged by what its item promises, so that one that was to stall at 60 % and does so is no failure.
  - The downloads are a process of their own on the host. It ends with its client when nobody has asked for two minutes
    how far it is, so that a run that was interrupted leaves nothing at work.
  - A download goes on for as long as it gets anything.
  - A download that fails is a result with the step and the client's last words; the others go on. What the client lacks
    is skipped.
options:
  client:
    description: V(aria2), V(transmission), V(libtorrent), or one of O(own).
    type: str
    default: aria2
  own:
    description:
      - Clients of your own, by name. C(program) is the argument list of one that speaks lines of JSON; or C(commands)
        has the argument lists C(torrent) and C(magnet) of a command that is run for each download. C(features) says
        what it can do, all by default. C(docs/clients.md) describes both.
    type: dict
    default: {}
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

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from typing import Any, Callable, Iterator, List, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.files import read_file, write_atomically
from ansible.module_utils.seedbed.base.jobs import BackgroundJob
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.clients import download_plan, downloads, progress
from ansible.module_utils.seedbed.clients.contract import Client, ClientError, ClientSettings
from ansible.module_utils.seedbed.clients.download_plan import PlannedDownload
from ansible.module_utils.seedbed.clients.roster import make_client, own_faults
from ansible.module_utils.seedbed.clients.unit import UNIT, watch
from ansible.module_utils.seedbed.torrent.model import DownloadResult

VIAS = ["torrent", "magnet", "bare_magnet"]
ARGUMENTS = {
    "client": {"type": "str", "default": "aria2"},
    "own": {"type": "dict", "default": {}},
    "portal": {"type": "str", "required": True},
    "items": {"type": "raw", "default": "acceptance"},
    "via": {"type": "list", "elements": "str", "choices": VIAS, "default": ["torrent", "magnet"]},
    "trackers": {"type": "list", "elements": "str", "choices": ["http", "udp"], "default": ["http", "udp"]},
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
# What begins the name of a directory: of a run's that goes with the run, of one that stays, and of a job's notes.
RUN = "fetching-"
KEPT = "run-"
JOB = ".job-"
LEASE = 120.0  # seconds after which downloads end that nobody has asked for
PATIENCE = LEASE + 60  # with the downloads of a run that was interrupted
POLL = 0.5
LOCK_SECONDS = 5  # for a process that has ended to let go of its lock


Fetched = Tuple[List[DownloadResult], List[str]]
Look = Callable[[Sequence[downloads.Download]], None]


class Abandoned(SeedbedError):
    """Nobody waits for the result any more."""


class Lease:
    """Somebody's word, in a job's directory, that the job's result is still waited for."""

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "asked")

    def renew(self) -> None:
        """Ask for the result once more."""
        write_atomically(self._path, str(time.monotonic()).encode(), mode=0o600)

    def is_over(self) -> bool:
        """Return whether nobody has asked for long; no clock of the host has a part in that."""
        try:
            return abs(time.monotonic() - float(read_file(self._path) or 0)) > LEASE
        except ValueError:
            return True


def planned_downloads(params: dict[str, Any], portal: str) -> tuple[list[PlannedDownload], list[str]]:
    """Read the catalogue; return what is fetched how, and a sentence for each item that cannot be."""
    wanted = params["items"]
    if isinstance(wanted, str) and "," in wanted:
        wanted = [name.strip() for name in wanted.split(",")]
    catalogue = download_plan.read_catalogue(downloads.fetch_from_portal(portal + "catalogue.json"))
    vias, kinds = params["via"], params["trackers"]
    if wanted == "acceptance":
        catalogue = [item for item in catalogue if download_plan.has_way(item, vias, kinds)]
    items = download_plan.select_items(catalogue, wanted, params["largest"])
    spread = wanted == "acceptance" if params["spread"] is None else params["spread"]
    planned, without = download_plan.plan_downloads(items, vias, kinds, spread, once=params["once"])
    return [each._replace(files=tuple(params["files"])) for each in planned], without


def wanted_client(params: dict[str, Any], directory: str, bound_to: str = "") -> Client:
    """Return the client, not started yet."""
    faults = own_faults(params["own"])
    if faults:
        raise SeedbedError("own clients: " + "; ".join(faults))
    settings = ClientSettings(
        directory=directory,
        user=params["user"],
        control_port=params["rpc_port"],
        peer_port=params["peer_port"],
        address=params["address"],
        parallel=params["parallel"],
        seconds=params["seconds"] and params["seconds"] + 120,  # more than it takes to end it in good order
        secret=params["rpc_secret"],
        bound_to=bound_to,
    )
    return make_client(params["client"], settings, params["own"])


@os_errors_reported()
def fetch_all(params: dict[str, Any], directory: str, look: Look = lambda _: None) -> Fetched:
    """Plan, download, compare; return the results, and a sentence for each failure."""
    client = wanted_client(params, directory)
    portal = params["portal"].rstrip("/") + "/"
    planned, without = planned_downloads(params, portal)
    fit, skipped = downloads.without_features(planned, client)
    results = skipped
    if fit:
        limits = downloads.DownloadLimits(params["stall_seconds"], params["seconds"], params["keep"])
        with watch() as unit, wanted_client(params, directory, unit) as started:
            results = downloads.run_downloads(fit, started, portal, limits, look) + skipped
    return results, without + [sentence(result) for result in results if result["fault"]]


@contextlib.contextmanager
def alone(parent: str, own: str = "") -> Iterator[None]:
    """Be the one download of this host, and take away what a killed one has left; ClientError while another runs.

    own: this job's directory, which stays until its result is fetched.
    One whose run was interrupted goes on until its lease is over, so there is some patience with it.
    """
    with os_errors_reported():
        lock = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise ClientError(
                        "another download is under way on this host; run again when it has ended"
                    ) from error
            time.sleep(POLL)  # between two tries; the deadline above bounds the wait
        if Unit(UNIT).active():
            Unit(UNIT).stop()
        with os_errors_reported():
            for name in os.listdir(parent):
                path = os.path.join(parent, name)
                if name.startswith(RUN) or (name.startswith(JOB) and path != own and Lease(path).is_over()):
                    shutil.rmtree(path)
        yield
    finally:
        os.close(lock)


@os_errors_reported()
def make_run_directory(parent: str, *, keep: bool) -> str:
    """Make a directory for this run alone and return its path."""
    return tempfile.mkdtemp(prefix=KEPT if keep else RUN, dir=parent)


def do(params: dict[str, Any], job: BackgroundJob, place: str) -> dict[str, Any]:
    """Do all of the work and return the result of the module; place: the job's directory."""
    lease = Lease(place)
    notes = progress.ProgressNotes(params["client"], job.note_progress)

    def look(seen: Sequence[downloads.Download]) -> None:
        if lease.is_over():
            raise Abandoned("nobody waits for these downloads any more")
        notes.look(seen)

    results: list[DownloadResult] = []
    job.note_progress({"text": "waits for another download on this host to end"})
    with alone(params["directory"], place):
        job.note_progress({})
        directory = make_run_directory(params["directory"], keep=params["keep"])
        try:
            results, failures = fetch_all(params, directory, look)
        except Abandoned:
            raise
        except SeedbedError as error:
            failures = [str(error)]
        finally:
            if not params["keep"]:
                shutil.rmtree(directory)
    kept = {"directory": directory} if params["keep"] else {}
    # Without `keep` nothing on the host is other than before.
    return {"changed": params["keep"], "finished": True, "downloads": results, "failures": failures, **kept}


@os_errors_reported()
def run(params: dict[str, Any]) -> dict[str, Any]:
    """Begin the work, or wait for what an earlier call began; return its result, or how far it is."""
    deadline = time.monotonic() + params["wait"]
    if params["job"]:
        name, _, job_id = params["job"].partition("/")
        return follow(os.path.join(params["directory"], name), job_id, deadline)
    # A client that nobody knows is told before anything begins. What clients are made of is read here, too: the archive
    # with this module goes while the job is at work.
    try:
        wanted_client(params, params["directory"])
    except SeedbedError as error:
        return {"changed": False, "finished": True, "downloads": [], "failures": [str(error)]}
    os.makedirs(params["directory"], mode=0o755, exist_ok=True)
    place = tempfile.mkdtemp(prefix=JOB, dir=params["directory"])
    Lease(place).renew()
    with BackgroundJob(place) as job:
        job.acquire(deadline)
        started = job.start(lambda: do(params, job, place))
    ended = started.wait(deadline - time.monotonic())
    return follow(place, started.job_id, time.monotonic() + (LOCK_SECONDS if ended else 0))


def follow(place: str, job_id: str, deadline: float) -> dict[str, Any]:
    """Return the result of a job, or how far it is at the deadline."""
    if not os.path.isdir(place):
        raise ClientError("the downloads have ended, as nobody asked for them in time; run again")
    Lease(place).renew()
    with BackgroundJob(place) as job:
        if not job.acquire(deadline):
            again = {"job": f"{os.path.basename(place)}/{job_id}"}
            told = {
                "again": again,
                "progress": progress.progress_text(job.read_progress()),
                "downloads": [],
                "failures": [],
            }
            return {"changed": False, "finished": False, **told}
        outcome = job.collect()
        shutil.rmtree(place)
    return outcome.result_of(job_id)


def sentence(result: DownloadResult) -> str:
    """Return a download that is not as it should be as a sentence."""
    what = f"{result['name']} by {result['via'].replace('_', ' ')} over {result['tracker']} with {result['client']}"
    where = f"failed at {result['step']}" if result["step"] and result["expected"] == "completes" else "not as promised"
    return f"{what}: {where}: {result['fault']}"


def main() -> None:
    """Read the parameters, do the work, return the results."""
    module = AnsibleModule(argument_spec=ARGUMENTS)
    try:
        result = run(module.params)
    except SeedbedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
