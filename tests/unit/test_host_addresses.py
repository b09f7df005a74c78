"""Further addresses of a host: what is set, what is left alone, and what is found to be somebody else's.

A fake `ip` keeps addresses as the kernel does; a fake systemd runs the batch files of the unit.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.base import ownership
from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.base.systemd import STATE, Unit
from ansible.module_utils.seedbed.host import host_addresses

HOST = {"192.0.2.11": "eth0", "fd00::11": "eth0", "127.0.0.1": "lo", "10.0.0.11": "eth1"}


class FakeHost:
    """The kernel's addresses and neighbours, and a systemd that knows one unit."""

    def __init__(self) -> None:
        self.addresses = dict(HOST)
        self.neighbours: list[dict[str, Any]] = []
        self.commands: list[str] = []
        self.active = self.enabled = False

    def run(self, argv: Sequence[str]) -> str:
        words = list(argv[1:])
        if words[:2] == ["-json", "neighbour"]:
            return json.dumps(self.neighbours)
        if words[:2] == ["-json", "address"]:
            return json.dumps(
                [
                    {
                        "ifname": device,
                        "addr_info": [{"local": ip} for ip in self.addresses if self.addresses[ip] == device],
                    }
                    for device in sorted(set(self.addresses.values()))
                ]
            )
        self.commands.append(" ".join(words))
        self.batch(" ".join(words))
        return ""

    def batch(self, text: str) -> None:
        for line in text.splitlines():
            _address, verb, network, _dev, device, *_more = line.split()
            ip = network.partition("/")[0]
            if verb == "replace":
                self.addresses[ip] = device
            elif self.addresses.pop(ip, None) is None:
                raise CommandError([line], 2, "Cannot assign requested address")


class FakeUnit(Unit):
    host: FakeHost
    root: Path

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.path = str(self.root / "units" / name)

    def properties(self, names: Sequence[str] = STATE) -> dict[str, str]:
        return {
            **dict.fromkeys(names, ""),
            "ActiveState": "active" if self.host.active else "inactive",
            "UnitFileState": "enabled" if self.host.enabled else "disabled",
        }

    def reload_files(self) -> None:
        self.host.commands.append("daemon-reload")

    def enable(self) -> None:
        self.host.enabled = True

    def start(self) -> None:
        self.host.active = True
        self.host.batch(Path(host_addresses.UP).read_text(encoding="utf-8"))

    def disable(self, *, stop: bool = True) -> None:
        self.host.active = self.host.enabled = False
        self.host.batch(Path(host_addresses.DOWN).read_text(encoding="utf-8"))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost()
    monkeypatch.setattr(FakeUnit, "host", fake, raising=False)
    monkeypatch.setattr(FakeUnit, "root", tmp_path, raising=False)
    for name in ("UP", "DOWN"):
        monkeypatch.setattr(host_addresses, name, str(tmp_path / "etc" / name.lower()))
    monkeypatch.setattr(host_addresses, "run", fake.run)
    monkeypatch.setattr(host_addresses, "IP", "/bin/sh")  # there, as ip is on a host
    monkeypatch.setattr(host_addresses, "Unit", FakeUnit)
    monkeypatch.setattr(ownership, "RECORD", str(tmp_path / "lib" / "owned.json"))
    monkeypatch.setattr(ownership, "recognised", Owned)
    return fake


@pytest.fixture
def bring(host: FakeHost) -> Callable[..., dict[str, Any]]:
    def run(*addresses: str, check: bool = False, beside: str = "192.0.2.11") -> dict[str, Any]:
        brought = host_addresses.bring_addresses(
            list(addresses), beside=beside, unit="[Unit]\n", role="scripted_peer", check=check
        )
        return brought._asdict()

    return run


