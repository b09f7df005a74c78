"""A pytest plugin for suites that download from a Seedbed lab. It needs Python, pytest and the portal's address.

    PYTHONPATH=tools pytest -p pytest_seedbed --seedbed-portal http://PORTAL:8000/ \\
        --seedbed-client 'aria2c --seed-time=0 --dir={directory} {torrent}' test_mine.py

    def test_every_item_keeps_its_promise(item, download):
        download(item)

``item`` is each item of the catalogue in turn, by .torrent and by magnet; ``download`` has the client fetch it,
compares every byte with the catalogue, and fails where the item's promise is broken. docs/pytest-plugin.md tells the
rest.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from typing import Any, Callable, Iterator, NamedTuple, Optional, Protocol, Sequence

import pytest

SCHEMA_VERSION = 2
WAYS = ("torrent", "magnet", "bare_magnet")
MARKS = {
    "completes": "all of it comes, and is right",
    "stalls": "the download has to stand still at the item's share",
    "no_metadata": "nobody hands out the metadata",
    "refused": "not a byte comes",
    "scripted": "scripts play in its swarm",
    "hard": "popular clients are known to fail",
    "private": "a private torrent (BEP 27)",
    "hybrid": "a hybrid torrent (BEP 52)",
    "v2": "a torrent of version 2 alone (BEP 52)",
    **{way: f"fetched by {way.replace('_', ' ')}" for way in WAYS},
}
OPTIONS: dict[str, tuple[str, str]] = {
    "portal": ("", "the portal's address, such as http://192.0.2.10:8000/"),
    "client": ("", "the command that downloads {torrent}, a URL or magnet, or {file}, a .torrent, into {directory}"),
    "items": ("", "names with commas: these alone; otherwise all but the hard and the large ones"),
    "largest": ("268435456", "bytes of the largest item that is taken without being named"),
    "stall": ("60", "seconds without any change after which a download has stood still"),
    "watch": ("120", "seconds that one is watched which is not to complete"),
}
WHOLE = 1_000_000  # shares are counted in millionths
SLACK = 1.3  # how much faster than a limit one may seem: what was ordered in advance comes in a burst
NEAR = 50_000  # below its share at which a client has fetched what there is
PARTIAL = ("", ".part", ".!qB")  # what clients put behind the name of a file that is not whole
POLL = 0.1
PATIENCE = 10  # seconds for a client to end that is told to


class PortalError(Exception):
    """The portal does not hand out what it should."""


class Process(Protocol):
    """A client at work, as far as it is needed here; subprocess.Popen is one."""

    def poll(self) -> int | None:
        """Return its exit status, None while it runs."""

    def terminate(self) -> None:
        """Have it end."""

    def kill(self) -> None:
        """End it."""

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit status when it has ended, or raise subprocess.TimeoutExpired."""


Client = Callable[["Item", pathlib.Path], Optional[Process]]
"""Is given an item and a directory; returns the process that downloads, or nothing when all is done."""


def share(text: str) -> int:
    """Return a share such as 60% in millionths."""
    return round(float(text.rstrip("%")) * WHOLE / 100)


class Catalogue:
    """What a portal publishes."""

    def __init__(self, portal: str) -> None:
        parts = urllib.parse.urlsplit(portal if "://" in portal else f"http://{portal}")
        # A name and password in the URL are for the portal alone.
        user, _, place = parts.netloc.rpartition("@")
        self._headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()} if user else {}
        self.url = urllib.parse.urlunsplit((parts.scheme, place, parts.path.rstrip("/") + "/", "", ""))
        try:
            self.data: dict[str, Any] = json.loads(self.fetch("catalogue.json"))
            version = self.data["schema_version"]
        except (ValueError, KeyError, TypeError):
            raise PortalError(f"{self.url}catalogue.json is not a catalogue of a lab") from None
        if version != SCHEMA_VERSION:
            raise PortalError(f"catalogue.json has schema_version {version!r}, and {SCHEMA_VERSION} is known here")

    def fetch(self, path: str) -> bytes:
        """Return what the portal has at a path, or another URL; never by way of a proxy."""
        url = urllib.parse.urljoin(self.url, path)
        headers = self._headers if url.startswith(self.url) else {}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(urllib.request.Request(url, headers=headers), timeout=30) as answer:
                body: bytes = answer.read()
                return body
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise PortalError(f"{url}: {getattr(error, 'reason', None) or error}") from error

    def items(self, ways: Sequence[str] = WAYS) -> list[Item]:
        """Return every item in each of these ways that there is for it; a private one has no magnet."""
        found = [Item(self, data, way) for data in self.data["items"] for way in ways]
        return [item for item in found if item.link and (item["trackers"] or item["webseeds"])]


