"""Look at swarms from one host: ask each torrent's trackers, then meet whom they hand out and who should be there."""

from __future__ import annotations

from typing import Mapping, Sequence, TypedDict

from ansible.module_utils.seedbed.probe.announce import AnnounceOptions, Question, ask
from ansible.module_utils.seedbed.probe.peer_handshake import PeerOptions, Target
from ansible.module_utils.seedbed.probe.peers import meet_all
from ansible.module_utils.seedbed.probe.web_seeds import WebOptions, ask_web_seeds
from ansible.module_utils.seedbed.torrent.model import (
    Peer,
    PeerAddress,
    PeerAnswer,
    Subject,
    TrackerAnswer,
    WebSeedAnswer,
    flatten_tiers,
)

MAX_PEERS = 20  # of one torrent: enough to judge a swarm by


class SwarmAnswers(TypedDict):
    """What trackers and peers showed."""

    trackers: list[TrackerAnswer]
    peers: list[PeerAnswer]
    webseeds: list[WebSeedAnswer]


def ask_swarms(
    subjects: Sequence[Subject],
    seeders: Mapping[str, PeerAddress],
    own: Peer,
    announce_options: AnnounceOptions,
    peer_options: PeerOptions,
) -> SwarmAnswers:
    """Return the answers of all trackers, peers and web seeds; `own` is this host's own client, which is not met."""
    questions = [
        Question(tracker, kind, subject["info_hash"])
        for subject in subjects
        for tracker in flatten_tiers(subject["trackers"])
        for kind in ("scrape", "announce")
    ]
    answers = ask(questions, announce_options)
    return {
        "trackers": answers,
        "peers": meet_all(targets(subjects, answers, seeders, own), peer_options),
        "webseeds": ask_web_seeds(subjects, WebOptions(announce_options.timeout, peer_options.piece_timeout)),
    }


def targets(
    subjects: Sequence[Subject], answers: Sequence[TrackerAnswer], seeders: Mapping[str, PeerAddress], own: Peer
) -> list[Target]:
    """Return whom to meet of each torrent: the seeders that should be there, those that its magnet
    names, then what the trackers hand out."""
    listed: dict[str, list[tuple[str, int]]] = {}
    for answer in answers:
        peers = listed.setdefault(answer["info_hash"], [])
        peers += [(peer["address"], peer["port"]) for peer in answer.get("peers", [])]
    found = []
    for subject in subjects:
        names = (subject.get("swarm") or {}).get("seeders") or []
        expected = [(seeders[name]["address"], seeders[name]["peer_port"]) for name in names if name in seeders]
        named = [(peer["address"], peer["port"]) for peer in subject.get("peers", [])]
        candidates = dict.fromkeys(expected + named + listed.get(subject["info_hash"], []))
        found += [
            Target(address, port, subject["info_hash"])
            for address, port in list(candidates)[:MAX_PEERS]
            if (address, port) != (own["address"], own["port"])
        ]
    return found
