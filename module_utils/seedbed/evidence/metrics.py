"""The lab as numbers, in the text format that Prometheus reads (version 0.0.4)."""

from __future__ import annotations

import re
from typing import Any, Iterable, Iterator, Mapping, NamedTuple, Sequence, Tuple, TypedDict

from ansible.module_utils.seedbed.transmission.inside import Inside

Counts = Tuple[int, int, int]
"""Of one torrent at one tracker: seeders, leechers, and how often it was downloaded whole."""


class TrackerNow(TypedDict):
    """A tracker as it has just answered."""

    name: str
    up: bool
    statistics: dict[str, int]
    """By their places in opentracker's XML, such as ``connections/tcp/announce``."""
    counts: dict[str, Counts]
    """By the info hash."""


class SeederNow(TypedDict):
    """A seeder's daemon as it has just answered."""

    name: str
    error: str
    """Why it told nothing; empty where it told."""
    uploaded: int
    """Since it was set up, with all torrents that it ever had."""
    torrents: list[Inside]


class ScriptedNow(TypedDict):
    """A daemon of scripted peers as it has just answered."""

    name: str
    up: bool
    torrents: int
    connections: int


class ImpairedHost(TypedDict):
    """A host whose network is bad on purpose."""

    host: str
    impairment: str
    until: float


class LabNow(TypedDict):
    """All of it."""

    when: float
    seconds: float
    """That it took to ask."""
    items: dict[str, str]
    """The names of the catalogue's items by their info hashes."""
    trackers: list[TrackerNow]
    seeders: list[SeederNow]
    scripted: list[ScriptedNow]
    impaired: list[ImpairedHost]


class Sample(NamedTuple):
    """One value, and of what it is one."""

    labels: Mapping[str, str]
    value: float


class Family(NamedTuple):
    """One metric with all its values."""

    name: str
    kind: str
    about: str
    samples: Sequence[Sample]


def statistics(xml: str) -> dict[str, int]:
    """Return the numbers of opentracker's statistics (``mode=everything``) by their places."""
    found: dict[str, int] = {}
    place: list[str] = []
    for closing, name, code, text in re.findall(r'<(/?)(\w+)(?: code="(\d+)[^"]*")?[^>]*>([^<]*)', xml):
        if closing:
            place = place[: len(place) - 1 - place[::-1].index(name)] if name in place else place
            continue
        place.append(f"{name} {code}" if code else name)
        if code:  # its end has no code
            place[-1] = name
            found[f"{'/'.join(place[1:])} {code}"] = _number(text)
        elif re.fullmatch(r"\s*\d+\s*", text):
            found["/".join(place[1:])] = _number(text)
    return found


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0


def exposition(families: Iterable[Family]) -> str:
    """Return metrics as text; one without any value is left out."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            lines += [f"# HELP {family.name} {family.about}", f"# TYPE {family.name} {family.kind}"]
            lines += [f"{family.name}{_labels(sample.labels)} {sample.value:.17g}" for sample in family.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{told}}}" if told else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def families(lab: LabNow) -> Iterator[Family]:
    """Yield the lab's metrics."""
    yield from _of_trackers(lab["trackers"])
    yield from _of_items(lab)
    yield from _of_seeders(lab)
    yield Family(
        "seedbed_scripted_up",
        "gauge",
        "Whether the daemon of scripted peers answers.",
        [Sample({"host": each["name"]}, each["up"]) for each in lab["scripted"]],
    )
    yield Family(
        "seedbed_scripted_torrents",
        "gauge",
        "Torrents in which a host plays by script.",
        [Sample({"host": each["name"]}, each["torrents"]) for each in lab["scripted"] if each["up"]],
    )
    yield Family(
        "seedbed_scripted_connections",
        "gauge",
        "Connections to a daemon of scripted peers.",
        [Sample({"host": each["name"]}, each["connections"]) for each in lab["scripted"] if each["up"]],
    )
    yield Family(
        "seedbed_impaired_until_timestamp_seconds",
        "gauge",
        "When a host's network, bad on purpose, gets well by itself.",
        [Sample({"host": each["host"], "impairment": each["impairment"]}, each["until"]) for each in lab["impaired"]],
    )
    yield Family("seedbed_items", "gauge", "Torrents in the catalogue.", [Sample({}, len(lab["items"]))])
    yield Family("seedbed_asked_timestamp_seconds", "gauge", "When this was asked.", [Sample({}, lab["when"])])
    yield Family("seedbed_asked_duration_seconds", "gauge", "How long the asking took.", [Sample({}, lab["seconds"])])


