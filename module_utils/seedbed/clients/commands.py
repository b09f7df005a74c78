"""A client that is a command a download: it is given a .torrent or a magnet, and ends when it has all."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from typing import IO, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.clients.contract import Client, ClientSettings, Order, Status
from ansible.module_utils.seedbed.clients.unit import ClientUnit, last_lines


class Running(NamedTuple):
    """One download at work."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    order: Order


class CommandClient(Client):
    """Commands with places for what a download is: {torrent} or {magnet}, {directory}, {peer_port}, {trackers}.

    trackers are the announce URLs that come apart from the magnet, separated by commas. The exit status says whether
    all has come; what the command writes to its standard error is told of a failure. How much there is, is counted on
    the disk, and nothing is known of peers.
    """

    def __init__(
        self, settings: ClientSettings, name: str, commands: Mapping[str, Sequence[str]], *, features: frozenset[str]
    ) -> None:
        super().__init__(settings._replace(parallel=1))  # they would share a port
        has = frozenset(("torrent",) * ("torrent" in commands) + ("magnet", "bare_magnet") * ("magnet" in commands))
        self.name = name
        self.features = (features - {"torrent", "magnet", "bare_magnet", "file_choice"}) | has
        self._commands = commands
        self._process = ClientUnit(settings, name)
        self._running: dict[str, Running] = {}

    def __enter__(self) -> CommandClient:
        """Nothing runs before there is something to download."""
        self._process.own({})
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs."""
        for handle in list(self._running):
            self.remove(handle)

    def add(self, order: Order) -> str:
        """Run the command for a download."""
        handle = str(len(self._running) + 1)
        torrent = ""
        if order.torrent:
            torrent = os.path.join(self.settings.directory, os.path.basename(order.directory) + ".torrent")
            self._process.hand_over(torrent, order.torrent)
        self._process.make_directory(order.directory)
        places = {
            "torrent": torrent,
            "magnet": order.magnet,
            "directory": order.directory,
            "peer_port": str(self.settings.peer_port),
            "trackers": ",".join(order.trackers),
        }
        argv = [_filled(word, places) for word in self._commands["magnet" if order.magnet else "torrent"]]
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the command runs
        process = self._process.talk(argv, stdout=subprocess.DEVNULL, errors=errors)
        self._running[handle] = Running(process, errors, order)
        return handle

    def status(self, handle: str) -> Status:
        """Return how a download stands: complete when its command has ended well."""
        running = self._running[handle]
        count = sum(map(_size, self.files(handle)))
        code = running.process.poll()
        if code is None:
            return Status("downloading" if count or running.order.torrent else "metadata", count)
        if code == 0:
            return Status("complete", count)
        return Status("failed", count, 0, "; ".join(last_lines(running.errors)) or f"ended with status {code}")

    def files(self, handle: str) -> list[str]:
        """Return the paths of all files below the download's directory; in which order, the command alone knows."""
        top = self._running[handle].order.directory
        return sorted(os.path.join(where, name) for where, _, names in os.walk(top) for name in names)

    def remove(self, handle: str) -> None:
        """End a download's command."""
        running = self._running[handle]
        if running.process.poll() is None:
            self._process.stop()
        with contextlib.suppress(subprocess.TimeoutExpired, ValueError, OSError):
            running.process.communicate(timeout=5)
        running.errors.close()


def _size(path: str) -> int:
    """Return the bytes of a file; none of one that the command takes away while we look."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.getsize(path)
    return 0


def _filled(word: str, places: Mapping[str, str]) -> str:
    for place, value in places.items():
        word = word.replace("{" + place + "}", value)
    return word
