"""Module swarm_info: one call asks the trackers and meets whom they hand out and who should be there."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import swarm_info
from ansible.module_utils.seedbed.probe.swarms import MAX_PEERS, targets
from ansible.module_utils.testing import patch_module_args
from doctor_lab import HASH, HTTP, UDP, answer, lab

OTHER = "2b" * 20


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        swarm_info.main()
    return dict(json.loads(capsys.readouterr().out))


def addresses(*answers: dict[str, Any], own: tuple[str, int] = ("", 0), item: Any = None) -> list[tuple[Any, ...]]:
    seen = lab()
    own_peer = {"address": own[0], "port": own[1]}
    return [tuple(target) for target in targets([item or seen["item"]], answers, seen["seeders"], own_peer)]


def test_the_seeders_are_met_first_then_what_trackers_hand_out_but_not_oneself() -> None:
    peers = [{"address": "192.0.2.3", "port": 8085}, {"address": "192.0.2.8", "port": 9000}]
    assert addresses(answer(HTTP, peers=peers), answer(UDP), own=("192.0.2.3", 8085)) == [
        ("192.0.2.2", 8082, HASH),
        ("192.0.2.8", 9000, HASH),
    ]


def test_only_the_peers_of_the_same_torrent_are_met_and_not_too_many() -> None:
    many = [{"address": "192.0.2.8", "port": port} for port in range(9000, 9100)]
    assert len(addresses(answer(HTTP, peers=many))) == MAX_PEERS
    assert addresses(answer(HTTP, info_hash=OTHER, peers=many)) == [("192.0.2.2", 8082, HASH)]


def test_a_torrent_that_is_not_the_labs_has_the_trackers_peers_alone() -> None:
    assert addresses(item={**lab()["item"], "swarm": None}) == []


def test_one_call(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tracker = f"http://127.0.0.1:{port}/announce"
    subject = {"info_hash": HASH, "trackers": [[tracker], [tracker]], "swarm": {"seeders": ["seeder1"]}}
    seeders = {"seeder1": {"address": "127.0.0.1", "peer_port": port}}
    for arguments in (
        {"subjects": [subject], "seeders": seeders},
        {"subjects": json.dumps([subject]), "seeders": json.dumps(seeders)},
    ):
        result = run(capsys, **arguments)
        assert result["changed"] is False
        assert [(entry["kind"], entry["reason"]) for entry in result["trackers"]] == [
            ("scrape", "refused"), ("announce", "refused"),
        ]  # fmt: skip
        assert [(entry["port"], entry["reason"]) for entry in result["peers"]] == [(port, "refused")]
    bad = run(capsys, subjects=[{**subject, "info_hash": "x"}])
    assert bad["msg"] == "subjects has info_hash 'x'; expected 40 hexadecimal digits"