class Item:
    """An item of the catalogue, and a way to fetch it; ``item["size"]`` and the like are the catalogue's own words."""

    def __init__(self, catalogue: Catalogue, data: dict[str, Any], way: str) -> None:
        self.catalogue, self.data, self.way = catalogue, data, way

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __str__(self) -> str:
        return f"{self.name}-{self.way}"

    @property
    def name(self) -> str:
        return str(self.data["name"])

    @property
    def link(self) -> str:
        """The .torrent's URL, or the magnet; empty where there is none."""
        if self.way == "torrent":
            return str(urllib.parse.urljoin(self.catalogue.url, self.data["torrent"]))
        return str(self.data[self.way] or "")

    @property
    def trackers(self) -> list[str]:
        """Announce URLs, for clients that are told of them apart from a bare magnet."""
        return [url for tier in self.data["trackers"] for url in tier]

    @property
    def outcome(self) -> str:
        """What has to happen: completes, stalls, no_metadata or refused."""
        promise, swarm = self.data["promise"], self.data["swarm"]
        if promise:
            outcome: str = promise["outcome"]
            return outcome if self.way == "torrent" else promise["magnet"] or outcome
        if not swarm["seeders"] and not self.data["webseeds"] and self.data["size"]:
            return "refused" if self.way == "torrent" else "no_metadata"
        return "stalls" if self.available < WHOLE and not swarm["fetch_rest"] else "completes"

    @property
    def available(self) -> int:
        """How much there is at most, in millionths."""
        if self.data["promise"]:
            return share(self.data["promise"]["available"])
        swarm = self.data["swarm"]
        return WHOLE if swarm["fetch_rest"] else share(swarm["available"])

    @property
    def rules(self) -> dict[str, Any]:
        """What no client may break, of an item that scripts play in: rules of grade assert with their values."""
        rules = self.data["promise"]["rules"] if self.data["promise"] else []
        return {rule["rule"]: rule.get("value") for rule in rules if rule["grade"] == "assert"}

    @property
    def certain(self) -> bool:
        """Whether a correct client gets all that is available: not where nobody plainly honest has it."""
        return not self.data["promise"] or "completes-within" in self.rules

    @property
    def limit(self) -> int:
        """Bytes a second that all seeders together give; 0 where there is no limit."""
        swarm = self.data["swarm"]
        return (swarm["upload_limit"] or 0) * len(swarm["seeders"])

    @property
    def marks(self) -> list[str]:
        """The names of pytest's marks for it."""
        promise = self.data["promise"]
        told = [self.outcome, self.way, *[self.data["version"]] * (self.data["version"] != "v1")]
        told += ["private"] * self.data["private"] + ["scripted"] * bool(promise)
        return told + ["hard"] * bool(promise and promise["hard"])

    def metainfo(self) -> bytes:
        """Return its .torrent."""
        return self.catalogue.fetch(self.data["torrent"])

    def paths(self, directory: pathlib.Path) -> list[pathlib.Path]:
        """Return where a client puts its files below a directory."""
        top = directory / self.name
        return [top if self.data["single_file"] else top / file["path"] for file in self.data["files"]]

    def testimony(self) -> dict[str, Any]:
        """Return what the lab saw, of an item that scripts play in (docs/testimony.md)."""
        told: dict[str, Any] = json.loads(self.catalogue.fetch(self.data["promise"]["testimony"]))
        return told

    def visits(self, since: float) -> list[dict[str, Any]]:
        """Return visits of a client at this address that began at that time of the lab or later."""
        told = self.testimony()
        mine = [visit for client in told["clients"] if client["client"] == told["you"] for visit in client["visits"]]
        return [visit for visit in mine if visit["began"] >= since]


# -- what lies on the disk --------------------------------------------------------------------------------------------


def bdecode(data: bytes, at: int = 0) -> tuple[Any, int]:
    """Return a bencoded value and where it ends (BEP 3)."""
    head = data[at : at + 1]
    if head == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if head in (b"l", b"d"):
        values, at = [], at + 1
        while data[at : at + 1] != b"e":
            value, at = bdecode(data, at)
            values.append(value)
        return (dict(zip(values[::2], values[1::2])) if head == b"d" else values), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1 : end], end


class Held(NamedTuple):
    """What of an item's content is on the disk and right."""

    complete: bool
    bytes: int
    pieces: frozenset[int]
    """Of version 1; empty where all is there, since then nobody asks."""


