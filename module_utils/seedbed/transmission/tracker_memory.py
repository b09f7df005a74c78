"""What trackers know of torrents, where the seeder's own word is not enough.

A tracker keeps its peers in memory, and a daemon that was told to come back in half an hour does not notice a restart:
until then nobody finds it. A scrape tells (BEP 48). Nor does it always know that a tracker refuses it: over UDP
opentracker cuts its answer short, which a daemon takes for none. An announce tells.
"""

from __future__ import annotations

from typing import Iterable, Mapping, Sequence, Tuple

from ansible.module_utils.seedbed.probe.announce import AnnounceOptions, Question, ask
from ansible.module_utils.seedbed.transmission.compare import announced_to, is_seeding, missing_announces
from ansible.module_utils.seedbed.transmission.torrents import DaemonTorrent, WantedTorrent

# A restart loses everything at once: a few torrents tell for all of a tracker.
SAMPLE = 3
SECONDS = 3.0  # for a tracker to answer

Pair = Tuple[WantedTorrent, DaemonTorrent]


def unlisted(
    wanted: Sequence[WantedTorrent], held: Mapping[str, DaemonTorrent], *, ask_each: bool = False
) -> list[str]:
    """Return the hashes of torrents that seed, and of which a tracker that they announced to lists no such seeder.

    ask_each: one torrent tells nothing of another, as where a tracker may refuse some of them.
    A tracker that does not answer tells nothing; the daemon's own state names it.
    """
    announced: dict[str, list[Pair]] = {}
    for want in wanted:
        torrent = held.get(want.info_hash)
        if not want.absent and torrent and is_seeding(want, torrent) and not missing_announces(want, torrent):
            for tracker in set(announced_to(torrent)) & set(want.tracker_urls):
                announced.setdefault(tracker, []).append((want, torrent))
    found: set[str] = set()
    for tracker, pairs in announced.items():
        if ask_each or _unlisted_by(tracker, pairs[:SAMPLE]):
            found |= _unlisted_by(tracker, pairs)
    return sorted(found)


def refusals(asked: Iterable[tuple[str, str]]) -> dict[str, dict[str, str]]:
    """Return, of (tracker, info hash), the words of trackers that refuse, by info hash and tracker."""
    answers = ask(
        [Question(tracker, "announce", info_hash) for tracker, info_hash in asked], AnnounceOptions(timeout=SECONDS)
    )
    found: dict[str, dict[str, str]] = {}
    for answer in answers:
        if answer["reason"] in ("not_authorized", "failure"):
            found.setdefault(answer["info_hash"], {})[answer["tracker"]] = answer["message"]
    return found


def _unlisted_by(tracker: str, pairs: Sequence[Pair]) -> set[str]:
    answers = ask(
        [Question(tracker, "scrape", want.info_hash) for want, _held in pairs], AnnounceOptions(timeout=SECONDS)
    )
    return {
        want.info_hash
        for (want, held), answer in zip(pairs, answers)
        if answer["ok"] and not any(answer.get(role) for role in _roles(want, held))
    }


def _roles(want: WantedTorrent, held: DaemonTorrent) -> tuple[str, ...]:
    """Return as what a tracker may list it: one that holds only part announces as a leecher."""
    if want.available is None:
        return ("seeders",)
    # One that has just fetched the rest may not have told the tracker yet.
    return ("leechers", "seeders") if want.fetch_rest and not held.left else ("leechers",)
