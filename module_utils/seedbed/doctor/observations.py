"""What was seen of one torrent, and what its subject says should be there."""

from __future__ import annotations

import ipaddress
from typing import Iterable, Mapping, NamedTuple, Sequence
from urllib.parse import SplitResult, urlsplit

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.sizes import WHOLE, Range, parse_range, parse_share
from ansible.module_utils.seedbed.doctor.findings import SILENT
from ansible.module_utils.seedbed.torrent.credentials import without_password
from ansible.module_utils.seedbed.torrent.model import (
    PeerAnswer,
    ScriptedHost,
    Seeder,
    SeederState,
    Subject,
    SubjectSwarm,
    TorrentState,
    Tracker,
    TrackerAnswer,
    View,
    WebSeedAnswer,
    flatten_tiers,
)

FOR_BROWSERS = "for_browsers"  # the reason of a tracker that no other client asks
TOLERANCE = WHOLE // 50  # a piece more or less, and a bitfield without known length, are no news
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Observations(NamedTuple):
    """All that is known of one torrent, seen from one host."""

    subject: Subject
    view: View
    answers: list[TrackerAnswer]
    peers: list[PeerAnswer]
    seeders: Mapping[str, Seeder]
    """All of the lab."""
    trackers: Mapping[str, Tracker]
    webseeds: Sequence[WebSeedAnswer] = ()
    scripted: Mapping[str, ScriptedHost] = {}
    """All hosts that play by script."""

    @property
    def web_seeds_that_serve(self) -> list[str]:
        return [answer["url"] for answer in self.webseeds if answer["ok"]]

    @property
    def announces(self) -> list[TrackerAnswer]:
        """Those of trackers that are for other clients than browsers, too."""
        asked = [answer for answer in self.answers if answer["kind"] == "announce"]
        return [answer for answer in asked if answer["reason"] != FOR_BROWSERS]

    @property
    def tracker_answered(self) -> bool:
        return any(answer["ok"] for answer in self.announces)

    @property
    def expected(self) -> dict[str, Seeder]:
        """The seeders that should serve it."""
        names = swarm(self.subject).get("seeders") or []
        return {name: self.seeders[name] for name in names if name in self.seeders}


def observations(
    subject: Subject,
    view: View,
    seeders: Mapping[str, Seeder],
    trackers: Mapping[str, Tracker],
    scripted: Mapping[str, ScriptedHost],
) -> Observations:
    """Return what of a view concerns one torrent."""
    info_hash = subject["info_hash"]
    answers = [answer for answer in view["trackers"] if answer["info_hash"] == info_hash]
    peers = [peer for peer in view["peers"] if peer["info_hash"] == info_hash]
    # Answers name their trackers so, too: nobody is shown a password.
    shown: Subject = {**subject, "trackers": [[without_password(url) for url in tier] for tier in subject["trackers"]]}
    if "remarks" in shown:
        shown["remarks"] = [without_password(remark) for remark in shown["remarks"]]
    webseeds = [answer for answer in view.get("webseeds", []) if answer["info_hash"] == info_hash]
    return Observations(shown, view, answers, peers, seeders, trackers, webseeds, scripted)


# -- the subject ------------------------------------------------------------------------------------------------------


def swarm(subject: Subject) -> SubjectSwarm:
    return subject.get("swarm") or {}


def available(subject: Subject) -> int:
    """Return the share that the seeders hold together on purpose, in millionths."""
    try:
        return parse_share(swarm(subject).get("available") or "100%")
    except SeedbedError:
        return WHOLE


def ranges(subject: Subject) -> dict[str, Range]:
    """Return which part each seeder holds on purpose; nothing where all of them hold the same."""
    try:
        return {name: parse_range(text) for name, text in (swarm(subject).get("ranges") or {}).items()}
    except SeedbedError:
        return {}


def held(subject: Subject, name: str) -> int:
    """Return the share that one seeder holds on purpose, in millionths."""
    begin, end = ranges(subject).get(name, (0, available(subject)))
    return end - begin


def enough(subject: Subject) -> int:
    """Return the share from which on a peer has what a seeder should have."""
    return min([held(subject, name) for name in ranges(subject)] or [available(subject)]) - TOLERANCE


