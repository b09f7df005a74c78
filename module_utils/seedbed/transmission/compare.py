"""What a daemon shows of a torrent against what is wanted of it: pure comparisons, no calls."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible.module_utils.seedbed.base.sizes import WHOLE
from ansible.module_utils.seedbed.torrent.model import SeederTracker
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus
from ansible.module_utils.seedbed.transmission.torrents import DaemonTorrent, WantedTorrent


def is_complete(want: WantedTorrent, held: DaemonTorrent) -> bool:
    """Return whether the daemon has found all that this seeder shall hold. It raises no error for what is missing."""
    if want.available is None:
        return held.have == held.total == held.wanted_size
    # Whole pieces alone count; the share is rounded to some piece on either side.
    return held.have >= held.total * want.available // WHOLE - 2 * held.piece_size


def is_seeding(want: WantedTorrent, held: DaemonTorrent) -> bool:
    """Return whether it serves all that it shall hold, and fetches nothing unless it shall."""
    served = held.status is TorrentStatus.SEEDING and held.left == 0
    fetches = want.fetch_rest and held.status is TorrentStatus.DOWNLOADING
    return (served or fetches) and is_complete(want, held)


def is_leeching(want: WantedTorrent, held: DaemonTorrent) -> bool:
    """Return whether it fetches what it should have, or should do without."""
    return held.status is TorrentStatus.DOWNLOADING and not is_seeding(want, held)


def announced_to(held: DaemonTorrent) -> list[str]:
    """Return the trackers whose last announce succeeded."""
    return [tracker["announce"] for tracker in held.trackers if tracker["succeeded"]]


def missing_announces(want: WantedTorrent, held: DaemonTorrent) -> list[SeederTracker]:
    """Return the trackers that must yet answer; a backup of its tier is not asked while another one answers."""
    own = [tracker for tracker in held.trackers if tracker["announce"] in want.tracker_urls]
    asked = [tracker for tracker in own if not tracker["backup"]]
    missing = [tracker for tracker in asked if not tracker["succeeded"]]
    if want.announce == "none" or (want.announce == "any" and len(missing) < len(asked)):
        return []
    return missing


class RpcCall(NamedTuple):
    """A call that changes a torrent, without its ids."""

    method: str
    arguments: dict[str, Any]

    @property
    def edits_trackers(self) -> bool:
        """Return whether it changes which trackers the torrent has."""
        return any(key.startswith("tracker") for key in self.arguments)


def torrent_edits(want: WantedTorrent, held: DaemonTorrent, label: str, modern: bool) -> list[RpcCall]:
    """Return what differs as the calls that mend it; nothing differs: none."""
    calls: list[RpcCall] = []
    fields: dict[str, Any] = {}
    if label not in held.labels:
        fields["labels"] = [*held.labels, label]
    if want.upload_limit != held.upload_limit:
        fields["uploadLimited"] = want.upload_limit is not None
        if want.upload_limit is not None:
            fields["uploadLimit"] = want.upload_limit
    if wants_other_files(want, held):
        # An empty list means all files.
        fields["files-wanted" if want.whole else "files-unwanted"] = []
    trackers = _tracker_fields(want, held, modern)
    if trackers:
        calls.append(RpcCall("torrent-set", trackers))
    if fields:
        calls.append(RpcCall("torrent-set", fields))
    if not _same_folder(want.download_dir, held.download_dir, modern):
        calls.append(RpcCall("torrent-set-location", {"location": want.download_dir, "move": False}))
    if trackers:
        # 4.x announces to a new tracker only when asked to.
        calls.append(RpcCall("torrent-reannounce", {}))
    return calls


def wants_other_files(want: WantedTorrent, held: DaemonTorrent) -> bool:
    """Return whether the daemon wants other files than it shall.

    A partial seeder wants none of them: what it has counts as all that it wants, and it fetches nothing.
    """
    return held.wants != {want.whole}


def _same_folder(wanted: str, held: str, modern: bool) -> bool:
    # 3.00 breaks characters beyond the Basic Multilingual Plane in its answers: those cannot be compared.
    return wanted == held or (not modern and max(wanted) > "\uffff")


def _tracker_fields(want: WantedTorrent, held: DaemonTorrent, modern: bool) -> dict[str, Any]:
    urls = want.tracker_urls
    present = held.tracker_ids
    if set(urls) == set(present):
        return {}
    if modern:
        return {"trackerList": "\n\n".join("\n".join(tier) for tier in want.trackers)}
    added = [url for url in urls if url not in present]
    removed = [number for url, number in present.items() if url not in urls]
    # 3.00 appends first and removes then, all in one call: the numbers stay right.
    return {**({"trackerAdd": added} if added else {}), **({"trackerRemove": removed} if removed else {})}


def new_needs_check(want: WantedTorrent, held: DaemonTorrent, modern: bool) -> bool:
    """Return whether the content of a torrent that was just added must be read before it counts.

    3.00 always reads it by itself; 4.x trusts sizes and dates, which is right for content that was just made and
    hashed, and wrong for a partial seed and for content of unknown origin.
    """
    return modern and not held.status.is_check and (not want.trusted or want.available is not None)


def needs_check(want: WantedTorrent, held: DaemonTorrent) -> bool:
    """Return whether the content of a torrent that the daemon has must be read again before it counts."""
    if held.status.is_check:
        return False
    # What was made again: the daemon may have files open that were replaced, and serve what was wrong with them.
    # What is stopped with its files gone only has to be started; a check would not clear that error on 3.00.
    return want.remade or not is_complete(want, held)
