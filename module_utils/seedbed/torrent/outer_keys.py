"""What stands outside the info dictionary of torrents of others: trackers, web seeds, remarks of their makers."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple

from ansible.module_utils.seedbed.torrent.foreign_names import text_of, utf8_value
from ansible.module_utils.seedbed.torrent.model import Tiers
from ansible.module_utils.seedbed.torrent.notes import Notes, type_name

Dictionary = Dict[bytes, Any]
_NO_TIERS = "libtorrent and Transmission take announce instead, aria2 then knows no tracker"
_TEXTS = (b"comment", b"comment.utf-8", b"created by", b"encoding", b"publisher", b"publisher-url")


class Outer(NamedTuple):
    """All of it that is read."""

    trackers: Tiers
    webseeds: list[str]
    comment: str
    created_by: str
    creation_date: int


def read_outer(outer: Dictionary, notes: Notes) -> Outer:
    """Return what clients read, and take the rest out of the dictionary."""
    for key in _TEXTS:
        if key in outer and not isinstance(outer[key], bytes):
            notes.add(f"{key.decode()} is {type_name(outer.pop(key))} where a text belongs")
    for key in (b"nodes", b"httpseeds"):
        if key in outer and not isinstance(outer[key], list):
            notes.add(f"{key.decode()} is {type_name(outer.pop(key))} where a list belongs")
    texts = {}
    for key in (b"comment", b"created by"):
        raw = utf8_value(outer, key, bytes, notes)
        texts[key] = text_of(raw or b"", key.decode(), notes)
        if raw and texts[key].encode() != raw:
            outer[key] = texts[key].encode()
    return Outer(
        trackers=_trackers(outer, notes),
        webseeds=_webseeds(outer, notes),
        comment=texts[b"comment"],
        created_by=texts[b"created by"],
        creation_date=_creation_date(outer, notes),
    )


def _creation_date(outer: Dictionary, notes: Notes) -> int:
    date = outer.get(b"creation date", 0)
    if isinstance(date, int) and date >= 0:
        return date
    del outer[b"creation date"]
    notes.add(f"creation date is {date if isinstance(date, int) else type_name(date)}")
    return 0


def _url(value: Any, what: str, notes: Notes) -> str:
    """A URL as clients use it, empty where they use none."""
    if not isinstance(value, bytes):
        notes.add(f"{what} has {type_name(value)} where a URL belongs")
        return ""
    try:
        url = value.decode()
    except UnicodeDecodeError:
        notes.add(f"{what} has a URL that is not UTF-8", "clients pass over it or ask another address")
        return ""
    if not url.strip():
        notes.add(f"{what} has an empty URL")
    elif url != url.strip():
        notes.add(
            f"{what} has a URL with white space around it",
            "Transmission 3.00 and aria2 cut that off, libtorrent and Transmission 4 do not use such a tracker",
        )
    return url.strip()


def _trackers(outer: Dictionary, notes: Notes) -> Tiers:
    """BEP 12: the announce list wins over announce, where it names a tracker."""
    listed = outer.get(b"announce-list")
    tiers = listed if isinstance(listed, list) else []
    found = []
    for tier in tiers:
        if isinstance(tier, list):
            found.append([url for url in (_url(url, "announce-list", notes) for url in tier) if url])
        else:
            notes.add(
                f"announce-list has {type_name(tier)} where a tier, a list of URLs, belongs",
                "Transmission 4 takes the URLs in it, the others pass over them",
                kind=f"tier {type(tier)}",
            )
    found = [tier for tier in found if tier]
    if found:
        return found
    if isinstance(listed, list):
        notes.add("announce-list names no tracker in a tier", _NO_TIERS)
    elif listed is not None:
        notes.add(f"announce-list is {type_name(listed)}", "clients take announce instead")
    if b"announce" not in outer:
        return []
    url = _url(outer[b"announce"], "announce", notes)
    return [[url]] if url else []


def _webseeds(outer: Dictionary, notes: Notes) -> list[str]:
    seeds = outer.get(b"url-list", [])
    if isinstance(seeds, bytes):  # a text alone is as good, and an empty one is common
        seeds = [seeds]
    elif not isinstance(seeds, list):
        notes.add(f"url-list is {type_name(seeds)} where a list of URLs belongs")
        seeds = []
    found = [url for url in (_url(url, "url-list", notes) for url in seeds) if url]
    outer.pop(b"url-list", None)
    if found:
        outer[b"url-list"] = found
    return found
