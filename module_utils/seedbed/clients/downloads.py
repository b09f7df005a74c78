"""Run the planned downloads side by side, watch each for progress, and compare every byte with the catalogue."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import time
import urllib.parse
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.clients.aria2 import Aria2, Aria2Error, last_words
from ansible.module_utils.seedbed.clients.download_plan import Job, tracker_kind, trackers

POLL_SECONDS = 0.2


class PortalError(SeedbedError):
    """The portal does not hand out what it should."""


def fetch(url: str) -> bytes:
    """Return what the portal has at a URL, never by way of a proxy."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as answer:
            body: bytes = answer.read()
            return body
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise PortalError("{}: {}".format(url, getattr(error, "reason", None) or error)) from error


class Limits(NamedTuple):
    """How long a download may stand still, how long all may take, and whether the files stay."""

    stall_seconds: float
    seconds: float
    keep: bool


class Download:
    """One job and how far it is."""

    def __init__(self, job: Job, directory: str) -> None:
        """Remember the job; nothing runs yet."""
        self.job = job
        self.directory = directory
        self.gid = ""
        self.bytes = 0
        self.connections = 0
        self.started = self.moved = 0.0
        self.seconds: dict[str, float] = {}
        self.failure: dict[str, Any] | None = None
        self.check: Future[str] | None = None

    @property
    def info_hash(self) -> str:
        """The swarm's name; aria2 takes each only once at a time."""
        return str(self.job.item["info_hash"])

    def since_start(self) -> float:
        """Return the seconds since the download began."""
        return round(time.monotonic() - self.started, 2)

    def start(self, aria2: Aria2, portal: str) -> None:
        """Hand the job to aria2, with the trackers of the other kind excluded."""
        item = self.job.item
        others = [url for url in trackers(item) if tracker_kind(url) != self.job.kind]
        options = {"dir": self.directory, "bt-exclude-tracker": ",".join(others)}
        self.started = self.moved = time.monotonic()
        if self.job.via == "magnet":
            self.gid = aria2.add_magnet(item["magnet"], options)
        else:
            self.gid = aria2.add_torrent(fetch(urllib.parse.urljoin(portal, item["torrent"])), options)
            self.seconds["metadata"] = self.since_start()

    def watch(self, aria2: Aria2, stall_seconds: float) -> bool:
        """Look how far it is; tell whether it has ended."""
        status = aria2.status(self.gid)
        if status.get("followedBy"):
            self.gid = status["followedBy"][0]
            self.seconds["metadata"] = self.since_start()
            self.moved = time.monotonic()
            return False
        if status["status"] == "error":
            return self.fail(
                self.step(), [(status.get("errorMessage") or "error {}".format(status.get("errorCode"))).strip()]
            )
        self.progress(int(status["completedLength"]), int(status["connections"]))
        if status["status"] == "complete" and "metadata" in self.seconds:
            self.seconds["download"] = self.since_start()
            return True
        if time.monotonic() - self.moved > stall_seconds:
            aria2.give_up(self.gid)
            whom = f"{self.connections} connections" if self.connections else "no peer that answered"
            there = f", {100 * self.bytes // self.job.item['size']} % there" if self.step() == "stall" else ""
            return self.fail(self.step(), [f"no progress for {stall_seconds:.0f} s with {whom}{there}"])
        return False

    def hand_over(self, aria2: Aria2, checker: ThreadPoolExecutor, keep: bool) -> None:
        """Have its files compared."""
        self.check = checker.submit(check, self, aria2.files(self.gid), keep)

    def progress(self, count: int, connections: int) -> None:
        """Note new bytes; those of the metadata are not the item's."""
        if connections > self.connections or count != self.bytes:
            self.moved = time.monotonic()
        self.connections = max(self.connections, connections)
        if count and "metadata" in self.seconds:
            self.seconds.setdefault("first_byte", self.since_start())
        self.bytes = count

    def step(self) -> str:
        """Name the step that the download is in."""
        if "metadata" not in self.seconds:
            return "metadata"
        return "stall" if "first_byte" in self.seconds else "connect"

    def fail(self, step: str, words: list[str]) -> bool:
        """Note where it failed, and what was said."""
        self.failure = {"step": step, "words": words}
        return True

    def result(self) -> dict[str, Any]:
        """Return the download as data."""
        item = self.job.item
        flow = self.seconds.get("download", 0.0) - self.seconds.get("first_byte", 0.0)
        return {
            "name": item["name"],
            "info_hash": item["info_hash"],
            "via": self.job.via,
            "tracker": self.job.kind,
            "ok": self.failure is None,
            "step": self.failure["step"] if self.failure else None,
            "words": self.failure["words"] if self.failure else [],
            "size": item["size"],
            "files": len(item["files"]),
            "bytes": self.bytes,
            "connections": self.connections,
            "seconds": self.seconds,
            # Within a second there is more chance than rate in it.
            "rate": round(item["size"] / flow) if self.failure is None and flow > 1 else None,
        }