def held(item: Item, directory: pathlib.Path) -> Held:
    """Compare what a client has left with the catalogue's SHA-256, and where that is not all of it, piece by piece."""
    paths = item.paths(directory)
    whole = all(_is_right(path, file) for path, file in zip(paths, item["files"]))
    if whole and all(file["sha256"] for file in item["files"]):
        return Held(True, item["size"], frozenset())
    pieces, count = _right_pieces(item, directory)
    return Held(whole and count == item["size"], count, pieces)


def _is_right(path: pathlib.Path, file: dict[str, Any]) -> bool:
    """Whether a file is the catalogue's; one that has no SHA-256 there has its length at least."""
    try:
        if path.stat().st_size != file["length"]:
            return False
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while file["sha256"] and (block := stream.read(1 << 20)):
                digest.update(block)
    except OSError:
        return False
    return not file["sha256"] or digest.hexdigest() == file["sha256"]


def _right_pieces(item: Item, directory: pathlib.Path) -> tuple[frozenset[int], int]:
    """Return the pieces that are right, and the bytes of content in them; none of a torrent of version 2 alone."""
    info = bdecode(item.metainfo())[0][b"info"]
    hashes, length = info.get(b"pieces", b""), info[b"piece length"]
    right: set[int] = set()
    count = content = index = 0
    piece = b""
    for block, is_content in _blocks(info, directory, length):
        piece += block
        content += len(block) * is_content
        if len(piece) == length or not block:
            if piece and hashlib.sha1(piece).digest() == hashes[20 * index : 20 * index + 20]:
                right.add(index)
                count += content
            piece, content, index = b"", 0, index + 1
    return frozenset(right), count


def _blocks(info: dict[bytes, Any], directory: pathlib.Path, length: int) -> Iterator[tuple[bytes, bool]]:
    """Yield the content in parts that cross no border of a piece, zeros where nothing is; last an empty one."""
    top = directory / info[b"name"].decode(errors="surrogateescape")
    single = [{b"path": [], b"length": info.get(b"length", 0)}]
    place = 0
    for file in info.get(b"files", single):
        path = top.joinpath(*(part.decode(errors="surrogateescape") for part in file[b"path"]))
        is_pad = b"p" in file.get(b"attr", b"")
        there = next((each for end in PARTIAL if (each := path.with_name(path.name + end)).is_file()), None)
        left = file[b"length"]
        with open(os.devnull if is_pad or not there else there, "rb") as stream:
            while left:
                size = min(left, length - place % length)
                yield stream.read(size).ljust(size, b"\0"), not is_pad
                place, left = place + size, left - size
    yield b"", False


# -- a download -------------------------------------------------------------------------------------------------------


