"""The types of everything that crosses a border: between controller and host, program and file, module and filter.

Values cross as JSON: info hashes are 40 lower-case hexadecimal digits, raw bytes base64, paths lists of components,
sizes bytes, rates bytes a second, shares of content millionths, times seconds since 1970. A value of these types is a
plain dictionary, so Ansible hands it on as it is; `to_json` and `from_json` are for where it goes as text.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Iterable, List, TypedDict, Union

Tiers = List[List[str]]
"""Announce URLs by tier (BEP 12)."""

Script = Dict[str, Any]
"""How somebody behaves: the name of a preset as `behaviour`, and facets that override it (docs/bad-swarms.md)."""

ScriptedTiers = List[List[Union[str, Script]]]
"""Tiers in which scripts stand among announce URLs."""


def to_json(value: object) -> str:
    """Return a value as JSON text.

    Ansible walks every value of a structure at each use, which takes seconds with a thousand items; a text it hands on
    as it is. The name of a fact that holds such a text ends in ``_json``.
    """
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def from_json(text: Any) -> Any:
    """Return the value of a JSON text; what is no text is returned as it is."""
    return json.loads(text) if isinstance(text, str) else text


def flatten_tiers(tiers: Iterable[Iterable[str]]) -> list[str]:
    """Return the trackers of all tiers, in order, each once."""
    return list(dict.fromkeys(url for tier in tiers for url in tier))


class WebFile(TypedDict):
    """A file that a portal publishes; the content is base64."""

    path: str
    content: str


# -- torrents ---------------------------------------------------------------------------------------------------------


class Links(TypedDict):
    """What names a torrent to others; a private one has no magnet."""

    info_hash: str
    info_hash_v2: str
    magnet: str | None
    bare_magnet: str | None


class MadeTorrent(Links):
    """A torrent that was made here."""

    name: str
    metainfo: str


class ListedFile(TypedDict):
    """A file of a torrent."""

    path: list[str]
    length: int


class TorrentInfo(Links):
    """What a .torrent file says (filter torrent_info)."""

    name: str
    version: str
    private: bool
    single_file: bool
    size: int
    piece_length: int
    pieces: int
    piece_hashes: str
    files: list[ListedFile]
    padding: int
    pad_files: list[ListedFile]
    trackers: Tiers
    webseeds: list[str]
    comment: str
    source: str
    created_by: str
    creation_date: int
    remarks: list[str]
    """What is odd about it, and what clients make of that."""


class PublishedTorrent(MadeTorrent):
    """A torrent as it is published: of our own making, or somebody else's with trackers of ours."""

    version: str
    private: bool
    webseeds: list[str]
    comment: str
    trackers: Tiers


# -- the inventory ----------------------------------------------------------------------------------------------------


class SizeRange(TypedDict):
    """Sizes that are drawn from, both ends included."""

    min: int | str
    max: int | str


class Recipe(TypedDict, total=False):
    """How content is computed: `size` of all files together, or `sizes` of each. Numbers, or text such as 64MiB."""

    size: int | str
    sizes: list[int | str] | SizeRange
    files: int
    layout: str
    depth: int
    fanout: int
    seed: str
    period: int | str
    """After how many bytes of the whole the content begins again; 0 or absent for never."""


class SwarmWish(TypedDict, total=False):
    """What an entry wants of its swarm."""

    seeders: list[str]
    available: int | float | str | dict[str, int | float | str]
    """A share that each seeder holds, or by seeder which range."""
    fetch_rest: bool
    upload_limit: int | str | None
    peers: list[Script]


class Entry(TypedDict, total=False):
    """One entry of `catalogue_torrents`, without faults (docs/catalogue.md)."""

    name: str
    synthetic: Recipe
    source: str
    torrent: str
    collection: str
    keep_trackers: bool
    piece_length: int | str | None
    version: str
    private: bool
    trackers: ScriptedTiers
    webseed: bool | Script
    comment: str
    source_tag: str
    creation_date: int
    state: str
    swarm: SwarmWish
    odd: str
    """In which way a torrent of the odd menu is odd; nobody can write it."""


# -- from the controller to a host, and back --------------------------------------------------------------------------


class StreamFile(TypedDict):
    """A file of a v1 torrent in the order of its bytes; `pad` is set for padding (BEP 47)."""

    path: list[str]
    length: int
    pad: bool


