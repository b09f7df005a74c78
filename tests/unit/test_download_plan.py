"""Which items are downloaded by which ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.seedbed.clients.download_plan import (
    PlanError,
    plan_downloads,
    read_catalogue,
    select_items,
    tracker_kind,
)

HTTP, UDP = "http://192.0.2.1:8888/announce", "udp://192.0.2.1:8888/announce"
KINDS = ["http", "udp"]
BOTH = {("torrent", "http"), ("torrent", "udp"), ("magnet", "http"), ("magnet", "udp")}


def item(name: str, size: int, files: int = 1, pieces: int = 1, **more: Any) -> dict[str, Any]:
    """Return an entry of the catalogue."""
    return {
        "name": name,
        "size": size,
        "pieces": pieces,
        "files": [{}] * files,
        "private": False,
        "magnet": "magnet:?xt=urn:btih:" + name,
        "trackers": [[HTTP], [UDP]],
        "swarm": {},
        **more,
    }


CATALOGUE = [
    item("empty", 0),
    item("one-byte", 1),
    item("small", 5),
    item("many", 500, files=1000),
    item("big", 1000, pieces=64),
    item("huge", 9999, pieces=999),
    item("partial", 2, swarm={"available": "60%"}),
    item("parts", 2, swarm={"ranges": {"a": "0-60%", "b": "40-100%"}}),
    item("slow", 3, swarm={"upload_limit": "100KiB/s"}),
    item("webseed", 4, webseeds=["http://192.0.2.1/"]),
    item("hybrid", 2, version="hybrid"),
    item("nobody-seeds-it", 2, swarm={"seeders": []}),
    item("no-tracker", 2, trackers=[]),
    item("private", 7, private=True, magnet=None),
]


def names(items: list[dict[str, Any]]) -> list[str]:
    return [entry["name"] for entry in items]


def test_acceptance_takes_the_items_that_show_most() -> None:
    assert names(select_items(CATALOGUE, "acceptance", 5000)) == ["many", "big", "one-byte", "small", "private"]


def test_acceptance_of_a_single_item_is_that_item() -> None:
    assert names(select_items(CATALOGUE[1:2], "acceptance", 5000)) == ["one-byte"]


def test_acceptance_needs_an_item_that_can_be_had() -> None:
    with pytest.raises(PlanError, match="has no item for the acceptance download"):
        select_items([CATALOGUE[0], CATALOGUE[6]], "acceptance", 5000)


def test_items_by_name_in_the_wanted_order_each_once() -> None:
    assert names(select_items(CATALOGUE, ["small", "big", "small"], 0)) == ["small", "big"]
    assert names(select_items(CATALOGUE, "all", 0)) == names(CATALOGUE)
    played = {**CATALOGUE[0], "name": "played", "promise": {"outcome": "stalls"}}
    assert names(select_items([*CATALOGUE, played], "all", 0)) == names(CATALOGUE)
    assert names(select_items([*CATALOGUE, played], "played", 0)) == ["played"]
    with pytest.raises(PlanError, match="no item for the acceptance download"):
        select_items([played], "acceptance", 2**40)


def test_an_unknown_name_is_told_with_its_neighbours() -> None:
    with pytest.raises(PlanError, match=r"named 'smal'; did you mean small or slow or many\?$"):
        select_items(CATALOGUE, "smal", 0)
    with pytest.raises(PlanError, match=r"^the catalogue has no item named 'xyz'$"):
        select_items(CATALOGUE, ["xyz"], 0)


def test_acceptance_covers_every_way_with_one_way_an_item() -> None:
    jobs, _ = plan_downloads(select_items(CATALOGUE, "acceptance", 5000), ["torrent", "magnet"], KINDS, True)
    assert {(job.via, job.kind) for job in jobs} == BOTH
    assert len(jobs) == 5


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_items_still_cover_every_way(count: int) -> None:
    jobs, _ = plan_downloads(CATALOGUE[1 : 1 + count], ["torrent", "magnet"], KINDS, True)
    assert {(job.via, job.kind) for job in jobs} == BOTH
    assert len(jobs) == 4


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_items_of_a_seeder_that_serves_once_are_fetched_once(count: int) -> None:
    jobs, _ = plan_downloads(CATALOGUE[1 : 1 + count], ["torrent", "magnet"], KINDS, True, once=True)
    assert names([job.item for job in jobs]) == names(CATALOGUE[1 : 1 + count])
    assert len({job.way for job in jobs}) == count


def test_named_items_are_fetched_every_way() -> None:
    jobs, _ = plan_downloads([CATALOGUE[1], CATALOGUE[-1]], ["torrent", "magnet"], KINDS, False)
    assert [(job.item["name"], job.via, job.kind) for job in jobs] == [
        ("one-byte", "torrent", "http"),
        ("one-byte", "torrent", "udp"),
        ("one-byte", "magnet", "http"),
        ("one-byte", "magnet", "udp"),
        ("private", "torrent", "http"),
        ("private", "torrent", "udp"),
    ]


@pytest.mark.parametrize("spread", [False, True])
def test_an_item_without_any_possible_way_is_named_and_holds_up_no_other(spread: bool) -> None:
    jobs, (sentence,) = plan_downloads([CATALOGUE[-1], CATALOGUE[1]], ["magnet"], ["udp"], spread)
    assert sentence.startswith("private: cannot be fetched by magnet over udp trackers; a private item needs")
    assert [job.item["name"] for job in jobs] == ["one-byte"]
    jobs, (sentence,) = plan_downloads([item("only-http", 1, trackers=[[HTTP]])], ["torrent"], ["udp"], spread)
    assert sentence.startswith("only-http: cannot be fetched by torrent over udp trackers")
    assert jobs == []


@pytest.mark.parametrize(("url", "kind"), [(HTTP, "http"), ("https://192.0.2.1/announce", "http"), (UDP, "udp")])
def test_kinds_of_trackers(url: str, kind: str) -> None:
    assert tracker_kind(url) == kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"<html>", "catalogue.json is not JSON: "),
        (b"\xff\xfe\xfd", "catalogue.json is not JSON: "),
        (b"[]", "catalogue.json: expected schema_version 2, got None"),
        (b'{"schema_version": 3}', "catalogue.json: expected schema_version 2, got 3"),
    ],
)
def test_a_catalogue_of_another_kind_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        read_catalogue(text)


def test_a_catalogue_is_read() -> None:
    assert names(read_catalogue(json.dumps({"schema_version": 1, "items": CATALOGUE}).encode())) == names(CATALOGUE)


def test_over_udp_not_every_client_asks_trackers_at_an_ipv6_address() -> None:
    six = [["http://[fd00::1]:8888/announce"], ["udp://[fd00::1]:8888/announce"]]
    far = item("far", 1, trackers=six)
    both = item("both", 1, trackers=[*six, [UDP]])
    jobs, without = plan_downloads([far, both], ["torrent"], KINDS, spread=False)
    assert [(job.item["name"], job.kind) for job in jobs] == [("far", "http"), ("both", "http"), ("both", "udp")]
    assert without == []
    assert "over UDP one with an IPv4 address" in plan_downloads([far], ["torrent"], ["udp"], spread=False)[1][0]
    jobs, without = plan_downloads([far, both], ["torrent"], KINDS, spread=False, udp_ipv6=True)
    assert [(job.item["name"], job.kind) for job in jobs] == [
        (name, kind) for name in ("far", "both") for kind in KINDS
    ]
    assert without == []
