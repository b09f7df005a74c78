"""Ready entries, each made for one thing that clients get wrong."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence


class Dish(NamedTuple):
    """One entry of the menu."""

    why: str
    entry: Mapping[str, Any]
    large: bool = False  # not part of [all]: more than a laptop's disk or patience


def _one(size: str, **more: Any) -> dict[str, Any]:
    return {"synthetic": {"size": size}, **more}


def _many(recipe: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"synthetic": dict(recipe), **more}


# 192.0.2.0/24 is reserved for documentation (RFC 5737): nothing ever answers there.
_DEAD = "http://192.0.2.1:8888/announce"

MENU: dict[str, Dish] = {
    "zero-bytes": Dish("a single file of no bytes: no piece at all; published, but no client seeds it", _one("0")),
    "one-byte": Dish("the smallest torrent with content", _one("1")),
    "one-block": Dish("exactly one block of 16 KiB, exactly one piece", _one("16KiB", piece_length="16KiB")),
    "one-piece": Dish("exactly one piece: the last piece is a full one", _one("256KiB", piece_length="256KiB")),
    "one-piece-minus-one": Dish("one byte less than a piece", _one("262143", piece_length="256KiB")),
    "one-piece-plus-one": Dish("a last piece of one byte", _one("256KiB+1", piece_length="256KiB")),
    "block-plus-one": Dish(
        "a last block of one byte inside a piece of several blocks", _one("64KiB+16KiB+1", piece_length="64KiB")
    ),
    "thousand-pieces": Dish("1,000 pieces: bitfields of 125 bytes", _one("16000KiB", piece_length="16KiB")),
    "odd-pieces": Dish("1,001 pieces: spare bits at the end of the bitfield", _one("16001KiB", piece_length="16KiB")),
    "huge-piece": Dish("a piece of 64 MiB: 4,096 requests for one hash", _one("64MiB+16KiB", piece_length="64MiB")),
    "beside-empty-files": Dish(
        "empty files first, between and last: they belong to no piece", _many({"sizes": [0, "100KiB", 0, "50KiB", 0]})
    ),
    "shared-pieces": Dish(
        "many files in one piece, one file in many: borders on every side of a piece border",
        _many({"sizes": [1, 16383, 1, 16384, 16385, "100KiB", 5, 5, 5, "1MiB"]}, piece_length="16KiB"),
    ),
    "single-in-directory": Dish(
        "one file inside a directory: a multi-file torrent of one file", _many({"size": "300KiB", "layout": "flat"})
    ),
    "ten-thousand-files": Dish(
        "10,000 tiny files: file lists, handles, speed of creation",
        _many({"files": 10000, "sizes": {"min": 1, "max": "2KiB"}, "layout": "nested", "depth": 2, "fanout": 10}),
    ),
    "hundred-thousand-files": Dish(
        "100,000 files: a .torrent of several megabytes",
        _many({"files": 100_000, "sizes": {"min": 1, "max": "1KiB"}, "layout": "nested", "fanout": 20}),
        large=True,
    ),
    "nested": Dish("a tree of directories", _many({"files": 60, "size": "3MiB", "layout": "nested"})),
    "deep": Dish("60 levels of directories", _many({"files": 3, "size": "100KiB", "layout": "deep"})),
    "long-names": Dish("components of 255 bytes", _many({"files": 4, "size": "200KiB", "layout": "long"})),
    "long-paths": Dish("paths of 3,583 bytes", _many({"files": 3, "size": "100KiB", "layout": "longest"})),
    "unicode": Dish(
        "Chinese, emoji, combining characters, right-to-left",
        _many({"files": 12, "size": "500KiB", "layout": "unicode"}),
    ),
    "盲道 🧲 café": Dish("a torrent whose own name needs Unicode and spaces", _one("200KiB")),
    "spaces": Dish("spaces at every place of a name", _many({"files": 8, "size": "200KiB", "layout": "spaces"})),
    "quotes": Dish("characters of shells, HTML and URLs", _many({"files": 10, "size": "200KiB", "layout": "quotes"})),
    "hidden": Dish("leading dots and dashes", _many({"files": 8, "size": "200KiB", "layout": "hidden"})),
    "case": Dish("names equal but for case", _many({"files": 6, "size": "200KiB", "layout": "case"})),
    "windows": Dish("names that Windows refuses", _many({"files": 10, "size": "200KiB", "layout": "windows"})),
    "order": Dish(
        "the order of files by component against whole path", _many({"files": 10, "size": "200KiB", "layout": "order"})
    ),
    "private": Dish(
        "no DHT, no PEX, no magnet: trackers alone", _one("1MiB", private=True, comment="private (BEP 27)")
    ),
    "dead-first-tier": Dish(
        "a first tier that never answers: the client has to go on to the next (BEP 12)",
        _one("1MiB", first_trackers=[[_DEAD]]),
    ),
    "dead-in-tier": Dish(
        "a dead tracker beside a live one in a single tier", _one("1MiB", first_trackers=[[_DEAD]], one_tier=True)
    ),
    "no-tracker": Dish("no tracker at all: DHT, peer exchange, local discovery or x.pe", _one("1MiB", trackers=[])),
    "web-seed": Dish("a web seed beside the swarm (BEP 19)", _one("2MiB", webseed=True)),
    "web-seed-only": Dish(
        "no peer seeds it: the web seed is all there is", _one("2MiB", webseed=True, swarm={"seeders": []}, trackers=[])
    ),
    "web-seed-directory": Dish(
        "a web seed for a directory with names that need encoding",
        _many({"files": 6, "size": "300KiB", "layout": "unicode"}, webseed=True, swarm={"seeders": []}, trackers=[]),
    ),
    "partial": Dish(
        "60 % of the pieces and never more: progress that stops without an error",
        _one("8MiB", piece_length="64KiB", swarm={"available": "60%"}),
    ),
    "slow": Dish(
        "an upload limit of 50 KiB/s: time-outs and estimates", _one("2MiB", swarm={"upload_limit": "50KiB/s"})
    ),
    "hybrid-single": Dish("v1 and v2 in one, a single file (BEP 52)", _one("3MiB+5", version="hybrid")),
    "hybrid-files": Dish(
        "v1 and v2 in one, with padding files (BEP 47), empty and one-piece files",
        _many({"sizes": [0, 1, "16KiB", "32KiB", "100KiB", "1MiB+1"]}, piece_length="32KiB", version="hybrid"),
    ),
    "same-content-other-tag": Dish(
        "the content of same-content-one-tag under another source tag: another info hash, equal pieces",
        _one("1MiB", source_tag="other", synthetic={"size": "1MiB", "seed": "same-content"}),
    ),
    "same-content-one-tag": Dish(
        "see same-content-other-tag: cross-seeding",
        _one("1MiB", source_tag="one", synthetic={"size": "1MiB", "seed": "same-content"}),
    ),
    "dated": Dish(
        "a creation date and a comment in several scripts", _one("100KiB", creation_date=1, comment="你好 مرحبا 🌱")
    ),
    "four-gib": Dish(
        "exactly 4 GiB: 32 bits end here; opentracker over HTTP takes a client that has nothing for a seeder",
        _one("4GiB", piece_length="4MiB"),
        large=True,
    ),
    "beyond-four-gib": Dish(
        "4 GiB and one byte, of which a counter of 32 bits sees the byte",
        _one("4GiB+1", piece_length="4MiB"),
        large=True,
    ),
}


def menu_faults(wanted: Any, names: Sequence[str] = ()) -> list[str]:
    """What is wrong with an order; names are those of the entries beside it."""
    if not isinstance(wanted, list):
        return [f"is {wanted!r}; a list of names would be right"]
    faults = [f"has no {name!r}; it offers all, {', '.join(MENU)}" for name in wanted if name not in ("all", *MENU)]
    ordered = [name for name in dict.fromkeys(_names(wanted)) if name in names]
    return faults + [f"orders {name!r}, a name that an entry of catalogue_torrents has" for name in ordered]


def _names(wanted: Sequence[str]) -> list[str]:
    names: list[str] = []
    for name in wanted:
        names += [key for key, dish in MENU.items() if not dish.large] if name == "all" else [name]
    return [name for name in dict.fromkeys(names) if name in MENU]


def menu_entries(wanted: Sequence[str], *, trackers: Sequence[Sequence[str]] = ()) -> list[dict[str, Any]]:
    """The entries of an order, each once. trackers are the lab's, for entries that mix them with others."""
    entries = []
    for name in _names(wanted):
        dish = MENU[name]
        entry: dict[str, Any] = {"name": name, "comment": dish.why, **dish.entry}
        first = entry.pop("first_trackers", None)
        if first is not None:
            live = [list(tier) for tier in trackers]
            tiers = [*first, *live]
            entry["trackers"] = [[url for tier in tiers for url in tier]] if entry.pop("one_tier", False) else tiers
        entries.append(entry)
    return entries
