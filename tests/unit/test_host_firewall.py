"""What firewalld and ufw are told, what stands against it, and what people read before anything is changed."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.host import firewalld, host_firewall, ssh_port, ufw
from ansible.module_utils.seedbed.host.opening import Opening, opening

Render = Callable[..., Any]
LISTENERS = [
    {"variable": "opentracker_port", "port": 8888, "protocols": ["tcp", "udp"], "unit": "opentracker.service"},
    {"variable": "leecher_rpc_port", "port": 8084, "protocols": ["tcp"], "loopback": True},
]
NETWORKS = ["10.0.0.0/8", "fc00::/7"]
OPENING = opening(LISTENERS, NETWORKS)
QUIET: dict[str, Any] = {
    "backend": "nftables",
    "obstacles": [],
    "closing": [],
    "redirected": [],
    "tracking": [],
    "ssh_ports": [22],
    "opened": [],
}


# -- firewalld --------------------------------------------------------------------------------------------------------


def test_firewalld_gets_a_service_and_a_policy_for_all_zones() -> None:
    files = firewalld.wanted_files(OPENING)
    service, policy = (ET.fromstring(files[path] or "") for path in (firewalld.SERVICE, firewalld.POLICY))
    assert [port.attrib for port in service.iter("port")] == [
        {"protocol": "tcp", "port": "8888"},
        {"protocol": "udp", "port": "8888"},
    ]
    assert policy.attrib == {"target": "CONTINUE", "priority": "-100"}
    rules = [(rule.get("family"), [child.attrib for child in rule]) for rule in policy.iter("rule")]
    assert rules == [
        ("ipv4", [{"address": "10.0.0.0/8"}, {"name": "seedbed"}, {}]),
        ("ipv6", [{"address": "fc00::/7"}, {"name": "seedbed"}, {}]),
    ]


@pytest.mark.parametrize("nothing", [Opening([], NETWORKS), Opening([(8888, "tcp")], [])])
def test_where_nothing_is_to_be_opened_there_are_no_files(nothing: Opening) -> None:
    assert set(firewalld.wanted_files(nothing).values()) == {None}
    assert set(ufw.wanted_files(nothing).values()) == {None}


ZONES = """public
  target: default
  interfaces: {interfaces}
  services: dhcpv6-client ssh{more}
  ports: {ports}
  rich rules: {rich}

seedbed
  services: {ours}
