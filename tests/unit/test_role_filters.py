"""The filters that only their role calls, through Ansible's own template engine, as the roles' variables call them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.seedbed.torrent.model import Room
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from rooms import room

ROLES = Path(__file__).resolve().parents[2] / "roles"


Render = Callable[..., Any]


@pytest.fixture
def in_role() -> Render:
    """Return a function that renders a template as a play does that has the role's variables."""

    def rendered(role: str, template: str, **facts: Any) -> Any:
        variables: dict[str, Any] = {"lab_networks": ["192.0.2.0/24"]}
        for part in ("defaults", "vars"):
            variables |= yaml.safe_load((ROLES / role / part / "main.yml").read_text(encoding="utf-8"))
        return Templar(DataLoader(), {**trusted(variables), **facts}).template(trust_as_template(template))

    return rendered


@pytest.mark.parametrize(
    ("hostvars", "rooms"),
    [
        ({"play1": {}}, [room(1)]),
        (
            {"play1": {"lab_services": {"scripted_peer": {"addresses": ["192.0.2.1", "192.0.2.2"]}}}, "play2": {}},
            [room(2), room(1)],
        ),
        ({}, []),
    ],
)
def test_catalogue_counts_the_addresses_that_play(in_role: Render, hostvars: Any, rooms: list[Room]) -> None:
    template = "{{ groups['scripted_peers'] | map('extract', hostvars) | catalogue_rooms }}"
    facts = {"hostvars": hostvars, "groups": {"scripted_peers": list(hostvars)}}
    assert in_role("catalogue", template, **facts) == rooms
    assert in_role("catalogue", "{{ __catalogue_rooms }}", **facts) == rooms


def trusted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: trusted(member) for key, member in value.items()}
    if isinstance(value, list):
        return [trusted(member) for member in value]
    return trust_as_template(value) if isinstance(value, str) else value


def test_opentrackers_default_build_keeps_its_name(in_role: Render) -> None:
    compiler = "12.2.0 x86_64-linux-gnu"
    by_hand = in_role(
        "opentracker",
        "{{ __opentracker_settings | opentracker_build(compiler) }}",
        compiler=compiler,
        inventory_dir="/etc",
    )
    assert by_hand["id"] == "1.0+git20250425.b20b0b8-cd6a74be"
    assert by_hand == in_role(
        "opentracker", "{{ __opentracker_build }}", __opentracker_state={"compiler": compiler}, inventory_dir="/etc"
    )


def test_opentrackers_defaults_have_no_faults(in_role: Render) -> None:
    assert in_role("opentracker", "{{ __opentracker_faults }}", inventory_dir="/etc") == []
    settings = "{{ __opentracker_settings | opentracker_faults }}"
    found = in_role("opentracker", settings, inventory_dir="/etc", opentracker_features=["WANT_SYNC_LIVE"])
    assert len(found) == 1


def test_opentracker_is_held_to_its_times(in_role: Render) -> None:
    told = [{"tracker": "udp://t:1", "interval": 1700, "min_interval": None}]
    unlike = "{{ __opentracker_settings | opentracker_unlike(told) }}"
    assert in_role("opentracker", unlike, inventory_dir="/etc", told=told) == []
    assert in_role("opentracker", unlike, inventory_dir="/etc", told=told, opentracker_interval=60) == [
        "udp://t:1 has clients announce every 1700 s, not 60"
    ]


IMPAIRED_LAB = {
    "hub": {
        "inventory_hostname": "hub",
        "lab_ip": "192.0.2.1",
        "lab_services": {"tracker": {"port": 8888}, "portal": {"port": 8000, "directory": "/srv/p"}},
    },
    "seeder1": {
        "inventory_hostname": "seeder1",
        "lab_ip": "192.0.2.2",
        "ansible_facts": {"default_ipv4": {"address": "192.0.2.2"}, "default_ipv6": {"address": "2001:db8::2"}},
        "lab_services": {"seeder": {"rpc_port": 8081}, "scripted_peer": {"addresses": ["192.0.2.9", ""]}},
        "__impairment_planned": {"lacking": ["300 ms late: its kernel has no netem"]},
        "__impairment_done": {"current": None},
    },
    **{
        name: {"inventory_hostname": name, "lab_ip": address, "lab_services": {"leecher": {"rpc_port": 8084}}}
        for name, address in (("leecher1", "192.0.2.3"), ("leecher2", "192.0.2.4"))
    },
    "leecher3": {"inventory_hostname": "leecher3"},
}


