"""Run the planned downloads side by side, watch each for progress, and compare every byte with the catalogue."""

from __future__ import annotations

import hashlib
import http.client
import math
import os
import shutil
import time
import urllib.parse
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Callable, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.clients.contract import Client, ClientError
from ansible.module_utils.seedbed.clients.download_plan import PlannedDownload
from ansible.module_utils.seedbed.clients.expectation import expectation, verdict
from ansible.module_utils.seedbed.clients.orders import needed_features, order_for
from ansible.module_utils.seedbed.clients.right_pieces import right_bytes
from ansible.module_utils.seedbed.torrent.model import DownloadResult, DownloadSeconds, PublishedFile

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
    """How long a download may stand still, how long all may take (0: as long as they go on), and whether files stay."""

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
        self.handle = ""
        self.bytes = 0
        self.peers = 0
        self.connections = 0
        self.started = self.moved = 0.0
        self.seconds: DownloadSeconds = {}
        self.failure: DownloadFailure | None = None
        self.comparison: Future[str] | None = None

    @property
    def info_hash(self) -> str:
        """Return the swarm's name; a client takes each only once at a time."""
        return str(self.planned.item["info_hash"])

    @property
    def state(self) -> str:
        """Return how it stands: waiting, metadata, connecting, downloading, comparing, or ended."""
        if self.comparison is not None and not self.comparison.done():
            return "comparing"
        if self.failure or self.comparison is not None or "download" in self.seconds:
            return "ended"
        steps = {"metadata": "metadata", "connect": "connecting", "stall": "downloading"}
        return steps[self.step()] if self.started else "waiting"

    def since_start(self) -> float:
        """Return the seconds since the download began."""
        return round(time.monotonic() - self.started, 2)

    def start(self, client: Client, portal: str) -> None:
        """Hand the download to the client."""
        self.started = self.moved = time.monotonic()
        by_torrent = self.planned.via == "torrent"
        torrent = self.fetch_torrent(portal) if by_torrent or self.planned.files else b""
        self.handle = client.add(order_for(self.planned, torrent, self.directory))
        if by_torrent:
            self.seconds["metadata"] = self.since_start()

    def fetch_torrent(self, portal: str) -> bytes:
        """Return the item's .torrent as it is published."""
        return fetch_from_portal(urllib.parse.urljoin(portal, self.planned.item["torrent"]))

    def watch(self, client: Client, stall_seconds: float) -> bool:
        """Ask the client how far it is; return whether it has ended."""
        status = client.status(self.handle)
        if status.state == "failed":
            return self.fail(self.step(), [status.error])
        if status.state != "metadata" and "metadata" not in self.seconds:
            self.seconds["metadata"] = self.since_start()
            self.moved = time.monotonic()
        self.progress(status.bytes, status.peers)
        if status.state == "complete":
            self.seconds["download"] = self.since_start()
            return True
        if time.monotonic() - self.moved > stall_seconds:
            whom = f"{self.connections} connections" if self.connections else "no peer that answered"
            there = f", {100 * self.bytes // self.planned.item['size']} % there" if self.step() == "stall" else ""
            return self.fail(self.step(), [f"no progress for {stall_seconds:.0f} s with {whom}{there}"])
        return False

    def finish(self, client: Client, portal: str, comparer: ThreadPoolExecutor, keep: bool) -> None:
        """Have what has come compared, and the client forget it; then there is room for others."""
        if self.failure is None:
            paths = in_order(client.files(self.handle), self.planned.item["files"])
            self.comparison = comparer.submit(compare_download, self, paths)
        elif self.failure.step == "stall":
            paths = in_order(client.files(self.handle), self.planned.item["files"])
            self.comparison = comparer.submit(measure_download, self, paths, portal)
        self.hear(client)
        client.remove(self.handle)
        if self.comparison is not None and not keep:
            comparer.submit(make_room, self.directory)  # it has one worker: after the comparison

    def hear(self, client: Client) -> None:
        """Take in what the client says of a failure, while it knows the download."""
        if self.failure is not None and self.handle:
            info_hash = self.info_hash if self.planned.kind == "http" else ""
            words = client.last_words(self.handle, info_hash)
            self.failure.words.extend(word for word in words if word not in self.failure.words)

    def progress(self, count: int, connections: int) -> None:
        """Note new bytes; those of the metadata are not the item's."""
        if connections > self.connections or count != self.bytes:
            self.moved = time.monotonic()
        self.peers = connections
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

    def result(self, client: str) -> DownloadResult:
        """Return the download as data, judged by what its item promises."""
        item = self.planned.item
        flow = self.seconds.get("download", 0.0) - self.seconds.get("first_byte", 0.0)
        expected = expectation(item, self.planned.via)
        result: DownloadResult = {
            "client": client,
            "name": item["name"],
            "info_hash": item["info_hash"],
            "via": self.planned.via,
            "tracker": self.planned.kind,
            "ok": self.failure is None,
            "expected": str(expected),
            "fault": "",
            "skipped": "",
            "step": self.failure.step if self.failure else None,
            "words": self.failure.words if self.failure else [],
            "size": item["size"],
            "piece_length": item["piece_length"],
            "files": len(item["files"]),
            "bytes": self.bytes,
            "connections": self.connections,
            "seconds": self.seconds,
            # Within a second there is more chance than rate in it.
            "rate": round(item["size"] / flow) if self.failure is None and flow > 1 else None,
        }
        return {**result, "fault": verdict(expected, result)}


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


