"""The summary that a run ends with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.seedbed.doctor.findings import finding

Render = Callable[..., Any]
SUMMARY = "{{ items | lab_summary(hosts=hosts, portal='tracker1', groups=groups, secrets=secrets) }}"
GROUPS = {
    "all": ["tracker1", "seeder1", "leecher1"], "trackers": ["tracker1"], "portals": ["tracker1"],
    "seeders": ["seeder1"], "leechers": ["leecher1"],
}  # fmt: skip
ITEMS = [{"size": 1 << 20, "magnet": ""}, {"size": 1 << 20, "magnet": "magnet:?xt=urn:btih:00"}]
TRACKER = {
    "inventory_hostname": "tracker1",
    "lab_address": "192.0.2.1",
    "lab_services": {"tracker": {"port": 8888, "statistics": "stats"}, "portal": {"port": 8000}},
}
SEEDER = {
    "inventory_hostname": "seeder1",
    "lab_address": "2001:db8::2",
    "lab_services": {"seeder": {"rpc_port": 8081, "rpc_user": "seedbed"}},
}
LEECHER = {"inventory_hostname": "leecher1", "lab_address": "192.0.2.3", "lab_services": {"leecher": {}}}


def summary(render: Render, *, seeder: Any = SEEDER, leecher: Any = LEECHER, **secrets: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = render(
        SUMMARY, items=ITEMS, hosts=[TRACKER, seeder, leecher], groups=GROUPS, secrets=secrets
    )
    return found


def test_what_speaks_tls_is_told_with_its_authority(render: Render) -> None:
    services = {
        "tracker": {"port": 8888, "tls_port": 8444, "statistics": "stats"},
        "portal": {"port": 8000, "tls_port": 8443},
    }
    hosts = [{**TRACKER, "lab_services": services}, SEEDER, LEECHER]
    lines = render(SUMMARY, items=ITEMS, hosts=hosts, groups=GROUPS, secrets={})
    assert [line["text"] for line in lines if "https" in line["text"]] == [
        "           https://192.0.2.1:8443/  for those who trust http://192.0.2.1:8000/ca.crt",
        "           https://192.0.2.1:8444/announce  likewise, in no torrent of the lab",
    ]


def test_everything_is_where_the_contracts_say(render: Render) -> None:
    assert [line["text"] for line in summary(render)] == [
        "",
        "Portal     http://192.0.2.1:8000/  (2 torrents, 2 MiB)",
        "Tracker    http://192.0.2.1:8888/announce and udp://192.0.2.1:8888/announce",
        "Statistics http://192.0.2.1:8888/stats",
        "Web UI     http://[2001:db8::2]:8081/transmission/web/  user seedbed",
        "Magnet     magnet:?xt=urn:btih:00",
        "Proven     not by leecher1: ansible-playbook playbooks/site.yml -e lab_acceptance=always",
        "Trouble?   ansible-playbook playbooks/doctor.yml says of every torrent why it does, or does not, download",
    ]


def test_whoever_plays_by_script_is_named(render: Render) -> None:
    services = {**TRACKER["lab_services"], "scripted_peer": {"port": 8086}}  # type: ignore[dict-item]
    items = [{**ITEMS[0], "scripted": {"tracker1": {}}}, ITEMS[1]]
    groups = {**GROUPS, "scripted_peers": ["tracker1"]}
    hosts = [{**TRACKER, "lab_services": services}, SEEDER, LEECHER]
    found = [line["text"] for line in render(SUMMARY, items=items, hosts=hosts, groups=groups, secrets={})]
    assert "By script  http://192.0.2.1:8086/status.json  plays in 1 of the torrents" in found


def test_behind_a_jump_host_one_command_opens_all_of_it(render: Render) -> None:
    tracker = {
        **TRACKER,
        "ansible_host": "192.0.2.1",
        "ansible_user": "ops",
        "ansible_ssh_common_args": "-J guest@jump",
    }
    found = render(SUMMARY, items=[], hosts=[tracker, SEEDER], groups={**GROUPS, "leechers": []}, secrets={})
    assert [line["text"] for line in found][5:7] == [
        "From afar  ssh -J guest@jump -N -L 8000:127.0.0.1:8000 -L 8888:127.0.0.1:8888 -L '8081:[2001:db8::2]:8081' "
        "ops@192.0.2.1",
        "           opens http://localhost:8000/ http://localhost:8888/stats http://localhost:8081/transmission/web/",
    ]


def test_services_of_one_port_get_two_here(render: Render) -> None:
    tracker = {**TRACKER, "ansible_ssh_common_args": "-J jump"}
    seeder = {**SEEDER, "lab_services": {"seeder": {"rpc_port": 8000, "rpc_user": "seedbed"}}}
    found = render(SUMMARY, items=[], hosts=[tracker, seeder], groups={**GROUPS, "leechers": []}, secrets={})
    assert "-L '18000:[2001:db8::2]:8000' tracker1" in found[5]["text"]


def test_each_service_stands_with_its_own_port(render: Render) -> None:
    """The first host of a group stands for it, but every Flood is named."""
    flood = {"flood": {"port": 8083, "user": "me"}}
    seeders = [
        {**SEEDER, "lab_services": {**SEEDER["lab_services"], "flood": {"port": 8200, "user": "you"}}},
        {"inventory_hostname": "seeder2", "lab_address": "192.0.2.4", "lab_services": {"seeder": {}, **flood}},
    ]
    groups = {**GROUPS, "seeders": ["seeder1", "seeder2"], "leechers": []}
    found = render(SUMMARY, items=[], hosts=[TRACKER, *seeders], groups=groups, secrets={})
    assert [line["text"] for line in found if line["text"].startswith(("Web UI", "Flood"))] == [
        "Web UI     http://[2001:db8::2]:8081/transmission/web/  user seedbed",
        "Flood      http://[2001:db8::2]:8200/  user you",
        "Flood      http://192.0.2.4:8083/  user me",
    ]


def test_flood_and_generated_passwords_are_named_where_they_are(render: Render) -> None:
    flood = {**SEEDER, "lab_services": {**SEEDER["lab_services"], "flood": {"port": 8083, "user": "me"}}}
    texts = [
        line["text"] for line in summary(render, seeder=flood, transmission_rpc_password="/x", flood_password="/y")
    ]
    assert "Password   in /x" in texts
    assert "Flood      http://[2001:db8::2]:8083/  user me, password in /y" in texts


def test_an_aria2_that_runs_all_the_time_is_named_with_the_way_to_it(render: Render) -> None:
    told = {"rpc_port": 8084, "persistent": True, "rpc_secret_made": True}
    leecher = {**LEECHER, "lab_services": {"leecher": told}, "ansible_ssh_common_args": "-J jump"}
    found = [line["text"] for line in summary(render, leecher=leecher, leecher_rpc_secret="/x")]
    at = found.index("aria2      http://192.0.2.3:8084/jsonrpc  secret in /x")
    assert found[at + 1] == (
        "           or http://localhost:8084/jsonrpc by ssh -J jump -N -L 8084:127.0.0.1:8084 leecher1"
    )
    leecher["lab_services"] = {"leecher": {**told, "rpc_secret_made": False}}
    found = [line["text"] for line in summary(render, leecher=leecher, leecher_rpc_secret="/x")]
    assert "aria2      http://192.0.2.3:8084/jsonrpc  secret as in leecher_rpc_secret" in found


def test_what_was_proven_is_said_with_its_ways(render: Render) -> None:
    done = {"ok": True, "via": "magnet", "tracker": "udp", "seconds": {"verified": 4.4}}
    skipped = {**done, "ok": False, "seconds": {}}
    downloads = [done, {**done, "tracker": "http"}, skipped]
    leecher = {**LEECHER, "__report_proof": {"when": "just now", "downloads": downloads}}
    assert {
        "text": "Proven     just now by leecher1, SHA-256 equal: magnet over udp in 4 s; magnet over http in 4 s"
    } in summary(render, leecher=leecher)
    leecher = {**LEECHER, "__report_proof": {"when": "just now", "downloads": [skipped]}}
    assert {
        "text": "Proven     just now by leecher1, reached: it has had all of this before, see the table"
    } in summary(render, leecher=leecher)


def test_what_the_doctor_found_is_said_and_a_fault_stands_out(render: Render) -> None:
    well = {"item": "a", "severity": "ok", "cause": "", "verdict": "healthy"}
    ill = {"item": "b", "severity": "fault", "cause": "paused", "verdict": "torrent_paused"}
    found = summary(render, leecher={**LEECHER, "__doctor_verdicts": [well, {**well, "item": "b"}]})
    assert {"text": "Doctor     every one of 2 torrents is healthy"} in found
    found = summary(render, leecher={**LEECHER, "__doctor_verdicts": [well, ill]})
    assert {"text": "Doctor     not well: b (paused)", "severity": "fault"} in found


def test_who_has_had_all_of_it_from_transmission_3_is_no_fault_of_the_lab(render: Render) -> None:
    more = finding("address_remembered", where="192.0.2.5:51413", detail="3.00")["cause"]
    met = {"item": "a", "from": "leecher1", "more": [more], **finding("address_remembered", where="x", detail="3.00")}
    well = {"item": "b", "from": "leecher1", "more": [], "severity": "ok", "cause": "", "verdict": "healthy"}
    assert {
        "text": "Doctor     every one of 2 torrents can be downloaded; "
        "Transmission 3.00 has served a to leecher1, and does so again once it is restarted"
    } in summary(render, leecher={**LEECHER, "__doctor_verdicts": [met, well]})
    late = finding("clock_skew", where="seeder1", detail="90")["cause"]
    found = summary(render, leecher={**LEECHER, "__doctor_verdicts": [{**met, "more": [more, late]}, well]})
    assert {"text": f"Doctor     not well: a ({met['cause']})", "severity": "fault"} in found