class Spec(TypedDict, total=False):
    """One entry as module catalogue_payload takes it, all sizes numbers."""

    kind: str
    name: str
    state: str
    piece_length: int
    """0: the one that fits."""
    hybrid: bool
    hash: bool
    source: str
    collection: str
    recipe: Recipe
    available: int | None
    """Millionths that the host holds; None for all."""
    available_from: int
    """Where they begin, in the order that scatters the pieces; 0 or absent for the first."""
    fetch_rest: bool
    webseed: bool
    """Whether the host serves the content, under the torrent's own names."""
    seeded: bool
    """Whether the host's daemon seeds it, which it does unless this says no."""
    virtual: bool
    """Whether the host only hashes it: nothing of it is made on the disk."""
    # of a .torrent that somebody else made
    needs_hybrid: bool
    pieces: str
    single_file: bool
    files: list[StreamFile]
    pads_plain: bool


class Player(TypedDict):
    """A host whose daemon plays by script."""

    host: str
    where: str
    """Address and port as they stand in a URL."""
    port: int
    addresses: list[str]
    """For peers of any family."""
    ipv6: list[str]
    """For peers that are reachable over IPv6 alone."""


class Room(TypedDict):
    """How many peers a host can play in one torrent, one an address."""

    any: int
    """Of any family."""
    ipv6: int
    """That are reachable over IPv6 alone."""
    all: int
    """Of both kinds: where it has IPv6 alone, these are the same addresses."""


class CastPeer(TypedDict):
    """A scripted peer in its place."""

    host: str
    address: str
    port: int
    """As a tracker hands it out."""
    where: str
    """Address and port of its host's daemon, as they stand in a URL."""
    script: Script


class Cast(TypedDict):
    """Who plays the scripts of an entry."""

    host: str
    """Of its trackers, its web seed, and as many of its peers as it has addresses for."""
    where: str
    peers: list[CastPeer]
    trackers: dict[str, Script]
    """By the name in the tracker's URL."""
    tiers: Tiers


class ResolvedEntry(TypedDict):
    """An entry with all that follows from the inventory and its .torrent, which is read once."""

    entry: Entry
    spec: Spec
    torrent: PublishedTorrent | None
    """Of a .torrent that somebody else made."""
    seeders: list[str]
    portals: list[str]
    """Those that are its web seeds."""
    trackers: Tiers
    announce: str
    """Which of its trackers have to answer: all, any or none."""
    cast: Cast | None
    """None for one without scripts, and where too few of those who play can be asked."""


class PayloadFile(TypedDict, total=False):
    """A file of a payload; `root` and `layer` (BEP 52) stand in hybrids alone."""

    path: list[str]
    length: int
    sha256: str | None
    """None for large files of content with a period."""
    root: str
    layer: str


class _EndlessMark(TypedDict):
    format: str
    seed: str


class RecipeMark(_EndlessMark, total=False):
    """From what the bytes of a payload were computed (docs/catalogue.md)."""

    period: int


class Payload(TypedDict, total=False):
    """What one host holds of an entry; nothing from `length` on where another host hashes it."""

    name: str
    download_dir: str
    changed: bool
    collection: str
    length: int
    single_file: bool
    piece_length: int
    hybrid: bool
    pieces: str
    recipe: RecipeMark | None
    files: list[PayloadFile]


class Failure(TypedDict, total=False):
    """An entry or torrent that a host could not do; `unfit` where only the host's client is to blame."""

    name: str
    reason: str
    error: str
    unfit: bool


class BeforeAfter(TypedDict):
    """A diff as Ansible shows it."""

    before: dict[str, Any]
    after: dict[str, Any]


class TorrentsResult(TypedDict):
    """What module transmission_torrents returns."""

    changed: bool
    restarted: bool
    finished: bool
    progress: str
    again: dict[str, bool]
    seeding: int
    failures: list[Failure]
    seconds: dict[str, float]
    diff: BeforeAfter


# -- what is published ------------------------------------------------------------------------------------------------


class PublishedFile(TypedDict):
    """A file of an item, its path as one text."""

    path: str
    length: int
    sha256: str | None


class PublishedPeer(TypedDict):
    """A scripted peer as testers see it."""

    address: str
    port: int
    behaviour: str
    script: Script
    testimony: str


class PublishedScript(TypedDict):
    """A scripted tracker or web seed as testers see it."""

    url: str
    behaviour: str
    script: Script


