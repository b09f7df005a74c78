"""Odd but valid .torrent files: each odd in one way, and loaded by libtorrent, Transmission 3.00 and 4, and aria2.

The twist that makes a sound file odd is the same for the samples that are published and for torrents that are seeded.
"""

from __future__ import annotations

import base64
from typing import Any, Callable, Dict, NamedTuple

from ansible.module_utils.seedbed.torrent.bencode import Encoded, decode, encode
from ansible.module_utils.seedbed.torrent.malformed import ListedFile, files_with_table
from ansible.module_utils.seedbed.torrent.metainfo_reader import torrent_info
from ansible.module_utils.seedbed.torrent.model import Entry, MadeTorrent, PublishedTorrent, Recipe, WebFile

Outer = Dict[bytes, Any]
Twist = Callable[[Outer], bytes]

PREFIX = "odd-"  # of the names of those that are seeded
_ANNOUNCE = "http://192.0.2.1:8888/announce"


class Odd(NamedTuple):
    """One oddity; seeded where every client downloads it by the same names from the same trackers."""

    why: str
    twist: Twist
    seeded: bool = False
    directory: bool = False


def _outer(**keys: Any) -> Twist:
    """Other values for some keys; _ stands for a space or, doubled, for a hyphen."""
    changed = {key.replace("__", "-").replace("_", " ").encode(): value for key, value in keys.items()}
    return lambda outer: encode({**outer, **changed})


def _info(**keys: Any) -> Twist:
    changed = {key.replace("_", " ").encode(): value for key, value in keys.items()}
    return lambda outer: encode({**outer, b"info": {**outer[b"info"], **changed}})


def _paths(*paths: list[Any]) -> Twist:
    """The content as files of equal lengths with these paths."""

    def twist(outer: Outer) -> bytes:
        info = dict(outer[b"info"])
        length = info.pop(b"length") // len(paths)
        info[b"files"] = [{"length": length, "path": path} for path in paths]
        return encode({**outer, b"info": info})

    return twist


def _tiers(strange: Callable[[bytes], Any], *, alone: bool) -> Twist:
    """An announce list with something strange in it, before the tiers or instead of them."""

    def twist(outer: Outer) -> bytes:
        url = outer.get(b"announce", _ANNOUNCE.encode())
        tiers = outer.get(b"announce-list", [[url]])
        return encode({**outer, b"announce": url, b"announce-list": [strange(url), *([] if alone else tiers)]})

    return twist


def _info_first(outer: Outer) -> bytes:
    rest = encode({key: value for key, value in outer.items() if key != b"info"})
    return b"d4:info" + encode(outer[b"info"]) + rest[1:]


def _name_first(outer: Outer) -> bytes:
    info = outer[b"info"]
    rest = encode({key: value for key, value in info.items() if key != b"name"})
    return encode({**outer, b"info": Encoded(b"d4:name" + encode(info[b"name"]) + rest[1:])})


def _length_too(outer: Outer) -> bytes:
    info = outer[b"info"]
    return encode({**outer, b"info": {**info, b"length": sum(file[b"length"] for file in info[b"files"])}})


