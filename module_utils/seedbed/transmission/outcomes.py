"""What became of each torrent, with reason and sentence for those that do not seed as wanted."""

from __future__ import annotations

from typing import Mapping, NamedTuple

from ansible.module_utils.seedbed.base.sizes import WHOLE, format_size
from ansible.module_utils.seedbed.torrent.credentials import without_password
from ansible.module_utils.seedbed.transmission.compare import announced_to, is_seeding, missing_announces
from ansible.module_utils.seedbed.transmission.torrents import LOCAL_ERROR, DaemonTorrent, WantedTorrent


class TorrentOutcome(NamedTuple):
    """One torrent at the end; `reason` and `error` are None for one that seeds as wanted."""

    name: str
    info_hash: str
    status: str
    have: int
    total: int
    announced: list[str]
    reason: str | None = None
    error: str | None = None


def torrent_outcome(
    want: WantedTorrent, held: DaemonTorrent | None, reason: str | None = None, error: str | None = None
) -> TorrentOutcome:
    """Return the torrent as it was seen last; None: the daemon does not have it."""
    if held is None:
        return TorrentOutcome(want.name, want.info_hash, "absent", 0, 0, [], reason, error)
    words, announced = held.status.words, announced_to(held)
    return TorrentOutcome(want.name, want.info_hash, words, held.have, held.total, announced, reason, error)


def content_fault(want: WantedTorrent, held: DaemonTorrent) -> tuple[str, str]:
    """Return reason and sentence for a torrent whose content was read and is not all there."""
    if held.error == LOCAL_ERROR:
        return "missing_content", f"{held.error_text} ({want.download_dir})"
    has = f"{want.download_dir} holds {format_size(held.have)} of {format_size(held.total)}"
    if held.have == 0:
        return "missing_content", f"{has}: the content is not there, or other content is"
    percent = 100 * (held.total - held.have) / held.total
    return "damaged_content", f"{has}: {percent:.1f} % is missing or differs from what was hashed"


def awaited_trackers(want: WantedTorrent, held: DaemonTorrent) -> dict[str, str]:
    """Return the trackers that a torrent which seeds still waits for, and what the daemon knows of each."""
    missing = missing_announces(want, held)
    if missing:
        return {tracker["announce"]: tracker["result"] or "no answer yet" for tracker in missing}
    return {url: "does not list it" for url in announced_to(held) if url in want.tracker_urls}


def unready_fault(want: WantedTorrent, held: DaemonTorrent, refusals: Mapping[str, str]) -> tuple[str, str]:
    """Return reason and sentence for a torrent that was not ready when time was up; refusals: by tracker."""
    if held.status.is_check:
        return "not_checked", f"waited for the check of its content, {100 * held.checked / WHOLE:.0f} % done"
    if is_seeding(want, held):
        awaited = awaited_trackers(want, held).items()
        shown = [(without_password(url), word) for url, word in awaited]
        words = [f"{url}: {refusals.get(url, word)}" for url, word in shown]
        return "not_announced", "waited for " + "; ".join(words)
    return "not_seeding", f"waited for it to seed; it is {held.status.words} {held.error_text}".strip()
