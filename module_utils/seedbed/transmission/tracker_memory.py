"""What trackers know of torrents, where the seeder's own word is not enough.

A tracker keeps its peers in memory, and a daemon that was told to come back in half an hour does not notice a restart:
until then nobody finds it. A scrape tells (BEP 48). Nor does it always know that a tracker refuses it: over UDP
opentracker cuts its answer short, which a daemon takes for none. An announce tells.
"""

from __future__ import annotations

from typing import Iterable, Mapping, Sequence

from ansible.module_utils.seedbed.probe.announce import AnnounceOptions, Question, ask
from ansible.module_utils.seedbed.transmission.compare import Seen, Wanted, announced, seeding, unannounced

# A restart forgets everything at once: a few torrents tell for all of a tracker.
SAMPLE = 3
SECONDS = 3.0  # for a tracker to answer


def forgotten(wanted: Sequence[Wanted], seen: Mapping[str, Seen], *, each: bool = False) -> list[str]:
    """Info hashes of torrents that seed, and of which a tracker that they were announced to knows no such seeder.

    each: one torrent tells nothing of another, as where a tracker may refuse some of them.
    A tracker that does not answer has forgotten nothing that could be told; the daemon's own state names it.
    """
    listed: dict[str, list[tuple[Wanted, Seen]]] = {}
    for want in wanted:
        one = seen.get(want.info_hash)
        if want.present and one and seeding(want, one) and not unannounced(want, one):
            for tracker in set(announced(one)) & set(want.tracker_urls):
                listed.setdefault(tracker, []).append((want, one))
    lost: set[str] = set()
    for tracker, torrents in listed.items():
        if each or _unknown(tracker, torrents[:SAMPLE]):
            lost |= _unknown(tracker, torrents)
    return sorted(lost)


def refusals(asked: Iterable[tuple[str, str]]) -> dict[str, dict[str, str]]:
    """Of (tracker, info hash): the words of those that refuse, by info hash and tracker."""
    answers = ask(
        [Question(tracker, "announce", info_hash) for tracker, info_hash in asked], AnnounceOptions(timeout=SECONDS)
    )
    told: dict[str, dict[str, str]] = {}
    for answer in answers:
        if answer["reason"] in ("not_authorized", "failure"):
            told.setdefault(answer["info_hash"], {})[answer["tracker"]] = answer["message"]
    return told


def _unknown(tracker: str, torrents: Sequence[tuple[Wanted, Seen]]) -> set[str]:
    answers = ask(
        [Question(tracker, "scrape", want.info_hash) for want, _seen in torrents], AnnounceOptions(timeout=SECONDS)
    )
    return {
        want.info_hash
        for (want, seen), answer in zip(torrents, answers)
        if answer["ok"] and not any(answer.get(kind) for kind in _kinds(want, seen))
    }


def _kinds(want: Wanted, seen: Seen) -> tuple[str, ...]:
    """As what a tracker may know it: one that holds only part announces as a leecher."""
    if want.available is None:
        return ("seeders",)
    # One that has just fetched the rest may not have told the tracker yet.
    return ("leechers", "seeders") if want.fetch_rest and not seen.left else ("leechers",)
