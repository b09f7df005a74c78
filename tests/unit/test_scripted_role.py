"""What role scripted_peer decides, and its module with a daemon on loopback."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import scripted_peers as module
from ansible.module_utils.seedbed.base import ownership
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.base.systemd import STATE, Unit
from ansible.module_utils.seedbed.host import service_unit
from ansible.module_utils.seedbed.host.host_addresses import Brought
from ansible.module_utils.seedbed.scripted.config import ConfigError, next_config, render_config
from ansible.module_utils.testing import patch_module_args
from scripted_lab import ADDRESSES, ScriptedLab, make_torrent, peers

Render = Callable[..., Any]
NETWORKS = ["192.0.2.0/24", "fd00::/64"]
FAULTS = "{{ addresses | scripted_address_faults(networks=networks, others=others, own='host.lab') }}"


# -- the contract -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("addresses", "sentence"),
    [
        (["192.0.2.11", "fd00::41"], ""),
        ([""], ""),  # not known before the host was asked
        (["host.lab"], ""),  # its lab_address, a name
        ([], "is empty; scripted peers need at least one address"),
        (["host.example"], "has 'host.example', which is no IP address"),
        (["192.0.2.11", "192.0.2.11"], "has 192.0.2.11 twice; clients take one peer an address"),
        (["203.0.113.1"], "has 203.0.113.1, which is in none of lab_networks"),
        (["127.0.0.1"], "has 127.0.0.1, which other hosts cannot reach"),
        (["fe80::1"], "has fe80::1, which other hosts cannot reach"),
        (["192.0.2.21"], "has 192.0.2.21, which is the address of seeder1; choose one that nobody has"),
    ],
)
def test_addresses_are_refused_in_a_sentence(render: Render, addresses: list[str], sentence: str) -> None:
    found = render(FAULTS, addresses=addresses, networks=NETWORKS, others={"seeder1": ["192.0.2.21"]})
    assert [fault.startswith(f"scripted_peer_addresses {sentence}") for fault in found] == [True] * bool(sentence)


def test_an_occupied_address_is_refused_with_who_has_it(render: Render) -> None:
    occupied = {"192.0.2.41": "a host with the hardware address 02:00:00:00:00:09"}
    [said] = render("{{ occupied | occupied_faults('scripted_peer_addresses') }}", occupied=occupied)
    assert "has 192.0.2.41, but a host with the hardware address 02:00:00:00:00:09 answers there already" in said


def test_other_hosts_have_addresses_by_inventory_and_as_scripted_peers(render: Render) -> None:
    hosts = [
        {"inventory_hostname": "a", "lab_address": "192.0.2.1", "ansible_host": "192.0.2.2"},
        {"inventory_hostname": "b", "lab_services": {"scripted_peer": {"addresses": ["", "192.0.2.41"]}}},
    ]
    found = render("{{ hosts | addresses_by_host }}", hosts=hosts)
    assert found == {"a": ["192.0.2.1", "192.0.2.2"], "b": ["192.0.2.41"]}


@pytest.mark.parametrize(
    ("written", "known"),
    [
        (["192.0.2.1", "FD00:0::41", "192.0.2.1"], ["192.0.2.1", "fd00::41"]),
        ([""], ["192.0.2.9"]),  # as the default was before the host was asked
        (["host.example", "192.0.2.41"], ["192.0.2.9", "192.0.2.41"]),
    ],
)
def test_addresses_are_known_once_the_host_was_asked(render: Render, written: list[str], known: list[str]) -> None:
    facts = {"default_ipv4": {"address": "192.0.2.9"}}
    host = {
        "inventory_hostname": "a",
        "ansible_facts": facts,
        "lab_services": {"scripted_peer": {"addresses": written}},
    }
    assert render("{{ host | scripted_addresses }}", host=host) == known


def test_nine_ports_belong_to_it(render: Render) -> None:
    listeners = render("{{ 8086 | scripted_listeners(unit='x.service') }}")
    assert [listener["port"] for listener in listeners] == list(range(8086, 8095))
    assert [listener["port"] for listener in listeners if "udp" in listener["protocols"]] == [8086]
    assert [listener["port"] for listener in listeners if listener.get("dropped")] == [8094]
    opened = render("{{ listeners | open_listeners | map(attribute='port') }}", listeners=listeners)
    assert list(opened) == list(range(8086, 8094))
    # What is no port is one fault, not nine.
    assert len(render("{{ 'x' | scripted_listeners(unit='x.service') }}")) == 1


def test_a_host_plays_its_part_of_the_items(render: Render) -> None:
    items = [
        {"name": "plain", "metainfo": "ZGU=", "scripted": {}},
        {"name": "older", "metainfo": "ZGU="},
        {"name": "bad", "metainfo": "ZGU=", "scripted": {"a": {"info_hash": "0" * 40}, "b": {"info_hash": "1" * 40}}},
    ]
    text = render("{{ items_json | scripted_torrents('a') }}", items_json=json.dumps(items))
    assert json.loads(text) == [{"metainfo": "ZGU=", "scripted": {"info_hash": "0" * 40}}]


# -- the configuration ------------------------------------------------------------------------------------------------


def torrent(number: int, *addresses: str) -> dict[str, Any]:
    played = [{"address": address, "script": {"behaviour": "stall"}} for address in addresses]
    return {"info_hash": f"{number:040x}", "torrent": f"/x/{number}.torrent", "seed": "x", "peers": played}


def settings(*addresses: str) -> dict[str, Any]:
    return {"port": 8086, "addresses": list(addresses), "networks": ["192.0.2.0/24"]}


def test_what_is_played_stays_when_only_the_rest_changes() -> None:
    before = next_config(
        None, torrents=[torrent(2, "192.0.2.1"), torrent(1, "192.0.2.2")], **settings("192.0.2.1", "192.0.2.2")
    )
    text = render_config(before)
    assert [played["info_hash"][-1] for played in json.loads(text)["torrents"]] == ["1", "2"]
    assert render_config(next_config(text, torrents=None, **settings("192.0.2.1", "192.0.2.2"))) == text
    # A peer at an address that is gone waits for the catalogue to say where it is now.
    less = next_config(text, torrents=None, **settings("192.0.2.1"))
    assert [played["info_hash"][-1] for played in less["torrents"]] == ["2"]
    for nothing in (None, b"", b"{half a"):
        assert next_config(nothing, torrents=None, **settings("192.0.2.1"))["torrents"] == []


def test_what_could_not_be_played_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"torrent 0+1: peer 0: address '192.0.2.9' is none of this host's"):
        next_config(None, torrents=[torrent(1, "192.0.2.9")], **settings("192.0.2.1"))


# -- the module -------------------------------------------------------------------------------------------------------


class FakeUnit(Unit):
    """systemd, as far as the module needs it, with the daemon in a thread."""

    lab: ScriptedLab
    root: Path
    log: list[str]
    state: dict[str, float]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.path = str(self.root / name)

    def properties(self, names: Sequence[str] = STATE) -> dict[str, str]:
        begun = "begun" in self.state
        return {
            **dict.fromkeys(names, ""),
            "LoadState": "loaded",
            "ActiveState": "active" if begun else "inactive",
            "SubState": "running",
            "UnitFileState": "enabled" if begun else "disabled",
            "MainPID": str(os.getpid()) if begun else "0",
            "NRestarts": "0",
            "ExecMainStartTimestampMonotonic": str(int(self.state.get("begun", 0) * 1e6)),
            "StateChangeTimestampMonotonic": str(int(self.state.get("read", 0) * 1e6)),
        }

    def restart(self) -> None:
        self.log.append("restart")
        self.lab.reload()
        self.state["begun"] = self.state["read"] = time.monotonic()

    def reload(self) -> None:
        self.log.append("reload")
        self.lab.reload()
        self.state["read"] = time.monotonic()

    def reload_files(self) -> None:
        pass

    def enable(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def journal(self, lines: int = 5) -> str:
        return ""


Play = Callable[..., dict[str, Any]]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Play]:
    """Return a function that calls the module; `play.log` is what systemd was told."""
    monkeypatch.setattr(ownership, "RECORD", str(tmp_path / "lib" / "owned.json"))
    monkeypatch.setattr(ownership, "recognised", Owned)
    for name, path in (
        ("PROGRAM", "program"),
        ("CONFIG", "scripted.json"),
        ("STATE", "state"),
        ("TORRENTS", "torrents"),
    ):
        monkeypatch.setattr(module, name, str(tmp_path / path))
    monkeypatch.setattr(module, "Unit", FakeUnit)
    monkeypatch.setattr(module, "bring_addresses", lambda *_given, **_more: Brought(False, [], [], "", ""))
    with ScriptedLab(tmp_path) as lab:
        (tmp_path / "scripted.json").unlink()  # the daemon of this test has read it; the host has none yet
        for name, value in (("lab", lab), ("root", tmp_path), ("log", []), ("state", {})):
            monkeypatch.setattr(FakeUnit, name, value, raising=False)
        held = {"unit": module.UNIT, "process": "python3"}
        monkeypatch.setattr(
            service_unit,
            "listening_sockets",
            lambda first, _last: [{**held, "port": first, "protocol": protocol} for protocol in ("tcp", "udp")],
        )

        def call(*torrents: tuple[str, dict[str, Any]], check: bool = False, **more: Any) -> dict[str, Any]:
            wanted = [{"metainfo": metainfo, "scripted": scripted} for metainfo, scripted in torrents]
            arguments = {
                "port": lab.port,
                "addresses": ADDRESSES,
                "beside": "127.0.0.1",
                "addresses_unit": "[Unit]\n",
                "torrents_json": json.dumps(wanted),
                "unit": "[Unit]\n",
                "program": base64.b64encode(b"the daemon").decode(),
                "role": "scripted_peer",
                "_ansible_check_mode": check,
                **more,
            }
            given = {key: value for key, value in arguments.items() if value is not None}
            with patch_module_args(given), pytest.raises(SystemExit):
                module.main()
            return {**json.loads(capsys.readouterr().out), "log": list(FakeUnit.log)}

        yield call


def made(tmp_path: Path, name: str, behaviour: str) -> tuple[str, dict[str, Any]]:
    found = make_torrent(tmp_path, name)
    metainfo = base64.b64encode(Path(found["torrent"]).read_bytes()).decode()
    path = tmp_path / "torrents" / f"{found['info_hash']}.torrent"
    return metainfo, {**found, "torrent": str(path), "peers": peers({"behaviour": behaviour})}


def test_the_daemon_plays_what_it_is_told_and_reads_it_again_only_for_a_change(play: Play, tmp_path: Path) -> None:
    one, two = made(tmp_path, "one", "stall"), made(tmp_path, "two", "drip")
    assert play(torrents_json=None, check=True)["changed"] is True
    assert not (tmp_path / "scripted.json").exists()
    assert play(torrents_json=None)["action"] == "start"
    first = play(one)
    assert (first["changed"], first["action"], first["torrents"]) == (True, "reload", 1)
    assert play(one)["changed"] is False
    kept = play(torrents_json=None)
    assert (kept["changed"], kept["torrents"]) == (False, 1)
    second = play(two)
    assert second["log"] == ["restart", "reload", "reload"]
    names = {path.name for path in (tmp_path / "torrents").iterdir()}
    assert names == {f"{two[1]['info_hash']}.torrent"}
    assert f"{one[1]['info_hash']}.torrent goes" in second["reasons"]


def test_addresses_that_are_set_are_a_change(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    play()
    brought = Brought(True, ["192.0.2.41"], ["192.0.2.42"], "192.0.2.42\n", "192.0.2.41\n")
    monkeypatch.setattr(module, "bring_addresses", lambda *_given, **_more: brought)
    found = play()
    assert (found["changed"], found["action"]) == (True, "")
    assert (found["added"], found["removed"]) == (["192.0.2.41"], ["192.0.2.42"])
    assert found["diff"][-1] == {"header": "addresses", "before": "192.0.2.42\n", "after": "192.0.2.41\n"}


def test_a_configuration_that_cannot_be_played_changes_nothing(play: Play, tmp_path: Path) -> None:
    one, two = made(tmp_path, "one", "stall"), made(tmp_path, "two", "no such behaviour")
    play(one)
    before = (tmp_path / "scripted.json").read_bytes()
    said = play(one, two)
    assert "behaviour 'no such behaviour' is not known" in said["msg"]
    assert (tmp_path / "scripted.json").read_bytes() == before
    assert len(list((tmp_path / "torrents").iterdir())) == 1
    assert said["log"] == ["restart"]
