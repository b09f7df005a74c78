"""Four hosts whose operators filter in their own way, and a service of the lab on each.

Where firewalld or ufw decides it was told of the port: others reach the service over TCP and UDP, and nothing else of
the range. A container on one host gets to the lab's port of another. Where the operator's own rules close it, the proof
names the rule. The port moves, and the old one is closed. Then the operators do what operators do: rules in memory
alone, a flushed rule set, a container engine that publishes the port, a service of their own inside the range; each is
refused with a sentence before anything is changed. Rules that lock SSH out come back by themselves. In the end the lab
leaves each firewall as it was.
"""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = f"--inventory={SCENARIO / 'inventory.yml'}"
TOLD = ["zones12", "zones13", "simple"]
HOSTS = [*TOLD, "rules"]
PORT, MOVED, UNDECLARED = 8888, 8889, 8500


def run(lab: Any, playbook: str, *arguments: str) -> Any:
    return lab.playbook(INVENTORY, str(SCENARIO / playbook), *arguments)


def said(run: Any) -> str:
    """What a run printed, on one line: the callback wraps long texts."""
    return re.sub(r"\s+", " ", run.stdout)


def reached(address: str, port: int) -> dict[str, bool]:
    """Whether this machine gets an answer over TCP and UDP."""
    found = {}
    for name, kind in (("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)):
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.settimeout(30)
            try:
                sock.connect((address, port))
                sock.send(b"anybody there?")
                found[name] = bool(sock.recv(64))
            except OSError:
                found[name] = False
    return found


BOTH, NEITHER = {"tcp": True, "udp": True}, {"tcp": False, "udp": False}


@pytest.mark.parametrize("name", TOLD)
def test_the_declared_port_is_reached_and_no_other(lab: Any, name: str) -> None:
    assert reached(lab.address(name), PORT) == BOTH
    assert lab[name].socket(f"tcp://:::{UNDECLARED}").is_listening
    assert reached(lab.address(name), UNDECLARED) == NEITHER


@pytest.mark.parametrize("name", TOLD)
def test_what_the_operator_does_to_their_firewall_leaves_it_open(lab: Any, name: str) -> None:
    reload = "ufw disable && ufw --force enable" if name == "simple" else "firewall-cmd --reload"
    lab[name].check_output(reload)
    assert reached(lab.address(name), PORT) == BOTH
    assert reached(lab.address(name), UNDECLARED) == NEITHER


# As a container engine has it: a network of its own behind an address of the host.
NEIGHBOUR = """\
set -e
sysctl -qw net.ipv4.ip_forward=1
ip netns add neighbour
ip link add bridge0 type veth peer name eth0 netns neighbour
ip address add 198.18.255.1/24 dev bridge0
ip link set bridge0 up
ip -n neighbour address add 198.18.255.2/24 dev eth0
ip -n neighbour link set eth0 up
ip -n neighbour route add default via 198.18.255.1
nft 'table ip neighbour { chain out { type nat hook postrouting priority srcnat;
ip saddr 198.18.255.0/24 masquerade
}
}'
"""
QUESTION = """\
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(30)
        sock.connect(("{address}", {port}))
        sock.send(b"anybody there?")
        print(len(sock.recv(64)) > 0)
"""


def test_a_container_of_the_host_reaches_the_same_port_of_another_host(lab: Any) -> None:
    """Its connections have to be tracked, or the NAT in front of it does not know whose the answers are."""
    lab["rules"].check_output(NEIGHBOUR)
    try:
        question = QUESTION.format(address=lab.address("zones13"), port=PORT)
        asked = lab["rules"].run("ip netns exec neighbour python3 -c %s", question)
        assert asked.stdout.split() == ["True", "True"], asked
    finally:
        lab["rules"].check_output("ip netns delete neighbour && nft delete table ip neighbour")


def test_the_proof_names_the_rule_that_keeps_others_out(lab: Any) -> None:
    proof = run(lab, "prove.yml")
    assert proof.returncode != 0
    for protocol in ("tcp", "udp"):
        assert (
            f"echo_port: {PORT}/{protocol} on rules is closed to simple (unreachable), "
            "by inet operator input: reject with icmpx admin-prohibited"
        ) in said(proof)
    assert said(proof).count("is closed to") == said(proof).count("on rules is closed to")
    assert "seedbed_trace" not in lab["rules"].check_output("nft list tables")
    assert not lab["rules"].file("/run/seedbed-trace").exists
    # Of one host alone nobody can say.
    alone = run(lab, "prove.yml", "--limit=rules")
    assert alone.returncode == 0
    assert "rules: not probed from outside" in said(alone)


def test_the_firewalls_unit_has_no_power_but_one(lab: Any, shut_in: Any) -> None:
    for name in HOSTS:
        shut_in(lab[name], "seedbed-firewall.service")
        before = lab[name].check_output("nft list table inet seedbed")
        lab[name].check_output("systemctl restart seedbed-firewall")
        assert lab[name].check_output("nft list table inet seedbed") == before


def test_a_moved_port_is_open_and_the_old_one_closed(lab: Any) -> None:
    moved = run(lab, "converge.yml", f"--extra-vars=echo_port={MOVED}")
    assert moved.returncode == 0, moved.stdout[-3000:]
    for name in TOLD:
        assert reached(lab.address(name), MOVED) == BOTH, name
        assert reached(lab.address(name), PORT) == NEITHER, name


def test_what_would_harm_a_host_is_refused_with_a_sentence(lab: Any) -> None:
    lab["zones13"].check_output("firewall-cmd --add-port=2222/tcp")
    lab["zones12"].check_output("nft flush ruleset")
    lab["simple"].check_output(
        "iptables -t nat -A PREROUTING -p tcp --dport 8888 -j DNAT --to-destination 192.0.2.9:80"
    )
    lab["rules"].check_output("systemd-run --unit=jenkins python3 -m http.server 8080")
    rules = {name: lab[name].check_output("nft -s list ruleset") for name in HOSTS}
    refused = run(lab, "converge.yml")
    assert refused.returncode != 0
    for words in (
        "zone public: ports 2222/tcp (only in memory)",
        "firewalld runs, but its rules are gone from the kernel",
        "echo_port is 8888, but the host sends that port elsewhere",
        "python3 (jenkins.service) on tcp port 8080 listens inside lab_port_range",
    ):
        assert words in said(refused), words
    assert {name: lab[name].check_output("nft -s list ruleset") for name in HOSTS} == rules
    lab["zones13"].check_output("firewall-cmd --remove-port=2222/tcp")
    lab["zones12"].check_output("systemctl restart firewalld && systemctl start seedbed-firewall")
    lab["simple"].check_output("iptables -t nat -F PREROUTING")


def test_a_neighbour_that_is_kept_stays_open_and_so_does_ssh_on_any_port(lab: Any, tmp_path: Path) -> None:
    rules = lab["rules"]
    rules.check_output("printf 'Port 22\\nPort 8022\\n' >/etc/ssh/sshd_config.d/port.conf && systemctl restart ssh")
    rules.check_output("nft insert rule inet operator input tcp dport { 8022, 8080, 8888 } accept")
    rules.check_output("nft delete table inet seedbed")  # as before a first run
    # It stands in the operator's ssh_config alone.
    config = tmp_path / "ssh_config"
    text = (lab.directory / "ssh_config").read_text(encoding="utf-8")
    config.write_text(text.replace("Host rules\n", "Host rules\n  Port 8022\n"), encoding="utf-8")
    assert "Port 8022" in config.read_text(encoding="utf-8")
    variables = {"lab_firewall_keep": [8080], "ansible_ssh_common_args": f"-F {config} -o ControlPath=none"}
    kept = run(lab, "converge.yml", "--limit=rules", "-e", json.dumps(variables))
    assert kept.returncode == 0, kept.stdout[-3000:]
    assert [port for port in (8022, 8080, UNDECLARED) if lab.answers(lab.address("rules"), port)] == [8022, 8080]


def test_rules_that_lock_ssh_out_come_back_by_the_timer(lab: Any, wait_until: Any) -> None:
    before = lab["rules"].check_output("nft list table inet seedbed; cat /etc/seedbed/firewall.nft")
    locked = run(lab, "lockout.yml", "-e", "lab_firewall_close_foreign=true")
    assert locked.returncode != 0
    assert "No new SSH connection to rules succeeded with the new rules" in said(locked)
    assert "The former rules come back within 20 seconds" in said(locked)
    wait_until(lambda: lab.answers(lab.address("rules"), 22), what="SSH is back")
    assert lab["rules"].check_output("nft list table inet seedbed; cat /etc/seedbed/firewall.nft") == before


def test_the_lab_leaves_each_firewall_as_it_was(lab: Any) -> None:
    removed = run(lab, "remove.yml")
    assert removed.returncode == 0, removed.stdout[-3000:]
    again = run(lab, "remove.yml")
    assert not re.search(r"changed=[1-9]", again.stdout), again.stdout[-2000:]
    for name in HOSTS:
        assert "seedbed" not in lab[name].check_output("nft list ruleset").lower()
        assert lab[name].run("find /etc /run/systemd/transient -iname '*seedbed*' -type f").stdout == ""
        assert lab[name].check_output("systemctl --failed --no-legend") == ""
    assert "Seedbed" not in lab["simple"].check_output("ufw show added")
    assert "deny 8000:9000/tcp" in lab["simple"].check_output("ufw show added")
    assert reached(lab.address("zones13"), PORT) == NEITHER
