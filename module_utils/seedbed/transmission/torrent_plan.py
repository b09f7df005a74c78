"""What a run will change of a daemon's torrents, decided before anything is touched."""

from __future__ import annotations

from typing import Any, Collection, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.torrent.client_names import name_on_3
from ansible.module_utils.seedbed.torrent.credentials import without_password
from ansible.module_utils.seedbed.torrent.model import BeforeAfter
from ansible.module_utils.seedbed.transmission.compare import (
    RpcCall,
    is_leeching,
    needs_check,
    torrent_edits,
    wants_other_files,
)
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus
from ansible.module_utils.seedbed.transmission.torrents import LOCAL_ERROR, DaemonTorrent, WantedTorrent
from ansible.module_utils.seedbed.transmission.tracker_memory import unlisted


class TorrentPlan(NamedTuple):
    """What has to be done, by torrent."""

    remove: dict[str, str]  # hash to name
    add: list[WantedTorrent]
    edit: dict[str, list[RpcCall]]  # by hash
    check: list[str]  # the daemon reads their content
    start: list[str]  # stopped, queued or leeching: shall seed
    announce: list[str]  # not listed by their tracker: shall be announced again
    finish: list[str]  # being checked already: shall seed afterwards
    undecided: list[str]  # start if their content turns out to be all there, and else stay as they are

    @property
    def changes(self) -> set[str]:
        """Return the hashes of torrents that change, whatever their content turns out to be."""
        found = {*self.remove, *self.edit, *self.check, *self.start, *self.announce, *self.finish}
        return (found - set(self.undecided)) | {want.info_hash for want in self.add}


def plan_torrents(
    wanted: Sequence[WantedTorrent],
    held: Mapping[str, DaemonTorrent],
    label: str,
    *,
    exclusive: bool,
    modern: bool,
    begun: bool = False,
    alone: bool = False,
) -> TorrentPlan:
    """Compare, and ask the trackers whether they still list what seeds; change nothing.

    alone: what others have added goes, too.
    begun: an earlier call has had read whatever had to be, and was interrupted.
    """
    by_hash = {want.info_hash: want for want in wanted if want.info_hash}
    # Of what is to go the name may be all that is known; 3.00 has its own.
    nameless = [want.name for want in wanted if not want.info_hash]
    unwanted_names = {*nameless, *map(name_on_3, nameless)}
    plan = TorrentPlan({}, [], {}, [], [], unlisted(list(by_hash.values()), held), [], [])
    for info_hash, torrent in held.items():
        want = by_hash.get(info_hash)
        if label in torrent.labels:
            goes = want.absent if want else exclusive or torrent.name in unwanted_names
        else:  # somebody else added it: not ours to remove, unless the lab is to be alone
            goes = alone and not want
        if goes:
            plan.remove[info_hash] = want.name if want else torrent.name
    for info_hash, want in by_hash.items():
        if not want.absent and info_hash not in held:
            plan.add.append(want)
        elif not want.absent:
            _plan_held(plan, want, held[info_hash], torrent_edits(want, held[info_hash], label, modern), begun=begun)
    return plan


def _plan_held(
    plan: TorrentPlan, want: WantedTorrent, held: DaemonTorrent, edits: list[RpcCall], *, begun: bool
) -> None:
    info_hash = want.info_hash
    if edits:
        plan.edit[info_hash] = edits
    moved = any(call.method == "torrent-set-location" for call in edits) or wants_other_files(want, held)
    check = moved or (not begun and needs_check(want, held))
    if check:
        plan.check.append(info_hash)
    ready = held.status.is_idle and not check and not begun and held.error != LOCAL_ERROR
    if ready or is_leeching(want, held):
        plan.start.append(info_hash)
    if held.status.is_check and not begun:
        plan.finish.append(info_hash)
    stops = check and (held.status is not TorrentStatus.STOPPED or want.remade)
    waits = held.status.is_idle or (held.status.is_check and begun)
    if waits and not stops and info_hash not in plan.edit and info_hash not in plan.start:
        plan.undecided.append(info_hash)


def _shown(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call as they may stand in a diff: without the passwords of announce addresses."""
    return {
        key: [without_password(entry) if isinstance(entry, str) else entry for entry in value]
        if isinstance(value, list)
        else "\n".join(map(without_password, value.split("\n")))
        if isinstance(value, str)
        else value
        for key, value in arguments.items()
    }


def difference(
    plan: TorrentPlan,
    changed: Collection[str],
    wanted: Sequence[WantedTorrent],
    held: Mapping[str, DaemonTorrent],
) -> BeforeAfter:
    """Return the diff: a line for each torrent that changes."""
    before: dict[str, Any] = {plan.remove[info_hash]: "present" for info_hash in plan.remove if info_hash in changed}
    after: dict[str, Any] = {
        want.name: f"seeding as {want.info_hash}" for want in plan.add if want.info_hash in changed
    }
    for want in wanted:
        torrent = held.get(want.info_hash)
        if torrent and want.info_hash in changed and want.info_hash not in plan.remove:
            edits: list[Any] = [_shown(call.arguments) or call.method for call in plan.edit.get(want.info_hash, [])]
            check = ["content read again"] if want.info_hash in plan.check else []
            before[want.name] = torrent.status.words
            if want.info_hash in plan.announce:
                before[want.name] = "not listed by its tracker"
            after[want.name] = [*edits, *check] or "seeding"
    return {"before": before, "after": after}
