"""A tracker that was restarted knows nobody; the seeder's own state does not show it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.seedbed.transmission import tracker_memory
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus
from ansible.module_utils.seedbed.transmission.torrents import DaemonTorrent, WantedTorrent, seeder_tracker

TRACKER = "http://192.0.2.1:8888/announce"


def wanted(number: int, **keys: Any) -> WantedTorrent:
    return WantedTorrent(f"item {number}", f"{number:040x}", trackers=((TRACKER,),), **keys)


def held(want: WantedTorrent, *, status: int = 6, succeeded: bool = True, left: int = 0) -> DaemonTorrent:
    stats = {"announce": TRACKER, "isBackup": False, "hasAnnounced": True, "lastAnnounceSucceeded": succeeded}
    return DaemonTorrent(
        want.info_hash,
        TorrentStatus(status),
        (),
        "/srv",
        None,
        100 - left,
        100,
        100,
        left,
        16,
        0,
        0,
        "",
        (seeder_tracker({**stats, "lastAnnounceResult": ""}),),
        "x",
        frozenset({True}),
        {},
    )


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the tracker knows, and which torrents it was asked about."""
    state: dict[str, Any] = {"seeders": {}, "leechers": {}, "answers": True, "asked": []}

    def ask(questions: Any, settings: Any) -> list[dict[str, Any]]:
        state["asked"] += [question.info_hash for question in questions]
        return [
            {
                "ok": state["answers"],
                "seeders": state["seeders"].get(question.info_hash, 0),
                "leechers": state["leechers"].get(question.info_hash, 0),
            }
            for question in questions
        ]

    monkeypatch.setattr(tracker_memory, "ask", ask)
    return state


def unlisted(wants: list[WantedTorrent], **keys: Any) -> list[str]:
    return tracker_memory.unlisted(wants, {want.info_hash: held(want, **keys) for want in wants})


def test_a_few_torrents_tell_that_a_tracker_lists_all(tracker: dict[str, Any]) -> None:
    wants = [wanted(number) for number in range(100)]
    tracker["seeders"] = {want.info_hash: 1 for want in wants}
    assert unlisted(wants) == []
    assert len(tracker["asked"]) == tracker_memory.SAMPLE


def test_a_restarted_tracker_lists_none(tracker: dict[str, Any]) -> None:
    wants = [wanted(number) for number in range(100)]
    tracker["seeders"] = {wants[7].info_hash: 1}
    assert unlisted(wants) == sorted(want.info_hash for want in wants if want is not wants[7])


def test_a_tracker_that_may_refuse_some_is_asked_about_each(tracker: dict[str, Any]) -> None:
    wants = [wanted(number) for number in range(10)]
    tracker["seeders"] = {want.info_hash: 1 for want in wants[:-1]}
    states = {want.info_hash: held(want) for want in wants}
    assert tracker_memory.unlisted(wants, states) == []
    assert tracker_memory.unlisted(wants, states, ask_each=True) == [wants[-1].info_hash]


def test_one_that_holds_only_part_is_known_as_a_leecher(tracker: dict[str, Any]) -> None:
    part = wanted(1, available=500_000)
    tracker["leechers"] = {part.info_hash: 1}
    assert unlisted([part]) == []
    tracker["leechers"] = {}
    assert unlisted([part]) == [part.info_hash]


@pytest.mark.parametrize(
    ("seeders", "leechers", "state", "known"),
    [
        (1, 0, {"status": 4, "left": 50}, False),  # the seeder is another one
        (1, 1, {"status": 4, "left": 50}, True),
        (0, 1, {}, True),  # has just become whole
        (1, 0, {}, True),
        (0, 0, {}, False),
    ],
)
def test_one_that_fetches_the_rest_becomes_a_seeder(
    tracker: dict[str, Any], seeders: int, leechers: int, state: dict[str, Any], known: bool
) -> None:
    part = wanted(1, available=500_000, fetch_rest=True)
    tracker["seeders"], tracker["leechers"] = {part.info_hash: seeders}, {part.info_hash: leechers}
    assert unlisted([part], **state) == ([] if known else [part.info_hash])


@pytest.mark.parametrize("keys", [{"status": 0}, {"succeeded": False}])
def test_what_does_not_seed_or_was_never_announced_is_not_asked_about(
    tracker: dict[str, Any], keys: dict[str, Any]
) -> None:
    assert unlisted([wanted(1)], **keys) == []
    assert tracker["asked"] == []


def test_a_tracker_that_does_not_answer_tells_nothing(tracker: dict[str, Any]) -> None:
    tracker["answers"] = False
    assert unlisted([wanted(1)]) == []
