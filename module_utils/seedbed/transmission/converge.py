"""Brings a Transmission daemon to hold, check, seed and announce a whole catalogue, and waits until it does."""

from __future__ import annotations

import math
import time
from typing import AbstractSet, Any, NamedTuple, Sequence

from ansible.module_utils.seedbed.torrent.client_names import name_on_3
from ansible.module_utils.seedbed.transmission import compare as torrents
from ansible.module_utils.seedbed.transmission.compare import Outcome, Seen, Wanted
from ansible.module_utils.seedbed.transmission.rpc import RpcClient, RpcFailed, version_of
from ansible.module_utils.seedbed.transmission.tracker_memory import forgotten, refusals

SHORTEST_POLL, LONGEST_POLL = 0.05, 0.5
YOUNG = 10  # seconds in which 3.00 may still be reading its torrents
KICK_AFTER, KICKS = 10.0, 3
STOPPING = 10.0  # seconds; it takes the daemon half of one


class Daemon:
    """The calls that a catalogue needs, over one connection."""

    def __init__(self, rpc: RpcClient) -> None:
        self.rpc = rpc
        self.modern = version_of(rpc.call("session-get")) >= (4,)

    def torrents(self, hashes: Sequence[str] | None = None, fields: str = torrents.COMPARED_FIELDS) -> dict[str, Seen]:
        """All torrents, or those of them that it has."""
        arguments: dict[str, Any] = {"fields": fields.split()}
        if hashes is not None:
            arguments["ids"] = list(hashes)
        listed = self.rpc.call("torrent-get", arguments)["torrents"]
        return {one["hashString"]: torrents.seen_from(one) for one in listed}

    def all_torrents(self) -> dict[str, Seen]:
        """All torrents, once their number stands still: 3.00 answers before it has read them after its start."""
        found = self.torrents()
        while not self.modern and self.rpc.call("session-stats")["current-stats"]["secondsActive"] < YOUNG:
            time.sleep(LONGEST_POLL)  # the daemon tells no event; its own age bounds the wait
            again = self.torrents()
            if found.keys() == again.keys():
                return again
            found = again
        return found

    def send(self, method: str, hashes: Sequence[str], arguments: dict[str, Any] | None = None) -> None:
        """One call for many torrents; none for none."""
        if hashes:
            self.rpc.call(method, {"ids": list(hashes), **(arguments or {})})

    def stop(self, hashes: Sequence[str]) -> None:
        """Stops torrents and waits until they have: a start that comes before is dropped, and after a check that comes
        before, 4.x goes on."""
        self.send("torrent-stop", hashes)
        running, deadline = list(hashes), time.monotonic() + STOPPING
        while running and time.monotonic() < deadline:
            time.sleep(SHORTEST_POLL)  # the daemon tells no event; the deadline above bounds the wait
            seen = self.torrents(running, torrents.FIELDS)
            running = [info_hash for info_hash, one in seen.items() if one.status != torrents.STOPPED]

    def restart(self, hashes: Sequence[str]) -> None:
        """Has torrents announced before the tracker's interval, or the daemon's long pause after a failed announce, is
        over. They start past every queue."""
        self.stop(hashes)
        self.send("torrent-start-now", hashes)

    def add(self, want: Wanted, label: str) -> str | None:
        """Adds it paused, so that content which is not right never makes it a leecher. The daemon's refusal, if any."""
        try:
            self.rpc.call(
                "torrent-add",
                {
                    "metainfo": want.metainfo,
                    "download-dir": want.download_dir,
                    "paused": True,
                    "labels": [label],  # 3.00 ignores them here
                },
            )
        except RpcFailed as error:
            return error.result
        return None


class Plan(NamedTuple):
    """What has to be done, by torrent."""

    remove: dict[str, str]  # hash to name
    add: list[Wanted]
    edit: dict[str, list[torrents.Call]]  # by hash
    check: list[str]
    start: list[str]  # stopped, queued or leeching: shall seed
    announce: list[str]  # forgotten by their tracker: shall be announced again

    def __bool__(self) -> bool:
        return bool(self.remove or self.add or self.edit or self.start or self.announce)