ODD: dict[str, Odd] = {
    "bytes-behind-the-end": Odd("a line end behind the end, as editors add it", lambda o: encode(o) + b"\n", True),
    "keys-out-of-order": Odd("keys in the wrong order outside of the info dictionary", _info_first, True),
    "tier-is-text": Odd("an announce list with a URL outside of its tiers", _tiers(lambda url: url, alone=False), True),
    "tier-of-empty-text": Odd(
        "an announce list whose first tier has an empty URL", _tiers(lambda _url: [b""], alone=False), True
    ),
    "date-is-text": Odd("a creation date that is a text", _outer(creation_date="2024-01-01"), True),
    "date-negative": Odd("a creation date before 1970", _outer(creation_date=-1), True),
    "comment-is-number": Odd("a comment that is a number", _outer(comment=5), True),
    "creator-is-list": Odd("a maker's name that is a list", _outer(created_by=["a"]), True),
    "web-seed-empty": Odd("a list of web seeds with an empty URL", _outer(url__list=[""]), True),
    "web-seeds-are-number": Odd("a number where the list of web seeds belongs", _outer(url__list=5), True),
    "private-is-text": Odd("a private flag that is a text: clients take it for public", _info(private="1"), True),
    "source-is-number": Odd("a source tag that is a number", _info(source=5), True),
    "length-and-files": Odd("both length and files: files count", _length_too, True, True),
    "private-is-two": Odd("a private flag of 2: private for most, public for some", _info(private=2)),
    "announce-list-flat": Odd(
        "an announce list without tiers: most fall back to announce, aria2 finds no tracker",
        _tiers(lambda url: url, alone=True),
    ),
    "announce-list-of-empty-text": Odd(
        "an announce list of one empty URL: most fall back to announce, aria2 finds no tracker",
        _tiers(lambda _url: [b""], alone=True),
    ),
    "announce-list-of-dictionaries": Odd(
        "an announce list of dictionaries: most fall back to announce, aria2 finds no tracker",
        _tiers(lambda url: {b"url": url}, alone=True),
    ),
    "announce-is-number": Odd("an announce URL that is a number", _outer(announce=5)),
    "keys-of-info-out-of-order": Odd(
        "keys of the info dictionary in the wrong order: two info hashes, depending on the client", _name_first
    ),
    "name-not-utf-8": Odd("a name in Latin-1: each client writes it in its own way", _info(name=b"caf\xe9.bin")),
    "name-with-null": Odd("a null character in the name: some cut it there", _info(name="x\0.txt")),
    "name-of-300-bytes": Odd("a name longer than file systems take: each client cuts it", _info(name="x" * 300)),
    "path-not-utf-8": Odd("a path that is not UTF-8", _paths([b"\xc3\x28"])),
    "path-with-empty-part": Odd("a path with a part without characters", _paths(["a", "", "b"])),
    "path-twice": Odd("two files of the same path", _paths(["a"], ["a"])),
    "path-of-300-bytes": Odd("a path longer than file systems take", _paths(["x" * 300])),
}
_SOUND: Outer = {
    b"announce": _ANNOUNCE.encode(),
    b"info": {b"length": 20000, b"name": b"x", b"piece length": 16384, b"pieces": bytes(range(40))},
}


def odd_sample(name: str) -> bytes:
    """Return a .torrent file that is odd in one way, of content that nobody has."""
    sound = _SOUND
    if ODD[name].directory:
        sound = decode(_paths(["a"])(_SOUND))
    return ODD[name].twist(sound)


def odd_entries() -> list[Entry]:
    """Return the entries of those that are seeded."""
    entries: list[Entry] = []
    for name, odd in ODD.items():
        recipe: Recipe = {"size": "100KiB"}
        if odd.directory:
            recipe["layout"] = "flat"
        if odd.seeded:
            entries.append({"name": PREFIX + name, "comment": odd.why, "synthetic": recipe, "odd": name})
    return entries


def make_odd(name: str, made: MadeTorrent) -> PublishedTorrent:
    """Return a torrent of our own making with a twist, as clients read it."""
    data = ODD[name].twist(decode(base64.b64decode(made["metainfo"])))
    info = torrent_info(data)
    return {
        "name": made["name"],
        "info_hash": info["info_hash"],
        "info_hash_v2": info["info_hash_v2"],
        "magnet": info["magnet"],
        "bare_magnet": info["bare_magnet"],
        "metainfo": base64.b64encode(data).decode(),
        "version": info["version"],
        "private": info["private"],
        "webseeds": info["webseeds"],
        "comment": info["comment"] or ODD[name].why,
        "trackers": info["trackers"],
    }


def odd_list() -> list[ListedFile]:
    """Return what catalogue.json says of every odd file."""
    return [
        {
            "name": name,
            "torrent": f"torrents/{PREFIX}{name}.torrent" if odd.seeded else f"odd/{name}.torrent",
            "about": odd.why,
        }
        for name, odd in ODD.items()
    ]


def odd_files() -> list[WebFile]:
    """Return what is published of those that nothing seeds: the files, and a table of why each exists."""
    return files_with_table("odd", [(name, odd.why, odd_sample(name)) for name, odd in ODD.items() if not odd.seeded])
