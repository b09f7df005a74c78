"""What module client_download does: what it asks for, and how it tells a failure."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import client_download
import pytest
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.clients import downloads, fetching, remembered
from ansible.module_utils.seedbed.clients.contract import Client, Order, Status
from ansible.module_utils.testing import patch_module_args

ITEM = {
    "name": "a, b",
    "info_hash": "0" * 40,
    "size": 1,
    "piece_length": 16384,
    "pieces": 1,
    "files": [{"path": "a, b", "length": 1, "sha256": ""}],
    "private": False,
    "magnet": "magnet:?",
    "torrent": "torrents/a.torrent",
    "trackers": [["http://192.0.2.1:8888/announce"], ["udp://192.0.2.1:8888/announce"]],
}
PRIVATE = {**ITEM, "name": "private", "private": True, "magnet": None}
PARAMS: dict[str, Any] = {
    "items": "acceptance",
    "client": "aria2",
    "own": {},
    "missing": "",
    "user": "nobody",
    "rpc_port": 8084,
    "rpc_secret": "",
    "peer_port": 8085,
    "address": "",
    "parallel": 16,
    "seconds": 0,
    "wait": 0,
    "job": "",
    "files": [],
    "via": ["torrent", "magnet"],
    "trackers": ["http", "udp"],
    "finds": [],
    "dht_nodes": [],
    "spread": None,
    "once": False,
    "largest": 100,
}


@pytest.fixture(autouse=True)
def portal(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = {
        "schema_version": 1,
        "items": [ITEM, {**ITEM, "name": "c"}, {**ITEM, "name": "d", "trackers": []}, PRIVATE],
    }
    monkeypatch.setattr(downloads, "fetch_from_portal", lambda url: json.dumps(catalogue).encode())


def names(**changed: Any) -> list[str]:
    planned, without = fetching.planned_downloads({**PARAMS, **changed}, "http://192.0.2.1:8000/")
    assert not without
    return [job.item["name"] for job in planned]


def test_acceptance_is_spread_and_names_are_not() -> None:
    assert len(names()) == 4
    assert names(items="c") == ["c"] * 4
    assert names(items="c", spread=True) == ["c"] * 4
    assert names(items="c", via=["torrent"], trackers=["udp"]) == ["c"]


def test_what_has_no_tracker_is_fetched_where_peers_are_found_otherwise() -> None:
    planned, without = fetching.planned_downloads({**PARAMS, "items": "d"}, "http://192.0.2.1:8000/")
    assert (planned, len(without)) == ([], 1)
    finds = {"items": "c,d", "via": ["torrent"], "finds": ["dht", "lpd"]}
    planned, without = fetching.planned_downloads({**PARAMS, **finds}, "http://192.0.2.1:8000/")
    assert [(job.item["name"], job.kind) for job in planned] == [("c", "http"), ("c", "udp"), ("d", "dht/lpd")]


def test_the_acceptance_takes_what_the_ways_that_are_left_can_fetch() -> None:
    assert "private" in names(via=["torrent"])
    assert set(names(via=["magnet"])) == {"a, b", "c"}


def test_names_come_separated_by_commas_or_as_a_list() -> None:
    assert sorted(set(names(items="c,c"))) == ["c"]
    assert sorted(set(names(items=["a, b", "c"]))) == ["a, b", "c"], "a list may hold names with commas"


def test_without_anything_to_fetch_no_aria2_is_started() -> None:
    params = {**PARAMS, "portal": "http://192.0.2.1:8000", "items": "d"}
    assert fetching.fetch_all(params, "/nonexistent") == (
        [],
        [
            "d: cannot be fetched by torrent or magnet over http or udp trackers; a private item needs its .torrent, "
            "and each needs a tracker of that kind, over UDP one with an IPv4 address"
        ],
    )


def test_a_client_that_nobody_knows_is_refused_before_the_portal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "fetch_from_portal", lambda url: pytest.fail(f"{url} was asked for"))
    params = {**PARAMS, "portal": "http://192.0.2.1:8000", "client": "netscape", "own": {"acme": {"program": ["/a"]}}}
    result = fetching.run({**params, "directory": "/nonexistent"})
    assert result["finished"]
    assert re.fullmatch("there is no client 'netscape'; these are known: aria2, .*, acme", *result["failures"])


def test_what_a_client_lacks_is_skipped_and_it_is_not_even_started() -> None:
    own = {"acme": {"program": ["/nonexistent"], "features": ["torrent"]}}
    params = {**PARAMS, "portal": "http://192.0.2.1:8000", "client": "acme", "own": own, "items": "c"}
    results, failures = fetching.fetch_all({**params, "via": ["magnet"]}, "/nonexistent")
    assert failures == []
    assert [(result["tracker"], result["skipped"]) for result in results] == [
        ("http", "magnet"),
        ("udp", "magnet and udp tracker"),
    ]


def test_what_the_host_has_no_package_of_is_skipped_with_the_reason() -> None:
    params = {**PARAMS, "portal": "http://192.0.2.1:8000", "client": "rtorrent", "items": "c", "via": ["torrent"]}
    results, failures = fetching.fetch_all({**params, "missing": "package known for Rocky 9.5"}, "/nonexistent")
    assert failures == []
    assert [result["skipped"] for result in results] == ["package known for Rocky 9.5"] * 2


def test_a_failure_is_a_sentence() -> None:
    result = {"client": "aria2", "name": "c", "via": "bare_magnet", "tracker": "udp", "step": "connect"}
    said = fetching.sentence({**result, "expected": "completes", "fault": "no peer; refused"})
    assert said == "c by bare magnet over udp with aria2: failed at connect: no peer; refused"
    said = fetching.sentence({**result, "step": None, "expected": "stalls at 60%", "fault": "is complete"})
    assert said == "c by bare magnet over udp with aria2: not as promised: is complete"


@pytest.fixture
def no_unit(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have no unit at all but one of a killed download; return which were stopped."""
    stopped: list[str] = []
    monkeypatch.setattr(fetching.Unit, "active", lambda unit: True)
    monkeypatch.setattr(fetching.Unit, "stop", lambda unit: stopped.append(unit.name))
    monkeypatch.setattr(fetching, "watch", lambda: contextlib.nullcontext("watch.service"))
    return stopped