class Swarm(TypedDict):
    """What the lab promises about an item's swarm."""

    seeders: list[str]
    available: str
    """Such as 60%: of all seeders together."""
    ranges: dict[str, str]
    """By seeder which part it holds, such as 40-100%, where they hold different ones."""
    fetch_rest: bool
    upload_limit: int | None
    peers: list[PublishedPeer]
    trackers: list[PublishedScript]
    webseed: PublishedScript | None


class PublicItem(Links):
    """One item of catalogue.json (roles/portal/files/catalogue.schema.json)."""

    name: str
    torrent: str
    version: str
    private: bool
    single_file: bool
    size: int
    piece_length: int
    pieces: int
    files: list[PublishedFile]
    trackers: Tiers
    webseeds: list[str]
    comment: str
    recipe: RecipeMark | None
    swarm: Swarm
    promise: Promise | None
    """Of one that scripts play in."""


class Item(PublicItem):
    """An item with what the lab's own hosts need besides."""

    metainfo: str
    share: int | None
    """Millionths that its seeders hold together; None for all."""
    download_dirs: dict[str, str]
    remade: list[str]
    trusted: bool
    announce: str
    """Which of its trackers have to answer: all, any or none."""
    collection: str
    """The pattern of the entry that found it; empty for all others."""
    scripted: dict[str, ScriptedTorrent]
    """What the daemons of scripted peers play of it, by host."""


class SeededTorrent(TypedDict, total=False):
    """One torrent as module transmission_torrents takes it; nothing but name and state of one that is absent."""

    name: str
    state: str
    info_hash: str
    metainfo: str
    download_dir: str
    trackers: Tiers
    upload_limit: int | None
    announce: str
    available: int | None
    fetch_rest: bool
    trusted: bool
    remade: bool


# -- what a downloading client reports --------------------------------------------------------------------------------


class DownloadSeconds(TypedDict, total=False):
    """When a download reached each step, in seconds since it began; a step that it did not reach is missing."""

    metadata: float
    first_byte: float
    download: float
    verified: float


class DownloadProgress(TypedDict):
    """How far one download is, while it runs."""

    name: str
    via: str
    tracker: str
    state: str
    """waiting, metadata, connecting, downloading, comparing, or ended"""
    bytes: int
    size: int
    rate: int
    """Bytes a second since the last note."""
    peers: int


class DownloadResult(TypedDict):
    """One item fetched by one client in one way, compared, and judged by what the item promises."""

    client: str
    name: str
    info_hash: str
    via: str
    """torrent, magnet or bare_magnet"""
    tracker: str
    """Of which kind the trackers were: http or udp."""
    ok: bool
    """Whether all of it came, and is right."""
    expected: str
    """What had to become of it, such as: stalls at 60%."""
    fault: str
    """In which way it was not as expected; empty where it was."""
    skipped: str
    """What the client lacks for it; empty where it was tried."""
    step: str | None
    """Where it failed: portal, metadata, connect, stall or verify."""
    words: list[str]
    """What was said of the failure."""
    size: int
    piece_length: int
    files: int
    bytes: int
    """As the client counts them; where a download stalled, those that are right on the disk."""
    connections: int
    seconds: DownloadSeconds
    rate: int | None


# -- what trackers, peers and seeders say -----------------------------------------------------------------------------


class Peer(TypedDict):
    """A peer as a tracker hands it out."""

    address: str
    port: int


class TrackerAnswer(TypedDict, total=False):
    """What one tracker said of one torrent to one question (module tracker_info)."""

    tracker: str
    kind: str
    """announce or scrape"""
    info_hash: str
    ok: bool
    reason: str
    message: str
    status: int
    address: str
    own_address: str
    redirects: list[str]
    seconds: float
    raw: str
    remarks: list[str]
    """What clients take all the same, as half sentences."""
    seeders: int | None
    leechers: int | None
    downloaded: int | None
    # of a scrape
    known: bool
    # of an announce
    interval: int | None
    min_interval: int | None
    warning: str
    peers: list[Peer]
    probes: int
    """How many entries beside these were of hosts that only ask, this one among them."""
    seen_as: str
    deregistered: bool


class PeerAnswer(TypedDict, total=False):
    """What one peer showed of one torrent (module peer_info)."""

    address: str
    port: int
    info_hash: str
    ok: bool
    reason: str
    message: str
    encryption: str
    plain_only: bool | None
    client: str
    share: float | None
    """0 to 1"""
    revealing: bool
    """Whether it shows what it has piece by piece, so that it may have more than the share says."""
    metadata: str
    metadata_message: str
    remarks: list[str]
    piece: str
    piece_message: str
    utp: str
    seconds: float


