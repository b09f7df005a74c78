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
from typing import Callable, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.clients.aria2 import Aria2, Aria2Error, last_words
from ansible.module_utils.seedbed.clients.download_plan import PlannedDownload, tracker_kind
from ansible.module_utils.seedbed.torrent.model import DownloadResult, DownloadSeconds, PublishedFile, flatten_tiers

POLL_SECONDS = 0.2


class PortalError(SeedbedError):
    """The portal does not hand out what it should."""


def fetch_from_portal(url: str) -> bytes:
    """Return what the portal has at a URL, never by way of a proxy."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as answer:
            body: bytes = answer.read()
            return body
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise PortalError("{}: {}".format(url, getattr(error, "reason", None) or error)) from error


class DownloadLimits(NamedTuple):
    """How long a download may stand still, how long all may take, and whether the files stay."""

    stall_seconds: float
    seconds: float
    keep: bool


class DownloadFailure(NamedTuple):
    """Where a download failed, and what was said."""

    step: str
    words: list[str]


class Download:
    """One planned download and how far it is."""

    def __init__(self, planned: PlannedDownload, directory: str) -> None:
        self.planned = planned
        self.directory = directory
        self.gid = ""
        self.bytes = 0
        self.connections = 0
        self.started = self.moved = 0.0
        self.seconds: DownloadSeconds = {}
        self.failure: DownloadFailure | None = None
        self.comparison: Future[str] | None = None

    @property
    def info_hash(self) -> str:
        """Return the swarm's name; aria2 takes each only once at a time."""
        return str(self.planned.item["info_hash"])

    def since_start(self) -> float:
        """Return the seconds since the download began."""
        return round(time.monotonic() - self.started, 2)

    def start(self, aria2: Aria2, portal: str) -> None:
        """Hand the download to aria2, with the trackers of the other kind excluded."""
        item = self.planned.item
        others = [url for url in flatten_tiers(item["trackers"]) if tracker_kind(url) != self.planned.kind]
        options = {"dir": self.directory, "bt-exclude-tracker": ",".join(others)}
        self.started = self.moved = time.monotonic()
        if self.planned.via == "magnet" and item["magnet"]:
            self.gid = aria2.add_magnet(item["magnet"], options)
        else:
            self.gid = aria2.add_torrent(fetch_from_portal(urllib.parse.urljoin(portal, item["torrent"])), options)
            self.seconds["metadata"] = self.since_start()

    def watch(self, aria2: Aria2, stall_seconds: float) -> bool:
        """Ask aria2 how far it is; return whether it has ended."""
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
            there = f", {100 * self.bytes // self.planned.item['size']} % there" if self.step() == "stall" else ""
            return self.fail(self.step(), [f"no progress for {stall_seconds:.0f} s with {whom}{there}"])
        return False

    def hand_over(self, aria2: Aria2, comparer: ThreadPoolExecutor, keep: bool) -> None:
        """Have its files compared."""
        self.comparison = comparer.submit(compare_download, self, aria2.files(self.gid), keep)

    def progress(self, count: int, connections: int) -> None:
        """Note new bytes; those of the metadata are not the item's."""
        if connections > self.connections or count != self.bytes:
            self.moved = time.monotonic()
        self.connections = max(self.connections, connections)
        if count and "metadata" in self.seconds:
            self.seconds.setdefault("first_byte", self.since_start())
        self.bytes = count

    def step(self) -> str:
        """Return the step that the download is in."""
        if "metadata" not in self.seconds:
            return "metadata"
        return "stall" if "first_byte" in self.seconds else "connect"

    def fail(self, step: str, words: list[str]) -> bool:
        """Note where it failed, and what was said. Return True: it has ended."""
        self.failure = DownloadFailure(step, words)
        return True

    def result(self) -> DownloadResult:
        """Return the download as data."""
        item = self.planned.item
        flow = self.seconds.get("download", 0.0) - self.seconds.get("first_byte", 0.0)
        return {
            "name": item["name"],
            "info_hash": item["info_hash"],
            "via": self.planned.via,
            "tracker": self.planned.kind,
            "ok": self.failure is None,
            "step": self.failure.step if self.failure else None,
            "words": self.failure.words if self.failure else [],
            "size": item["size"],
            "files": len(item["files"]),
            "bytes": self.bytes,
            "connections": self.connections,
            "seconds": self.seconds,
            # Within a second there is more chance than rate in it.
            "rate": round(item["size"] / flow) if self.failure is None and flow > 1 else None,
        }


