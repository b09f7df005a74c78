"""The ports that a daemon's variables open."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.seedbed.transmission.daemon_listeners import daemon_listeners

GIVEN: dict[str, Any] = {"rpc_port": 8081, "peer_port": 8082, "random": False, "first": 8100, "last": 8102}


def test_rpc_is_tcp_and_peers_are_both() -> None:
    assert daemon_listeners("x.service", **GIVEN) == [
        {"variable": "transmission_rpc_port", "port": 8081, "protocols": ["tcp"], "unit": "x.service"},
        {"variable": "transmission_peer_port", "port": 8082, "protocols": ["tcp", "udp"], "unit": "x.service"},
    ]


@pytest.mark.parametrize(
    ("first", "last", "ports"),
    [
        (8100, 8102, [8100, 8101, 8102]),
        ("8100", "8101", [8100, 8101]),
        (65534, 10**9, [65534, 65535, 65536]),
        (8102, 8100, []),
        ("many", 8102, ["many", 8102]),
    ],
)
def test_every_port_that_may_be_drawn_is_declared(first: object, last: object, ports: list[object]) -> None:
    found = daemon_listeners("x.service", **{**GIVEN, "random": True, "first": first, "last": last})[1:]
    assert [listener["port"] for listener in found] == ports
    assert {listener["variable"] for listener in found} <= {"transmission_peer_port_random_first"}
