"""Which items of the catalogue are downloaded, and by which ways: pure decisions, no network."""

from __future__ import annotations

import difflib
import json
import urllib.parse
from itertools import cycle
from typing import NamedTuple, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent.model import PublicItem, flatten_tiers

TRACKERS = ("http", "udp")
SCHEMA_VERSIONS = (1, 2)  # those that are read; what 2 has besides, 1 had not at all


class PlanError(SeedbedError):
    """The catalogue cannot be read, or what was asked for is not in it."""


class PlannedDownload(NamedTuple):
    """One download: an item, by its .torrent or its magnet, with the trackers of one kind alone.

    kind: of TRACKERS, or for an item without any what it is found by, such as dht/lpd.
    """

    item: PublicItem
    via: str
    kind: str
    files: tuple[str, ...] = ()
    """Of an item of several, the paths that are wanted; none: all."""

    @property
    def way(self) -> tuple[str, str]:
        """Return by what it is fetched, over which kind of tracker."""
        return self.via, self.kind


def read_catalogue(text: bytes) -> list[PublicItem]:
    """Return the items of a published catalogue.json."""
    try:
        catalogue = json.loads(text)
    except ValueError as error:
        raise PlanError(f"catalogue.json is not JSON: {error}") from error
    version = catalogue.get("schema_version") if isinstance(catalogue, dict) else None
    if version not in SCHEMA_VERSIONS:
        raise PlanError(f"catalogue.json: expected schema_version {SCHEMA_VERSIONS[-1]}, got {version!r}")
    items: list[PublicItem] = catalogue["items"]
    return items


def tracker_kind(url: str) -> str:
    """Return by which protocol a tracker is asked: http (with or without TLS) or udp."""
    return "udp" if url.startswith("udp:") else "http"


def is_asked(url: str, kind: str, *, udp_ipv6: bool) -> bool:
    """Return whether a client asks this tracker by this protocol; udp_ipv6: over UDP at an IPv6 address, too."""
    far = kind == "udp" and urllib.parse.urlsplit(url).netloc.startswith("[")
    return tracker_kind(url) == kind and (udp_ipv6 or not far)


def is_complete_and_fast(item: PublicItem) -> bool:
    """Return whether the swarm promises all of the item at full speed, by peers alone, to a client that knows v1 only.

    aria2 1.36 gives hybrid torrents a wrong info hash: it drops their empty dictionary keys.
    """
    swarm = item.get("swarm") or {}
    partial = swarm.get("available") not in (None, "100%", 100) or swarm.get("ranges")
    seeded = swarm.get("seeders") != [] and bool(flatten_tiers(item["trackers"]))
    plain = item.get("version", "v1") == "v1"
    by_script = bool(item.get("promise"))
    return seeded and plain and not (partial or by_script or swarm.get("upload_limit") or item.get("webseeds"))


def select_items(items: Sequence[PublicItem], wanted: str | Sequence[str], largest: int) -> list[PublicItem]:
    """Choose items: `acceptance`, `all`, or by name; what scripts play in by name alone."""
    if wanted == "all":
        return [item for item in items if not item.get("promise")]
    if wanted == "acceptance":
        return acceptance_items(items, largest)
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    by_name = {item["name"]: item for item in items}
    for name in names:
        if name not in by_name:
            near = difflib.get_close_matches(name, list(by_name), 3, 0.5)
            hint = "; did you mean {}?".format(" or ".join(near)) if near else ""
            raise PlanError(f"the catalogue has no item named {name!r}{hint}")
    return [by_name[name] for name in dict.fromkeys(names)]


def acceptance_items(items: Sequence[PublicItem], largest: int) -> list[PublicItem]:
    """Choose the few items that show most: smallest, most files, most pieces, one more, and a private one.

    Four public items, where there are so many, let the four ways of fetching run side by side.
    """
    fit = [item for item in items if is_complete_and_fast(item) and 0 < item["size"] <= largest]
    public = sorted((item for item in fit if not item["private"]), key=lambda item: (item["size"], item["name"]))
    wishes = [
        sorted(public, key=lambda item: -len(item["files"])),
        sorted(public, key=lambda item: -item["pieces"]),
        public,
        public,
        [item for item in fit if item["private"]],
    ]
    chosen: list[PublicItem] = []
    for wish in wishes:
        chosen.extend([item for item in wish if item not in chosen][:1])
    if not chosen:
        raise PlanError(
            "the catalogue has no item for the acceptance download: one with content, all of it in the swarm, "
            f"no speed limit, and at most {largest} bytes"
        )
    return chosen


