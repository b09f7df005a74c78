"""What a client is told of a planned download: its .torrent or magnet, with the trackers of one kind alone."""

from __future__ import annotations

import urllib.parse
from typing import Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.clients.contract import ClientError, Order
from ansible.module_utils.seedbed.clients.download_plan import PlannedDownload, tracker_kind
from ansible.module_utils.seedbed.torrent.metainfo_reader import read_torrent
from ansible.module_utils.seedbed.torrent.model import PublicItem, flatten_tiers
from ansible.module_utils.seedbed.torrent.retarget import retarget


def order_for(planned: PlannedDownload, torrent: bytes, directory: str) -> Order:
    """Return the order of a download; torrent: the published file, where it is by that.

    The info hash does not cover the trackers, so those of the other kind are taken out of the .torrent itself: then
    every client does without them, whether or not it can be told to.
    """
    item = planned.item
    order = Order(directory)
    if planned.files:
        order = order._replace(files=chosen_files(torrent, planned.files), paths=planned.files)
    if planned.via == "torrent":
        return order._replace(torrent=with_trackers_of(torrent, planned.kind))
    if planned.via == "magnet":
        return order._replace(magnet=magnet_with_trackers_of(item["magnet"] or "", planned.kind))
    trackers = [url for url in flatten_tiers(item["trackers"]) if tracker_kind(url) == planned.kind]
    return order._replace(magnet=item["bare_magnet"] or "", trackers=trackers)


def chosen_files(torrent: bytes, paths: Sequence[str]) -> list[int]:
    """Return the numbers of files, counted as clients count: padding is a file of the torrent, too."""
    listed = ["/".join(file["path"]) for file in read_torrent(torrent).stream]
    missing = [path for path in paths if path not in listed]
    if missing:
        raise ClientError(f"the torrent has no file {quoted(missing[0])}")
    return [listed.index(path) for path in paths]


def with_trackers_of(torrent: bytes, kind: str) -> bytes:
    """Return a .torrent without trackers of another kind; one that nobody can read stays as it is, for the client."""
    try:
        read = read_torrent(torrent)
    except SeedbedError:
        return torrent
    tiers = read.info["trackers"]
    wanted = [[url for url in tier if tracker_kind(url) == kind] for tier in tiers]
    if wanted == tiers:
        return torrent
    return retarget(read, trackers=[tier for tier in wanted if tier], keep=False)[0]


def magnet_with_trackers_of(magnet: str, kind: str) -> str:
    """Return a magnet link without trackers of another kind."""
    head, *fields = magnet.split("&")
    kept = [
        field
        for field in fields
        if not field.startswith("tr=") or tracker_kind(urllib.parse.unquote(field[len("tr=") :])) == kind
    ]
    return "&".join([head, *kept])


def needed_features(item: PublicItem, via: str, kind: str, *, chosen: bool = False) -> list[str]:
    """Return what a client has to be able to do for a download, as features of the contract."""
    swarm = item.get("swarm") or {}
    needs = {
        via: True,
        "udp_tracker": kind == "udp",
        "private": item["private"],
        item.get("version", "v1"): item.get("version", "v1") != "v1",
        "web_seed": bool(item.get("webseeds")) and swarm.get("seeders") == [] and not swarm.get("peers"),
        "file_choice": chosen,
    }
    return [feature for feature, needed in needs.items() if needed]
