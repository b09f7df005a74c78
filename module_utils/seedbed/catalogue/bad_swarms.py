"""Ready entries that misbehave by script, each for one thing that peers, metadata, trackers or web seeds do wrong."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Iterator, NamedTuple

from ansible.module_utils.seedbed.catalogue.casting import entry_promise
from ansible.module_utils.seedbed.scripted.peer_script import PEERS
from ansible.module_utils.seedbed.scripted.swarm_script import Size
from ansible.module_utils.seedbed.scripted.tracker_script import TRACKERS
from ansible.module_utils.seedbed.scripted.webseed_script import WEBSEEDS
from ansible.module_utils.seedbed.torrent.model import Entry, Promise, Script, ScriptedTiers

GROUPS = ("peers", "metadata", "trackers", "webseeds", "giants")
SIZE, PIECES = 2 * 1024 * 1024, 64  # pieces of two blocks: a client has them in seconds, from an honest peer in eight


class BadSwarm(NamedTuple):
    """One of them."""

    group: str
    purpose: str
    entry: Entry
    slow: bool = False  # takes some client longer than half a minute
    by_name: bool = False  # no part of an order of many: it is large, or asks more of the lab than addresses


# Slow enough that a client also asks the one beside it.
_GOOD: Script = {"behaviour": "healthy", "upload_limit": "256KiB/s"}
_OPEN: Script = {"behaviour": "healthy"}
_NOBODY: ScriptedTiers = [[{"behaviour": "empty"}]]


def _entry(*peers: Script, **more: Any) -> Entry:
    small: Any = {"synthetic": {"size": SIZE}, "piece_length": SIZE // PIECES, "swarm": {"seeders": []}, **more}
    small["swarm"] = {"seeders": [], "peers": list(peers)} if peers else {"seeders": []}
    whole: Entry = small
    return whole


def _by(name: str, **facets: Any) -> Script:
    return {"behaviour": name, **facets}


# Peers of whom a client shows most when it has nobody else.
_ALONE = (
    *("corrupt", "corrupt-once", "corrupt-block", "poison-unasked", "duplicates", "stall", "partial", "grow"),
    *("super-seed", "empty", "never-unchoke", "snub", "drop-some", "reject-all", "reject-some", "drip", "flap"),
    *("choke-cycle", "bitfield-short", "bitfield-long", "bitfield-empty", "bitfield-twice", "have-all-none"),
    *("have-beyond", "garbage", "mute", "closes", "late-hello", "own-id", "zero-id", "plain-only"),
    *("encrypted-only", "bad-extension", "length-2gib", "zero-block", "keepalive-flood", "asks-1gib"),
    *("unknown-message", "unknown-extension"),
)
# Which have items of their own.
_APART = ("healthy", "ipv6-only", "go-between", "found-by-pex", "found-by-dht")
# What popular clients wait for, or come back to, longer than half a minute.
_SLOW_PEERS = (
    *("stall", "grow", "super-seed", "never-unchoke", "snub", "drop-some", "reject-some", "reject-all", "drip", "flap"),
    *("choke-cycle", "mute", "late-hello", "encrypted-only", "ghost-dropped", "duplicates"),
)


def _peers() -> Iterator[tuple[str, BadSwarm]]:
    yield (
        "peer-honest",
        BadSwarm("peers", "one honest peer and nothing else: what every other item compares with", _entry(_OPEN)),
    )
    alone = f"{PEERS.presets['ipv6-only'].why}; nobody else is there"
    yield "peer-ipv6-only", BadSwarm("peers", alone, _entry(_by("ipv6-only")), by_name=True)
    # To a client that has peer exchange or DHT switched off, nobody is there.
    for name, others in {"found-by-pex": [_by("go-between")], "found-by-dht": []}.items():
        entry = _entry(*others, _by(name))
        yield f"peer-{name}", BadSwarm("peers", f"{PEERS.presets[name].why}; nobody else has it", entry, by_name=True)
    for name, preset in PEERS.presets.items():
        if name in _APART or name.startswith("metadata-"):
            continue
        slow = name in _SLOW_PEERS
        beside = f"{preset.why}; an honest peer is beside it"
        yield f"peer-{name}", BadSwarm("peers", beside, _entry(_by(name), _GOOD), slow)
        if name in _ALONE:
            yield (
                f"peer-{name}-alone",
                BadSwarm("peers", f"{preset.why}; nobody else is there", _entry(_by(name)), slow),
            )
    yield (
        "peer-corrupt-eighth",
        BadSwarm(
            "peers",
            "every eighth piece is wrong; an honest peer is beside it",
            _entry(_by("corrupt", pieces="1/8"), _GOOD),
        ),
    )
    yield (
        "peer-corrupt-eighth-alone",
        BadSwarm("peers", "every eighth piece is wrong, so 88 % is all there is", _entry(_by("corrupt", pieces="1/8"))),
    )
    yield (
        "peer-missing-piece",
        BadSwarm(
            "peers",
            "two peers, and piece 3 is wrong at both: one piece that never comes",
            _entry(_by("corrupt", pieces=[3]), _by("corrupt", pieces=[3])),
        ),
    )
    yield (
        "peer-two-stalls",
        BadSwarm(
            "peers",
            "two peers that stop at 60 %: what one does not give, the other does",
            _entry(_by("stall"), _by("stall")),
            slow=True,
        ),
    )
    yield (
        "peer-honest-after-stall",
        BadSwarm(
            "peers",
            "a peer that stops at 60 %, and an honest one that unchokes after a minute: whether a client turns to it",
            _entry(_by("stall"), _by("healthy", after="60s")),
            slow=True,
        ),
    )
    yield (
        "peer-calls",
        BadSwarm(
            "peers",
            "no tracker tells of the peer, which calls the client at the port that it announced",
            _entry(_by("healthy", calls=True), trackers=_NOBODY),
        ),
    )
    yield "peer-v2-only", BadSwarm("peers", "a torrent of version 2 alone (BEP 52)", _entry(_OPEN, version="v2"))
    yield (
        "peer-v2-only-corrupt",
        BadSwarm(
            "peers",
            "version 2 alone, every eighth piece wrong: a client may ask for the hashes of blocks (BEP 52)",
            _entry(_by("corrupt", pieces="1/8"), _GOOD, version="v2"),
        ),
    )


def _metadata() -> Iterator[tuple[str, BadSwarm]]:
    for name, preset in PEERS.presets.items():
        if not name.startswith("metadata-"):
            continue
        beside = f"{preset.why}; an honest peer is beside it"
        yield (
            name,
            BadSwarm("metadata", beside, _entry(_by(name), _GOOD), slow=name in ("metadata-mute", "metadata-slow")),
        )
        alone = f"{preset.why}; nobody else is there"
        yield f"{name}-alone", BadSwarm("metadata", alone, _entry(_by(name)), slow=name == "metadata-slow")


# After which a client goes on to the next tier; those that are interesting without one.
_FAILS = (
    "failure",
    "failure-retry",
    "failure-control",
    "forbidden",
    "missing",
    "broken",
    "overloaded",
    "html",
    "cut",
    "garbage",
)
_FAILS_SLOWLY = ("mute", "redirect-loop", "udp-mute", "udp-wrong-transaction", "udp-short", "udp-wrong-action")
_FAILS_ALONE = (
    "mute",
    "failure",
    "failure-retry",
    "missing",
    "broken",
    "overloaded",
    "html",
    "garbage",
    "redirect-loop",
)
_SLOW_TRACKERS = ("slow", "ghosts", "many-ghosts", "broken-once")


def _trackers() -> Iterator[tuple[str, BadSwarm]]:
    for name, preset in TRACKERS.presets.items():
        script = _by(name)
        if name in ("healthy", "names"):
            continue
        if name in _FAILS or name in _FAILS_SLOWLY:
            tiers: ScriptedTiers = [[script], [_OPEN]]
            why = f"{preset.why}; the second tier is good"
        elif name == "empty":
            tiers, why = (
                [[script], [_OPEN]],
                f"{preset.why}, and a second tier that knows some: whether a client asks it",
            )
        else:
            tiers, why = [[script]], preset.why
        slow = name in _SLOW_TRACKERS or name in _FAILS_SLOWLY
        yield f"tracker-{name}", BadSwarm("trackers", why, _entry(_OPEN, trackers=tiers), slow)
        if name in _FAILS_ALONE:
            why = f"{preset.why}; it is the only tracker"
            yield f"tracker-{name}-alone", BadSwarm("trackers", why, _entry(_OPEN, trackers=[[script]]), slow)
    yield (
        "tracker-names",
        BadSwarm(
            "trackers",
            f"{TRACKERS.presets['names'].why}; the peer calls the client by itself",
            _entry(_by("healthy", calls=True), trackers=[[_by("names")]]),
        ),
    )
    yield (
        "tracker-very-slow",
        BadSwarm(
            "trackers",
            "answers after 50 s: who gives up before",
            _entry(_OPEN, trackers=[[_by("slow", delay="50s")]]),
            slow=True,
        ),
    )
    yield (
        "tracker-ten-redirects",
        BadSwarm(
            "trackers", "ten redirects, then the answer", _entry(_OPEN, trackers=[[_by("redirect", redirects=10)]])
        ),
    )
    yield (
        "tracker-udp",
        BadSwarm(
            "trackers",
            "a tracker over UDP (BEP 15), and one over HTTP in the second tier",
            _entry(_OPEN, trackers=[[{"udp": "right"}], [_OPEN]]),
        ),
    )


_SLOW_WEBSEEDS = ("mute", "overloaded", "broken-once", "redirect-loop", "slow", "truncates", "html")


def _webseeds() -> Iterator[tuple[str, BadSwarm]]:
    for name, preset in WEBSEEDS.presets.items():
        slow, script = name in _SLOW_WEBSEEDS, _by(name)
        beside = f"{preset.why}; an honest peer is beside it"
        yield f"webseed-{name}", BadSwarm("webseeds", beside, _entry(_GOOD, webseed=script), slow)
        # Its own tracker, which has nobody: the lab's would take clients for peers of each other.
        alone = f"{preset.why}; no peer is there"
        yield f"webseed-{name}-alone", BadSwarm("webseeds", alone, _entry(webseed=script, trackers=_NOBODY), slow)


def _giants() -> Iterator[tuple[str, BadSwarm]]:
    nobody: Any = {"seeders": [], "peers": [_OPEN]}
    for name, size, files, piece in (("giant-1tib", "1TiB", 1024, "16MiB"), ("giant-16tib", "16TiB", 16384, "64MiB")):
        why = f"{files:,} files of 1 GiB, of which a client is asked for one: numbers, progress, allocation of space"
        recipe: Any = {"size": size, "files": files, "period": "64MiB"}
        entry: Entry = {"synthetic": recipe, "piece_length": piece, "swarm": nobody}
        yield name, BadSwarm("giants", why, entry, by_name=True)


BAD_SWARMS: dict[str, BadSwarm] = dict(
    pair for group in (_peers(), _metadata(), _trackers(), _webseeds(), _giants()) for pair in group
)


@lru_cache(maxsize=None)
def menu_promise(name: str) -> Promise:
    """Return what an item of this menu promises; of giants, as if they were small."""
    entry = BAD_SWARMS[name].entry
    found = entry_promise(entry, Size(name, PIECES, SIZE, v2=entry.get("version") == "v2"))
    assert found is not None  # noqa: S101 - a table that is built wrong must not be offered
    return found


def is_hard(name: str) -> bool:
    """Return whether popular clients are known to fail at an item."""
    return menu_promise(name)["hard"]


def quick_names() -> list[str]:
    """Return the items at which no client needs more than half a minute to show what it does."""
    return [name for name, item in BAD_SWARMS.items() if not (item.slow or item.by_name or is_hard(name))]