def udp_alone(subject: Subject) -> bool:
    urls = [url for url in flatten_tiers(subject["trackers"]) if not url.startswith(("ws:", "wss:"))]
    return bool(urls) and all(url.startswith("udp:") for url in urls)


def trackerless_on_purpose(subject: Subject) -> bool:
    """Return whether the catalogue has it seeded without a tracker; a private one cannot be found by other ways."""
    return bool(swarm(subject).get("seeders")) and not subject["private"] and not any(subject["trackers"])


def peerless_on_purpose(subject: Subject) -> bool:
    """Return whether the catalogue has nobody seed it, and a web seed has it, or it has no bytes."""
    seedless = swarm(subject).get("seeders") == []
    return seedless and (subject.get("size") == 0 or bool(subject.get("webseeds")))


# -- trackers ---------------------------------------------------------------------------------------------------------


def url_parts(answer: TrackerAnswer) -> SplitResult:
    """Return the parts of a tracker's URL, without user and password."""
    try:
        parts = urlsplit(answer["tracker"])
        return parts._replace(netloc=parts.netloc.rpartition("@")[2])
    except ValueError:  # a torrent may name anything
        return urlsplit("")


def url_port(answer: TrackerAnswer) -> int | None:
    """Return the port of a tracker's URL, that of its scheme where it names none."""
    parts = url_parts(answer)
    try:
        return parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:  # beyond 65535
        return None


def tracker_name(answer: TrackerAnswer) -> str:
    parts = url_parts(answer)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else answer["tracker"] or "an empty address"


def trackers_of_the_lab(answer: TrackerAnswer, trackers: Mapping[str, Tracker]) -> dict[str, Tracker]:
    """Return the lab's trackers at the address that was asked; only those on its port, if there are such."""
    there = {
        name: tracker
        for name, tracker in trackers.items()
        if tracker["address"] in (url_parts(answer).hostname, answer.get("address"))
    }
    port = url_port(answer)
    return {name: tracker for name, tracker in there.items() if int(tracker["port"]) == port} or there


def dead_on_purpose(seen: Observations) -> list[TrackerAnswer]:
    """Return the trackers of a catalogue's item that are silent, and none of the lab's, beside some that answer."""
    alive = {url_parts(answer).netloc for answer in seen.announces if answer["ok"]}
    # A host that could not be asked may have the address of any of them.
    if not alive or not seen.subject.get("swarm") or any(t.get("active") is None for t in seen.trackers.values()):
        return []
    return [
        answer
        for answer in seen.announces
        if answer["reason"] in SILENT
        and url_parts(answer).netloc not in alive
        and not trackers_of_the_lab(answer, seen.trackers)
    ]


# -- peers and seeders ------------------------------------------------------------------------------------------------


def listed_peers(answers: Iterable[TrackerAnswer]) -> set[tuple[str, int]]:
    """Return address and port of all peers that trackers hand out."""
    return {(peer["address"], peer["port"]) for answer in answers for peer in answer.get("peers", []) if answer["ok"]}


def named_peers(subject: Subject) -> set[tuple[str, int]]:
    """Return address and port of the peers that a magnet names."""
    return {(peer["address"], peer["port"]) for peer in subject.get("peers", [])}


def peer_address(seeder: Seeder) -> tuple[str, int]:
    return seeder["address"], int(seeder["peer_port"])


def share_held(peer: PeerAnswer) -> int | None:
    """Return the share of the pieces that a peer holds, in millionths; None where it is not known."""
    share = peer.get("share")
    return None if share is None else round(share * WHOLE)


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False  # a name: trackers may hand out such (BEP 3)


def serves(subject: Subject, peer: PeerAnswer) -> bool:
    """Return whether a peer has what the seeders should have; loopback is reached from its own host alone."""
    whole = (share_held(peer) or 0) >= enough(subject) or bool(peer.get("revealing"))
    return peer["ok"] and not is_loopback(peer["address"]) and whole


def state_of(subject: Subject, info: SeederState | None) -> TorrentState | None:
    """Return the torrent as a seeder's daemon shows it."""
    torrents = info["torrents"] if info else []
    return next((torrent for torrent in torrents if torrent["info_hash"] == subject["info_hash"]), None)


def is_version_3(info: SeederState | None) -> bool:
    return bool(info and info["version"].startswith("3."))