def test_what_a_killed_download_has_left_goes_and_what_was_to_be_kept_stays(tmp_path: Path, no_unit: list[str]) -> None:
    waited_for, forgotten, begins = (tmp_path / f".job-{number}" for number in range(3))
    for job in (waited_for, forgotten, begins):
        job.mkdir()
    fetching.Lease(str(waited_for)).renew()
    (forgotten / "asked").write_text(str(time.monotonic() - fetching.LEASE - 1))
    with fetching.alone(str(tmp_path)):
        killed = fetching.make_run_directory(str(tmp_path), keep=False)
        kept = fetching.make_run_directory(str(tmp_path), keep=True)
    with fetching.alone(str(tmp_path)):
        assert sorted(map(str, tmp_path.iterdir())) == sorted([kept, str(waited_for), str(begins)])
    assert killed != kept
    assert no_unit == ["seedbed-leecher.service"] * 2


def test_two_downloads_of_a_host_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PATIENCE", 0.0)
    monkeypatch.setattr(fetching.Unit, "active", lambda unit: False)
    first, second = (fetching.alone(str(tmp_path)) for _ in range(2))
    with first, pytest.raises(fetching.ClientError, match="another download is under way"):
        second.__enter__()


class Slow(Client):
    """A client that has a byte more whenever it is asked, and all of it once a file is there."""

    name, features = "slow", frozenset(("torrent", "magnet", "udp_tracker"))
    count = 0

    def __enter__(self) -> Slow:
        return self

    def __exit__(self, *_: object) -> None:
        Path(self.settings.directory, "..", "ended").touch()

    def add(self, order: Order) -> str:
        Path(order.directory).mkdir()
        return order.directory

    def status(self, handle: str) -> Status:
        self.count += 1
        there = Path(self.settings.directory, "..", "whole").exists()
        return Status("complete" if there else "downloading", self.count, 2)

    def files(self, handle: str) -> list[str]:
        path = Path(handle, "a, b")
        path.write_bytes(b"x")
        return [str(path)]

    def remove(self, handle: str) -> None:
        """It forgets nothing."""


