"""Have the lab as it was ordered, for a tester with the operator's token: what can be done of it without Ansible.

Seeders give up torrents that others have added and run those that others have paused; tracker and scripted peers of
this very host forget whom they have seen. They are restarted by a unit of root's, which waits for a file that this
program makes: it has no other way to it. What only the playbook can do is said in the answer, as is how the lab is
afterwards.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Sequence, TypedDict
from urllib.parse import urlsplit

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import write_atomically
from ansible.module_utils.seedbed.base.systemd import notify
from ansible.module_utils.seedbed.programs.announcer import tracker_life
from ansible.module_utils.seedbed.programs.collector import (
    CollectorConfig,
    ask_tracker,
    fetch,
    read_impaired,
    read_items,
)
from ansible.module_utils.seedbed.transmission.rpc import RpcClient
from ansible.module_utils.seedbed.transmission.torrent_rpc import TorrentRpc
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus
from ansible.module_utils.seedbed.transmission.torrents import DaemonTorrent

LABEL = "seedbed"
"""What the lab's own torrents are marked with."""
POLL = 0.3
RESTART_SECONDS = 60.0
LISTED_SECONDS = 90.0  # until the trackers list all again
AGAIN_SECONDS = 30.0  # after which a torrent that was not heard of is restarted once more: see program announcer
REST = 5.0
"""Seconds between the end of a reset and the next."""
BY_PLAYBOOK = "playbooks/reset.yml does it"


class ResetterConfig(TypedDict):
    """The program's configuration file, JSON."""

    lab: CollectorConfig
    here: str
    """The name of this host."""
    adopted: list[str]
    """Seeders whose other torrents may be anybody's."""
    token_sha256: str


class Step(TypedDict):
    """One thing that belongs to a reset."""

    step: str
    host: str
    done: bool
    why: str
    """Where it is not done, why; else what was done."""


class Busy(SeedbedError):
    """Another reset is going on."""


class TooSoon(SeedbedError):
    """The last one has only just ended."""


class Sorted(NamedTuple):
    """A seeder's torrents, by what becomes of them; hashes."""

    foreign: list[str]
    paused: list[str]
    running: list[str]
    lacking: list[str]
    """Paused, with content that is not there: started, they would fetch it from whoever has it."""


def sort_torrents(held: Mapping[str, DaemonTorrent], items: Mapping[str, str]) -> Sorted:
    """Tell torrents apart; items: the catalogue's names by info hash."""
    found = Sorted([], [], [], [])
    for info_hash, torrent in held.items():
        if LABEL not in torrent.labels and info_hash not in items:
            found.foreign.append(info_hash)
        elif torrent.status is not TorrentStatus.STOPPED:
            found.running.append(info_hash)
        else:
            (found.lacking if torrent.left or torrent.error else found.paused).append(info_hash)
    return found


