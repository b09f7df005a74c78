"""Brings a Transmission daemon to hold, check, seed and announce a whole catalogue, and waits until it does."""

from __future__ import annotations

import math
import time
from typing import Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.torrent.model import Failure, TorrentsResult
from ansible.module_utils.seedbed.transmission.compare import new_needs_check, torrent_edits
from ansible.module_utils.seedbed.transmission.disk_content import start_would_seed
from ansible.module_utils.seedbed.transmission.outcomes import TorrentOutcome, torrent_outcome
from ansible.module_utils.seedbed.transmission.retarget import OwedRestart
from ansible.module_utils.seedbed.transmission.rpc import RpcClient, RpcDenied, RpcUnreachable
from ansible.module_utils.seedbed.transmission.torrent_plan import TorrentPlan, difference, plan_torrents
from ansible.module_utils.seedbed.transmission.torrent_rpc import TorrentRpc
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus
from ansible.module_utils.seedbed.transmission.torrents import DaemonTorrent, WantedTorrent
from ansible.module_utils.seedbed.transmission.wait import TorrentWait


class TorrentOptions(NamedTuple):
    """How to go about it: parameters of module transmission_torrents."""

    label: str = "seedbed"
    exclusive: bool = False
    alone: bool = False
    remove_data: bool = False
    timeout: float = 90
    wait: float = math.inf
    begun: bool = False
    unit: str = ""


class Applied(NamedTuple):
    """What carrying out a plan came to."""

    changed: set[str]  # hashes
    outcomes: list[TorrentOutcome]
    seconds: dict[str, float]
    progress: str  # how far it is, when the patience ended before the wait did
    restarted: bool = False  # the daemon, since trackers of running torrents changed


def converge_torrents(
    rpc: RpcClient, wanted: Sequence[WantedTorrent], options: TorrentOptions, *, check_mode: bool = False
) -> TorrentsResult:
    """Compare and, unless in check mode, carry out and wait."""
    try:
        daemon: TorrentRpc | None = TorrentRpc(rpc)
    except (RpcUnreachable, RpcDenied):
        if not check_mode:
            raise
        daemon = None  # installed, or given its new password, by an earlier task of this same run
    held = daemon.all_torrents() if daemon else {}
    modern = bool(daemon and daemon.modern)
    plan = plan_torrents(
        wanted,
        held,
        options.label,
        exclusive=options.exclusive,
        alone=options.alone,
        modern=modern,
        begun=options.begun,
    )
    owed = OwedRestart(options.unit) if options.unit else None
    if daemon and not check_mode:
        applied = apply_plan(daemon, wanted, plan, options, owed)
    else:
        outcomes = [torrent_outcome(want, held.get(want.info_hash)) for want in wanted if not want.absent]
        restarts = bool(owed and (owed.due or retargeted(plan)))
        applied = Applied(predict_changes(plan, wanted, held, modern), outcomes, {}, "", restarts)
    return {
        "changed": bool(applied.changed) or applied.restarted,
        "restarted": applied.restarted,
        "finished": not applied.progress,
        "progress": applied.progress,
        "again": {"begun": True},
        "seeding": sum(
            outcome.status == TorrentStatus.SEEDING.words and not outcome.error for outcome in applied.outcomes
        ),
        "failures": [_failure(outcome) for outcome in applied.outcomes if outcome.error],
        "seconds": applied.seconds,
        "diff": difference(plan, applied.changed, wanted, held),
    }


def _failure(outcome: TorrentOutcome) -> Failure:
    return {"name": outcome.name, "reason": outcome.reason or "", "error": outcome.error or ""}


def predict_changes(
    plan: TorrentPlan, wanted: Sequence[WantedTorrent], held: Mapping[str, DaemonTorrent], modern: bool
) -> set[str]:
    """Return the hashes of what `apply_plan` would change; what hangs on content alone is read here."""
    by_hash = {want.info_hash: want for want in wanted}
    return plan.changes | {
        info_hash for info_hash in plan.undecided if start_would_seed(by_hash[info_hash], held[info_hash], modern)
    }


def retargeted(plan: TorrentPlan) -> bool:
    """Return whether torrents that the daemon holds get other trackers."""
    return any(call.edits_trackers for calls in plan.edit.values() for call in calls)


def apply_plan(
    daemon: TorrentRpc,
    wanted: Sequence[WantedTorrent],
    plan: TorrentPlan,
    options: TorrentOptions,
    owed: OwedRestart | None = None,
) -> Applied:
    """Carry the plan out and wait; every torrent gets an outcome, whatever becomes of the others.

    Whatever the plan names may be gone by now; the wait tells of it.
    """
    begin = time.monotonic()
    daemon.send("torrent-remove", list(plan.remove), {"delete-local-data": options.remove_data})
    restarted = _retarget(daemon, plan, owed)
    answers = {want.info_hash: daemon.add(want, options.label) for want in plan.add}
    refused = {info_hash: answer for info_hash, answer in answers.items() if answer is not None}
    added = [want for want in plan.add if want.info_hash not in refused]
    touched = [*(want.info_hash for want in added), *plan.check]
    fresh = daemon.torrents(touched) if touched else {}
    edits = {key: [call for call in calls if not call.edits_trackers] for key, calls in plan.edit.items()}
    check = [info_hash for info_hash in plan.check if info_hash in fresh]
    for want in added:
        torrent = fresh.get(want.info_hash)
        if torrent:
            edits[want.info_hash] = torrent_edits(want, torrent, options.label, daemon.modern)
            if new_needs_check(want, torrent, daemon.modern):
                check.append(want.info_hash)
    running = [info_hash for info_hash in check if fresh[info_hash].status is not TorrentStatus.STOPPED]
    # What is checked would otherwise go on right after that, and fetch from others what is missing.
    daemon.stop(running)
    daemon.send_all((info_hash, call) for info_hash, calls in edits.items() for call in calls)
    daemon.send("torrent-verify", check)
    # A check is followed by a start of its own.
    daemon.restart([info_hash for info_hash in plan.announce if info_hash not in check])
    adding = time.monotonic() - begin
    expected = [want for want in wanted if not want.absent and want.info_hash not in refused]
    wait = TorrentWait(daemon, expected, options.timeout, options.wait, restarted=plan.announce)
    outcomes = wait.run()
    for want in plan.add:
        if want.info_hash in refused:
            text = f"the daemon refuses the torrent: {refused[want.info_hash]}"
            outcomes.append(torrent_outcome(want, None, "refused", text))
    # One that was started in vain is as it was.
    lost = {outcome.info_hash for outcome in outcomes if outcome.reason == "missing_content"}
    changed = (plan.changes - set(refused)) | (set(plan.undecided) & wait.started - lost)
    waiting = time.monotonic() - begin - adding
    return Applied(changed, outcomes, {"adding": adding, "waiting": waiting}, wait.progress, restarted)


def _retarget(daemon: TorrentRpc, plan: TorrentPlan, owed: OwedRestart | None) -> bool:
    """Give the torrents that the daemon holds their trackers, and restart it if it owes that; return whether it was.

    Before all else: 4.1.0-beta.2 crashes on other trackers while a torrent still says goodbye to the old ones, and what
    is added has to be looked at by the daemon that will seed it.
    """
    if owed and retargeted(plan):
        owed.note()
    daemon.send_all((key, call) for key, calls in plan.edit.items() for call in calls if call.edits_trackers)
    restarts = bool(owed and owed.due)
    if owed and restarts:
        owed.pay(daemon)
    return restarts