@pytest.fixture
def slow(tmp_path: Path, no_unit: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the parameters of a download that takes as long as a test lets it."""
    monkeypatch.setattr(fetching, "make_client", lambda name, settings, own: Slow(settings))
    monkeypatch.setattr(fetching.progress, "EVERY", 0.0)
    monkeypatch.setitem(ITEM["files"][0], "sha256", hashlib.sha256(b"x").hexdigest())
    more = {"portal": "http://192.0.2.1:8000", "items": ["a, b"], "via": ["torrent"], "trackers": ["http"]}
    limits = {"directory": str(tmp_path / "srv"), "keep": False, "stall_seconds": 120}
    return {**PARAMS, **more, **limits, "client": "slow"}


def until(ask: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 120
    while not (answer := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two questions; the deadline bounds the wait
    return answer


def test_a_download_that_goes_on_is_asked_for_again_and_again(slow: dict[str, Any]) -> None:
    directory = Path(slow["directory"])
    result = fetching.run(slow)
    assert (result["finished"], result["changed"], result["downloads"]) == (False, False, [])
    again = {**slow, **result["again"]}

    def told() -> str:
        return str(fetching.run(again)["progress"])

    line = until(lambda: [line for line in told().splitlines() if "downloading" in line])[0]
    assert re.fullmatch(r"    a, b  torrent over http  downloading  \d+ %  .*/s  2 peers", line)
    (directory / "whole").touch()
    result = fetching.run({**again, "wait": 120})
    assert result["finished"]
    assert [(each["ok"], each["fault"]) for each in result["downloads"]] == [(True, "")]
    assert sorted(path.name for path in directory.iterdir()) == ["ended", "whole"]


def test_the_module_tells_what_is_wrong_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"portal": "http://192.0.2.1/", "user": "nobody", "rpc_port": 1, "peer_port": 2, "directory": str(tmp_path)}
    for more, status, told in (
        ({"client": "netscape"}, 0, "there is no client 'netscape'"),
        ({"job": ".job-1/2"}, 1, "the downloads have ended, as nobody asked for them in time; run again"),
    ):
        with patch_module_args({**given, **more}), pytest.raises(SystemExit) as exit_status:
            client_download.main()
        assert exit_status.value.code == status
        assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "reason", "fault"),
    [
        ({"once": True}, "not_served", ""),
        ({"once": True}, "refused", "no progress"),
        ({"once": True, "items": ["a, b"]}, "not_served", "no progress"),
        ({"once": False}, "not_served", "no progress"),
    ],
)
def test_to_the_proof_of_a_lab_a_seeder_that_has_seen_all_of_it_here_is_no_fault(
    slow: dict[str, Any], monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], reason: str, fault: str
) -> None:
    monkeypatch.setattr(Slow, "status", lambda client, handle: Status("downloading", 0, 2))
    peers = [{"address": "192.0.2.21", "port": 8082}]
    monkeypatch.setattr(remembered, "ask", lambda asked, _: [{"ok": True, "peers": peers} for _ in asked])
    monkeypatch.setattr(remembered, "meet_all", lambda met, _: [{"ok": False, "reason": reason} for _ in met])
    asked = {**slow, "items": "acceptance", "stall_seconds": 0.1, **more}
    directory = Path(slow["directory"])
    directory.mkdir()
    results, failures = fetching.fetch_all(asked, str(directory))
    assert bool(failures) == bool(fault)
    tried = [result for result in results if result["step"]]  # of some the client lacks something
    assert tried
    for result in tried:
        assert (result["ok"], result["step"]) == (False, "connect")
        assert result["fault"].startswith(fault)
        assert result["skipped"] == ("" if fault else remembered.LACKING)


def test_a_download_that_nobody_asks_for_ends(slow: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "LEASE", 0.0)
    result = fetching.run(slow)
    directory = Path(slow["directory"])
    assert not result["finished"]
    until((directory / "ended").exists)
    monkeypatch.setattr(fetching, "LEASE", 120.0)
    with pytest.raises(SeedbedError, match="nobody waits for these downloads any more"):
        fetching.run({**slow, **result["again"], "wait": 120})
    assert [path.name for path in directory.iterdir()] == ["ended"]
    with pytest.raises(SeedbedError, match="have ended, as nobody asked for them in time"):
        fetching.run({**slow, **result["again"]})
