"""What the doctor says of a torrent that is played by script: an ordered fault is none, a player that is gone is."""

from __future__ import annotations

import base64
import copy
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import scripted_info
from ansible.module_utils.seedbed.doctor.choice import catalogue_subjects, make_case
from ansible.module_utils.seedbed.doctor.host_state import host_state
from ansible.module_utils.seedbed.doctor.judge import verdict
from ansible.module_utils.seedbed.torrent.model import to_json
from ansible.module_utils.testing import patch_module_args
from doctor_lab import HASH, lab
from scripted_lab import ScriptedLab, make_torrent, peers

OURS = "192.0.2.41"
PROMISE: dict[str, Any] = {
    "outcome": "stalls",
    "magnet": "stalls",
    "available": "60%",
    "never_pieces": [],
    "hard": False,
    "rules": [],
    "testimony": "http://192.0.2.1:8086/testimony/x.json",
}
INFO = {"active": True, "message": "", "fault": "", "info_hashes": [HASH], "missing": []}
HOST = {"address": "192.0.2.1", "addresses": ["192.0.2.1", OURS], "info": INFO}


def judged(*, promise: Any = None, host: Any = None, places: tuple[str, ...] = ("192.0.2.1", OURS), **more: Any) -> Any:
    seen = copy.deepcopy(lab())
    item = {**seen["item"], "swarm": {"seeders": []}, "promise": promise or PROMISE, "played_at": list(places), **more}
    scripted = {} if host == "none" else {"tracker1": host or HOST}
    return verdict(item, seen["view"], seen["seeders"], seen["trackers"], scripted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("promise", "cause"),
    [
        ({}, "a download stalls at 60%, as ordered"),
        ({"outcome": "completes", "available": "100%"}, "it completes, as ordered"),
        ({"outcome": "refused", "available": "0%"}, "no peer takes a client, as ordered"),
    ],
)
def test_what_was_ordered_is_no_fault(promise: dict[str, Any], cause: str) -> None:
    found = judged(promise={**PROMISE, **promise})
    assert (found["verdict"], found["severity"], found["cause"], found["more"]) == ("as_ordered", "ok", cause, [])


def test_what_trackers_and_peers_show_was_ordered_too() -> None:
    """A tracker that asks for an announce every second would be odd, and peers that close would be a fault."""
    seen = copy.deepcopy(lab())
    for answer in seen["view"]["trackers"]:
        answer["interval"] = 1
    seen["view"]["peers"][0].update(ok=False, reason="refused")
    item = {**seen["item"], "swarm": {"seeders": []}, "promise": PROMISE, "played_at": [OURS]}
    found = verdict(item, seen["view"], seen["seeders"], seen["trackers"], {"tracker1": HOST})  # type: ignore[arg-type,dict-item]
    assert (found["verdict"], found["more"]) == ("as_ordered", [])


@pytest.mark.parametrize(
    ("host", "code", "words"),
    [
        ({"info": None}, "scripted_unreachable", "tracker1, which plays it by script, cannot be reached by SSH"),
        (
            {"info": {**INFO, "active": False, "info_hashes": []}},
            "scripted_down",
            "the scripted peer is down: its daemon does not run on tracker1",
        ),
        ({"info": {**INFO, "info_hashes": []}}, "scripted_not_played", "on tracker1 does not play it"),
        ({"info": {**INFO, "missing": [OURS]}}, "scripted_address_gone", f"tracker1 plays a peer at {OURS}"),
        ({"info": {**INFO, "fault": "it is no JSON"}}, "scripted_stale", "refuses its configuration: it is no JSON"),
        ({"addresses": ["192.0.2.1"]}, "scripted_nowhere", f"{OURS} should play it"),
        # Which may have any address.
        ({"address": "tracker1", "addresses": [], "info": None}, "scripted_unreachable", "tracker1, which"),
        ("none", "scripted_nowhere", "192.0.2.1 should play it by script, and is no address of a host in"),
    ],
)
def test_a_player_that_does_not_play_is_named(host: Any, code: str, words: str) -> None:
    found = judged(host=host if isinstance(host, str) else {**HOST, **host})
    assert (found["verdict"], found["severity"]) == (code, "warning" if code == "scripted_stale" else "fault")
    assert words in found["cause"]


def test_the_address_of_others_may_be_gone() -> None:
    assert judged(host={**HOST, "info": {**INFO, "missing": [OURS]}}, places=("192.0.2.1",))["verdict"] == "as_ordered"