_TRACKER_GAUGES = (
    ("torrents", "Torrents with a peer.", "torrents/count_mutex"),
    ("peers", "Peers, seeders among them.", "peers/count"),
    ("seeders", "Peers that have all.", "seeds/count"),
    ("uptime_seconds", "For how long it runs.", "uptime"),
)


def _of_trackers(trackers: Sequence[TrackerNow]) -> Iterator[Family]:
    yield Family(
        "seedbed_tracker_up",
        "gauge",
        "Whether the tracker answers.",
        [Sample({"tracker": each["name"]}, each["up"]) for each in trackers],
    )
    for name, about, place in _TRACKER_GAUGES:
        yield Family(f"seedbed_tracker_{name}", "gauge", about, list(_at(trackers, {place: {}})))
    questions = {
        f"connections/{protocol}/{kind}": {"protocol": protocol, "question": kind}
        for protocol in ("tcp", "udp")
        for kind in ("announce", "scrape")
    }
    yield Family("seedbed_tracker_questions_total", "counter", "Questions taken.", list(_at(trackers, questions)))
    yield Family(
        "seedbed_tracker_completed_total",
        "counter",
        "Downloads that clients said to be complete.",
        list(_at(trackers, {"completed/count": {}})),
    )
    errors = {
        place: {"status": place.split()[1]} for each in trackers for place in each["statistics"] if _is_error(place)
    }
    yield Family("seedbed_tracker_errors_total", "counter", "Questions refused over HTTP.", list(_at(trackers, errors)))


def _is_error(place: str) -> bool:
    return "http_error" in place and " " in place


def _at(trackers: Sequence[TrackerNow], places: Mapping[str, Mapping[str, str]]) -> Iterator[Sample]:
    for tracker in trackers:
        for place, labels in places.items():
            if place in tracker["statistics"]:
                yield Sample({"tracker": tracker["name"], **labels}, tracker["statistics"][place])


def _of_items(lab: LabNow) -> Iterator[Family]:
    for index, (name, kind, about) in enumerate(
        (
            ("seeders", "gauge", "Seeders of an item, as its tracker tells."),
            ("leechers", "gauge", "Leechers of an item, as its tracker tells."),
            ("completed_total", "counter", "Downloads of an item that clients said to be complete."),
        )
    ):
        samples = [
            Sample(
                {"item": item, "info_hash": info_hash, "tracker": tracker["name"]}, tracker["counts"][info_hash][index]
            )
            for tracker in lab["trackers"]
            for info_hash, item in lab["items"].items()
            if info_hash in tracker["counts"]
        ]
        yield Family(f"seedbed_item_{name}", kind, about, samples)


def _of_seeders(lab: LabNow) -> Iterator[Family]:
    told = [each for each in lab["seeders"] if not each["error"]]
    yield Family(
        "seedbed_seeder_up",
        "gauge",
        "Whether the seeder's daemon answers.",
        [Sample({"seeder": each["name"]}, not each["error"]) for each in lab["seeders"]],
    )
    yield Family(
        "seedbed_seeder_uploaded_bytes_total",
        "counter",
        "Bytes served, of all torrents that the seeder ever had.",
        [Sample({"seeder": each["name"]}, each["uploaded"]) for each in told],
    )
    yield Family(
        "seedbed_seeder_announce_failures",
        "gauge",
        "Torrents whose last announce to a tracker failed.",
        [Sample({"seeder": each["name"]}, sum(map(_fails, each["torrents"]))) for each in told],
    )
    for name, kind, about, key in (
        ("uploaded_bytes_total", "counter", "Bytes of an item that a seeder has served.", "uploaded"),
        ("upload_bytes_per_second", "gauge", "What a seeder serves of an item now.", "up"),
        ("peers", "gauge", "Peers of an item that a seeder is connected to.", "connected"),
        ("share_ratio", "gauge", "How much of an item a seeder has.", "done"),
    ):
        yield Family(f"seedbed_seeder_item_{name}", kind, about, list(_by_torrent(told, lab["items"], key)))


def _fails(torrent: Inside) -> bool:
    return any(tracker["last"] and not tracker["succeeded"] for tracker in torrent["trackers"])


def _by_torrent(seeders: Sequence[SeederNow], items: Mapping[str, str], key: str) -> Iterator[Sample]:
    for seeder in seeders:
        for torrent in seeder["torrents"]:
            values: Mapping[str, Any] = torrent
            name = items.get(torrent["info_hash"])
            if name is not None:
                yield Sample({"seeder": seeder["name"], "item": name, "info_hash": torrent["info_hash"]}, values[key])
