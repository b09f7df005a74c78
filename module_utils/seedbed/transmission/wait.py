"""Follows torrents until each seeds and is announced, or cannot."""

from __future__ import annotations

import time
from typing import Collection, Mapping, Sequence

from ansible.module_utils.seedbed.base.sizes import WHOLE, format_size
from ansible.module_utils.seedbed.transmission.compare import (
    announced_to,
    is_complete,
    is_leeching,
    is_seeding,
    missing_announces,
)
from ansible.module_utils.seedbed.transmission.outcomes import (
    TorrentOutcome,
    awaited_trackers,
    content_fault,
    torrent_outcome,
    unready_fault,
)
from ansible.module_utils.seedbed.transmission.torrent_rpc import LONGEST_POLL, SHORTEST_POLL, TorrentRpc
from ansible.module_utils.seedbed.transmission.torrents import (
    LOCAL_ERROR,
    POLLED_FIELDS,
    DaemonTorrent,
    WantedTorrent,
)
from ansible.module_utils.seedbed.transmission.tracker_memory import refusals, unlisted

RETRY_AFTER, RETRIES = 10.0, 3

Held = Mapping[str, DaemonTorrent]


class TorrentWait:
    """One wait for many torrents; it gives up when nothing moves for `timeout`.

    After `patience` it ends with the next move, for a later call to go on; never while nothing moves.
    """

    def __init__(
        self,
        daemon: TorrentRpc,
        wanted: Sequence[WantedTorrent],
        timeout: float,
        patience: float,
        restarted: Collection[str] = (),
    ) -> None:
        self.daemon, self.timeout = daemon, timeout
        self.restarted = set(restarted)
        self.progress = ""
        self.pending = {want.info_hash: want for want in wanted}
        self.started: set[str] = set()
        self.retries: dict[str, int] = {}
        self.moved = self.retried = time.monotonic()
        self.enough = self.moved + patience
        self.best = -1.0

    def run(self) -> list[TorrentOutcome]:
        """Return one outcome a torrent."""
        outcomes: list[TorrentOutcome] = []
        pause = SHORTEST_POLL
        while True:
            held = self.daemon.torrents(list(self.pending), POLLED_FIELDS)
            outcomes += self._round(held)
            if not self.pending:
                return outcomes
            score = 4.0 * len(outcomes) + sum(_nearness(want, held[key]) for key, want in self.pending.items())
            if score > self.best:
                first = self.best < 0
                self.best, self.moved = score, time.monotonic()
                if self.moved >= self.enough and not first:
                    self.progress = how_far(len(outcomes), [held[info_hash] for info_hash in self.pending])
                    return outcomes + [torrent_outcome(want, held[key]) for key, want in self.pending.items()]
            elif time.monotonic() - self.moved > self.timeout:
                return outcomes + self._late(held)
            time.sleep(pause)  # between two questions; ends when nothing moves for the timeout
            pause = min(pause * 1.5, LONGEST_POLL)

    def _round(self, held: Held) -> list[TorrentOutcome]:
        """Do what the torrents' states ask for; afterwards all that is pending is in `held`."""
        done: list[TorrentOutcome] = []
        ready: list[str] = []
        leeching: list[str] = []
        still_unlisted = self._unlisted(held)
        for info_hash, want in list(self.pending.items()):
            torrent = held.get(info_hash)
            if torrent is None:
                done.append(torrent_outcome(want, None, "vanished", "somebody removed it meanwhile"))
            elif is_seeding(want, torrent) and not missing_announces(want, torrent):
                if info_hash not in still_unlisted:
                    done.append(torrent_outcome(want, torrent))
            elif is_leeching(want, torrent):
                leeching.append(info_hash)
            elif torrent.status.is_idle:
                failed = torrent.error == LOCAL_ERROR and info_hash in self.started
                if is_complete(want, torrent) and not failed:
                    ready.append(info_hash)
                else:
                    done.append(torrent_outcome(want, torrent, *content_fault(want, torrent)))
        for outcome in done:
            del self.pending[outcome.info_hash]
        self.daemon.send("torrent-stop", leeching)
        # Past every queue: one that is queued never announces.
        self.daemon.send("torrent-start-now", ready)
        self.started.update(ready)
        self._retry_announces(held, still_unlisted)
        return done

    def _unlisted(self, held: Held) -> set[str]:
        """Return those, of all that were started again, that a tracker does not list. The daemon's own word counts for
        nothing there: it may be about the stop, which a tracker takes of a torrent that it refuses, too."""
        restarted = [want for info_hash, want in self.pending.items() if info_hash in self.restarted]
        return set(unlisted(restarted, held, ask_each=True))

    def _retry_announces(self, held: Held, still_unlisted: Collection[str]) -> None:
        """Have those announced again whose tracker failed, and those whose start the daemon has forgotten to tell it.

        So does 3.00 when the stop before it fails at first, as over UDP with a tracker that was restarted: it repeats
        the stop, and drops the start that waits behind it.
        """
        if time.monotonic() - self.retried < RETRY_AFTER:
            return
        self.retried = time.monotonic()
        still = self.retried - self.moved > RETRY_AFTER
        late = [
            info_hash
            for info_hash, want in self.pending.items()
            if self.retries.get(info_hash, 0) < RETRIES
            and is_seeding(want, held[info_hash])
            and (
                (still and info_hash in still_unlisted)
                or any(tracker["announced"] or still for tracker in missing_announces(want, held[info_hash]))
            )
        ]
        for info_hash in late:
            self.retries[info_hash] = self.retries.get(info_hash, 0) + 1
        self.restarted.update(late)
        self.daemon.restart(late)

    def _late(self, held: Held) -> list[TorrentOutcome]:
        refused = refusals(
            (url, info_hash)
            for info_hash, want in self.pending.items()
            if is_seeding(want, held[info_hash])
            for url in awaited_trackers(want, held[info_hash])
        )
        late = []
        for info_hash, want in self.pending.items():
            reason, text = unready_fault(want, held[info_hash], refused.get(info_hash, {}))
            error = f"{text} (nothing moved for {self.timeout:.0f} s)"
            late.append(torrent_outcome(want, held[info_hash], reason, error))
        return late


def _nearness(want: WantedTorrent, held: DaemonTorrent) -> float:
    """Return a number that grows as a torrent comes nearer to its end; it tells waiting from hanging."""
    if held.status.is_check:
        return held.checked / WHOLE
    share = 1.0 if not held.trackers else len(announced_to(held)) / len(held.trackers)
    return 2.0 + share if is_seeding(want, held) else 1.0


def how_far(done: int, pending: Sequence[DaemonTorrent]) -> str:
    """Return how far the wait for a catalogue is, for people."""
    checks = [torrent for torrent in pending if torrent.status.is_check]
    text = f"{done} of {done + len(pending)} torrents seed"
    if checks:
        total = sum(torrent.total for torrent in checks)
        read = sum(torrent.checked * torrent.total for torrent in checks) // WHOLE
        text += f"; {format_size(read)} of {format_size(total)} of {len(checks)} being checked are read"
    if len(pending) > len(checks):
        text += f"; {len(pending) - len(checks)} wait for their trackers"
    return text
