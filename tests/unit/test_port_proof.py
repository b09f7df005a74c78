"""Hosts knock at each other's ports: who at whose, what comes of it, and which rule is to blame."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import packet_trace as packet_trace_module
import port_info
import pytest
from ansible.module_utils.seedbed.host import packet_trace
from ansible.module_utils.seedbed.probe import ports
from ansible.module_utils.testing import patch_module_args

Render = Callable[..., Any]
TRACKER = {"variable": "opentracker_port", "port": 8888, "protocols": ["tcp", "udp"], "unit": "opentracker.service"}
PORTAL = {"variable": "portal_port", "port": 8000, "protocols": ["tcp"], "unit": "seedbed-portal.service"}
HIDDEN = {"variable": "leecher_rpc_port", "port": 8084, "protocols": ["tcp"], "loopback": True}
NETWORKS = ["192.0.2.0/24"]


def host(name: str, number: int, *listeners: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"inventory_hostname": name, "lab_address": f"192.0.2.{number}", "lab_listeners": list(listeners), **more}


# -- who knocks where -------------------------------------------------------------------------------------------------

DOORS = "{{ hosts | knock_members | knock_doors(prober=prober, networks=networks) }}"
LEFT = "{{ hosts | knock_members | knock_unprobed(networks=networks) }}"


def doors(render: Render, hosts: list[dict[str, Any]], prober: str) -> list[tuple[str, int, str]]:
    found = render(DOORS, hosts=hosts, prober=prober, networks=NETWORKS)
    return [(door["host"], door["port"], door["protocol"]) for door in found]


def test_each_port_is_knocked_at_by_one_other_host(render: Render) -> None:
    hosts = [host("a", 1, TRACKER, HIDDEN), host("b", 2, PORTAL), host("c", 3)]
    assert doors(render, hosts, "b") == [("a", 8888, "tcp"), ("a", 8888, "udp")]
    assert doors(render, hosts, "c") == [("b", 8000, "tcp")]
    assert doors(render, hosts, "a") == []
    assert render(LEFT, hosts=hosts, networks=NETWORKS) == []


def test_whoever_cannot_come_in_or_was_not_reached_does_not_knock(render: Render) -> None:
    outside = {**host("b", 2), "lab_address": "198.51.100.2"}
    down = host("c", 3, PORTAL, __doctor_facts={"unreachable": True})
    hosts = [host("a", 1, TRACKER), outside, down, host("d", 4)]
    assert [doors(render, hosts, prober) != [] for prober in "abcd"] == [False, False, False, True]


def test_one_host_alone_is_not_probed_and_that_is_said(render: Render) -> None:
    (name,) = render(LEFT, hosts=[host("a", 1, TRACKER)], networks=NETWORKS)
    assert doors(render, [host("a", 1, TRACKER)], "a") == []
    (line,) = render("{{ names | unprobed_lines }}", names=[name])
    assert line["text"].startswith("note  a: not probed from outside")


# -- what comes of it -------------------------------------------------------------------------------------------------


def answer(reason: str, protocol: str = "tcp", port: int = 8888) -> dict[str, Any]:
    return {
        "host": "a", "address": "192.0.2.1", "protocol": protocol, "port": port, "variable": "opentracker_port",
        "reason": reason, "message": "",
    }  # fmt: skip


def closed(render: Render, first: dict[str, Any], **more: Any) -> list[str]:
    knocks = {"answers": [first], "sockets": []}
    listening = {"answers": [], "sockets": more.pop("sockets", [])}
    hosts = [
        host(
            "a",
            1,
            TRACKER,
            __lab_firewall_knocks=listening,
            __lab_firewall_traced=more.pop("traced", {"skipped": True}),
        ),
        host("b", 2, __lab_firewall_knocks=knocks, __lab_firewall_again=more.pop("again", {"skipped": True})),
    ]
    suspected = render("{{ hosts | knock_suspects }}", hosts=hosts)
    lines = render("{{ hosts | closed_ports | closed_lines }}", hosts=hosts)
    assert suspected or not lines
    return [line["text"] for line in lines]


def end(where: str, rule: str, protocol: str = "tcp") -> dict[str, Any]:
    return {"traced": [{"protocol": protocol, "port": 8888, "where": where, "rule": rule}]}


HELD = [{"protocol": "tcp", "port": 8888, "process": "opentracker", "unit": "opentracker.service"}]


@pytest.mark.parametrize(
    ("first", "more", "said"),
    [
        (answer("open"), {}, None),
        (answer("refused"), {}, None),  # nothing listens: that is no firewall's doing
        (
            answer("refused"),
            {"sockets": HELD, "traced": end("ip filter INPUT", "reject")},
            "by ip filter INPUT: reject",
        ),
        (answer("timeout"), {"traced": end("inet f input", "policy drop")}, "by inet f input: policy drop"),
        (answer("timeout"), {"traced": {"traced": []}}, "nothing of it arrives there"),
        (answer("unreachable"), {"traced": end("", "")}, "see what iptables-legacy-save has"),
        (answer("timeout"), {}, "nobody looked by which rule"),  # in check mode
        (answer("timeout"), {"again": {"answers": [answer("open")]}, "traced": {"traced": []}}, None),
        (answer("silent", "udp"), {"traced": end("", "", "udp")}, None),  # it says nothing to strangers
        (answer("silent", "udp"), {"traced": {"traced": []}}, "nothing of it arrives there"),
        (answer("silent", "udp"), {"traced": end("inet f input", "drop", "udp")}, "by inet f input: drop"),
    ],
)
def test_a_closed_port_and_its_cause(
    render: Render, first: dict[str, Any], more: dict[str, Any], said: str | None
) -> None:
    found = closed(render, first, **more)
    assert [bool(said) and said in text for text in found] == [True] * (said is not None)
    assert all(
        text.startswith(f"WARN  opentracker_port: 8888/{first['protocol']} on a is closed to b") for text in found
    )


# -- the trace --------------------------------------------------------------------------------------------------------

TCP = 'packet: iif "eth0" ip saddr 192.0.2.2 tcp sport 48436 tcp dport {} tcp flags == syn'
UDP = 'packet: iif "eth0" ip saddr 192.0.2.2 udp sport 57853 udp dport 8500 udp length 9'
# As nft writes it, with a blank at some ends.
TRACE = f"""trace id 37707785 inet seedbed_trace c {TCP.format(8500)}
trace id 37707785 inet seedbed_trace c unknown rule handle 2 (verdict continue)
trace id 37707785 inet seedbed_trace c policy accept{" "}
trace id 37707785 inet operator input {TCP.format(8500)}
trace id 37707785 inet operator input rule reject with icmpx admin-prohibited (verdict drop)
trace id 1176f20a inet seedbed_trace c {UDP}
trace id 1176f20a ip filter INPUT verdict continue{" "}
trace id 1176f20a ip filter INPUT policy drop{" "}
trace id 22222222 inet seedbed_trace c {TCP.format(8501)}
trace id 22222222 inet operator input rule tcp dport 8501 accept (verdict accept)
"""


def test_the_rule_that_ends_a_packet_is_read() -> None:
    assert list(packet_trace.read_trace(TRACE).values()) == [
        {"protocol": "tcp", "port": 8500, "where": "inet operator input", "rule": "reject with icmpx admin-prohibited"},
        {"protocol": "udp", "port": 8500, "where": "ip filter INPUT", "rule": "policy drop"},
        {"protocol": "tcp", "port": 8501, "where": "", "rule": ""},
    ]


def test_every_suspected_port_is_followed_a_line_each() -> None:
    lines = packet_trace.rules([{"protocol": "tcp", "port": 8081}, {"protocol": "udp", "port": 8082}]).splitlines()
    assert [line.split()[:3] for line in lines if "nftrace" in line] == [
        ["tcp", "dport", "8081"],
        ["udp", "dport", "8082"],
    ]


# -- the knock --------------------------------------------------------------------------------------------------------


def door(protocol: str, port: int) -> dict[str, Any]:
    return {"host": "a", "address": "127.0.0.1", "protocol": protocol, "port": port, "variable": "x"}


def test_open_silent_and_refused_ports_are_told_apart() -> None:
    with ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp, silent, closed = (stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(3))
        port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        silent.bind(("127.0.0.1", 0))
        closed.bind(("127.0.0.1", 0))  # held for a moment, so that nobody else has its number
        free = closed.getsockname()[1]
        closed.close()

        def say() -> None:
            data, client = udp.recvfrom(64)
            udp.sendto(data, client)

        thread = threading.Thread(target=say, daemon=True)
        thread.start()
        asked = [door("tcp", port), door("udp", port), door("tcp", free), door("udp", free)]
        assert [found["reason"] for found in ports.knock(asked, 30)] == ["open", "open", "refused", "refused"]
        thread.join(30)
        udp.settimeout(30)
        syn, reset = udp.recv(64), udp.recv(64)
        # Nobody is left waiting for the handshake of a peer.
        assert (syn[0], reset[0], reset[2:4]) == (0x41, 0x31, syn[2:4])
        assert ports.knock([door("udp", silent.getsockname()[1])], 0.3)[0]["reason"] == "silent"
    assert ports.knock([], 1) == []


def test_the_modules_answer(capsys: pytest.CaptureFixture[str]) -> None:
    doors = [{**door("tcp", 1), "address": "256.0.0.1"}]
    with patch_module_args({"first": 1, "last": 2, "doors": doors}), pytest.raises(SystemExit):
        port_info.main()
    assert json.loads(capsys.readouterr().out)["answers"][0]["reason"] == "dns"
    with patch_module_args({"state": "collected", "_ansible_check_mode": True}), pytest.raises(SystemExit):
        packet_trace_module.main()
    assert json.loads(capsys.readouterr().out)["traced"] == []