def plan(
    wanted: Sequence[Wanted], seen: dict[str, Seen], label: str, exclusive: bool, modern: bool, *, begun: bool = False
) -> Plan:
    """Compares, and asks the trackers whether they still know what seeds; changes nothing.

    begun: an earlier call has had read whatever had to be, and was interrupted.
    """
    by_hash = {want.info_hash: want for want in wanted if want.info_hash}
    # Of what is gone the name may be all that is known; 3.00 has its own.
    nameless = [want.name for want in wanted if not want.info_hash]
    gone = {*nameless, *map(name_on_3, nameless)}
    found = Plan({}, [], {}, [], [], forgotten(list(by_hash.values()), seen))
    for info_hash, one in seen.items():
        want = by_hash.get(info_hash)
        # Without our label somebody else added it: not ours to remove.
        if label in one.labels and (not want.present if want else exclusive or one.name in gone):
            found.remove[info_hash] = want.name if want else one.name
    for info_hash, want in by_hash.items():
        if want.present and info_hash not in seen:
            found.add.append(want)
        elif want.present:
            _compare(found, want, seen[info_hash], label, modern, begun=begun)
    return found


def _compare(found: Plan, want: Wanted, seen: Seen, label: str, modern: bool, *, begun: bool) -> None:
    calls = torrents.edits(want, seen, label, modern)
    if calls:
        found.edit[want.info_hash] = calls
    moved = any(method == "torrent-set-location" for method, _ in calls) or torrents.other_share(want, seen)
    check = moved or (not begun and torrents.needs_check(want, seen, False, modern))
    if check:
        found.check.append(want.info_hash)
    waits = (torrents.STOPPED, torrents.SEED_WAIT, torrents.DOWNLOAD_WAIT)
    idle = seen.status in waits and seen.error != torrents.LOCAL_ERROR
    leeches = seen.status == torrents.DOWNLOADING and not torrents.seeding(want, seen)
    if leeches or (idle and not check and not begun):
        found.start.append(want.info_hash)


class Result(NamedTuple):
    """What a call did."""

    changed: bool
    outcomes: list[Outcome]
    seconds: dict[str, float]
    progress: str  # how far it is, when the patience ended before the wait did


def apply(
    daemon: Daemon,
    wanted: Sequence[Wanted],
    steps: Plan,
    *,
    label: str,
    remove_data: bool,
    timeout: float,
    patience: float = math.inf,
) -> Result:
    """Carries the plan out and waits; every torrent gets an outcome, whatever becomes of the others."""
    begin = time.monotonic()
    daemon.send("torrent-remove", list(steps.remove), {"delete-local-data": remove_data})
    refused = {want.info_hash: daemon.add(want, label) for want in steps.add}
    taken = [want for want in wanted if want.present and refused.get(want.info_hash) is None]
    added = [want.info_hash for want in steps.add if refused[want.info_hash] is None]
    touched = [*added, *steps.check]
    seen = daemon.torrents(touched) if touched else {}
    edits = dict(steps.edit)
    check = list(steps.check)
    for want in steps.add:
        one = seen.get(want.info_hash)
        if one:
            edits[want.info_hash] = torrents.edits(want, one, label, daemon.modern)
            if torrents.needs_check(want, one, True, daemon.modern):
                check.append(want.info_hash)
    _edit_and_check(daemon, seen, edits, check)
    # A check is followed by a start of its own.
    daemon.restart([info_hash for info_hash in steps.announce if info_hash not in check])
    seconds = {"adding": time.monotonic() - begin}
    wait = Wait(daemon, taken, timeout, patience, unlisted=set(steps.announce))
    outcomes = wait.run()
    for want in wanted:
        if want.present and refused.get(want.info_hash) is not None:
            text = f"the daemon refuses the torrent: {refused[want.info_hash]}"
            outcomes.append(torrents.outcome(want, None, "refused", text))
    seconds["waiting"] = time.monotonic() - begin - seconds["adding"]
    # One that was started in vain is as it was.
    lost = {one.info_hash for one in outcomes if one.reason == "missing_content"}
    started = wait.started - lost - {want.info_hash for want in steps.add}
    changed = bool(added or steps.remove or steps.edit or steps.start or steps.announce or started)
    return Result(changed, outcomes, seconds, wait.progress)


def _edit_and_check(
    daemon: Daemon, seen: dict[str, Seen], edits: dict[str, list[torrents.Call]], check: list[str]
) -> None:
    calls = [(one, call) for one, todo in edits.items() for call in todo]
    # 4.1.0-beta.2 crashes on other trackers while a torrent still says goodbye to the old ones.
    _send(daemon, [(one, call) for one, call in calls if torrents.retargets(call)])
    # Otherwise it would go on right after the check, and fetch from others what is missing.
    daemon.stop([one for one in check if seen[one].status != torrents.STOPPED])
    _send(daemon, [(one, call) for one, call in calls if not torrents.retargets(call)])
    daemon.send("torrent-verify", check)


def _send(daemon: Daemon, calls: list[tuple[str, torrents.Call]]) -> None:
    for method, arguments, hashes in torrents.by_arguments(calls):
        daemon.send(method, hashes, arguments)


