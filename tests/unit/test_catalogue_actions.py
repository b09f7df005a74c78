"""The catalogue's action plugins in a play of their own, whose hosts need not exist."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.torrent.bencode import encode

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = """
all:
  hosts:
    tracker1: {lab_address: 192.0.2.10, lab_services: {tracker: {port: 8889}}}
    seeder1: {lab_address: 192.0.2.20, lab_services: {seeder: {peer_port: 8082}}}
    seeder2: {lab_address: 192.0.2.21, lab_services: {seeder: {peer_port: 8082}}}
    play1:
      lab_address: 192.0.2.30
      scripted_peer_addresses: [192.0.2.30, "192.0.2.{{ 31 }}"]
      lab_services: {scripted_peer: {port: 8086, addresses: "{{ scripted_peer_addresses }}"}}
    portal1: {address: "2001:db8::1", lab_address: "{{ address }}", lab_services: {portal: {port: 8000}}}
"""


def once(module: str, register: str = "", **more: Any) -> dict[str, Any]:
    """A task for all hosts together."""
    task = {"name": module, "run_once": True, **more}
    return {**task, "register": register} if register else task


TASKS = [
    once(
        "catalogue_specs",
        "resolved",
        catalogue_specs={
            "variables": "{{ variables }}",
            "seeders": ["seeder1", "seeder2"],
            "portals": ["portal1"],
            "trackers": ["tracker1"],
            "scripted_peers": ["play1"],
            "reachable": ["tracker1", "seeder1", "portal1", "play1"],
        },
    ),
    once(
        "catalogue_items",
        "made",
        catalogue_items={
            "resolved_json": "{{ resolved.resolved_json }}",
            "results": "{{ results }}",
            "portals": ["portal1"],
            "seeders": ["seeder1", "seeder2"],
            "scripted_peers": ["play1"],
            "lab": "test",
            "malformed": True,
        },
    ),
    once(
        "write the results down",
        copy={
            "content": "{{ {'resolved': resolved, 'made': made} | to_json }}",
            "dest": "{{ output }}",
            "mode": "0600",
        },
        connection="local",
        check_mode=False,
    ),
]
TORRENT = encode(
    {
        "announce": "http://theirs/announce",
        "info": {"name": "theirs", "length": 5, "piece length": 16384, "pieces": bytes(20)},
    }
)


class Play:
    """One run of the play: what it printed, and what both plugins returned."""

    def __init__(self, directory: Path, variables: dict[str, Any], results: dict[str, Any], *options: str) -> None:
        (directory / "hosts.yml").write_text(INVENTORY, encoding="utf-8")
        play = [{"hosts": "all", "gather_facts": False, "tasks": TASKS}]
        (directory / "play.yml").write_text(json.dumps(play), encoding="utf-8")
        (directory / "theirs.torrent").write_bytes(TORRENT)
        output = directory / "results.json"
        output.unlink(missing_ok=True)
        given = {"variables": variables, "results": results, "output": str(output)}
        (directory / "given.json").write_text(json.dumps(given), encoding="utf-8")
        done = subprocess.run(
            ["ansible-playbook", "-i", "hosts.yml", "-e", "@given.json", *options, "play.yml"],
            cwd=directory,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_HOME": str(directory / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        self.code, self.said = done.returncode, done.stdout + done.stderr
        whole = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
        self.resolved, self.made = whole.get("resolved", {}), whole.get("made", {})


@pytest.mark.parametrize("options", [(), ("--check",)])
def test_from_variables_to_what_each_host_gets(tmp_path: Path, options: tuple[str, ...]) -> None:
    entries = [
        {"name": "盲道", "synthetic": {"size": "100KiB"}, "swarm": {"available": "60%"}},
        {"name": "served", "synthetic": {"size": 9}, "webseed": True},
        {"torrent": "theirs.torrent", "source": "/srv/theirs"},
    ]
    variables = {"catalogue_torrents": entries, "catalogue_menu": ["dead-in-tier"]}
    variables["catalogue_torrent_dir"] = str(tmp_path)
    held = {"download_dir": "/p", "changed": False}
    content = {"length": 5, "single_file": True, "piece_length": 16384, "pieces": base64.b64encode(bytes(20)).decode()}
    theirs = {"name": "theirs", **held, **content, "files": [{"path": [], "length": 5, "sha256": "0"}]}
    payloads = [{"name": name, **held} for name in ("盲道", "served", "dead-in-tier")] + [theirs]
    results = {"seeder1": {"payloads_json": json.dumps(payloads), "failures": [], "gone": ["old"]}, "portal1": {}}
    play = Play(tmp_path, variables, results, "-v", *options)
    assert play.code == 0, play.said
    # seeder2 cannot be asked.
    specs = {host: json.loads(text) for host, text in play.resolved["specs_json"].items()}
    assert {host: [spec["name"] for spec in found] for host, found in specs.items()} == {
        "seeder1": ["盲道", "served", "theirs", "dead-in-tier"],
        "portal1": ["served"],
        "play1": [],
    }
    assert play.resolved["webseeds"] is True
    items = {item["name"]: item for item in json.loads(play.made["items_json"])}
    tiers = [["http://192.0.2.10:8889/announce", "udp://192.0.2.10:8889/announce"]]
    assert items["盲道"]["trackers"] == tiers
    assert (items["盲道"]["share"], items["盲道"]["swarm"]["available"]) == (600_000, "60%")
    assert items["theirs"]["trackers"] == [["http://theirs/announce"], *tiers]
    assert items["dead-in-tier"]["trackers"] == [["http://192.0.2.1:8888/announce", *tiers[0]]]
    assert items["served"]["webseeds"] == ["http://[2001:db8::1]:8000/payload/served"]
    torrents = {host: json.loads(text) for host, text in play.made["torrents_json"].items()}
    assert [torrent["name"] for torrent in torrents["seeder1"]] == ["old", *items]
    assert [torrent["state"] for torrent in torrents["portal1"]] == ["absent"]
    files = [file["path"] for file in json.loads(play.made["files_json"])]
    assert files[:5] == [*(f"torrents/{name}.torrent" for name in items), "catalogue.json"]
    assert len(files) > 25
    assert (play.made["gone"], play.made["failures"], play.made["notes"]) == (["old"], [], [])
    # What it does is said; the texts that it returns are for programs.
    for line in ("seeder1 holds 4 of 4 entries", "盲道: hashed by no host, so the controller computes it", "4 items, "):
        assert line in play.said
    assert "items_json" not in play.said
    assert "ok=3    changed=1 " in play.said  # nothing but what wrote the results down


def test_what_an_absent_seeder_alone_has_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The items of the run that had all seeders are on the controller; later runs are without seeder2."""
    entries = [
        {"name": "both.bin", "source": "/srv/both.bin"},
        {"name": "theirs.bin", "source": "/srv/theirs.bin", "swarm": {"seeders": ["seeder2"]}},
        {"collection": "/srv/media/*"},
    ]
    held = {"download_dir": "/p", "changed": False, "length": 5, "single_file": True, "piece_length": 16384}
    held |= {"pieces": base64.b64encode(bytes(20)).decode(), "files": [{"path": [], "length": 5, "sha256": "0"}]}
    names = {"seeder1": ["both.bin"], "seeder2": ["both.bin", "theirs.bin", "found.bin"]}
    payloads = {host: [{"name": name, **held} for name in found] for host, found in names.items()}
    payloads["seeder2"][2]["collection"] = "/srv/media/*"
    results: dict[str, Any] = {host: {"payloads_json": json.dumps(found)} for host, found in payloads.items()}
    results["play1"] = {}

    def run(results: dict[str, Any], absent: list[str], *options: str) -> Play:
        asked = [*results, "tracker1", "portal1"]
        more = {"seeders": ["seeder1", "seeder2"], "absent": absent, "directory": str(tmp_path / "lab")}
        specs = {**TASKS[0]["catalogue_specs"], "reachable": asked, "absent": absent}
        items = {**TASKS[1]["catalogue_items"], **more}
        tasks = [{**TASKS[0], "catalogue_specs": specs}, {**TASKS[1], "catalogue_items": items}, TASKS[2]]
        monkeypatch.setattr(f"{__name__}.TASKS", tasks)
        play = Play(tmp_path, {"catalogue_torrents": entries}, results, *options)
        assert play.code == 0, play.said
        return play

    run(results, [], "--check")
    assert not (tmp_path / "lab").exists()
    whole = {item["name"]: item for item in json.loads(run(results, []).made["items_json"])}
    assert list(whole) == ["both.bin", "theirs.bin", "found.bin"]

    without = run({"seeder1": results["seeder1"], "play1": {}}, ["seeder2"])
    items = {item["name"]: item for item in json.loads(without.made["items_json"])}
    assert (list(items), without.made["failures"]) == (list(whole), [])
    assert items["both.bin"]["swarm"]["seeders"] == ["seeder1"]
    assert [items[name] for name in ("theirs.bin", "found.bin")] == [whole["theirs.bin"], whole["found.bin"]]

    # Nobody said that it would be away; what it alone has stays published, and that is told.
    lost = run({"seeder1": results["seeder1"], "play1": {}}, [])
    assert [item["name"] for item in json.loads(lost.made["items_json"])] == list(whole)
    assert "theirs.bin: no seeder of it could be asked, so it stays published as it was" in lost.made["failures"]