def in_order(paths: Sequence[str], wanted: Sequence[PublishedFile]) -> list[str]:
    """Return the paths in the catalogue's order, without padding, which is no content, and what else a client left.

    Where a client has changed a name they stay in its own order, which is the torrent's.
    """
    fitting = [[path for path in paths if path.endswith("/" + file["path"])] for file in wanted]
    found = [min(each, key=len, default="") for each in fitting]  # a file of that name in a directory has a longer one
    if all(found):
        return found
    return [path for path in paths if os.path.basename(os.path.dirname(path)) != ".pad"]


def compare_download(download: Download, paths: Sequence[str]) -> str:
    """Compare a finished download with the catalogue; return the first difference, or nothing."""
    files = download.planned.item["files"]
    if download.planned.files:
        chosen = [number for number, file in enumerate(files) if file["path"] in download.planned.files]
        paths, files = [paths[number] for number in chosen], [files[number] for number in chosen]
    difference = compare_files(paths, files)
    download.seconds["verified"] = download.since_start()
    return difference


def make_room(directory: str) -> None:
    """Delete what a client has forgotten, as far as that goes.

    Many clients close, write and delete files of their own after they have said that they forgot a download. What stays
    goes with the directory of the run, once the client has ended.
    """
    shutil.rmtree(directory, ignore_errors=True)


def measure_download(download: Download, paths: Sequence[str], portal: str) -> str:
    """Put the bytes that are right on the disk in the place of those that the client counts."""
    right = right_bytes(download.fetch_torrent(portal), paths)
    download.bytes = download.bytes if right is None else right
    return ""


def without_features(
    planned: Sequence[PlannedDownload], client: Client, missing: str = ""
) -> tuple[list[PlannedDownload], list[DownloadResult]]:
    """Return the downloads that a client is able to do, and a result for each that it lacks something for.

    missing: what the host lacks for any of them.
    """
    able: list[PlannedDownload] = []
    skipped: list[DownloadResult] = []
    for each in planned:
        needs = [*needed_features(each.item, each.via, each.kind, chosen=bool(each.files)), *client.settings.finds]
        lacks = [missing] if missing else [feature for feature in needs if feature not in client.features]
        if lacks:
            why = " and ".join(feature.replace("_", " ") for feature in lacks)
            skipped.append({**Download(each, "").result(client.name), "ok": False, "fault": "", "skipped": why})
        else:
            able.append(each)
    return able, skipped


def run_downloads(
    planned: Sequence[PlannedDownload],
    client: Client,
    portal: str,
    limits: DownloadLimits,
    look: Callable[[Sequence[Download]], None] = lambda _: None,
) -> list[DownloadResult]:
    """Run all downloads and return one result each, in their order.

    look is shown all of them again and again until the last one has been compared; what it raises ends them.
    """
    directory = client.settings.directory
    downloads = [Download(each, os.path.join(directory, str(number))) for number, each in enumerate(planned, 1)]
    waiting = list(downloads)
    active: list[Download] = []
    deadline = time.monotonic() + limits.seconds if limits.seconds else math.inf
    with ThreadPoolExecutor(1) as comparer:
        while any(each.state != "ended" for each in downloads):
            look(downloads)
            active += start_next(waiting, active, client, portal)
            ended = [each for each in active if attempt(each, lambda each: each.watch(client, limits.stall_seconds))]
            for download in ended:
                active.remove(download)
                attempt(download, lambda each: each.finish(client, portal, comparer, limits.keep))
            if time.monotonic() > deadline and (active or waiting):
                for download in active + waiting:
                    download.fail(download.step(), [f"the run's {limits.seconds:.0f} s were over"])
                    download.hear(client)
                break
            time.sleep(POLL_SECONDS)  # between two questions; each download ends when it stands still
        for download in downloads:
            conclude(download)
    return [download.result(client.name) for download in downloads]


def start_next(waiting: list[Download], active: list[Download], client: Client, portal: str) -> list[Download]:
    """Start what may run now: the client has room, and the swarm is not in use by another download."""
    started: list[Download] = []
    for download in list(waiting):
        running = active + started
        if len(running) >= client.settings.parallel:
            break
        if all(download.info_hash != other.info_hash for other in running):
            waiting.remove(download)
            if not attempt(download, lambda each: each.start(client, portal)):
                started.append(download)
    return started


def attempt(download: Download, action: Callable[[Download], bool | None]) -> bool:
    """Do one thing for a download; a refusal fails this one alone. Return whether it has ended."""
    try:
        return bool(action(download))
    except (ClientError, PortalError) as error:
        return download.fail("portal" if isinstance(error, PortalError) else download.step(), [str(error)])


def conclude(download: Download) -> None:
    """Take in what the comparison found."""
    if download.comparison is not None:
        try:
            difference = download.comparison.result()
        except PortalError as error:
            difference = str(error)
        if difference:
            download.fail("verify", [difference])