class Download(NamedTuple):
    """What has become of a download."""

    item: Item
    status: int | None
    """The client's exit status; None where it had to be ended."""
    seconds: float
    """From its first byte to its end."""
    still: bool
    """Whether it was ended because it stood still."""
    held: Held
    visits: list[dict[str, Any]]
    """What the lab saw of it, where scripts play."""

    @property
    def fault(self) -> str:
        """In which way the item's promise is broken; empty where it is kept."""
        item, held = self.item, self.held
        if self.status == 0 and not held.complete:
            return "the client says that it is done, and what lies there is not all of it, or wrong"
        if item.outcome == "completes":
            if item.certain and not (held.complete and self.status == 0):
                how = (
                    "stood still"
                    if self.still
                    else f"ended with status {self.status}"
                    if self.status
                    else "took too long"
                )
                return f"has {self._share}, and everything was to be had: it {how}"
            rate = item["size"] / self.seconds if self.seconds > 1 else 0
            if item.limit and held.complete and rate > item.limit * SLACK:
                return f"came at {rate:.0f} bytes a second, and {item.limit} is the limit"
        elif held.complete and item["size"]:
            return f"is complete, and that was not to be: {item.outcome}"
        return self._too_much() or self._too_little()

    @property
    def _share(self) -> str:
        return f"{100 * self.held.bytes / (self.item['size'] or 1):.4g}%"

    def _too_much(self) -> str:
        item = self.item
        piece = item["piece_length"] * WHOLE // (item["size"] or 1)
        most = (item.available + piece if item.available else 0) if item.outcome in ("completes", "stalls") else 0
        if self.held.bytes * WHOLE > most * item["size"]:
            return f"has {self._share}, and at most {most * 100 / WHOLE:.4g}% was to be had"
        if not item["promise"]:
            return ""
        has = {event["piece"] for visit in self.visits for event in visit["events"] if event["what"] == "have"}
        never = set(item["promise"]["never_pieces"])
        if (has | self.held.pieces) & never:
            return f"has, or says that it has, piece {min((has | self.held.pieces) & never)}, which nobody can have"
        said = max((peer["haves"] for visit in self.visits for peer in visit["peers"].values()), default=0)
        if "at-most" in item.rules and said > -(-item.available * item["pieces"] // WHOLE):
            return f"tells its peers that it has {said} pieces, and {item['promise']['available']} is to be had"
        return ""

    def _too_little(self) -> str:
        item = self.item
        piece = item["piece_length"] * WHOLE // (item["size"] or 1)
        least = (item.available - piece - NEAR) if item.outcome == "stalls" and item.certain and self.still else 0
        if self.held.bytes * WHOLE < least * item["size"] and item["version"] != "v2":
            return f"stood still at {self._share}, and {item.available * 100 / WHOLE:.4g}% is to be had"
        return ""


class Limits(NamedTuple):
    """How long a download may show no change, and how long one is watched that is not to complete, in seconds."""

    stall: float
    watch: float


def fetch(item: Item, client: Client, directory: pathlib.Path, limits: Limits) -> Download:
    """Have the client fetch the item into the directory, and see what becomes of it.

    It is ended when nothing has changed below the directory for so long; a download that goes on, however slowly, is
    not, unless it cannot complete, or its promise has a time.
    """
    before = item.testimony()["now"] if item["promise"] else 0.0
    began = moved = first = time.monotonic()
    seen: object = None
    still = False
    most = item.rules.get("completes-within") if item.outcome == "completes" and item.way == "torrent" else None
    if item.outcome != "completes" or not item.certain:
        most = limits.watch
    process = client(item, directory)
    if process is None:
        status: int | None = 0
    else:
        while (status := process.poll()) is None:
            now = time.monotonic()
            state = _state(directory)
            if state != seen:
                first = now if not seen else first
                seen, moved = state, now
            still = now - moved > limits.stall
            if still or (most and now - began > most):
                break
            time.sleep(POLL)  # between two looks; nothing that stands still goes on for long
        _end(process)
    ended = time.monotonic()
    visits = item.visits(before) if item["promise"] else []
    return Download(item, status, ended - first, still, held(item, directory), visits)


def _state(directory: pathlib.Path) -> list[tuple[str, int, int]]:
    """Return what changes with every byte that is written, also into files that have their full length already."""
    found = []
    for where, _, names in os.walk(directory):
        for name in names:
            try:
                told = os.stat(os.path.join(where, name))
            except OSError:
                continue
            found.append((os.path.join(where, name), told.st_size, told.st_mtime_ns))
    return sorted(found)


def _end(process: Process) -> None:
    """End a client, the hard way if it does not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=PATIENCE)


def command_client(command: str, log: pathlib.Path) -> Client:
    """Return the client that a command is; what it says goes into a log."""

    def start(item: Item, directory: pathlib.Path) -> subprocess.Popen[bytes]:
        places = {"torrent": item.link, "directory": str(directory), "trackers": ",".join(item.trackers)}
        if "{file}" in command:
            places["file"] = item.link
            if item.way == "torrent":
                file = log.with_suffix(".torrent")
                file.write_bytes(item.metainfo())
                places["file"] = str(file)
        words = [_filled(word, places) for word in shlex.split(command)]
        with log.open("wb") as output:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    return start


def _filled(word: str, places: dict[str, str]) -> str:
    for place, value in places.items():
        word = word.replace("{" + place + "}", value)
    return word


# -- pytest -----------------------------------------------------------------------------------------------------------

_CATALOGUE = pytest.StashKey[Catalogue]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("seedbed", "downloads from a Seedbed lab")
    for name, (default, told) in OPTIONS.items():
        variable = f"SEEDBED_{name.upper()}"
        shown = f"{told}; or {variable} in the environment" + (f" (default: {default})" if default else "")
        value = os.environ.get(variable, default)
        group.addoption(f"--seedbed-{name}", default=value, help=shown, metavar=name.upper())


def pytest_configure(config: pytest.Config) -> None:
    for name, told in MARKS.items():
        config.addinivalue_line("markers", f"{name}: of an item of the lab: {told}")
    config.addinivalue_line(
        "markers",
        "seedbed(expects=(...), ways=('torrent', 'magnet'), scripted=None, hard=False): "
        "which items fixture item goes through, by what has to happen, and in which ways",
    )


def _option(config: pytest.Config, name: str) -> str:
    return str(config.getoption(f"--seedbed-{name}"))


def _seconds(config: pytest.Config, name: str) -> float:
    text = _option(config, name)
    try:
        return float(text)
    except ValueError:
        raise pytest.UsageError(f"--seedbed-{name} is {text!r}; a number would be right") from None


def _catalogue(config: pytest.Config) -> Catalogue:
    """Return the portal's catalogue, which is read once."""
    if _CATALOGUE not in config.stash:
        portal = _option(config, "portal")
        if not portal:
            raise pytest.UsageError(f"give --seedbed-portal or SEEDBED_PORTAL, {OPTIONS['portal'][1]}")
        try:
            config.stash[_CATALOGUE] = Catalogue(portal)
        except PortalError as error:
            raise pytest.UsageError(f"no catalogue: {error}") from None
    return config.stash[_CATALOGUE]


def _chosen(config: pytest.Config, told: dict[str, Any]) -> list[Item]:
    """Return the items that a test goes through; told: what its mark says."""
    ways, expects, scripted = told.get("ways", WAYS[:2]), told.get("expects", ()), told.get("scripted")
    items = _catalogue(config).items((ways,) if isinstance(ways, str) else ways)
    names = [name.strip() for name in _option(config, "items").split(",") if name.strip()]
    unknown = [name for name in names if name not in {data["name"] for data in _catalogue(config).data["items"]}]
    if unknown:
        raise pytest.UsageError(f"the catalogue has no item {unknown[0]!r}")
    largest = _seconds(config, "largest")
    expects = (expects,) if isinstance(expects, str) else expects
    return [
        item
        for item in items
        if not expects or item.outcome in expects
        if scripted in (None, bool(item["promise"]))
        if (item.name in names if names else item["size"] <= largest and (told.get("hard") or "hard" not in item.marks))
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    own = [str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize") if mark.args]
    if "item" not in metafunc.fixturenames or any("item" in names.replace(",", " ").split() for names in own):
        return
    mark = metafunc.definition.get_closest_marker("seedbed")
    items = _chosen(metafunc.config, dict(mark.kwargs) if mark else {})
    each = [
        pytest.param(item, id=str(item), marks=[getattr(pytest.mark, name) for name in item.marks]) for item in items
    ]
    metafunc.parametrize("item", each, indirect=True)


@pytest.fixture(scope="session")
def catalogue(request: pytest.FixtureRequest) -> Catalogue:
    """What the portal publishes: ``catalogue.data`` is catalogue.json, ``catalogue.items()`` its items by every way."""
    return _catalogue(request.config)


@pytest.fixture
def item(request: pytest.FixtureRequest) -> Item:
    """Each item of the catalogue in turn, by .torrent and by magnet; mark seedbed chooses."""
    found: Item = request.param
    return found


@pytest.fixture(scope="session")
def seedbed_client() -> Client | str:
    """The client that downloads, a command or a callable; override it in your suite, or give --seedbed-client."""
    return ""


@pytest.fixture
def download(request: pytest.FixtureRequest, seedbed_client: Client | str) -> Iterator[Callable[..., Download]]:
    """A function that has the client fetch an item, compares every byte, and fails where the promise is broken.

    ``download(item, client=None, judge=True)``: client is a command or a callable; judge=False asserts nothing.
    Files stay where a promise was broken, and the failure says where.
    """
    config = request.config
    limits = Limits(_seconds(config, "stall"), _seconds(config, "watch"))
    fetched: list[pathlib.Path] = []

    def go(item: Item, client: Client | str | None = None, *, judge: bool = True) -> Download:
        chosen = client or _option(config, "client") or seedbed_client
        if not chosen:
            raise pytest.UsageError(f"give --seedbed-client or SEEDBED_CLIENT, {OPTIONS['client'][1]}")
        place = pathlib.Path(tempfile.mkdtemp(prefix="seedbed-"))
        directory, log = place / "files", place / "client.log"
        directory.mkdir()
        done = fetch(item, command_client(chosen, log) if isinstance(chosen, str) else chosen, directory, limits)
        if judge and done.fault:
            said = log.read_text(errors="replace").strip().splitlines()[-5:] if log.exists() else []
            words = "".join(f"\n    {line}" for line in said)
            told = f"\nits last words:{words}" if words else ""
            pytest.fail(f"{item.name} by {item.way}: {done.fault} (files: {directory}){told}", pytrace=False)
        fetched.append(place)
        return done

    yield go
    for place in fetched:
        shutil.rmtree(place, ignore_errors=True)