def test_an_impairment_knows_the_labs_ports_and_its_hosts(in_role: Render) -> None:
    facts = {
        "hostvars": IMPAIRED_LAB,
        "inventory_hostname": "seeder1",
        "ansible_play_hosts_all": ["seeder1", "leecher1"],
        "groups": {"all": list(IMPAIRED_LAB), "portals": ["hub"], "leechers": ["leecher3", "leecher1", "leecher2"]},
    }
    assert in_role("impairment", "{{ __impairment_ports }}", **facts) == {
        "trackers": [8888],
        "web": [8000, 8081, 8084],
    }
    assert in_role("impairment", "{{ __impairment_place.addresses }}", **facts, lab_listeners=[], __lab_host={}) == [
        *("192.0.2.2", "2001:db8::2", "192.0.2.9")
    ]
    # One that is not impaired itself, and is known.
    assert in_role("impairment", "{{ __impairment_meter }}", **facts) == "leecher2"
    assert in_role("impairment", "{{ __impairment_portals }}", **facts) == ["hub"]
    assert in_role("impairment", "{{ __impairment_faults }}", **facts, impairment="slow") == []
    [fault] = in_role("impairment", "{{ __impairment_faults }}", **facts)
    assert fault.startswith("impairment is ''; choose wifi,")
    hosts = [IMPAIRED_LAB["seeder1"]]
    [line] = in_role("impairment", "{{ hosts | impairment_lacking }}", hosts=hosts)
    assert line["text"] == "note  seeder1 leaves out 300 ms late: its kernel has no netem; all else is done"
    [line] = in_role("impairment", "{{ hosts | impairment_lines(meter='leecher2') }}", hosts=hosts)
    assert line["text"] == "seeder1: nothing impairs it"
    assert in_role("impairment", "{{ host | impairment_addresses }}", host={}) == []
    assert in_role("impairment", "{{ [] | impairment_meter(hosts=[], impaired=[]) }}") == ""
    assert in_role("impairment", "{{ ['a'] | impairment_portals(hosts=[]) }}") == []
    assert in_role("impairment", "{{ [] | impairment_ports }}") == {"trackers": [], "web": []}
    assert in_role("impairment", "{{ 'none' | impairment_faults(minutes=0, numbers={}) }}") == []


def test_the_portal_names_its_faults(in_role: Render) -> None:
    facts = {"groups": {"all": ["one"], "trackers": ["one"], "leechers": []}, "hostvars": {}}
    assert in_role("portal", "{{ __portal_faults }}", **facts) == []
    assert in_role("portal", "{{ __portal_faults }}", **facts, portal_users=["alice"], portal_seeders=["two"]) == [
        "portal_users has an entry for alice that is not NAME:HASH; make the hash with openssl passwd -6",
        "portal_trackers or portal_seeders names two, which is not in the inventory",
    ]
    nothing = "{{ [] | portal_faults(networks=[], hosts=[], inventory=[], aria2_rpc=['here']) }}"
    assert in_role("portal", nothing) == [
        "portal_aria2_rpc has here, which is not HOST:PORT; write it as in 192.0.2.31:8084"
    ]


def test_the_portals_page_may_talk_to_open_leechers(in_role: Render) -> None:
    services = {"leecher": {"rpc_port": 8084, "rpc_open": True}}
    hosts = {"one": {"lab_address": "192.0.2.1", "lab_services": services}, "two": {"lab_address": "::2"}}
    facts = {"groups": {"all": list(hosts), "leechers": list(hosts)}, "hostvars": hosts}
    sources = "'self' http://192.0.2.1:8084 ws://192.0.2.1:8084"
    assert (
        in_role("portal", "{{ hosts | portal_open_rpcs | portal_connect_sources }}", hosts=list(hosts.values()))
        == sources
    )
    assert f"connect-src {sources}" in in_role("portal", "{{ __portal_aria2_policy }}", **facts)


def test_the_portals_page_may_ask_who_testifies(in_role: Render) -> None:
    services = {"scripted_peer": {"port": 8086}}
    hosts = {"one": {"lab_address": "192.0.2.1", "lab_services": services}, "absent": {"lab_address": "192.0.2.2"}}
    facts = {"groups": {"all": list(hosts), "scripted_peers": list(hosts)}, "hostvars": hosts}
    assert "connect-src 'self' http://192.0.2.1:8086" in in_role("portal", "{{ __portal_content_policy }}", **facts)
    places = "{{ hosts | portal_testimony_places }}"
    six = {"lab_address": "2001:db8::1", "lab_services": services}
    assert in_role("portal", places, hosts=[six]) == ["[2001:db8::1]:8086"]
    nobody = in_role("portal", "{{ __portal_content_policy }}", groups={"all": []}, hostvars={})
    assert "connect-src 'self'" in nobody


def test_the_seeder_declares_every_port_that_it_may_draw(in_role: Render) -> None:
    facts = {"transmission_peer_port_random": "true", "transmission_peer_port_random_last": 8101}
    ports = [listener["port"] for listener in in_role("transmission", "{{ __transmission_listeners }}", **facts)]
    assert ports == [8081, 8100, 8101]
    given = "{{ 'x.service' | transmission_listeners(rpc_port=1, peer_port=2, random=false, first=3, last=4) }}"
    assert [listener["port"] for listener in in_role("transmission", given)] == [1, 2]