def compare_files(paths: Sequence[str], wanted: Sequence[PublishedFile]) -> str:
    """Compare files with the catalogue's SHA-256; return the first difference, or nothing."""
    if len(paths) != len(wanted):
        return f"expected {len(wanted)} files, got {len(paths)}"
    for path, file in zip(paths, wanted):
        digest = hashlib.sha256()
        try:
            if file["sha256"] is None:  # of content that is too much for that; its pieces were checked
                length = os.path.getsize(path)
                if length != file["length"]:
                    return "{}: expected {} bytes, got {}".format(file["path"], file["length"], length)
                continue
            with open(path, "rb") as stream:
                for block in iter(lambda: stream.read(1 << 20), b""):
                    digest.update(block)
        except OSError as error:
            return "{}: {}".format(file["path"], error.strerror)
        if digest.hexdigest() != file["sha256"]:
            return "{}: expected SHA-256 {}, got {}".format(file["path"], file["sha256"], digest.hexdigest())
    return ""


def content_files(paths: Sequence[str]) -> list[str]:
    """Return the paths without the padding of hybrid torrents, which is no content."""
    return [path for path in paths if os.path.basename(os.path.dirname(path)) != ".pad"]


def compare_download(download: Download, paths: Sequence[str], keep: bool) -> str:
    """Compare a finished download, then make room for the others."""
    difference = compare_files(content_files(paths), download.planned.item["files"])
    download.seconds["verified"] = download.since_start()
    if not keep:
        shutil.rmtree(download.directory)
    return difference


def run_downloads(
    planned: Sequence[PlannedDownload], aria2: Aria2, portal: str, limits: DownloadLimits
) -> list[DownloadResult]:
    """Run all downloads and return one result each, in their order."""
    directory = aria2.settings.directory
    downloads = [Download(each, os.path.join(directory, str(number))) for number, each in enumerate(planned, 1)]
    waiting = list(downloads)
    active: list[Download] = []
    deadline = time.monotonic() + limits.seconds
    with ThreadPoolExecutor(1) as comparer:
        while waiting or active:
            active += start_next(waiting, active, aria2, portal)
            ended = [each for each in active if attempt(each, lambda each: each.watch(aria2, limits.stall_seconds))]
            for download in ended:
                active.remove(download)
                if download.failure is None:
                    attempt(download, lambda each: each.hand_over(aria2, comparer, limits.keep))
            if time.monotonic() > deadline:
                for download in active + waiting:
                    download.fail(download.step(), [f"the run's {limits.seconds:.0f} s were over"])
                break
            time.sleep(POLL_SECONDS)  # between two questions; the deadline above bounds the run
        for download in downloads:
            conclude(download, directory)
    return [download.result() for download in downloads]


def start_next(waiting: list[Download], active: list[Download], aria2: Aria2, portal: str) -> list[Download]:
    """Start what may run now: aria2 has room, and the swarm is not in use by another download."""
    started: list[Download] = []
    for download in list(waiting):
        running = active + started
        if len(running) >= aria2.settings.parallel:
            break
        if all(download.info_hash != other.info_hash for other in running):
            waiting.remove(download)
            if not attempt(download, lambda each: each.start(aria2, portal)):
                started.append(download)
    return started


def attempt(download: Download, action: Callable[[Download], bool | None]) -> bool:
    """Do one thing for a download; a refusal fails this one alone. Return whether it has ended."""
    try:
        return bool(action(download))
    except (Aria2Error, PortalError) as error:
        return download.fail("portal" if isinstance(error, PortalError) else download.step(), [str(error)])


def conclude(download: Download, directory: str) -> None:
    """Take in what the comparison found, and aria2's words about a failure."""
    if download.comparison is not None:
        difference = download.comparison.result()
        if difference:
            download.fail("verify", [difference])
    if download.failure is not None:
        # An HTTP tracker's refusal is logged with its URL, which holds the info hash; all else with the download's id.
        about = [download.gid.encode()] if download.gid else []
        about += [bytes.fromhex(download.info_hash)] if download.planned.kind == "http" else []
        words = last_words(os.path.join(directory, "log"), about) if about else []
        download.failure.words.extend(word for word in words if word not in download.failure.words)