def test_faults_come_together_in_one_message(tmp_path: Path) -> None:
    variables = {"catalogue_menu": ["soup"], "catalogue_torrents": [{"torrent": "theirs.torrent", "source": "x"}]}
    play = Play(tmp_path, variables, {})
    assert play.code == 2
    said = " ".join(play.said.split())
    assert "catalogue_menu has no 'soup'; it offers all" in said
    assert "catalogue_torrents[0]: source is 'x'; an absolute path would be right" in said
    assert "Traceback" not in said


def test_a_tracker_without_an_address_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.INVENTORY", INVENTORY.replace("lab_address: 192.0.2.10, ", ""))
    play = Play(tmp_path, {"catalogue_menu": ["one-byte"]}, {})
    assert play.code == 2
    assert "tracker1 has no known address; set lab_address, or gather its facts first" in " ".join(play.said.split())
    assert "Traceback" not in play.said


def test_what_scripts_play_in(tmp_path: Path) -> None:
    scripts = {"peers": [{"behaviour": "corrupt"}, {"behaviour": "healthy"}]}
    entries = [
        {"name": "beside", "synthetic": {"size": 9}, "swarm": scripts},
        {"name": "alone", "synthetic": {"size": 9}, "version": "v2", "swarm": {"seeders": [], **scripts}},
    ]
    held = json.dumps([{"name": "beside", "download_dir": "/p", "changed": False}])
    results = {"seeder1": {"payloads_json": held, "failures": []}, "play1": {}}
    play = Play(tmp_path, {"catalogue_torrents": entries, "catalogue_menu": ["webseed-missing"]}, results)
    assert play.code == 0, play.said
    specs = {host: json.loads(text) for host, text in play.resolved["specs_json"].items()}
    assert [(spec["name"], spec.get("virtual")) for spec in specs["play1"]] == [
        ("alone", True),
        ("webseed-missing", True),
    ]
    items = {item["name"]: item for item in json.loads(play.made["items_json"])}
    played = {name: item["scripted"]["play1"] for name, item in items.items()}
    assert [peer["address"] for peer in played["alone"]["peers"]] in (
        ["192.0.2.30", "192.0.2.31"],
        ["192.0.2.31", "192.0.2.30"],
    )
    assert played["beside"]["seeders"] == [{"address": "192.0.2.20", "port": 8082}]
    assert played["alone"]["seeders"] == []
    assert items["beside"]["trackers"] == [["http://192.0.2.30:8086/announce/1-1/announce"]]
    assert played["webseed-missing"]["webseed"] == {"behaviour": "missing"}


def test_more_peers_than_addresses_are_refused(tmp_path: Path) -> None:
    entries = [{"name": "a", "synthetic": {"size": 9}, "swarm": {"peers": [{}, {}, {}]}}]
    play = Play(tmp_path, {"catalogue_torrents": entries}, {})
    assert play.code != 0
    assert "peers has 3 peers, and 2 addresses play" in " ".join(play.said.split())