class WebRange(TypedDict):
    """A part of one file, or of padding, which nobody serves."""

    path: list[str]
    length: int
    """Of the whole file."""
    offset: int
    size: int
    pad: bool


class WebSample(TypedDict):
    """What a web seed is asked for, and what its bytes hash to together; no hash where nothing is known of them."""

    single_file: bool
    name: str
    ranges: list[WebRange]
    digest: str
    hash: str
    what: str
    """What the hash is of, for people."""


class WebSeedAnswer(TypedDict, total=False):
    """What one web seed showed of one torrent."""

    url: str
    info_hash: str
    ok: bool
    reason: str
    message: str
    compared: str
    """What was compared and is right."""
    remarks: list[str]
    seconds: float


class SeederTracker(TypedDict):
    """A tracker as a seeder's daemon sees it."""

    announce: str
    backup: bool
    announced: bool
    succeeded: bool
    result: str


class TorrentState(TypedDict):
    """A torrent as a seeder's daemon shows it, beside what lies on the disk."""

    info_hash: str
    name: str
    state: str
    error: int
    error_string: str
    left: int
    have: int
    size: int
    checked: int
    """Millionths, while its content is being read."""
    private: bool
    missing: list[str]
    free: int | None
    peers: list[str]
    trackers: list[SeederTracker]


class SeederState(TypedDict):
    """A seeder's daemon (module seeder_info); `reason` tells why it could not be asked."""

    active: bool
    reason: str
    message: str
    version: str
    default_route: bool
    clock: int
    session: dict[str, Any]
    torrents: list[TorrentState]


class PeerAddress(TypedDict):
    """Where a seeder serves peers, by the inventory."""

    address: str
    peer_port: int


class Seeder(PeerAddress):
    """A seeder as the inventory means it; `info` is None for a host that cannot be reached."""

    info: SeederState | None


class TrackerWish(TypedDict, total=False):
    """What the inventory asks of a tracker besides."""

    interval: int
    """Seconds between two announces of a client."""


class Tracker(TrackerWish):
    """A tracker as the inventory means it; `active` is None for a host that cannot be reached."""

    address: str
    port: int
    active: bool | None


class HostImpairment(TypedDict):
    """What makes the way to and from a host bad for a while."""

    impairment: str
    """The preset."""
    words: str
    until: int
    """Seconds since 1970."""
    lacking: list[str]
    """What of it the host's kernel cannot do, with the reason."""


class NamedImpairment(TypedDict):
    """The same as catalogue.json has it."""

    host: str
    impairment: str
    words: str
    until: str
    """ISO 8601, in UTC."""


class ScriptedInfo(TypedDict):
    """What a daemon of scripted peers says of itself (module scripted_info)."""

    active: bool
    message: str
    """Why it does not answer."""
    fault: str
    """What is wrong with a configuration that it did not take over."""
    info_hashes: list[str]
    missing: list[str]
    """Addresses that it should play peers at, and that the host does not have."""


class ScriptedHost(TypedDict):
    """A host that plays by script as the inventory means it; `info` is None for a host that cannot be reached."""

    address: str
    addresses: list[str]
    info: ScriptedInfo | None


# -- swarms that are played by script ---------------------------------------------------------------------------------


class PromiseRule(TypedDict, total=False):
    """What is expected of a client; `grade` is assert, bounded or tell."""

    grade: str
    rule: str
    value: int | str


class Promise(TypedDict):
    """What has to happen to a correct client in a swarm that is played by script."""

    outcome: str
    """completes, stalls or refused"""
    magnet: str | None
    """The same for a client that begins with a magnet, or no_metadata; None for a private torrent."""
    available: str
    """Such as 60%."""
    never_pieces: list[int]
    hard: bool
    """Whether popular clients are known to fail although every piece is to be had."""
    rules: list[PromiseRule]
    testimony: str


class ScriptedPeer(TypedDict):
    """A peer that a daemon plays, and the script as the inventory has it."""

    address: str
    script: dict[str, Any]


