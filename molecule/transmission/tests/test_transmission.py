"""Four seeders: Transmission 3.00 on Debian 11 and 12, 4.1 on Debian 13, and once with every variable changed.

Each first ran with our settings, never with the package's password; each lets in who has ours, from the lab's networks,
and nobody else. Each seeds the file that is there, and never turned leecher for the one that is not. Meanwhile somebody
turned knobs on one, one got a new password, one had its file broken and its port taken: all of them run as they shall.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.seedbed.transmission.rpc import RpcClient, RpcDenied

PLAIN = ["debian11", "debian12", "debian13"]
ALL = [*PLAIN, "altered"]
PASSWORDS = {"debian13": "another one"}
FIRST_PASSWORD = "only for {this} test:é"
SAMPLE, LOST = "f67a0bc6aa01377a78b5c775894d27d9968686b6", "6a79ebda9e35545113642b07cfb6230d61973dbd"
UNIT = "transmission-daemon.service"


@contextlib.contextmanager
def rpc(lab: Any, name: str, user: str = "seedbed", password: str = "", port: int = 8081) -> Iterator[RpcClient]:
    """A client on this machine, which is none of the hosts."""
    login = (user, password or PASSWORDS.get(name, FIRST_PASSWORD))
    client = RpcClient(lab.address(name), port, login, timeout=120)
    try:
        yield client
    finally:
        client.close()


def ask(lab: Any, name: str, method: str = "session-get", **arguments: Any) -> dict[str, Any]:
    """What a daemon answers to this machine."""
    with rpc(lab, name) as client:
        return client.call(method, arguments)


def settings(host: Any) -> dict[str, Any]:
    return dict(json.loads(host.check_output("cat /etc/transmission-daemon/settings.json")))


def inside(host: Any) -> dict[str, Any]:
    """What the altered daemon tells the host itself, over IPv6."""
    command = "transmission-remote http://[::1]:8500/transmission --authenv --debug --session-info 2>&1"
    answer = host.check_output(f"TR_AUTH='somebody:{FIRST_PASSWORD}' {command}")
    return dict(json.loads(re.findall(r'^\{"arguments".*\}$', answer, re.MULTILINE)[-1])["arguments"])


def listening(host: Any, protocol: str) -> set[int]:
    """The ports on which the daemon listens."""
    lines = host.check_output(f"ss --no-header --numeric --processes --listening --{protocol}").splitlines()
    return {int(line.split()[3].rpartition(":")[2]) for line in lines if "transmission" in line}


@pytest.mark.parametrize(("name", "version"), [("debian11", "3.00"), ("debian12", "3.00"), ("debian13", "4.1.0")])
def test_the_daemon_answers_from_elsewhere(lab: Any, name: str, version: str) -> None:
    with rpc(lab, name) as client:
        assert client.call("session-get")["version"].startswith(version)
        assert client.web_ui() == 200


@pytest.mark.parametrize("name", PLAIN)
def test_nobody_else_gets_in(lab: Any, name: str) -> None:
    for user, password in (("transmission", "transmission"), ("seedbed", "wrong"), ("somebody", FIRST_PASSWORD)):
        with rpc(lab, name, user, password) as client, pytest.raises(RpcDenied, match="401"):
            client.call("session-get")


def test_a_changed_password_replaces_the_old_one(lab: Any) -> None:
    with rpc(lab, "debian13", password=FIRST_PASSWORD) as client, pytest.raises(RpcDenied, match="401"):
        client.call("session-get")


def test_a_network_that_is_not_listed_stays_out(lab: Any) -> None:
    with rpc(lab, "altered", "somebody", port=8500) as client, pytest.raises(RpcDenied, match="403"):
        client.call("session-get")
    assert inside(lab["altered"])["version"].startswith("4.1")


@pytest.mark.parametrize("name", ["debian11", "debian13"])
def test_the_first_start_came_after_our_settings(lab: Any, name: str) -> None:
    written = float(lab[name].check_output(f"stat --format %.3Y /etc/systemd/system/{UNIT}.d/seedbed.conf"))
    lines = lab[name].check_output(f"journalctl --unit {UNIT} --output short-unix --no-pager").splitlines()
    started = [float(line.split()[0]) for line in lines if "Starting" in line or "Started" in line]
    assert started and written <= min(started), "\n".join(lines)


@pytest.mark.parametrize("name", PLAIN)
def test_the_daemon_listens_on_its_two_ports_alone(lab: Any, name: str) -> None:
    assert listening(lab[name], "tcp") == {8081, 8082}
    assert listening(lab[name], "udp") == {8082}
    with socket.create_connection((lab.address(name), 8082), timeout=120):
        pass


@pytest.mark.parametrize("name", PLAIN)
def test_the_daemon_is_an_island_that_seeds_for_ever(lab: Any, name: str) -> None:
    session = ask(lab, name)
    for switch in (
        "dht-enabled",
        "pex-enabled",
        "lpd-enabled",
        "port-forwarding-enabled",
        "seedRatioLimited",
        "idle-seeding-limit-enabled",
        "seed-queue-enabled",
        "download-queue-enabled",
        "speed-limit-up-enabled",
    ):
        assert session[switch] is False, switch


@pytest.mark.parametrize("name", PLAIN)
def test_it_seeds_what_is_there_and_leeches_nothing(lab: Any, name: str) -> None:
    fields = ["hashString", "status", "leftUntilDone", "haveValid", "labels", "uploadLimit", "uploadLimited"]
    torrents = {one["hashString"]: one for one in ask(lab, name, "torrent-get", fields=fields)["torrents"]}
    assert torrents[SAMPLE] == {
        "hashString": SAMPLE,
        "status": 6,
        "leftUntilDone": 0,
        "haveValid": 65536,
        "labels": ["seedbed"],
        "uploadLimit": 100,
        "uploadLimited": True,
    }
    assert torrents[LOST]["status"] == 0
    assert not lab[name].file("/srv/lost.txt").exists


@pytest.mark.parametrize("name", ALL)
def test_the_password_is_nowhere_in_plain(lab: Any, name: str) -> None:
    host = lab[name]
    for secret in {FIRST_PASSWORD, PASSWORDS.get(name, FIRST_PASSWORD)}:
        where = "/etc/transmission-daemon /etc/systemd /var/lib/transmission-daemon /var/log /tmp /var/tmp"
        assert host.run(f"grep --recursive --files-with-matches --fixed-strings -- '{secret}' {where}").stdout == ""
        assert secret not in host.check_output(f"journalctl --no-pager --unit {UNIT}")
        assert secret not in host.check_output("ps -eo args")
    assert re.fullmatch(r"\{[0-9a-f]{40}\w{16}", settings(host)["rpc-password"])


@pytest.mark.parametrize("name", ALL)
def test_other_users_of_the_host_cannot_read_the_settings(lab: Any, name: str) -> None:
    assert lab[name].run("runuser -u nobody -- cat /etc/transmission-daemon/settings.json").rc != 0


@pytest.mark.parametrize("name", ALL)
def test_the_unit_is_hardened_and_comes_back(lab: Any, name: str, shut_in: Any) -> None:
    host = lab[name]
    if name in ("debian12", "debian13"):
        shut_in(host, UNIT)
    exposure = host.check_output(f"systemd-analyze security --no-pager {UNIT} | tail -n 1")
    # What the altered one asks for, local discovery and a folder in a home, opens two windows.
    assert float(re.findall(r"\d+\.\d+", exposure)[0]) <= 1.5
    assert host.service(UNIT).is_enabled
    assert not host.file("/usr/sbin/policy-rc.d").exists
    pid = host.check_output(f"systemctl show --value -p MainPID {UNIT}")
    limit = "2048" if name == "altered" else "16384"
    assert limit in host.check_output(f"grep 'open files' /proc/{pid}/limits")
    assert "Read-only file system" in host.run(f"nsenter --target {pid} --mount touch /srv/x /etc/x").stderr


def test_knobs_of_the_role_are_put_right_and_others_stay(lab: Any) -> None:
    session = ask(lab, "debian11")
    assert session["speed-limit-up-enabled"] is False
    assert session["alt-speed-up"] == 66
    assert settings(lab["debian11"])["alt-speed-up"] == 66


def test_a_refused_run_leaves_the_daemon_on_its_former_port(lab: Any) -> None:
    assert settings(lab["debian12"])["rpc-port"] == 8081
    assert lab["debian12"].service(UNIT).is_running


def test_every_variable_reaches_the_daemon(lab: Any) -> None:
    host = lab["altered"]
    stored = settings(host)
    wanted = {
        "rpc-port": 8500,
        "rpc-bind-address": "::",
        "peer-port-random-on-start": True,
        "dht-enabled": True,
        "lpd-enabled": True,
        "encryption": 2,
        "speed-limit-up": 5000,
        "speed-limit-up-enabled": True,
        "speed-limit-down": 6000,
        "peer-limit-global": 77,
        "peer-limit-per-torrent": 7,
        "upload-slots-per-torrent": 3,
        "umask": "027",
        "cache-size-mb": 8,
        "ratio-limit": 1.15,
        "ratio-limit-enabled": True,
        "default-trackers": "http://192.0.2.1:8888/announce\n\nhttp://192.0.2.2:8888/announce",
        "utp-enabled": False,
    }
    assert {key: stored[key] for key in wanted} == wanted
    live = inside(host)
    assert 8510 <= live["peer-port"] <= 8519
    assert live["encryption"] == "required"
    assert listening(host, "tcp") == {8500, live["peer-port"]}
    paths = host.check_output(f"systemctl show --value -p ReadWritePaths {UNIT}")
    assert "/home/media/more of it" in paths