def test_real_seeders_beside_it_are_judged_by_their_own_account() -> None:
    seen = copy.deepcopy(lab())
    seen["seeders"]["seeder1"]["info"]["active"] = False
    item = {**seen["item"], "promise": PROMISE, "played_at": [OURS]}
    found = verdict(item, seen["view"], seen["seeders"], seen["trackers"], {"tracker1": HOST})  # type: ignore[arg-type,dict-item]
    assert found["cause"] == "Transmission is not running on seeder1"


def test_a_client_is_told_what_else_was_ordered() -> None:
    said = judged(promise={**PROMISE, "magnet": "no_metadata", "hard": True})["remarks"]
    assert said == [
        "a magnet never gets its metadata, as ordered",
        "popular clients are known to fail here, as ordered",
    ]
    assert judged(private=True)["remarks"][0].startswith("private: use the .torrent")


# -- what is looked at ------------------------------------------------------------------------------------------------

ITEM = {
    **lab()["item"],
    "size": 100,
    "webseeds": [],
    "promise": PROMISE,
    "swarm": {
        "seeders": [],
        "available": "100%",
        "peers": [{"address": OURS, "port": 8086}],
        "trackers": [{"url": "http://192.0.2.1:8086/announce/1-1/announce"}],
        "webseed": {"url": "http://[fd00::1]:8086/webseed/x/"},
    },
}


def test_an_item_says_where_it_is_played() -> None:
    [subject] = catalogue_subjects(json.dumps({"items": [ITEM]}).encode(), "p")
    assert subject["played_at"] == [OURS, "192.0.2.1", "fd00::1"]
    assert subject["promise"] == PROMISE


@pytest.mark.parametrize(("named", "asked"), [("", []), ("item", ["item"])])
def test_scripted_swarms_are_asked_only_where_they_are_named(named: str, asked: list[str]) -> None:
    nothing = {"reached": True, "tracker": None, "seeder": None, "scripted": None}
    catalogue = json.dumps({"items": [ITEM]}).encode()
    states = {"tracker1": to_json({**nothing, "catalogue": base64.b64encode(catalogue).decode()})}
    case = make_case(states, {"doctor_items": named, "doctor_torrent_file": "", "doctor_magnet": ""}, "tracker1")
    assert [subject["name"] for subject in json.loads(case["asked_json"])] == asked
    assert [subject["name"] for subject in json.loads(case["subjects_json"])] == ["item"]


def test_a_host_that_plays_says_so() -> None:
    answers: dict[str, Any] = {"facts": {}, "tracker": {}, "seeder": {}, "catalogue": {}, "scripted": INFO}
    inventory: dict[str, Any] = {"tracker_port": 1, "tracker_interval": 0, "peer_port": 2, "addresses": [OURS]}
    found = host_state(answers, groups=["scripted_peers"], address="a.name", ip="192.0.2.1", **inventory)
    assert found["scripted"] == {"address": "a.name", "addresses": ["192.0.2.1", OURS], "info": INFO}
    gone = {**answers, "scripted": {"unreachable": True}}
    found = host_state(gone, groups=["scripted_peers"], address="a", ip="b", **inventory)
    assert found["scripted"] == {"address": "a", "addresses": ["b", OURS], "info": None}


# -- the module that asks ---------------------------------------------------------------------------------------------

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setattr(scripted_info, "devices", lambda: {"127.0.0.1": "lo"})

    def run(port: int) -> dict[str, Any]:
        addresses = ["127.0.0.1", OURS, "", "a.name"]
        with patch_module_args({"port": port, "addresses": addresses}), pytest.raises(SystemExit):
            scripted_info.main()
        return dict(json.loads(capsys.readouterr().out))

    return run


def test_the_daemon_tells_what_it_plays(ask: Ask, tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({"behaviour": "stall"})}
    with ScriptedLab(tmp_path, torrent) as daemon:
        said = ask(daemon.port)
        assert (said["active"], said["fault"]) == (True, "")
        assert (said["info_hashes"], said["missing"]) == ([torrent["info_hash"]], [OURS])
        daemon.config.write_text("{", encoding="utf-8")
        daemon.reload()
        assert "is no JSON" in ask(daemon.port)["fault"]


class Stranger(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"[1]\n")

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_what_does_not_answer_as_the_daemon_is_not_running(ask: Ask, stranger: int) -> None:
    assert ask(stranger)["active"] is False
    said = ask(1)
    assert (said["active"], said["info_hashes"]) == (False, [])
    assert "refused" in said["message"]
