"""Torrents that their tracker has forgotten, while the seeder believes to be listed.

A tracker keeps its peers in memory, and a daemon that was told to come back in half an hour does not notice a restart:
until then nobody finds it. A scrape tells (BEP 48).
"""

from __future__ import annotations

from typing import Mapping, Sequence

from ansible.module_utils.seedbed.announce import Question, Settings, ask
from ansible.module_utils.seedbed.transmission_torrents import Seen, Wanted, announced, seeding, unannounced

# A restart forgets everything at once: a few torrents tell for all of a tracker.
SAMPLE = 3


def forgotten(wanted: Sequence[Wanted], seen: Mapping[str, Seen]) -> list[str]:
    """Info hashes of torrents that seed, and of which a tracker that they were announced to knows no such seeder.

    A tracker that does not answer has forgotten nothing that could be told; the daemon's own state names it.
    """
    listed: dict[str, list[Wanted]] = {}
    for want in wanted:
        one = seen.get(want.info_hash)
        if want.present and one and seeding(want, one) and not unannounced(want, one):
            for tracker in set(announced(one)) & set(want.tracker_urls):
                listed.setdefault(tracker, []).append(want)
    lost: set[str] = set()
    for tracker, torrents in listed.items():
        if _unknown(tracker, torrents[:SAMPLE]):
            lost |= _unknown(tracker, torrents)
    return sorted(lost)


def _unknown(tracker: str, torrents: Sequence[Wanted]) -> set[str]:
    answers = ask([Question(tracker, "scrape", want.info_hash) for want in torrents], Settings(timeout=3.0))
    return {
        want.info_hash
        for want, answer in zip(torrents, answers)
        # One that holds only part announces as a leecher.
        if answer["ok"] and not answer["seeders" if want.available is None else "leechers"]
    }
