"""What a Transmission daemon holds against what a catalogue wants of it: pure comparisons, no calls."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Sequence, Tuple

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.sizes import WHOLE, format_size
from ansible.module_utils.seedbed.transmission.rpc import unbroken

# torrent-get's `status`
STOPPED, CHECK_WAIT, CHECKING, DOWNLOAD_WAIT, DOWNLOADING, SEED_WAIT, SEEDING = range(7)
LOCAL_ERROR = 3  # torrent-get's `error` for what goes wrong on the host itself, such as files that are gone

FIELDS = (
    "hashString status labels downloadDir uploadLimit uploadLimited haveValid totalSize sizeWhenDone"
    " leftUntilDone pieceSize recheckProgress error errorString trackerStats"
)
# Read once to compare, not again and again while waiting: `wanted` is one number a file.
COMPARED_FIELDS = FIELDS + " name wanted trackers"


class WantedError(SeedbedError):
    """A torrent that cannot be asked for like this; `name` is its name."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"torrent {name!r}: {why}")
        self.name = name


class Wanted(NamedTuple):
    """One torrent of the catalogue as a seeder shall hold it."""

    name: str
    info_hash: str  # empty: whatever has the name, to be removed
    metainfo: str = ""
    download_dir: str = ""
    trackers: tuple[tuple[str, ...], ...] = ()
    upload_limit: int | None = None  # kB/s
    available: int | None = None  # millionths of the content, None for all of it
    fetch_rest: bool = False  # from other peers, what is not available
    trusted: bool = False
    remade: bool = False
    present: bool = True
    announce: str = "all"

    @property
    def whole(self) -> bool:
        """Whether it wants all of the content, there already or not."""
        return self.available is None or self.fetch_rest

    @property
    def tracker_urls(self) -> list[str]:
        """All tiers in one list; 4.x merges tiers whose trackers share a host, so tiers cannot be compared."""
        return [url for tier in self.trackers for url in tier]


def wanted_from(entry: Mapping[str, Any]) -> Wanted:
    """Checks one entry of the module's parameter."""
    name, info_hash = str(entry["name"]), str(entry.get("info_hash") or "").lower()
    absent = entry.get("state", "present") == "absent"
    if not re.fullmatch(r"[0-9a-f]{40}", info_hash) and (info_hash or not absent):
        raise WantedError(name, f"info_hash is {info_hash!r}, expected 40 hexadecimal digits")
    if absent:
        return Wanted(name, info_hash, present=False)
    metainfo, folder = "".join(str(entry.get("metainfo") or "").split()), str(entry.get("download_dir") or "")
    try:
        empty = not base64.b64decode(metainfo, validate=True)
    except binascii.Error as error:
        raise WantedError(name, "metainfo is not base64") from error
    if empty or not folder.startswith("/"):
        raise WantedError(name, f"expected metainfo and an absolute download_dir, got {folder!r}")
    limit = entry.get("upload_limit")
    return Wanted(
        name,
        info_hash,
        metainfo,
        folder.rstrip("/") or "/",
        tuple(tuple(str(url) for url in tier) for tier in entry.get("trackers") or []),
        None if limit is None else max(1, round(int(limit) / 1000)),
        entry.get("available"),
        bool(entry.get("fetch_rest")),
        bool(entry.get("trusted")),
        bool(entry.get("remade")),
        announce=str(entry.get("announce") or "all"),
    )


class Seen(NamedTuple):
    """One torrent as the daemon shows it."""

    info_hash: str
    status: int
    labels: tuple[str, ...]
    download_dir: str
    upload_limit: int | None
    have: int
    total: int
    wanted_size: int
    left: int
    piece_size: int
    checked: float
    error: int
    error_text: str
    trackers: tuple[dict[str, Any], ...]
    # Only when compared:
    name: str
    wants: frozenset[bool]  # of its files: all, none, or some of them
    tracker_ids: dict[str, int]  # its own; `trackers` has the daemon's default-trackers, too


def seen_from(fields: Mapping[str, Any]) -> Seen:
    """From torrent-get's answer."""
    return Seen(
        fields["hashString"],
        fields["status"],
        tuple(fields["labels"]),
        str(fields["downloadDir"]).rstrip("/") or "/",
        fields["uploadLimit"] if fields["uploadLimited"] else None,
        fields["haveValid"],
        fields["totalSize"],
        fields["sizeWhenDone"],
        fields["leftUntilDone"],
        fields["pieceSize"],
        fields["recheckProgress"],
        fields["error"],
        str(fields["errorString"]),
        tuple(fields["trackerStats"]),
        unbroken(str(fields.get("name", ""))),
        frozenset(map(bool, fields.get("wanted", ()))),
        {tracker["announce"]: tracker["id"] for tracker in fields.get("trackers", ())},
    )


