"""Meet peers as another peer would and see what they have: nothing is served, little is fetched."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ContextManager, Sequence

from ansible.module_utils.seedbed.base.net import NetError
from ansible.module_utils.seedbed.probe.peer_encryption import PLAIN_OR_RC4, RC4_ONLY
from ansible.module_utils.seedbed.probe.peer_handshake import NO_QUEUE, PeerOptions, Target, client_name, greet
from ansible.module_utils.seedbed.probe.peer_visit import Visit
from ansible.module_utils.seedbed.torrent.model import PeerAnswer

MAX_REJECTIONS = 6  # by a client, each torrent plain and encrypted, after which nothing more is expected of it
CROWD_PROOF = "Transmission 4"
PAUSES = (0.0, 0.7, 1.4)  # seconds before those who were rejected come again: a busy host takes longer


class RetryQueue:
    """Attempts at a client that rejected one: they wait for each other, and end when none has come through."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rejections = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._rejections >= MAX_REJECTIONS:
            self._lock.release()
            raise NetError("closed", "the peer closes on everybody")

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        self._rejections = self._rejections + 1 if error else 0
        self._lock.release()


def meet_all(targets: Sequence[Target], options: PeerOptions) -> list[PeerAnswer]:
    """Meet all peers side by side; return what each showed, in the order given.

    Transmission 3.00 closes on whoever comes from an address that is still shaking hands, which takes it half a second:
    whoever was rejected in the crowd comes again, one after another. What a client takes beside plain connections is
    asked once a client, not once a torrent.
    """
    if not targets:
        return []
    with ThreadPoolExecutor(min(options.workers, len(targets))) as pool:
        results = list(pool.map(lambda target: meet(target, options), targets))
        for pause in PAUSES:
            rejected = _rejected(targets, results)
            if rejected:
                time.sleep(pause)  # a client sends no event; there are few pauses
                _meet_again(rejected, results, options, pool)
        met = {target[:2]: target for target, result in zip(targets, results) if result["encryption"] == "plain"}
        answers = pool.map(lambda target: refuses_encryption(target, options), met.values())
        refusing = dict(zip(met, answers))
    for target, result in zip(targets, results):
        result["plain_only"] = refusing.get(target[:2])
    return results


def _rejected(targets: Sequence[Target], results: Sequence[PeerAnswer]) -> dict[int, Target]:
    """Return the targets that may have rejected us for the crowd, by their index."""
    patient = {target[:2] for target, result in zip(targets, results) if result["client"].startswith(CROWD_PROOF)}
    return {
        index: target
        for index, (target, result) in enumerate(zip(targets, results))
        if result["reason"] == "not_served" and target[:2] not in patient
    }


def _meet_again(
    rejected: dict[int, Target], results: list[PeerAnswer], options: PeerOptions, pool: ThreadPoolExecutor
) -> None:
    queues = {target[:2]: RetryQueue() for target in rejected.values()}
    second = pool.map(lambda target: meet(target, options, queues[target[:2]]), rejected.values())
    for index, result in zip(rejected, second):
        results[index] = result


def refuses_encryption(target: Target, options: PeerOptions) -> bool | None:
    """Return whether a peer that takes plain connections takes no encrypted ones; None where it cannot be told.

    A client may also close on one who comes again so soon, while it still shakes hands with his last connection: only
    one that closes each time refuses, and takes a plain connection then.
    """
    for pause in PAUSES:
        time.sleep(pause)  # a client tells nobody when its last handshake is over; there are few pauses
        reason = _greeting(target, options, RC4_ONLY)
        if reason not in ("closed", "reset", "malformed", "not_encrypted"):
            return None if reason else False
    return True if _greeting(target, options, 0) == "" else None


def _greeting(target: Target, options: PeerOptions, provide: int) -> str:
    """Return why a peer does not shake hands, or an empty text."""
    try:
        greet(target, options, provide=provide).wire.sock.close()
    except NetError as error:
        return error.reason
    return ""


def meet(target: Target, options: PeerOptions, turn: ContextManager[Any] = NO_QUEUE) -> PeerAnswer:
    """Meet one peer; what goes wrong is a reason in the result.

    ``ok`` means that it serves the torrent over the wire. A plain handshake comes first; only a peer that closes on it
    is tried encrypted, which tells a peer that insists on encryption from one that does not have the torrent.
    """
    started = time.monotonic()
    result: PeerAnswer = {
        "address": target.address,
        "port": target.port,
        "info_hash": target.info_hash,
        "ok": False,
        "reason": "",
        "message": "",
        "encryption": "",
        "plain_only": None,
        "client": "",
        "share": None,
        "utp": "not probed",
        "remarks": [],
    }
    try:
        try:
            _visit(target, options, result, turn, 0)
        except NetError as error:
            if error.reason not in ("closed", "reset", "malformed") or result["encryption"]:
                raise
            _visit_encrypted(target, options, result, turn, error)
    except NetError as error:
        reason, message = error.reason, str(error)
        if reason in ("closed", "reset") and not result["encryption"]:
            reason = "not_served"
            message = "something answers there, but closes on this info hash, plain and encrypted"
        elif result["share"] is None:
            result["ok"] = False  # it shook hands and left
        result["reason"], result["message"] = reason, message
    result["seconds"] = round(time.monotonic() - started, 3)
    return result


def _visit_encrypted(
    target: Target, options: PeerOptions, result: PeerAnswer, turn: ContextManager[Any], first: NetError
) -> None:
    """Visit it encrypted, after the plain handshake failed; what is no peer at all stays what it was."""
    try:
        _visit(target, options, result, turn, PLAIN_OR_RC4)
    except NetError:
        if first.reason == "malformed":
            raise first from None
        raise


def _visit(target: Target, options: PeerOptions, result: PeerAnswer, turn: ContextManager[Any], provide: int) -> None:
    greeting = greet(target, options, turn, provide=provide)
    with greeting.wire.sock:
        result["ok"], result["encryption"] = True, "encrypted" if provide else "plain"
        if provide and not greeting.wire.encrypted:
            result["remarks"].append("it wants an encrypted handshake, and what follows plain")
        result["client"] = client_name(greeting.peer_id)
        Visit(greeting, target, options, result).run()