class Wait:
    """Follows torrents until each seeds and is announced, or cannot; gives up when nothing moves for `timeout`.

    After `patience` it ends with the next move, for a later call to go on; never while nothing moves.
    """

    def __init__(
        self,
        daemon: Daemon,
        wanted: Sequence[Wanted],
        timeout: float,
        patience: float,
        unlisted: AbstractSet[str] = frozenset(),
    ) -> None:
        self.daemon, self.timeout = daemon, timeout
        self.unlisted = set(unlisted)
        self.progress = ""
        self.pending = {want.info_hash: want for want in wanted}
        self.started: set[str] = set()
        self.kicks: dict[str, int] = {}
        self.moved = self.kicked = time.monotonic()
        self.enough = self.moved + patience
        self.best = -1.0

    def run(self) -> list[Outcome]:
        """One outcome a torrent."""
        outcomes: list[Outcome] = []
        pause = SHORTEST_POLL
        while True:
            seen = self.daemon.torrents(list(self.pending), torrents.FIELDS)
            outcomes += self._round(seen)
            if not self.pending:
                return outcomes
            score = sum(torrents.progress(self.pending[one], seen[one]) for one in self.pending) + 4.0 * len(outcomes)
            if score > self.best:
                first = self.best < 0
                self.best, self.moved = score, time.monotonic()
                if self.moved >= self.enough and not first:
                    self.progress = torrents.how_far(len(outcomes), [seen[one] for one in self.pending])
                    return outcomes + [torrents.outcome(want, seen[one]) for one, want in self.pending.items()]
            elif time.monotonic() - self.moved > self.timeout:
                return outcomes + self._late(seen)
            time.sleep(pause)  # between two questions; ends when nothing moves for the timeout
            pause = min(pause * 1.5, LONGEST_POLL)

    def _round(self, seen: dict[str, Seen]) -> list[Outcome]:
        done: list[Outcome] = []
        ready: list[str] = []
        leeching: list[str] = []
        lost = self._lost(seen)
        for info_hash, want in list(self.pending.items()):
            one = seen.get(info_hash)
            if one is None:
                done.append(torrents.outcome(want, None, "vanished", "somebody removed it meanwhile"))
            elif torrents.seeding(want, one) and not torrents.unannounced(want, one):
                if info_hash not in lost:
                    done.append(torrents.outcome(want, one))
            elif one.status == torrents.DOWNLOADING and not torrents.seeding(want, one):
                leeching.append(info_hash)
            elif one.status in (torrents.STOPPED, torrents.SEED_WAIT, torrents.DOWNLOAD_WAIT):
                gone = one.error == torrents.LOCAL_ERROR and info_hash in self.started
                if torrents.complete(want, one) and not gone:
                    ready.append(info_hash)
                else:
                    done.append(torrents.outcome(want, one, *torrents.content_fault(want, one)))
        for end in done:
            del self.pending[end.info_hash]
        self.daemon.send("torrent-stop", leeching)
        # Past every queue: one that is queued never announces.
        self.daemon.send("torrent-start-now", ready)
        self.started.update(ready)
        self._kick(seen)
        return done

    def _lost(self, seen: dict[str, Seen]) -> set[str]:
        """Those, of all that were started again, that a tracker does not list. The daemon's own word counts for nothing
        there: it may be about the stop, which a tracker takes of a torrent that it refuses, too."""
        return set(forgotten([want for one, want in self.pending.items() if one in self.unlisted], seen, each=True))

    def _kick(self, seen: dict[str, Seen]) -> None:
        """Has those announced again whose tracker failed."""
        if time.monotonic() - self.kicked < KICK_AFTER:
            return
        self.kicked = time.monotonic()
        still = self.kicked - self.moved > KICK_AFTER
        late = [
            one
            for one, want in self.pending.items()
            if self.kicks.get(one, 0) < KICKS
            and torrents.seeding(want, seen[one])
            and any(tracker["hasAnnounced"] or still for tracker in torrents.unannounced(want, seen[one]))
        ]
        for one in late:
            self.kicks[one] = self.kicks.get(one, 0) + 1
        self.unlisted.update(late)
        self.daemon.restart(late)

    def _late(self, seen: dict[str, Seen]) -> list[Outcome]:
        refused = refusals(
            (url, one)
            for one, want in self.pending.items()
            if torrents.seeding(want, seen[one])
            for url in torrents.awaited(want, seen[one])
        )
        late = []
        for one, want in self.pending.items():
            reason, text = torrents.waiting_for(want, seen[one], refused.get(one, {}))
            error = f"{text} (nothing moved for {self.timeout:.0f} s)"
            late.append(torrents.outcome(want, seen[one], reason, error))
        return late
