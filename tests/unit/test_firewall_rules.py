"""What rules of others mean for the lab's ports, read from recordings of real hosts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.host import firewalls, rule_reading
from ansible.module_utils.seedbed.host.rule_sets import Chains, read_iptables, read_nft

RECORDED = Path(__file__).resolve().parents[1] / "fixtures" / "rules"
NETWORKS = ["10.0.0.0/8", "fc00::/7"]


def nft(name: str) -> Chains:
    return read_nft((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


def closing(chains: Chains, port: int, *protocols: str, networks: list[str] = NETWORKS) -> list[dict[str, Any]]:
    listeners = [{"port": port, "protocols": list(protocols or ("tcp",))}]
    return [dict(found) for found in rule_reading.closing_rules(chains, listeners, networks)]


LAST = {"where": "inet operator input", "rule": "17"}


@pytest.mark.parametrize(
    ("port", "protocols", "found"),
    [
        (8888, ("tcp", "udp"), [{**LAST, "ports": ["8888/tcp", "8888/udp"]}]),  # policy accept, last rule reject
        (8005, ("tcp", "udp"), [{**LAST, "ports": ["8005/udp"]}]),  # open to TCP by a named set
        (8105, ("tcp",), []),  # open to a part of the networks
        (53, ("udp",), []),  # a jump that lets a part in
    ],
)
def test_a_rule_set_of_the_operators_own(port: int, protocols: tuple[str, ...], found: list[dict[str, Any]]) -> None:
    assert closing(nft("operator"), port, *protocols) == found


def test_a_jump_that_drops_whoever_it_does_not_know() -> None:
    found = closing(nft("operator"), 53, "udp", networks=["192.168.0.0/16"])
    assert [(entry["where"], entry["ports"]) for entry in found] == [("inet operator dns", ["53/udp"])]


def test_addresses_that_are_banned_alone_close_nothing() -> None:
    banned = {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "192.0.2.1"}}
    assert closing(_table([[banned, {"drop": None}]]), 8888) == []


def test_a_policy_is_named_where_no_rule_lets_in() -> None:
    lets_in = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 8888}}
    chains = _table([[lets_in, {"accept": None}]], policy="drop")
    assert closing(chains, 8888) == []
    assert closing(chains, 8081) == [{"where": "inet t input", "rule": "policy drop", "ports": ["8081/tcp"]}]


def _table(rules: list[list[dict[str, Any]]], policy: str = "accept") -> Chains:
    of = {"family": "inet", "table": "t"}
    chain = {**of, "name": "input", "type": "filter", "hook": "input", "policy": policy}
    listed = [{"rule": {**of, "chain": "input", "handle": number, "expr": rule}} for number, rule in enumerate(rules)]
    return read_nft(json.dumps({"nftables": [{"chain": chain}, *listed]}))


def test_iptables_that_speaks_nftables() -> None:
    chains = nft("iptables_nft")
    assert closing(chains, 8888) == [{"where": "ip filter INPUT", "rule": "5", "ports": ["8888/tcp"]}]
    assert closing(chains, 8888, networks=["fc00::/7"]) == []
    assert rule_reading.redirections(chains, 8000, 9000) == [
        {"where": "ip nat DOCKER", "rule": "4", "protocols": ["tcp"], "first": 8086, "last": 8086}
    ]
    assert rule_reading.redirections(chains, 8087, 9000) == []
    assert [found["where"] for found in rule_reading.tracking_rules(chains)] == ["ip filter INPUT"]


def test_the_old_iptables_that_nft_does_not_see() -> None:
    chains = read_iptables((RECORDED / "iptables_legacy.txt").read_text(encoding="utf-8"), "ip", "iptables-legacy")
    assert closing(chains, 22) == []
    assert closing(chains, 8888) == [
        {"where": "iptables-legacy filter INPUT", "rule": "policy drop", "ports": ["8888/tcp"]}
    ]
    assert rule_reading.tracking_rules(chains)[0]["rule"] == "-A INPUT -m state --state ESTABLISHED -j ACCEPT"


def test_iptables_words() -> None:
    text = "\n".join(
        [
            "*filter",
            ":INPUT ACCEPT [0:0]",
            ":mine - [0:0]",
            '-A INPUT -s 10.0.0.0/8 -p udp -m multiport --dports 53,8000:8010 -m comment --comment "a -j b" -j ACCEPT',
            "-A INPUT ! -s 10.0.0.0/8 -j DROP",
            "-A INPUT -p tcp -j mine",
            "-A mine -p tcp -m tcp --dport 8081 -j RETURN",
            "-A mine -j REJECT --reject-with icmp-port-unreachable",
        ]
    )
    chains = read_iptables(text, "ip", "iptables")
    assert closing(chains, 8005, "udp") == closing(chains, 8081) == []
    assert [found["rule"] for found in closing(chains, 8082)] == [
        "-A mine -j REJECT --reject-with icmp-port-unreachable"
    ]


def test_redirections_of_the_operators_own() -> None:
    found = rule_reading.redirections(nft("operator"), 8000, 9000)
    assert [(entry["first"], entry["last"]) for entry in found] == [(8085, 8085), (8090, 8090), (8091, 8091)]


def test_a_rule_gets_its_own_text() -> None:
    listing = 'table ip nat { # handle 3\n\tchain DOCKER { # handle 1\n\t\tiifname != "br0" tcp dport 8086 '
    listing += "counter packets 0 bytes 0 dnat to 172.17.0.2:80 # handle 4\n\t}\n}\n"
    assert firewalls.rule_texts(listing) == {
        ("ip nat DOCKER", "4"): 'iifname != "br0" tcp dport 8086 dnat to 172.17.0.2:80'
    }


def test_firewalld_closes_by_its_last_rule_and_is_told_instead() -> None:
    chains = nft("firewalld")
    assert [found["where"] for found in closing(chains, 8888)] == ["inet firewalld filter_IN_public"]
    assert all(firewalls._managed(chain, "firewalld") for chain in chains.values())
    assert not any(firewalls._managed(chain, "nftables") for chain in chains.values())