def test_the_announcer_knows_the_trackers_by_their_contracts(in_role: Render) -> None:
    services = {"tracker": {"port": 8889, "statistics": "stats"}}
    hosts = {"one": {"lab_address": "192.0.2.1", "lab_services": services}, "two": {"lab_address": "::2"}}
    facts = {
        "groups": {"trackers": ["one"]},
        "hostvars": hosts,
        "transmission_rpc_address": "::",
        "transmission_rpc_password": "secret",
    }
    assert in_role("transmission", "{{ __transmission_announcer_settings }}", **facts) == {
        "rpc": ["::1", 8081],
        "login": ["seedbed", "secret"],
        "trackers": [{"place": "192.0.2.1:8889", "statistics": "http://192.0.2.1:8889/stats?mode=everything"}],
        "seconds": 10,
    }
    assert in_role("transmission", "{{ hosts | watched_trackers }}", hosts=[]) == []
    watched = in_role(
        "transmission", "{{ __transmission_announcer_settings }}", **facts, transmission_watch_trackers="false"
    )
    assert watched["trackers"] == []


def test_a_program_is_one_file(in_role: Render) -> None:
    assert base64.b64decode(in_role("lab", "{{ 'announcer' | host_program }}")).startswith(b"PK")


@pytest.mark.parametrize(("releases", "once"), [(["13"], False), (["13", "12"], True), ([], False)])
def test_a_leecher_of_old_seeders_fetches_each_item_once(in_role: Render, releases: list[str], once: bool) -> None:
    facts = [{"distribution": "Debian", "distribution_major_version": release} for release in releases]
    hosts = {str(number): {"ansible_facts": found} for number, found in enumerate(facts)}
    seen = {"groups": {"seeders": [*hosts, "unseen"]}, "hostvars": {**hosts, "unseen": {}}}
    assert in_role("leecher", "{{ __leecher_once }}", **seen) is once


def test_the_aria2_of_testers_has_the_labs_trackers_and_what_the_variables_say(in_role: Render, tmp_path: Path) -> None:
    services = {"tracker": {"port": 8888}}
    hosts = {"one": {"lab_address": "192.0.2.1", "lab_services": services}}
    facts = {
        "groups": {"trackers": ["one"]}, "hostvars": hosts, "leecher_persistent": True,
        "leecher_rpc_secret": "hush-hush", "leecher_ipv6": "false", "leecher_aria2_options": {"max-tries": 3},
    }  # fmt: skip
    text = in_role("leecher", "{{ __leecher_service_text }}", **facts).splitlines()
    announce = "//192.0.2.1:8888/announce"
    assert f"bt-tracker=http:{announce},udp:{announce}" in text
    for line in (
        "rpc-secret=hush-hush",
        "disable-ipv6=true",
        "max-tries=3",
        "min-split-size=20971520",
        "enable-dht=true",
    ):
        assert line in text
    lab = "{{ groups['trackers'] | map('extract', hostvars) | lab_trackers }}"
    assert in_role("leecher", lab, **facts) == [f"http:{announce}", f"udp:{announce}"]
    file = tmp_path / "trackers.txt"
    file.write_text("# others\nudp://192.0.2.9:1/announce\n", encoding="utf-8")
    text = in_role("leecher", "{{ __leecher_service_text }}", **facts, leecher_tracker_list=str(file))
    assert "bt-tracker=udp://192.0.2.9:1/announce\n" in text
    fetched = {"__leecher_trackers_fetched": {"content": "http://192.0.2.8/announce\n"}}
    address = {**facts, **fetched, "leecher_tracker_list": "http://192.0.2.7/list"}
    assert "bt-tracker=http://192.0.2.8/announce\n" in in_role("leecher", "{{ __leecher_service_text }}", **address)
    assert in_role("leecher", "{{ leecher_tracker_list | is_address }}", **address) is True
    listed = "{{ 'x' | tracker_list(lab=[], text='http://192.0.2.8/announce') }}"
    assert in_role("leecher", listed) == ["http://192.0.2.8/announce"]
    assert (
        in_role("leecher", "{{ {'split': 5} | aria2_configuration(trackers=[], secret='s') }}")
        == "split=5\nrpc-secret=s\n"
    )
    faults = "{{ __leecher_service_given | aria2_service_faults(variables={}) }}"
    assert in_role("leecher", faults) == []
    assert len(in_role("leecher", faults, leecher_split=0)) == 1


def test_the_roles_of_a_host_come_in_the_order_in_which_they_need_each_other(in_role: Render) -> None:
    """Not by a filter that makes a set of them: Flood asks the daemon that another role has started."""
    box = {"group_names": ["leechers", "portals", "seeders", "trackers"]}
    services = ["opentracker", "transmission", "transmission_web", "flood", "portal", "leecher"]
    assert list(in_role("lab", "{{ __lab_roles_in_order }}", **box)) == ["lab_firewall", *services]


def test_a_host_that_is_left_out_of_a_run_has_no_impairment(in_role: Render) -> None:
    hosts: dict[str, Any] = {"seeder1": {"__lab_host": {"impairment": None}}, "seeder2": {}}
    found = in_role("catalogue", "{{ __catalogue_impairments }}", groups={"all": list(hosts)}, hostvars=hosts)
    assert found == {"seeder1": None, "seeder2": {}}