def checking(seen: Seen) -> bool:
    """The daemon reads the content, or will when its turn comes."""
    return seen.status in (CHECK_WAIT, CHECKING)


def complete(want: Wanted, seen: Seen) -> bool:
    """The daemon has found all that this seeder shall hold. It raises no error for content that is missing."""
    if want.available is None:
        return seen.have == seen.total == seen.wanted_size
    # Whole pieces alone count; the share is rounded to some piece on either side.
    return seen.have >= seen.total * want.available // WHOLE - 2 * seen.piece_size


def seeding(want: Wanted, seen: Seen) -> bool:
    """Serves all that it shall hold, and fetches nothing unless it shall."""
    served = seen.status == SEEDING and seen.left == 0
    return (served or (want.fetch_rest and seen.status == DOWNLOADING)) and complete(want, seen)


def announced(seen: Seen) -> list[str]:
    """The trackers whose last announce succeeded."""
    return [tracker["announce"] for tracker in seen.trackers if tracker["lastAnnounceSucceeded"]]


def unannounced(want: Wanted, seen: Seen) -> list[dict[str, Any]]:
    """The trackers that must yet answer; a backup of its tier is not asked while another one answers."""
    own = [tracker for tracker in seen.trackers if tracker["announce"] in want.tracker_urls]
    asked = [tracker for tracker in own if not tracker["isBackup"]]
    missing = [tracker for tracker in asked if not tracker["lastAnnounceSucceeded"]]
    if want.announce == "none" or (want.announce == "any" and len(missing) < len(asked)):
        return []
    return missing


Call = Tuple[str, Dict[str, Any]]  # method, and arguments without ids


def edits(want: Wanted, seen: Seen, label: str, modern: bool) -> list[Call]:
    """What differs, as the calls that mend it; nothing differs: none."""
    calls: list[Call] = []
    fields: dict[str, Any] = {}
    if label not in seen.labels:
        fields["labels"] = [*seen.labels, label]
    if want.upload_limit != seen.upload_limit:
        fields["uploadLimited"] = want.upload_limit is not None
        if want.upload_limit is not None:
            fields["uploadLimit"] = want.upload_limit
    if other_share(want, seen):
        # An empty list means all files.
        fields["files-wanted" if want.whole else "files-unwanted"] = []
    trackers = _tracker_fields(want, seen, modern)
    if trackers:
        calls.append(("torrent-set", trackers))
    if fields:
        calls.append(("torrent-set", fields))
    if not _same_folder(want.download_dir, seen.download_dir, modern):
        calls.append(("torrent-set-location", {"location": want.download_dir, "move": False}))
    if trackers:
        # 4.x announces to a new tracker only when told so.
        calls.append(("torrent-reannounce", {}))
    return calls


def retargets(call: Call) -> bool:
    """Whether a call edits trackers."""
    return any(key.startswith("tracker") for key in call[1])


def other_share(want: Wanted, seen: Seen) -> bool:
    """A partial seeder wants none of the files: what it has counts as all that it wants, and it fetches nothing."""
    return seen.wants != {want.whole}


def _same_folder(wanted: str, seen: str, modern: bool) -> bool:
    # 3.00 breaks characters beyond the Basic Multilingual Plane in its answers: those cannot be compared.
    return wanted == seen or (not modern and max(wanted) > "\uffff")


def _tracker_fields(want: Wanted, seen: Seen, modern: bool) -> dict[str, Any]:
    urls = want.tracker_urls
    present = seen.tracker_ids
    if set(urls) == set(present):
        return {}
    if modern:
        return {"trackerList": "\n\n".join("\n".join(tier) for tier in want.trackers)}
    added = [url for url in urls if url not in present]
    removed = [number for url, number in present.items() if url not in urls]
    # 3.00 appends first and removes then, all in one call: the numbers stay right.
    return {**({"trackerAdd": added} if added else {}), **({"trackerRemove": removed} if removed else {})}


