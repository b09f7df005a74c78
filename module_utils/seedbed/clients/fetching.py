"""One run of one client on one host, as a job that outlives a connection, but not the one who asked for it.

The parameters are those of module client_download.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from typing import Any, Callable, Iterator, List, Sequence, Tuple

from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.files import read_file, write_atomically
from ansible.module_utils.seedbed.base.jobs import BackgroundJob
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.clients import download_plan, downloads, progress, remembered
from ansible.module_utils.seedbed.clients.contract import Client, ClientError, ClientSettings
from ansible.module_utils.seedbed.clients.download_plan import PlannedDownload
from ansible.module_utils.seedbed.clients.roster import make_client, own_faults
from ansible.module_utils.seedbed.clients.unit import UNIT, watch
from ansible.module_utils.seedbed.torrent.model import DownloadResult

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
        """Return whether nobody has asked for long; no clock of the host has a part in that.

        Without a word the job begins at this moment, or its result was fetched and its directory is being deleted.
        """
        asked = read_file(self._path)
        if asked is None:
            return False
        try:
            return abs(time.monotonic() - float(asked or 0)) > LEASE
        except ValueError:
            return True


def planned_downloads(
    params: dict[str, Any], portal: str, *, udp_ipv6: bool = False
) -> tuple[list[PlannedDownload], list[str]]:
    """Read the catalogue; return what is fetched how, and a sentence for each item that cannot be."""
    wanted = params["items"]
    if isinstance(wanted, str) and "," in wanted:
        wanted = [name.strip() for name in wanted.split(",")]
    catalogue = download_plan.read_catalogue(downloads.fetch_from_portal(portal + "catalogue.json"))
    vias, kinds = params["via"], [*params["trackers"], *filter(None, ["/".join(params["finds"])])]
    if wanted == "acceptance":
        catalogue = [item for item in catalogue if download_plan.has_way(item, vias, kinds, udp_ipv6=udp_ipv6)]
    items = download_plan.select_items(catalogue, wanted, params["largest"])
    spread = wanted == "acceptance" if params["spread"] is None else params["spread"]
    planned, without = download_plan.plan_downloads(items, vias, kinds, spread, once=params["once"], udp_ipv6=udp_ipv6)
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
        finds=params["finds"],
        dht_nodes=params["dht_nodes"],
    )
    return make_client(params["client"], settings, params["own"])


@os_errors_reported()
def fetch_all(params: dict[str, Any], directory: str, look: Look = lambda _: None) -> Fetched:
    """Plan, download, compare; return the results, and a sentence for each failure."""
    client = wanted_client(params, directory)
    portal = params["portal"].rstrip("/") + "/"
    planned, without = planned_downloads(params, portal, udp_ipv6="udp_tracker_ipv6" in client.features)
    fit, skipped = downloads.without_features(planned, client, params["missing"])
    results = skipped
    if fit:
        limits = downloads.DownloadLimits(params["stall_seconds"], params["seconds"], params["keep"])
        with watch() as unit, wanted_client(params, directory, unit) as started:
            results = downloads.run_downloads(fit, started, portal, limits, look)
        if params["once"] and params["items"] == "acceptance":
            tried = zip(fit, results)
            results = [remembered.forgiven(each.item, result, params["address"]) for each, result in tried]
        results += skipped
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
