"""Ready entries, each made for one thing that clients get wrong."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.catalogue.bad_swarms import BAD_SWARMS, is_hard
from ansible.module_utils.seedbed.catalogue.casting import entry_peers
from ansible.module_utils.seedbed.scripted.swarm_script import peers_faults
from ansible.module_utils.seedbed.torrent.model import Entry, Recipe, Room, ScriptedTiers

FIRST_TIER = "in a tier of its own, before the others"
SAME_TIER = "in one tier with all others"


class MenuItem(NamedTuple):
    """One entry of the menu."""

    purpose: str
    entry: Entry
    large: bool = False  # not part of [all]: more than a laptop's disk or patience
    dead: str = ""  # where a tracker that never answers stands beside the lab's


def _single(size: str, **more: Any) -> Entry:
    return {"synthetic": {"size": size}, **more}  # type: ignore[typeddict-item]


def _many(recipe: Recipe, **more: Any) -> Entry:
    return {"synthetic": recipe, **more}  # type: ignore[typeddict-item]


# 192.0.2.0/24 is reserved for documentation (RFC 5737): nothing ever answers there.
_DEAD = "http://192.0.2.1:8888/announce"

MENU: dict[str, MenuItem] = {
    "zero-bytes": MenuItem("a single empty file: no piece at all; published, but no client seeds it", _single("0")),
    "one-byte": MenuItem("the smallest torrent with content", _single("1")),
    "one-block": MenuItem("exactly one block of 16 KiB, exactly one piece", _single("16KiB", piece_length="16KiB")),
    "one-piece": MenuItem("exactly one piece: the last piece is full", _single("256KiB", piece_length="256KiB")),
    "one-piece-minus-one": MenuItem("one byte less than a piece", _single("262143", piece_length="256KiB")),
    "one-piece-plus-one": MenuItem("a last piece of one byte", _single("256KiB+1", piece_length="256KiB")),
    "block-plus-one": MenuItem(
        "a last block of one byte inside a piece of several blocks", _single("64KiB+16KiB+1", piece_length="64KiB")
    ),
    "thousand-pieces": MenuItem("1,000 pieces: bitfields of 125 bytes", _single("16000KiB", piece_length="16KiB")),
    "odd-pieces": MenuItem(
        "1,001 pieces: spare bits at the end of the bitfield", _single("16001KiB", piece_length="16KiB")
    ),
    "huge-piece": MenuItem(
        "a piece of 64 MiB: 4,096 requests before the first hash can be checked",
        _single("64MiB+16KiB", piece_length="64MiB"),
    ),
    "beside-empty-files": MenuItem(
        "empty files first, between and last: they belong to no piece", _many({"sizes": [0, "100KiB", 0, "50KiB", 0]})
    ),
    "shared-pieces": MenuItem(
        "many files in one piece, one file in many: borders on every side of a piece border",
        _many({"sizes": [1, 16383, 1, 16384, 16385, "100KiB", 5, 5, 5, "1MiB"]}, piece_length="16KiB"),
    ),
    "single-in-directory": MenuItem(
        "one file inside a directory: a multi-file torrent of one file", _many({"size": "300KiB", "layout": "flat"})
    ),
    "ten-thousand-files": MenuItem(
        "10,000 tiny files: file lists, handles, speed of creation",
        _many({"files": 10000, "sizes": {"min": 1, "max": "2KiB"}, "layout": "nested", "depth": 2, "fanout": 10}),
    ),
    "hundred-thousand-files": MenuItem(
        "100,000 files: a .torrent of several megabytes",
        _many({"files": 100_000, "sizes": {"min": 1, "max": "1KiB"}, "layout": "nested", "fanout": 20}),
        large=True,
    ),
    "nested": MenuItem("a tree of directories", _many({"files": 60, "size": "3MiB", "layout": "nested"})),
    "deep": MenuItem("60 levels of directories", _many({"files": 3, "size": "100KiB", "layout": "deep"})),
    "long-names": MenuItem("components of 255 bytes", _many({"files": 4, "size": "200KiB", "layout": "long"})),
    "long-paths": MenuItem("paths of 3,583 bytes", _many({"files": 3, "size": "100KiB", "layout": "longest"})),
    "unicode": MenuItem(
        "Chinese, emoji, combining characters, right-to-left",
        _many({"files": 12, "size": "500KiB", "layout": "unicode"}),
    ),
    "盲道 🧲 café": MenuItem("a torrent whose own name needs Unicode and spaces", _single("200KiB")),
    "spaces": MenuItem("spaces at every place of a name", _many({"files": 8, "size": "200KiB", "layout": "spaces"})),
    "quotes": MenuItem(
        "characters of shells, HTML and URLs", _many({"files": 10, "size": "200KiB", "layout": "quotes"})
    ),
    "hidden": MenuItem("leading dots and dashes", _many({"files": 8, "size": "200KiB", "layout": "hidden"})),
    "case": MenuItem("names equal but for case", _many({"files": 6, "size": "200KiB", "layout": "case"})),
    "windows": MenuItem("names that Windows refuses", _many({"files": 10, "size": "200KiB", "layout": "windows"})),
    "order": MenuItem(
        "the order of files by component against whole path", _many({"files": 10, "size": "200KiB", "layout": "order"})
    ),
    "private": MenuItem(
        "no DHT, no PEX, no magnet: trackers alone", _single("1MiB", private=True, comment="private (BEP 27)")
    ),
    "dead-first-tier": MenuItem(
        "a first tier that never answers: the client has to go on to the next (BEP 12)",
        _single("1MiB"),
        dead=FIRST_TIER,
    ),
    "dead-in-tier": MenuItem("a dead tracker beside a live one in a single tier", _single("1MiB"), dead=SAME_TIER),
    "no-tracker": MenuItem(
        "no tracker at all: DHT, peer exchange, local discovery or x.pe", _single("1MiB", trackers=[])
    ),
    "web-seed": MenuItem("a web seed beside the swarm (BEP 19)", _single("2MiB", webseed=True)),
    "web-seed-only": MenuItem(
        "no peer seeds it: the web seed is the only source",
        _single("2MiB", webseed=True, swarm={"seeders": []}, trackers=[]),
    ),
    "web-seed-directory": MenuItem(
        "a web seed for a directory with names that need encoding",
        _many({"files": 6, "size": "300KiB", "layout": "unicode"}, webseed=True, swarm={"seeders": []}, trackers=[]),
    ),
    "partial": MenuItem(
        "60 % of the pieces and never more: progress that stops without an error",
        _single("8MiB", piece_length="64KiB", swarm={"available": "60%"}),
    ),
    "slow": MenuItem(
        "an upload limit of 50 KiB/s: time-outs and estimates", _single("2MiB", swarm={"upload_limit": "50KiB/s"})
    ),
    "hybrid-single": MenuItem("v1 and v2 in one, a single file (BEP 52)", _single("3MiB+5", version="hybrid")),
    "hybrid-files": MenuItem(
        "v1 and v2 in one, with padding files (BEP 47), empty and one-piece files",
        _many({"sizes": [0, 1, "16KiB", "32KiB", "100KiB", "1MiB+1"]}, piece_length="32KiB", version="hybrid"),
    ),
    "same-content-other-tag": MenuItem(
        "the content of same-content-one-tag under another source tag: another info hash, equal pieces",
        _single("1MiB", source_tag="other", synthetic={"size": "1MiB", "seed": "same-content"}),
    ),
    "same-content-one-tag": MenuItem(
        "see same-content-other-tag: cross-seeding",
        _single("1MiB", source_tag="one", synthetic={"size": "1MiB", "seed": "same-content"}),
    ),
    "dated": MenuItem(
        "a creation date and a comment in several scripts", _single("100KiB", creation_date=1, comment="你好 مرحبا 🌱")
    ),
    "four-gib": MenuItem(
        "exactly 4 GiB: 32-bit counters overflow; opentracker over HTTP takes a client that has nothing for a seeder",
        _single("4GiB", piece_length="4MiB"),
        large=True,
    ),
    "beyond-four-gib": MenuItem(
        "4 GiB and one byte: a counter of 32 bits sees one byte",
        _single("4GiB+1", piece_length="4MiB"),
        large=True,
    ),
}


ALL, BAD, HARD = "all", "bad-swarms", "bad-swarms-hard"


def menu_faults(order: Any, names: Sequence[Any] = (), rooms: Sequence[Room] = ()) -> list[str]:
    """Return what is wrong with an order; names are those of the entries beside it.

    rooms: of each host that plays by script.
    """
    if not isinstance(order, list):
        return [f"is {quoted(order)}; a list of names would be right"]
    offered = (ALL, BAD, HARD, *MENU, *BAD_SWARMS)
    unknown = [name for name in order if not isinstance(name, str) or name not in offered]
    known = [name for name in order if name not in unknown]
    ordered = _ordered(known, scripted=bool(rooms))
    faults = [
        f"has no {quoted(name)}; it offers {ALL}, {BAD}, {HARD}, what docs/bad-swarms.md lists, {', '.join(MENU)}"
        for name in unknown
    ]
    faults += [f"orders {name!r}, a name that an entry of catalogue_torrents has" for name in ordered if name in names]
    bad = [name for name in ordered if name in BAD_SWARMS]
    if bad and not rooms:
        first = next(name for name in known if name in (BAD, HARD, *BAD_SWARMS))
        faults.append(f"orders {first!r}, which needs a host in group scripted_peers, and there is none")
    else:
        first_of = {fault: name for name in reversed(bad) for fault in _swarm_faults(name, rooms)}
        faults += [f"orders {name!r}, and its swarm cannot be played: {fault}" for fault, name in first_of.items()]
    return faults


def _swarm_faults(name: str, rooms: Sequence[Room]) -> list[str]:
    return peers_faults(entry_peers(BAD_SWARMS[name].entry), rooms)


def _ordered(order: Sequence[str], *, scripted: bool) -> list[str]:
    """The names of an order, each once; scripted: whether anybody plays."""
    wholes: dict[str, list[str]] = {ALL: [name for name, item in MENU.items() if not item.large], BAD: [], HARD: []}
    for name, item in BAD_SWARMS.items():
        if not item.by_name:
            wholes[HARD if is_hard(name) else BAD].append(name)
    wholes[ALL] += wholes[BAD] if scripted else []
    return list(dict.fromkeys(name for choice in order for name in wholes.get(choice, [choice])))


def menu_entries(
    order: Sequence[str], *, trackers: Sequence[Sequence[str]] = (), scripted: bool = False
) -> list[Entry]:
    """Return the entries of an order without faults.

    trackers: the lab's, which some entries mix with a dead one. scripted: whether anybody plays by script; `all` has
    bad swarms only then.
    """
    lab: ScriptedTiers = [[*tier] for tier in trackers]
    entries = []
    for name in _ordered(order, scripted=scripted):
        if name in BAD_SWARMS:
            entries.append(_bad_entry(name))
            continue
        item = MENU[name]
        entry: Entry = {"name": name, "comment": item.purpose, **item.entry}
        if item.dead == FIRST_TIER:
            entry["trackers"] = [[_DEAD], *lab]
        elif item.dead == SAME_TIER:
            entry["trackers"] = [[_DEAD, *(url for tier in lab for url in tier)]]
        entries.append(entry)
    return entries


def _bad_entry(name: str) -> Entry:
    bad = BAD_SWARMS[name]
    return {"name": name, "comment": bad.purpose, **bad.entry}