def test_what_the_host_lacks_is_set_beside_its_address(host: FakeHost, bring: Callable[..., dict[str, Any]]) -> None:
    wanted = ["192.0.2.11", "192.0.2.41", "fd00::41", "10.0.0.11"]
    assert bring(*wanted, check=True)["added"] == ["192.0.2.41", "fd00::41"]
    assert host.addresses == HOST
    assert bring(*wanted)["changed"] is True
    assert host.addresses == {**HOST, "192.0.2.41": "eth0", "fd00::41": "eth0"}
    up = Path(host_addresses.UP).read_text(encoding="utf-8").splitlines()
    assert up == [
        "address replace 192.0.2.41/32 dev eth0",
        "address replace fd00::41/128 dev eth0 preferred_lft 0 valid_lft forever nodad",
    ]
    assert ownership.known().of("scripted_peer", "units") == {"seedbed-addresses.service": ""}
    assert bring(*wanted)["changed"] is False


def test_the_others_stay_when_one_goes(host: FakeHost, bring: Callable[..., dict[str, Any]]) -> None:
    bring("192.0.2.41", "192.0.2.42")
    host.commands.clear()
    found = bring("192.0.2.42", "192.0.2.43")
    assert (found["added"], found["removed"]) == (["192.0.2.43"], ["192.0.2.41"])
    assert host.commands == ["address del 192.0.2.41/32 dev eth0", "address replace 192.0.2.43/32 dev eth0"]
    assert host.addresses == {**HOST, "192.0.2.42": "eth0", "192.0.2.43": "eth0"}


def test_what_has_gone_meanwhile_comes_back(host: FakeHost, bring: Callable[..., dict[str, Any]]) -> None:
    bring("192.0.2.41")
    del host.addresses["192.0.2.41"]  # the host's network was restarted
    assert bring("192.0.2.41")["added"] == ["192.0.2.41"]
    host.active = False
    assert bring("192.0.2.41")["changed"] is True
    assert host.active


def test_without_any_left_nothing_of_ours_stays(
    host: FakeHost, bring: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    assert bring("192.0.2.11")["changed"] is False  # there never was any
    bring("192.0.2.41")
    assert bring("192.0.2.11")["removed"] == ["192.0.2.41"]
    assert host.addresses == HOST
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "owned.json"]
    assert bring("192.0.2.11")["changed"] is False


def test_an_address_that_no_device_has_is_no_place_for_others(bring: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(host_addresses.AddressError, match=r"no device .* 203.0.113.5, beside which 192.0.2.41"):
        bring("192.0.2.41", beside="203.0.113.5")


def test_a_bare_host_tells_in_check_mode_what_it_would_get(
    host: FakeHost, bring: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_addresses, "IP", "/nonexistent/ip")
    assert bring("192.0.2.41", check=True)["added"] == ["192.0.2.41"]
    assert host.commands == []
    monkeypatch.setattr(host_addresses, "_answers", lambda _addresses: {})
    assert host_addresses.occupied(["192.0.2.41"]) == {}


def test_who_answers_has_the_address_and_who_does_not_may_still_be_a_neighbour(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.neighbours = [
        {"dst": "127.0.0.9", "lladdr": "02:00:00:00:00:09", "state": ["REACHABLE"]},
        {"dst": "127.0.0.8", "lladdr": "02:00:00:00:00:08", "state": ["FAILED"]},
        {"dst": "192.0.2.99", "lladdr": "02:00:00:00:00:99", "state": ["STALE"]},
        {"dst": "127.0.0.7", "state": ["INCOMPLETE"]},
    ]
    # Loopback answers at each of its addresses at once, with a refusal or not; so nobody is asked for but one.
    with socket.create_server(("127.0.0.6", 0)) as server:
        monkeypatch.setattr(host_addresses, "KNOCK", server.getsockname()[1])
        assert host_addresses.occupied(["127.0.0.6", "127.0.0.1", ""]) == {"127.0.0.6": "somebody"}
    monkeypatch.setattr(host_addresses, "_answers", lambda _addresses: {})
    found = host_addresses.occupied(["127.0.0.7", "127.0.0.8", "127.0.0.9", "a.name"])
    assert found == {"127.0.0.9": "a host with the hardware address 02:00:00:00:00:09"}


def test_a_refusal_is_an_answer(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.6", 0))  # held, and nobody listens
        monkeypatch.setattr(host_addresses, "KNOCK", closed.getsockname()[1])
        assert host_addresses.occupied(["127.0.0.6"]) == {"127.0.0.6": "somebody"}