def compare(paths: Sequence[str], wanted: Sequence[dict[str, Any]]) -> str:
    """Compare files with the catalogue's SHA-256; return the first difference, or nothing."""
    if len(paths) != len(wanted):
        return f"expected {len(wanted)} files, got {len(paths)}"
    for path, entry in zip(paths, wanted):
        digest = hashlib.sha256()
        try:
            with open(path, "rb") as stream:
                for block in iter(lambda: stream.read(1 << 20), b""):
                    digest.update(block)
        except OSError as error:
            return "{}: {}".format(entry["path"], error.strerror)
        if digest.hexdigest() != entry["sha256"]:
            return "{}: expected SHA-256 {}, got {}".format(entry["path"], entry["sha256"], digest.hexdigest())
    return ""


def content_files(paths: Sequence[str]) -> list[str]:
    """Leave out the padding of hybrid torrents, which is no content."""
    return [path for path in paths if os.path.basename(os.path.dirname(path)) != ".pad"]


def check(download: Download, paths: Sequence[str], keep: bool) -> str:
    """Compare a finished download, then make room for the others."""
    difference = compare(content_files(paths), download.job.item["files"])
    download.seconds["verified"] = download.since_start()
    if not keep:
        shutil.rmtree(download.directory)
    return difference


def run(jobs: Sequence[Job], aria2: Aria2, portal: str, limits: Limits) -> list[dict[str, Any]]:
    """Run all jobs and return one result each, in the order of the jobs."""
    directory = aria2.settings.directory
    downloads = [Download(job, os.path.join(directory, str(number))) for number, job in enumerate(jobs, 1)]
    waiting = list(downloads)
    active: list[Download] = []
    deadline = time.monotonic() + limits.seconds
    with ThreadPoolExecutor(1) as checker:
        while waiting or active:
            active += start_next(waiting, active, aria2, portal)
            for download in [one for one in active if attempt(one, lambda one: one.watch(aria2, limits.stall_seconds))]:
                active.remove(download)
                if download.failure is None:
                    attempt(download, lambda one: one.hand_over(aria2, checker, limits.keep))
            if time.monotonic() > deadline:
                for download in active + waiting:
                    download.fail(download.step(), [f"the run's {limits.seconds:.0f} s were over"])
                break
            time.sleep(POLL_SECONDS)  # between two looks; the deadline above bounds the run
        for download in downloads:
            conclude(download, directory)
    return [download.result() for download in downloads]


def start_next(waiting: list[Download], active: list[Download], aria2: Aria2, portal: str) -> list[Download]:
    """Start what may run now: aria2 has room, and the swarm is not in use by another job."""
    started: list[Download] = []
    for download in list(waiting):
        running = active + started
        if len(running) >= aria2.settings.parallel:
            break
        if all(download.info_hash != other.info_hash for other in running):
            waiting.remove(download)
            if not attempt(download, lambda one: one.start(aria2, portal)):
                started.append(download)
    return started


def attempt(download: Download, action: Callable[[Download], bool | None]) -> bool:
    """Do one thing for a download; a refusal fails this one alone. Tell whether it has ended."""
    try:
        return bool(action(download))
    except (Aria2Error, PortalError) as error:
        return download.fail("portal" if isinstance(error, PortalError) else download.step(), [str(error)])


def conclude(download: Download, directory: str) -> None:
    """Take in what the comparison found, and aria2's words about a failure."""
    if download.check is not None:
        difference = download.check.result()
        if difference:
            download.fail("verify", [difference])
    if download.failure is not None:
        # An HTTP tracker's refusal is logged with its URL, which holds the info hash; all else with the download's id.
        about = [download.gid.encode()] if download.gid else []
        about += [bytes.fromhex(download.info_hash)] if download.job.kind == "http" else []
        said = last_words(os.path.join(directory, "log"), about) if about else []
        download.failure["words"] += [word for word in said if word not in download.failure["words"]]