class ScriptedTorrent(TypedDict, total=False):
    """A torrent that a daemon plays."""

    info_hash: str
    """Of v2 alone: the first 20 bytes."""
    info_hash_v2: str
    torrent: str
    """The path of its metainfo."""
    seed: str
    source: str
    """A file or directory that its content is read from, instead of computed from the seed."""
    period: int
    peers: list[ScriptedPeer]
    trackers: dict[str, dict[str, Any]]
    """By the name in the tracker's URL."""
    webseed: dict[str, Any] | None
    seeders: list[Peer]


class ScriptedConfig(TypedDict, total=False):
    """The file that a daemon of scripted peers reads."""

    port: int
    addresses: list[str]
    networks: list[str]
    """Who may see the testimony, besides the host itself."""
    torrents: list[ScriptedTorrent]


# -- the doctor -------------------------------------------------------------------------------------------------------


class SubjectSwarm(TypedDict, total=False):
    """Of the swarm that the catalogue promises, what the doctor needs."""

    seeders: list[str]
    available: str
    ranges: dict[str, str]
    fetch_rest: bool


class Subject(TypedDict, total=False):
    """A torrent that the doctor looks at: an item's keys that it needs, or those of a foreign torrent or magnet."""

    name: str
    info_hash: str
    private: bool
    trackers: Tiers
    webseeds: list[str]
    sample: WebSample | None
    """What its web seeds are asked for."""
    size: int
    promise: Promise | None
    """Of one that scripts play in."""
    played_at: list[str]
    """The addresses of its scripted peers, trackers and web seed."""
    peers: list[Peer]
    """Those that a magnet names."""
    remarks: list[str]
    """What is odd about the .torrent or the magnet."""
    swarm: SubjectSwarm | None
    """None for what is not the catalogue's: then nothing of it is odd on purpose."""


View = TypedDict(
    "View",
    {
        "from": str,
        "address": str,
        "clock": int,
        "trackers": List[TrackerAnswer],
        "peers": List[PeerAnswer],
        "webseeds": List[WebSeedAnswer],
    },
    total=False,
)
"""What was seen from one host."""

Verdict = TypedDict(
    "Verdict",
    {
        "item": str,
        "info_hash": str,
        "from": str,
        "verdict": str,
        "severity": str,
        "where": str,
        "cause": str,
        "remedy": str,
        "more": List[str],
        "remarks": List[str],
    },
)
"""What is wrong with one torrent, seen from one host; `where` is the host, tracker or peer to blame."""


# -- firewalls --------------------------------------------------------------------------------------------------------


class ClosingRule(TypedDict):
    """A rule of somebody else on a host that seems to keep others out of ports of the lab."""

    where: str
    """Such as "inet filter input"."""
    rule: str
    ports: list[str]
    """Such as 8888/tcp."""


class Redirection(TypedDict):
    """Ports that the host sends elsewhere before any input chain sees them, as container engines publish them."""

    where: str
    rule: str
    protocols: list[str]
    first: int
    last: int


class LoadedTable(TypedDict):
    """What of our own nftables table a host has in force, as module host_info finds it."""

    rules: str
    """SHA-256 of the rules for the next boot, empty ones where there are none."""
    unit: str
    """The same of the unit that loads them."""
    intact: bool
    """Whether the kernel filters with these rules, and that unit is enabled."""


class ServiceInForce(TypedDict):
    """A unit that is, with its files, what a run has made of it, as module host_info finds it."""

    fingerprint: str
    """Of what the module that brings it to its state was asked for."""
    result: dict[str, Any]
    """What that module returns where nothing differs."""


class Firewalls(TypedDict):
    """What a host filters with, as module host_info finds it."""

    backend: str
    """Who decides beside our own table: firewalld, ufw, or nftables for nobody."""
    obstacles: list[str]
    """Why that one cannot be told of ports now, one sentence each."""
    closing: list[ClosingRule]
    redirected: list[Redirection]
    tracking: list[ClosingRule]
    ssh_ports: list[int]
    """By which Ansible and others come in: that of this very connection, and whatever sshd holds."""
    opened: list[str]
    """Where something of ours stands: firewalld, ufw."""


class Knock(TypedDict):
    """A port of a host at which another one knocks."""

    host: str
    address: str
    protocol: str
    port: int
    variable: str
    """That holds the port."""


class KnockAnswer(Knock, total=False):
    """What came of it: `open`, `silent` (over UDP) or a reason of module tracker_info."""

    reason: str
    message: str
    prober: str


class TracedPort(TypedDict):
    """Where the kernel ended packets to a port; `where` and `rule` are empty for those that came through."""

    protocol: str
    port: int
    where: str
    rule: str
