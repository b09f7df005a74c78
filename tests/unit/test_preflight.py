"""The sentences that an operator reads before anything is changed."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.listeners import _is_loopback, _unit, listening_sockets
from ansible.module_utils.seedbed.preflight import (
    address_faults,
    archive_faults,
    argument_faults,
    fault_report,
    foreign_faults,
    foreign_port_faults,
    group_faults,
    network_faults,
    password_faults,
    port_faults,
    range_faults,
    shape_faults,
    unfit,
    user_faults,
)

RANGE = {"first": 8000, "last": 9000}


def listener(variable: str, port: object, *protocols: str, unit: str = "x.service") -> dict[str, object]:
    return {"variable": variable, "port": port, "protocols": list(protocols or ["tcp"]), "unit": unit}


@pytest.mark.parametrize(
    ("listeners", "faults"),
    [
        ([], []),
        ([listener("a_port", 8000), listener("b_port", 9000)], []),
        ([listener("a_port", "8001")], []),
        # one number for TCP and UDP of different services is two ports
        ([listener("a_port", 8001, "tcp"), listener("b_port", 8001, "udp")], []),
        (
            [listener("opentracker_port", 9500, "tcp", "udp")],
            ["opentracker_port is 9500, outside lab_port_range 8000-9000; choose a free port inside the range"],
        ),
        (
            [listener("a_port", "8081x")],
            ["a_port is '8081x', which is no port; choose a free number from 8000 to 9000"],
        ),
        (
            [listener("transmission_rpc_port", 8081), listener("transmission_peer_port", 8081, "tcp", "udp")],
            [
                "transmission_rpc_port and transmission_peer_port are both 8081 (tcp) on this host; "
                "give each a port of its own"
            ],
        ),
    ],
)
def test_port_budget(listeners: list[dict[str, object]], faults: list[str]) -> None:
    assert port_faults(listeners, RANGE) == faults


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (RANGE, None),
        ({"first": 1, "last": 65535}, None),
        ({"first": 9000, "last": 8000}, "lab_port_range goes from 9000 to 8000; "),
        ({"first": 0, "last": 8000}, "lab_port_range goes from 0 to 8000; "),
        ({"first": 8000, "last": 70000}, "lab_port_range goes from 8000 to 70000; "),
        ({"first": 8000}, "lab_port_range is {'first': 8000}; "),
        ("8000-9000", "lab_port_range is '8000-9000'; "),
        ({"first": "8000", "last": "²"}, "lab_port_range goes from 8000 to ²; "),
    ],
)
def test_port_range(value: object, fault: str | None) -> None:
    right = "give it a first and a last port, such as {first: 8000, last: 9000}"
    assert range_faults(value) == ([fault + right] if fault else [])


def test_networks() -> None:
    assert network_faults(["10.0.0.0/8", "fc00::/7", "192.0.2.7"]) == []
    assert network_faults(["10.0.0.1/8"]) == [
        "lab_networks has '10.0.0.1/8': 10.0.0.1/8 has host bits set; write a network such as 192.168.10.0/24"
    ]
    assert network_faults("10.0.0.0/8") == [
        "lab_networks is '10.0.0.0/8'; write a list of networks such as [192.168.10.0/24]"
    ]


@pytest.mark.parametrize(
    ("address", "resolved", "fault"),
    [
        ("192.0.2.1", None, None),
        ("2001:db8::1", None, None),
        ("tracker", None, None),
        ("tracker-1.lab.example", ["192.0.2.1", "2001:db8::1"], None),
        ("127.0.0.1", None, "lab_address is 127.0.0.1, which no other host can reach"),
        ("0.0.0.0", None, "lab_address is 0.0.0.0, which no other host can reach"),
        ("localhost", ["127.0.0.1"], "lab_address is 'localhost', which is no IP address and no name of a host"),
        ("192.0.2.256", [], "lab_address is '192.0.2.256', which is no IP address and no name of a host"),
        ("http://a", None, "lab_address is 'http://a', which is no IP address and no name of a host"),
        ("", None, "lab_address is not known: the host has no default route, and nobody comes to it by SSH"),
        (
            "tracker",
            [],
            "lab_address is tracker, a name that the host itself does not know; teach it to all hosts, or ",
        ),
        (
            "tracker",
            ["127.0.1.1"],
            "lab_address is tracker, which the host itself takes for 127.0.1.1 (see its /etc/hosts): it would announce "
            "itself as such, and no other host could reach it; correct that, or ",
        ),
    ],
)
def test_address(address: str, resolved: list[str] | None, fault: str | None) -> None:
    right = "set it to the address by which the other hosts reach this one"
    expected = fault and (fault if fault.endswith("or ") else f"{fault}; ") + right
    assert address_faults(address, resolved) == ([expected] if expected else [])


def test_who_is_not_root_is_told_so() -> None:
    assert user_faults(0) == []
    assert user_faults(1000) == [
        "this run is user 1000 on the host and has to be root: take ansible_become and ansible_become_user out of the "
        "inventory, so that the playbooks' own become: true holds"
    ]


def test_the_password_of_an_example_is_refused() -> None:
    assert password_faults("correct horse", "x") == password_faults("", "x") == []
    assert password_faults("Change-Me ", "x") == [
        "x is still the word of the example; choose a password, and keep it in a vault"
    ]


def test_findings_on_types_say_what_would_be_right() -> None:
    errors = [
        "missing required arguments: transmission_rpc_password",
        "argument 'transmission_rpc_port' is of type str and we were unable to convert to int",
    ]
    options = {"transmission_rpc_password": {"description": ["A secret.", "Keep it in a vault."]}}
    assert argument_faults(errors, options, "transmission") == [
        "transmission_rpc_password is not set; it takes: A secret. Keep it in a vault.",
        "argument 'transmission_rpc_port' is of type str and we were unable to convert to int "
        "(a variable of role transmission)",
    ]


@pytest.mark.parametrize(
    ("value", "kind", "fault"),
    [
        (None, "str", "x is null; it takes: Names."),
        ("", "str", None),
        (0, "list", "x is 0, no list; it takes: Names."),
        ("a,b", "list", None),
        ([], "dict", "x is [], no dict; it takes: Names."),
        ({}, "dict", None),
        ([{}, None], "list", "x[1] is null, no dict; x takes: Names."),
    ],
)
def test_a_value_of_the_wrong_shape(value: object, kind: str, fault: str | None) -> None:
    assert shape_faults("x", value, {"type": kind, "elements": "dict", "description": "Names."}) == (
        [fault] if fault else []
    )


def test_a_value_that_its_role_cannot_use() -> None:
    assert unfit("x", {"description": ["Names.", "Or none."]}) == (
        "x holds something that its role cannot use; it takes: Names. Or none."
    )


def test_a_group_without_hosts_is_named() -> None:
    assert group_faults({"seeders": ["a"], "portals": []}, ["seeders", "portals", "leechers"]) == [
        "no host is in group portals; put at least one there",
        "no host is in group leechers; put at least one there",
    ]


def test_a_port_that_something_else_holds_is_named() -> None:
    wanted = [
        listener("opentracker_port", 8888, "tcp", "udp", unit="opentracker.service"),
        {"variable": "leecher_peer_port", "port": 8085, "protocols": ["tcp"], "process": "aria2c"},
    ]

    def held(port: int, process: str, unit: str) -> dict[str, object]:
        return {"protocol": "tcp", "port": port, "process": process, "unit": unit}

    assert foreign_port_faults(wanted, [held(8888, "opentracker", "opentracker.service")]) == []
    assert foreign_port_faults(wanted, [held(8085, "aria2c", "ssh.service"), held(8500, "caddy", "")]) == []
    assert foreign_port_faults(wanted, [held(8888, "caddy", "caddy.service"), held(8085, "", "")]) == [
        "leecher_peer_port is 8085, but tcp port 8085 is held by an unknown process (no service); "
        "stop that or choose another port",
        "opentracker_port is 8888, but tcp port 8888 is held by caddy (caddy.service); "
        "stop that or choose another port",
    ]


def test_a_port_may_pass_from_one_unit_of_ours_to_another() -> None:
    wanted = [{**listener("a_port", 8084), "former": ["y.service"]}]
    held = {"protocol": "tcp", "port": 8084, "process": "p"}
    assert foreign_port_faults(wanted, [{**held, "unit": "y.service"}]) == []
    assert foreign_port_faults(wanted, [{**held, "unit": "x.service"}]) == []
    assert len(foreign_port_faults(wanted, [{**held, "unit": "z.service"}, {**held, "unit": ""}])) == 2


def test_a_shared_fault_is_named_once() -> None:
    assert fault_report({"b": ["x is 1", "y is 2"], "a": ["x is 1"]}) == ["a, b: x is 1", "b: y is 2"]


def test_listening_sockets_of_this_machine_are_found_with_their_holder() -> None:
    with ExitStack() as stack:
        ports = set()
        for kind, protocol in ((socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")):
            opened = stack.enter_context(socket.socket(socket.AF_INET, kind))
            opened.bind(("127.0.0.1", 0))
            if kind == socket.SOCK_STREAM:
                opened.listen()
            ports.add((protocol, opened.getsockname()[1]))
        with open("/proc/self/comm", encoding="utf-8") as comm:
            own = comm.read().strip()
        numbers = [port for _, port in ports]
        found = listening_sockets(min(numbers), max(numbers))
        mine = [entry for entry in found if entry["process"] == own]
        assert ports <= {(entry["protocol"], entry["port"]) for entry in mine}
        assert {entry["loopback"] for entry in mine if (entry["protocol"], entry["port"]) in ports} == {True}
    left = listening_sockets(min(numbers), max(numbers))
    assert not ports & {(entry["protocol"], entry["port"]) for entry in left if entry["process"] == own}


@pytest.mark.parametrize(
    ("address", "alone"),
    [
        ("0100007F", True),  # as this machine writes 127.0.0.1
        ("00000000", False),
        ("00000000000000000000000001000000", True),
        ("0000000000000000FFFF00000100007F", True),
        ("000080FE00000000FF005450B6AD1DFE", False),
    ],
)
@pytest.mark.skipif(sys.byteorder != "little", reason="the words of /proc are in the machine's own order")
def test_who_listens_on_loopback_is_known(address: str, alone: bool) -> None:
    assert _is_loopback(address) is alone


@pytest.mark.parametrize(
    ("cgroups", "unit"),
    [
        ("0::/system.slice/nginx.service\n", "nginx.service"),
        ("12:cpu:/x\n1:name=systemd:/pod/abc/system.slice/ssh.service\n", "ssh.service"),
        ("0::/user.slice/user-0.slice/user@0.service/app.slice/caddy.service\n", "caddy.service"),
        ("0::/user.slice\n", ""),
    ],
)
def test_unit_of_a_process(cgroups: str, unit: str) -> None:
    assert _unit(cgroups) == unit


SHA = "a" * 64


@pytest.mark.parametrize(
    ("archive", "more", "faults"),
    [
        ("https://archive.example.com/ui.zip", {}, []),
        ("npm:flood@4.11.0", {"npm": True}, []),
        ("npm:@scope/ui@1.0.0-rc.1", {"npm": True}, []),
        ("files/ui.zip", {"found": "/play/files/ui.zip"}, []),
        ("", {}, ["x_archive is empty; it takes a URL, a file on the controller, or npm:NAME@VERSION"]),
        (
            "npm:flood",
            {"npm": True},
            ["x_archive is 'npm:flood'; from npm it takes a name and one version, as in npm:flood@4.11.0"],
        ),
        (
            "npm:flood@4.11.0",
            {},
            [
                "x_archive is 'npm:flood@4.11.0', but this controller has no npm to fetch it with; install npm, or "
                "name the file that `npm pack flood@4.11.0` makes elsewhere"
            ],
        ),
        (
            "ui.zip",
            {"sha256": "abc"},
            [
                "x_archive is 'ui.zip', which is neither a URL nor a file on the controller; correct the path",
                "x_sha256 is 'abc'; it takes the 64 digits that sha256sum tells of the archive",
            ],
        ),
    ],
)
def test_archives(archive: str, more: dict[str, Any], faults: list[str]) -> None:
    options = {"sha256": SHA, "variable": "x_archive", "pin": "x_sha256", "found": "", "npm": False, **more}
    assert archive_faults(archive, **options) == faults


FOREIGN = [
    {"kind": "directory", "name": "/srv/site", "variable": "portal_dir", "what": "index.html and 3 more"},
    {
        "kind": "user",
        "name": "tracker",
        "variable": "opentracker_user",
        "what": "number 1001, at home in /home/tracker",
    },
    {"kind": "unit", "name": "opentracker.service", "what": "/etc/systemd/system/opentracker.service"},
    {"kind": "daemon", "name": "/etc/settings.json", "what": "2 torrents and settings of its own", "adopted": False},
]


def test_what_others_have_is_named_with_the_switch_that_hands_it_over() -> None:
    directory, user, unit, daemon = foreign_faults(FOREIGN, [])
    assert directory == (
        "portal_dir is /srv/site, which was not made by Seedbed and is not empty (index.html and 3 more); choose "
        "another directory, or have the lab use it beside what is there with lab_adopt: ['/srv/site']"
    )
    assert "opentracker_user is tracker, a user that this host has and Seedbed did not make (number 1001" in user
    assert unit.endswith("with lab_adopt: ['opentracker.service']")
    assert (
        "2 torrents and settings of its own (/etc/settings.json); hand it to the lab with transmission_adopt" in daemon
    )


def test_what_was_handed_over_is_no_fault() -> None:
    given = [{**each, "adopted": True} if each["kind"] == "daemon" else each for each in FOREIGN]
    assert foreign_faults(given, ["/srv/site", "tracker", "opentracker.service"]) == []
    assert len(foreign_faults(FOREIGN, ["/srv", "portal_dir"])) == 4