class Resetter:
    """Does one reset at a time."""

    def __init__(self, config: ResetterConfig, wish: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._lab, self._wish, self._clock = config, config["lab"], wish, clock
        self._going_on = threading.Lock()
        self._ended: float | None = None

    def knows(self, authorization: str) -> bool:
        """Return whether this is the operator's token, in a time that tells nothing of it."""
        scheme, _blank, token = authorization.partition(" ")
        given = hashlib.sha256(token.strip().encode("utf-8", "replace")).hexdigest()
        return hmac.compare_digest(given, self._config["token_sha256"]) and scheme.lower() == "bearer"

    def reset(self) -> dict[str, Any]:
        """Do it, and return what is told of it."""
        if not self._going_on.acquire(blocking=False):
            raise Busy("a reset is going on; ask again when it has ended")
        try:
            if self._ended is not None and self._clock() < self._ended + REST:
                raise TooSoon(f"the last reset ended less than {REST:.0f} seconds ago")
            try:
                return self._reset()
            finally:
                self._ended = self._clock()
        finally:
            self._going_on.release()

    def _reset(self) -> dict[str, Any]:
        began = self._clock()
        items = read_items(self._lab["published"])
        steps = [*self._impairments(), *self._forget()]
        pairs: set[tuple[str, str]] = set()
        with contextlib.ExitStack() as held:
            clients: dict[str, TorrentRpc] = {}
            for seeder in self._lab["seeders"]:
                name = seeder["name"]
                try:
                    rpc = RpcClient(*seeder["rpc"], seeder["login"], timeout=30)
                    held.callback(rpc.close)
                    clients[name] = TorrentRpc(rpc)
                    steps += self._seeder(name, clients[name], items, pairs)
                except SeedbedError as error:
                    steps.append(_not_done("seeder", name, str(error)))
            unlisted = self._wait_for_lists(pairs, clients)
        steps.append(
            _not_done("leechers", "", f"their files are on hosts that nobody reaches from here: {BY_PLAYBOOK}")
        )
        lacking = [f"{step['step']} of {step['host']}: {step['why']}" for step in steps if not step["done"]]
        lacking = [each for each in lacking if not each.startswith("leechers")] + unlisted
        return {"steps": steps, "green": not lacking, "lacking": lacking, "seconds": round(self._clock() - began, 1)}

    def _impairments(self) -> list[Step]:
        found = read_impaired(self._lab["published"], time.time())
        return [
            _not_done("impairment", each["host"], f"{each['impairment']}; {BY_PLAYBOOK}, or wait for its end")
            for each in found
        ] or [_done("impairment", "", "there is none")]

    # What forgets by a restart.

    def _forget(self) -> list[Step]:
        """Have tracker and scripted peers of this host restarted, and wait until they are."""
        asked: dict[tuple[str, str], Callable[[], str]] = {}
        steps = []
        for tracker in self._lab["trackers"]:
            asked["tracker", tracker["name"]] = _life_of_tracker(tracker["statistics"])
        for scripted in self._lab["scripted"]:
            asked["scripted peers", scripted["name"]] = _life_of_scripted(scripted["status"])
        away = [what for what in asked if what[1] != self._config["here"]]
        for what in away:
            del asked[what]
            steps.append(_not_done(*what, f"it is on another host, where nothing restarts it from here: {BY_PLAYBOOK}"))
        before = {what: ask() for what, ask in asked.items()}
        if before:
            write_atomically(self._wish, b"")
        deadline = self._clock() + RESTART_SECONDS
        while before:
            for what in list(before):
                now = asked[what]()
                if now and now != before[what]:
                    steps.append(_done(*what, "restarted: it knows nobody"))
                    del before[what]
            if self._clock() > deadline:
                steps += [_not_done(*what, "it was not restarted in time") for what in before]
                break
            time.sleep(POLL)  # nobody tells that it is up; the deadline bounds the wait
        return steps

    # Seeders.

    def _seeder(
        self, name: str, daemon: TorrentRpc, items: Mapping[str, str], pairs: set[tuple[str, str]]
    ) -> Iterator[Step]:
        held = daemon.all_torrents()
        found = sort_torrents(held, items)
        if not found.foreign:
            yield _done("torrents of others", name, "there are none")
        elif name in self._config["adopted"]:
            yield _done("torrents of others", name, f"{len(found.foreign)} stay: this daemon was somebody's before")
        else:
            daemon.send("torrent-remove", found.foreign, {"delete-local-data": False})
            yield _done("torrents of others", name, f"{len(found.foreign)} taken out, their files left")
        if found.lacking:
            why = f"{len(found.lacking)} lack content, which nobody looks at from here: {BY_PLAYBOOK}"
            yield _not_done("paused torrents", name, why)
        else:
            yield _done("paused torrents", name, f"{len(found.paused)} started")
        try:
            daemon.stop(found.running)
        finally:
            daemon.send("torrent-start-now", [*found.running, *found.paused])
        places = {urlsplit(tracker["scrape"]).netloc for tracker in self._lab["trackers"]}
        for info_hash in [*found.running, *found.paused]:
            announces = {urlsplit(tracker["announce"]).netloc for tracker in held[info_hash].trackers}
            pairs |= {(place, info_hash) for place in places & announces}
        yield _done("announces", name, f"{len(found.running) + len(found.paused)} torrents announced anew")

    def _wait_for_lists(self, pairs: set[tuple[str, str]], clients: Mapping[str, TorrentRpc]) -> list[str]:
        """Wait until the trackers list what the seeders have; return a sentence for each that does not."""
        began, again = self._clock(), False
        while True:
            missing = self._unlisted(pairs)
            if not missing or self._clock() > began + LISTED_SECONDS:
                return missing
            if not again and self._clock() > began + AGAIN_SECONDS:
                again = True
                for daemon in clients.values():
                    with contextlib.suppress(SeedbedError):  # what is still missing in the end is told
                        daemon.restart(list(daemon.torrents([hash_ for _place, hash_ in pairs])))
            time.sleep(POLL)  # nobody tells that a torrent was announced; the deadline bounds the wait

    def _unlisted(self, pairs: set[tuple[str, str]]) -> list[str]:
        found = []
        for tracker in self._lab["trackers"]:
            place = urlsplit(tracker["scrape"]).netloc
            hashes = sorted(info_hash for where, info_hash in pairs if where == place)
            now = ask_tracker(tracker, hashes)
            if not now["up"]:
                found.append(f"the tracker of {tracker['name']} does not answer")
                continue
            missing = [each for each in hashes if not sum(now["counts"].get(each, (0, 0))[:2])]
            if missing:
                found.append(f"the tracker of {tracker['name']} does not list {len(missing)} torrents that are seeded")
        return found


def _done(step: str, host: str, what: str) -> Step:
    return {"step": step, "host": host, "done": True, "why": what}


def _not_done(step: str, host: str, why: str) -> Step:
    return {"step": step, "host": host, "done": False, "why": why}


def _life_of_tracker(statistics: str) -> Callable[[], str]:
    def ask() -> str:
        try:
            life = tracker_life(fetch(statistics).decode("utf-8", "replace"), time.time())
        except (OSError, ValueError):
            return ""
        return life.id if life else ""

    return ask


def _life_of_scripted(status: str) -> Callable[[], str]:
    def ask() -> str:
        try:
            return str(json.loads(fetch(status))["since"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    return ask


# -- what asks for it --------------------------------------------------------------------------------------------------


class Door(BaseHTTPRequestHandler):
    """One question; the server has the resetter."""

    timeout = 10
    server_version, sys_version = "seedbed", ""
    resetter: Resetter

    def do_POST(self) -> None:
        """Reset the lab for who has the token."""
        if self.path != "/reset":
            self._say(404, {"error": "nothing is here"})
        elif not self.resetter.knows(self.headers.get("Authorization", "")):
            self._say(401, {"error": "this takes Authorization: Bearer and the token, from your operators"})
        else:
            try:
                self._say(200, self.resetter.reset())
            except Busy as error:
                self._say(409, {"error": str(error)})
            except TooSoon as error:
                self._say(429, {"error": str(error)})
            except (SeedbedError, OSError) as error:
                self._say(500, {"error": str(error)})

    def _say(self, status: int, told: Mapping[str, Any]) -> None:
        body = json.dumps(told, ensure_ascii=False, indent=1).encode() + b"\n"
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # who asked has gone: it is done all the same
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # the base's own word
        """Tell the journal the request's line and status: no header, so no token."""
        print(format % args, flush=True)


class Hall(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers at a socket of the host's own; nginx is in front of it."""

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, path: str, resetter: Resetter) -> None:
        super().__init__(path, type("OurDoor", (Door,), {"resetter": resetter}))
        os.chmod(path, 0o666)  # noqa: S103 - nginx has a user of its own; the token decides

    def get_request(self) -> Any:
        """Return a connection, with what stands for an address where there is none."""
        connection, _nothing = super().get_request()
        return connection, ("nginx", 0)


def main(arguments: Sequence[str]) -> int:
    """Answer until stopped; the argument is the path of the configuration."""
    with open(arguments[0], encoding="utf-8") as file:
        config: ResetterConfig = json.load(file)
    directory = os.environ["RUNTIME_DIRECTORY"]
    with Hall(os.path.join(directory, "socket"), Resetter(config, os.path.join(directory, "forget"))) as hall:
        notify("READY=1")
        hall.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