"""


def listing(**words: str) -> str:
    return ZONES.format(**{"interfaces": "", "more": "", "ports": "", "rich": "", "ours": "", **words})


class Cmd:
    """firewall-cmd by its answers."""

    def __init__(self, runtime: str, permanent: str, direct: str = "") -> None:
        self.runtime, self.permanent, self.direct = runtime, permanent, direct

    def __call__(self, argv: list[str], text: str | None = None) -> str:
        if argv[-1] == "--version":
            return "1.3.3\n"
        if argv[0] == "nft" or argv[-1] == "--list-all-policies":
            return ""
        if argv[-1] == "--get-all-rules":
            return "" if "--permanent" in argv else self.direct
        return self.permanent if "--permanent" in argv else self.runtime


@pytest.mark.parametrize(
    ("runtime", "said"),
    [
        (listing(), []),
        (listing(interfaces="eth0", ours="seedbed"), []),  # comes back by itself; ours
        (listing(ports="2222/tcp"), ["zone public: ports 2222/tcp (only in memory)"]),
        (
            listing(rich='\n\trule family="ipv4" accept'),
            ['zone public: rich rules rule family="ipv4" accept (only in memory)'],
        ),
        (listing().replace(" ssh", ""), ["zone public: services ssh (not in memory)"]),
    ],
)
def test_what_a_reload_would_drop_is_named(monkeypatch: pytest.MonkeyPatch, runtime: str, said: list[str]) -> None:
    monkeypatch.setattr(firewalld, "run", Cmd(runtime, listing()))
    assert list(firewalld.runtime_only()) == said
    obstacles = firewalld.obstacles()
    assert [words in obstacles[0] for words in said] == [True] * len(said)
    assert bool(obstacles) == bool(said)


def test_rules_that_bypass_firewalld_are_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firewalld, "run", Cmd(listing(), listing(), "ipv4 filter INPUT 0 -j DROP\n"))
    assert list(firewalld.runtime_only()) == ["direct rule ipv4 filter INPUT 0 -j DROP"]


def test_a_flushed_firewalld_is_not_reloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firewalld, "_loaded", lambda: False)
    assert "systemctl restart firewalld" in firewalld.obstacles()[0]


# -- ufw --------------------------------------------------------------------------------------------------------------


def test_ufw_gets_a_profile() -> None:
    text = ufw.wanted_files(OPENING)[ufw.PROFILE] or ""
    assert text.splitlines()[1:] == [
        "[Seedbed]",
        "title=Seedbed",
        "description=BitTorrent test lab",
        "ports=8888/tcp|8888/udp",
    ]


class Ufw:
    def __init__(self, added: str) -> None:
        self.added, self.commands = added, list[str]()

    def __call__(self, argv: list[str], text: str | None = None) -> str:
        if argv == ["ufw", "show", "added"]:
            return self.added
        self.commands.append(" ".join(argv))
        return ""


ADDED = """Added user rules (see 'ufw status' for running firewall):
ufw allow 22/tcp
ufw allow from {} to any app Seedbed comment 'seedbed'
"""


@pytest.mark.parametrize(
    ("added", "changed", "commands"),
    [
        ("", True, ["ufw prepend allow from 10.0.0.0/8 to any app Seedbed comment seedbed"]),
        (ADDED.format("10.0.0.0/8"), True, ["ufw app update Seedbed", "ufw reload"]),
        (ADDED.format("10.0.0.0/8"), False, []),
        (
            ADDED.format("192.168.0.0/16"),
            True,
            [
                "ufw delete allow from 192.168.0.0/16 to any app Seedbed",
                "ufw prepend allow from 10.0.0.0/8 to any app Seedbed comment seedbed",
            ],
        ),
    ],
)
def test_ufw_is_told_what_differs(
    monkeypatch: pytest.MonkeyPatch, added: str, changed: bool, commands: list[str]
) -> None:
    told = Ufw(added)
    monkeypatch.setattr(ufw, "run", told)
    ufw.bring(Opening([(8888, "tcp")], ["10.0.0.0/8"]), changed=changed)
    assert told.commands == commands


# -- the way back -----------------------------------------------------------------------------------------------------


def test_the_way_back_restores_files_and_removes_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_firewall, "FORMER", str(tmp_path / "former"))
    old, new = tmp_path / "services" / "seedbed.xml", tmp_path / "policies" / "seedbed.xml"
    for path in (old, new):
        path.parent.mkdir()
    old.write_text("old")
    host_firewall._keep({str(old): "old", str(new): None})
    old.write_text("changed")
    new.write_text("new")
    done = tmp_path / "told"
    words = host_firewall.restoring([str(old), str(new)], [f"touch {done}"])
    subprocess.run(["sh", "-c", words], check=True)
    assert old.read_text() == "old"
    assert (new.exists(), done.exists(), (tmp_path / "former").exists()) == (False, True, False)


# -- SSH --------------------------------------------------------------------------------------------------------------


def test_where_this_connection_arrives_is_found_above_sudo(tmp_path: Path) -> None:
    def process(pid: int, parent: int, *words: str) -> None:
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "environ").write_bytes("\0".join(words).encode())
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a (b) c) S {parent} 1 1")

    process(30, 20, "SUDO_USER=operator")
    process(20, 10, "HOME=/", "SSH_CONNECTION=192.0.2.1 51234 192.0.2.2 8022")
    assert ssh_port.arrival(30, str(tmp_path)) == ("192.0.2.2", 8022)
    process(10, 1, "HOME=/")
    assert ssh_port.arrival(10, str(tmp_path)) == ssh_port.NOWHERE
    assert ssh_port.arrival(99, str(tmp_path)) == ssh_port.NOWHERE
    process(40, 1, "SSH_CONNECTION=fe80::1%eth0 51234 fe80::2%eth0 22")
    assert ssh_port.arrival(40, str(tmp_path)) == ("fe80::2", 22)


def test_whatever_sshd_holds_counts(tmp_path: Path) -> None:
    held = {"protocol": "tcp", "loopback": False, "pid": 1, "unit": "ssh.service"}
    sockets = [{**held, "port": 8500, "process": "sshd"}, {**held, "port": 8501, "process": "caddy"}]
    assert ssh_port.ssh_ports(sockets, str(tmp_path)) == [8500]


# -- what people read -------------------------------------------------------------------------------------------------

FAULTS = """{{ firewall | firewall_faults(listeners=listeners, sockets=sockets, backend=backend, keep=keep,
                                          close_foreign=close, untracked=untracked,
                                          own_units=['opentracker.service']) }}"""
NOTES = """{{ firewall | firewall_notes(listeners=listeners, sockets=sockets, keep=keep, close_foreign=close,
                                        own_units=['opentracker.service']) }}"""


def held(port: int, process: str, unit: str, **more: Any) -> dict[str, Any]:
    return {"protocol": "tcp", "port": port, "process": process, "unit": unit, "loopback": False, **more}


def asked(render: Render, template: str, **more: Any) -> list[str]:
    given = {"firewall": QUIET, "listeners": LISTENERS, "sockets": [], "backend": "auto", "keep": [], "close": False}
    found = render(template, **{**given, "untracked": False, **more})
    assert isinstance(found, list)
    return found


SOCKETS = [
    held(8080, "java", "jenkins.service"),
    held(8081, "java", "jenkins.service", loopback=True),
    held(8889, "opentracker", "opentracker.service"),  # on the port of the run before
    held(8083, "node", "seedbed-flood.service"),
    held(8022, "sshd", "ssh.service"),
    held(8443, "docker-proxy", "docker.service"),
]
DOCKER = {"where": "ip nat DOCKER", "rule": "tcp dport 8443 dnat to 172.17.0.2:80", "protocols": ["tcp"]}
BUSY = {**QUIET, "ssh_ports": [8022], "redirected": [{**DOCKER, "first": 8443, "last": 8443}]}


def test_foreign_listeners_are_named_with_the_ways_out(render: Render) -> None:
    (fault,) = asked(render, FAULTS, firewall=BUSY, sockets=SOCKETS)
    assert fault.startswith("java (jenkins.service) on tcp port 8080 listens inside lab_port_range")
    assert "lab_firewall_keep: [8080]" in fault
    assert asked(render, FAULTS, firewall=BUSY, sockets=SOCKETS, keep=[8080]) == []
    assert asked(render, FAULTS, firewall=BUSY, sockets=SOCKETS, close=True) == []
    notes = asked(render, NOTES, firewall=BUSY, sockets=SOCKETS, close=True)
    assert [note.split(" elsewhere")[0].split(" is cut")[0] for note in notes] == [
        "ip nat DOCKER: tcp dport 8443 dnat to 172.17.0.2:80 sends tcp port 8443",
        "java (jenkins.service) on tcp port 8080",
    ]


def test_a_declared_port_that_a_container_engine_publishes_is_refused(render: Render) -> None:
    published = {**QUIET, "redirected": [{**DOCKER, "first": 8880, "last": 8890}]}
    (fault,) = asked(render, FAULTS, firewall=published)
    assert fault.startswith("opentracker_port is 8888, but the host sends that port elsewhere")
    assert asked(render, NOTES, firewall=published) == []


def test_rules_that_seem_to_close_are_told(render: Render) -> None:
    closing = {"where": "inet filter input", "rule": "policy drop", "ports": ["8888/tcp", "8888/udp"]}
    (note,) = asked(render, NOTES, firewall={**QUIET, "closing": [closing]})
    assert note.startswith("inet filter input: policy drop seems to close 8888/tcp, 8888/udp to lab_networks")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"backend": "ufw"}, "lab_firewall_backend is ufw, but ufw does not run on this host"),
        ({"firewall": {**QUIET, "backend": "firewalld", "obstacles": ["no"]}}, "no"),
        (
            {
                "untracked": True,
                "firewall": {**QUIET, "tracking": [{"where": "ip filter INPUT", "rule": "ct state new"}]},
            },
            "lab_firewall_untracked is true, but ip filter INPUT: ct state new asks the connection tracking",
        ),
    ],
)
def test_what_cannot_be_opened_is_refused(render: Render, more: dict[str, Any], words: str) -> None:
    (fault,) = asked(render, FAULTS, **more)
    assert fault.startswith(words)


def test_nobody_asks_for_what_is_not_told(render: Render) -> None:
    firewall = {**QUIET, "backend": "firewalld", "obstacles": ["no"]}
    assert asked(render, FAULTS, firewall=firewall, backend="nftables") == []
    assert render("{{ 'auto' | chosen_backend(firewall) }}", firewall=firewall) == "firewalld"


def test_notes_are_lines(render: Render) -> None:
    assert render("{{ ['a: b'] | note_lines }}") == [{"severity": "warning", "text": "note  a: b"}]
