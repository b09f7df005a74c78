"""Faults of the portal's variables, and whose aria2 its page may talk to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.seedbed.host.portal_config import connect_sources, open_rpcs, portal_faults

GOOD: dict[str, Any] = {
    "users": ["alice:$6$salt$hash"],
    "networks": ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"],
    "hosts": ["tracker1", "seeder1", "tracker1"],
    "inventory": ["tracker1", "seeder1"],
    "aria2_rpc": ["192.0.2.31:8084", "[2001:db8::1]:8084", "leecher.example:8084"],
}


def test_good_settings_have_no_faults() -> None:
    assert portal_faults(**GOOD) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {"users": ["alice:secret"]},
            "portal_users has an entry for alice that is not NAME:HASH; make the hash with openssl passwd -6",
        ),
        (
            {"users": ["alice:$6$x y"]},
            "portal_users has an entry for alice that is not NAME:HASH; make the hash with openssl passwd -6",
        ),
        (
            {"reset_token": "too short"},
            "portal_reset_token is shorter than 16 characters, or has other ones than HTTP takes in a header; make one "
            "with openssl rand -hex 24",
        ),
        ({"networks": ["lan"]}, "portal_networks has lan, which is no network; write it as in 192.168.10.0/24"),
        (
            {"networks": ["999.0.0.0/8"]},
            "portal_networks has 999.0.0.0/8, which is no network; write it as in 192.168.10.0/24",
        ),
        (
            {"hosts": ["seeder9", "seeder9"]},
            "portal_trackers or portal_seeders names seeder9, which is not in the inventory",
        ),
        (
            {"aria2_rpc": ["http://192.0.2.31:8084"]},
            "portal_aria2_rpc has http://192.0.2.31:8084, which is not HOST:PORT; write it as in 192.0.2.31:8084",
        ),
    ],
)
def test_each_fault_is_one_sentence(change: dict[str, Any], fault: str) -> None:
    assert portal_faults(**{**GOOD, **change}) == [fault]


def test_a_leecher_without_a_secret_answers_nobody_else() -> None:
    assert open_rpcs(
        [
            {"lab_address": "192.0.2.1", "lab_services": {"leecher": {"rpc_port": 8084, "rpc_open": True}}},
            {"lab_address": "2001:db8::1", "lab_services": {"leecher": {"rpc_port": 8500, "rpc_open": True}}},
            {"lab_address": "192.0.2.2", "lab_services": {"leecher": {"rpc_port": 8084, "rpc_open": False}}},
            {"lab_address": "192.0.2.3", "lab_services": {"seeder": {}}},
            {"lab_address": "192.0.2.3"},
            {"lab_services": {"leecher": {"rpc_port": 8084, "rpc_open": True}}},
        ]
    ) == ["192.0.2.1:8084", "[2001:db8::1]:8500"]


def test_a_page_may_talk_to_these_and_to_no_others() -> None:
    assert connect_sources([]) == "'self'"
    assert connect_sources(["192.0.2.1:8084"]) == "'self' http://192.0.2.1:8084 ws://192.0.2.1:8084"