def needs_check(want: Wanted, seen: Seen, new: bool, modern: bool) -> bool:
    """Whether the content must be read before it counts.

    A new torrent: 3.00 always reads it by itself; 4.x trusts sizes and dates, which is right for content that was just
    made and hashed, and wrong for a partial seed and for content of unknown origin.
    """
    if checking(seen):
        return False
    if want.remade and not new:
        return True  # it may have files open that were replaced, and serve what was wrong with them
    if new:
        return modern and (not want.trusted or want.available is not None)
    # What is stopped with its files gone only has to be started; a check would not clear that error on 3.00.
    return not complete(want, seen) and seen.status in (STOPPED, DOWNLOAD_WAIT, DOWNLOADING)


class Outcome(NamedTuple):
    """One torrent at the end; `reason` and `error` are None for one that seeds as wanted."""

    name: str
    info_hash: str
    status: str
    have: int
    total: int
    announced: list[str]
    reason: str | None = None
    error: str | None = None


_STATUS_NAMES = ("stopped", "waiting to be checked", "being checked", "queued", "downloading", "queued", "seeding")


def outcome(want: Wanted, seen: Seen | None, reason: str | None = None, error: str | None = None) -> Outcome:
    """The torrent as it was seen last."""
    if seen is None:
        return Outcome(want.name, want.info_hash, "absent", 0, 0, [], reason, error)
    status = _STATUS_NAMES[seen.status]
    return Outcome(want.name, want.info_hash, status, seen.have, seen.total, announced(seen), reason, error)


def content_fault(want: Wanted, seen: Seen) -> tuple[str, str]:
    """Reason and sentence for a torrent whose content was looked at and is not all there."""
    if seen.error == LOCAL_ERROR:
        return "missing_content", f"{seen.error_text} ({want.download_dir})"
    has = f"{want.download_dir} holds {format_size(seen.have)} of {format_size(seen.total)}"
    if seen.have == 0:
        return "missing_content", f"{has}: the content is not there, or other content is"
    percent = 100 * (seen.total - seen.have) / seen.total
    return "damaged_content", f"{has}: {percent:.1f} % is missing or differs from what was hashed"


def awaited(want: Wanted, seen: Seen) -> dict[str, str]:
    """The trackers that a torrent which seeds still waits for, and what the daemon knows of each."""
    missing = unannounced(want, seen)
    if missing:
        return {one["announce"]: str(one.get("lastAnnounceResult") or "no answer yet") for one in missing}
    return {url: "does not list it" for url in announced(seen) if url in want.tracker_urls}


def waiting_for(want: Wanted, seen: Seen, refusals: Mapping[str, str]) -> tuple[str, str]:
    """Reason and sentence for a torrent that was still not ready when time was up; refusals: by tracker."""
    if checking(seen):
        return "not_checked", f"waited for the check of its content, {100 * seen.checked:.0f} % done"
    if seeding(want, seen):
        words = [f"{url}: {refusals.get(url, word)}" for url, word in awaited(want, seen).items()]
        return "not_announced", "waited for " + "; ".join(words)
    return "not_seeding", f"waited for it to seed; it is {_STATUS_NAMES[seen.status]} {seen.error_text}".strip()


def progress(want: Wanted, seen: Seen) -> float:
    """Grows as a torrent comes nearer to its end; tells waiting from hanging."""
    if checking(seen):
        return float(seen.checked)
    share = 1.0 if not seen.trackers else len(announced(seen)) / len(seen.trackers)
    return 2.0 + share if seeding(want, seen) else 1.0


def how_far(done: int, pending: Sequence[Seen]) -> str:
    """How far the wait for a catalogue is, for people."""
    checks = [seen for seen in pending if checking(seen)]
    text = f"{done} of {done + len(pending)} torrents seed"
    if checks:
        read, total = int(sum(seen.checked * seen.total for seen in checks)), sum(seen.total for seen in checks)
        text += f"; {format_size(read)} of {format_size(total)} of {len(checks)} being checked are read"
    if len(pending) > len(checks):
        text += f"; {len(pending) - len(checks)} wait for their trackers"
    return text


def by_arguments(calls: Iterable[tuple[str, Call]]) -> list[tuple[str, dict[str, Any], Sequence[str]]]:
    """Calls of (hash, call) put together: a thousand torrents with one edit are one call."""
    groups: dict[str, tuple[str, dict[str, Any], list[str]]] = {}
    for info_hash, (method, arguments) in calls:
        group = groups.setdefault(repr((method, sorted(arguments.items()))), (method, arguments, []))
        group[2].append(info_hash)
    return list(groups.values())