def plan_downloads(
    items: Sequence[PublicItem],
    vias: Sequence[str],
    kinds: Sequence[str],
    spread: bool,
    *,
    once: bool = False,
    udp_ipv6: bool = False,
) -> tuple[list[PlannedDownload], list[str]]:
    """Pair items with ways of fetching: every possible pair, or spread, each way at least once over all items.

    once: spread over fewer items than ways, no item is fetched a second time for that. udp_ipv6: the client asks UDP
    trackers at IPv6 addresses. An item that has no such way holds up no other: it gets a sentence.
    """
    fit = [item for item in items if has_way(item, vias, kinds, udp_ipv6=udp_ipv6)]
    possible = [
        PlannedDownload(item, via, kind)
        for item in fit
        for via in vias
        for kind in kinds
        if is_possible(item, via, kind, udp_ipv6=udp_ipv6)
    ]
    why = (
        f"cannot be fetched by {' or '.join(vias)} over {' or '.join(kinds)} trackers; a private item needs its "
        ".torrent, and each needs a tracker of that kind" + ("" if udp_ipv6 else ", over UDP one with an IPv4 address")
    )
    without = [f"{item['name']}: {why}" for item in items if not has_way(item, vias, kinds, udp_ipv6=udp_ipv6)]
    return (spread_out(fit, possible, once=once) if spread else possible), without


def has_way(item: PublicItem, vias: Sequence[str], kinds: Sequence[str], *, udp_ipv6: bool = False) -> bool:
    """Return whether an item can be fetched at all, by what is allowed."""
    return any(is_possible(item, via, kind, udp_ipv6=udp_ipv6) for via in vias for kind in kinds)


def is_possible(item: PublicItem, via: str, kind: str, *, udp_ipv6: bool = False) -> bool:
    """Return whether an item has such a way: peers never hand out the metadata of a private torrent.

    One without trackers is found by others than them alone, which a private one never is.
    """
    urls = flatten_tiers(item["trackers"])
    if kind in TRACKERS:
        found = any(is_asked(url, kind, udp_ipv6=udp_ipv6) for url in urls)
    else:
        found = not urls and not item["private"]
    return found and (via == "torrent" or bool(item["magnet"]))


def spread_out(
    items: Sequence[PublicItem], possible: Sequence[PlannedDownload], *, once: bool = False
) -> list[PlannedDownload]:
    """Keep one way for each item, and unless `once`, more until every way that is possible at all is covered."""
    ways = [("torrent", "http"), ("magnet", "udp"), ("torrent", "udp"), ("magnet", "http")]
    open_ways = [way for way in ways if any(planned.way == way for planned in possible)]
    kept: list[PlannedDownload] = []
    items_in_turn = cycle(items)
    for item in items:
        kept.append(next_download(item, possible, open_ways, kept))
    for _ in range(0 if once else len(items) * len(ways)):
        item = next(items_in_turn)
        planned = next_download(item, possible, open_ways, kept)
        if planned.way in missing_ways(open_ways, kept):
            kept.append(planned)
    return kept


def missing_ways(ways: Sequence[tuple[str, str]], kept: Sequence[PlannedDownload]) -> list[tuple[str, str]]:
    """Return the ways that no kept download takes."""
    return [way for way in ways if all(planned.way != way for planned in kept)]


def next_download(
    item: PublicItem,
    possible: Sequence[PlannedDownload],
    ways: Sequence[tuple[str, str]],
    kept: Sequence[PlannedDownload],
) -> PlannedDownload:
    """Return the item's download by a way that is still missing, else by its first one."""
    own = [planned for planned in possible if planned.item is item]
    wanted = missing_ways(ways, kept)
    return min(own, key=lambda planned: wanted.index(planned.way) if planned.way in wanted else len(ways))
