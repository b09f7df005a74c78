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
    description: The time for all of them.
    type: int
    default: 600
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
from typing import Any, Iterator

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.clients import download_plan, downloads
from ansible.module_utils.seedbed.clients.contract import Client, ClientError, ClientSettings
from ansible.module_utils.seedbed.clients.download_plan import PlannedDownload
from ansible.module_utils.seedbed.clients.roster import make_client, own_faults
from ansible.module_utils.seedbed.clients.unit import UNIT
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
    "seconds": {"type": "int", "default": 600},
}
# What begins the name of a run's directory: of one that goes with the run, and of one that stays.
RUN = "fetching-"
KEPT = "run-"
PATIENCE = 100.0  # seconds, less than the module is given beside the time for its own downloads
POLL = 0.5


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


def wanted_client(params: dict[str, Any], directory: str) -> Client:
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
        seconds=params["seconds"] + 120,  # the unit outlives a module that was killed by this much
        secret=params["rpc_secret"],
    )
    return make_client(params["client"], settings, params["own"])


@os_errors_reported()
def fetch_all(params: dict[str, Any], directory: str) -> tuple[list[DownloadResult], list[str]]:
    """Plan, download, compare; return the results, and a sentence for each failure."""
    client = wanted_client(params, directory)
    portal = params["portal"].rstrip("/") + "/"
    planned, without = planned_downloads(params, portal)
    fit, skipped = downloads.without_features(planned, client)
    results = skipped
    if fit:
        with client:
            limits = downloads.DownloadLimits(params["stall_seconds"], params["seconds"], params["keep"])
            results = downloads.run_downloads(fit, client, portal, limits) + skipped
    return results, without + [sentence(result) for result in results if result["fault"]]


@contextlib.contextmanager
def alone(parent: str) -> Iterator[None]:
    """Be the one download of this host, and take away what a killed one has left; ClientError while another runs.

    One whose run was killed goes on until it is done, so there is some patience with it.
    """
    with os_errors_reported():
        os.makedirs(parent, mode=0o755, exist_ok=True)
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
                if name.startswith(RUN):
                    shutil.rmtree(os.path.join(parent, name))
        yield
    finally:
        os.close(lock)


@os_errors_reported()
def make_run_directory(parent: str, *, keep: bool) -> str:
    """Make a directory for this run alone and return its path."""
    return tempfile.mkdtemp(prefix=KEPT if keep else RUN, dir=parent)


def sentence(result: DownloadResult) -> str:
    """Return a download that is not as it should be as a sentence."""
    what = f"{result['name']} by {result['via'].replace('_', ' ')} over {result['tracker']} with {result['client']}"
    where = f"failed at {result['step']}" if result["step"] and result["expected"] == "completes" else "not as promised"
    return f"{what}: {where}: {result['fault']}"


def main() -> None:
    """Read the parameters, do the work, return the results."""
    module = AnsibleModule(argument_spec=ARGUMENTS)
    params = module.params
    results: list[DownloadResult] = []
    try:
        with alone(params["directory"]):
            directory = make_run_directory(params["directory"], keep=params["keep"])
            try:
                results, failures = fetch_all(params, directory)
            except SeedbedError as error:
                failures = [str(error)]
            finally:
                if not params["keep"]:
                    shutil.rmtree(directory)
    except SeedbedError as error:
        module.fail_json(msg=str(error))
    kept = {"directory": directory} if params["keep"] else {}
    # Without `keep` nothing on the host is other than before.
    module.exit_json(changed=params["keep"], downloads=results, failures=failures, **kept)


if __name__ == "__main__":
    main()
