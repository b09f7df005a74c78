"""Role doctor's own filters and variables, as Ansible's templates call them."""

from __future__ import annotations

import base64
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from doctor_lab import HASH, lab
from hypothesis import given, settings
from hypothesis import strategies as st

ROLE = Path(__file__).resolve().parents[2] / "roles" / "doctor"
SPEC = importlib.util.spec_from_file_location("role_doctor", ROLE / "filter_plugins" / "doctor.py")
assert SPEC and SPEC.loader
FILTERS = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = FILTERS  # where Ansible looks up the file of a filter
SPEC.loader.exec_module(FILTERS)


def trusted(value: Any) -> Any:
    """Return YAML as the role's own, whose texts are templates."""
    if isinstance(value, dict):
        return {key: trusted(entry) for key, entry in value.items()}
    return trust_as_template(value) if isinstance(value, str) else value


def role(file: str) -> dict[str, Any]:
    return trusted(yaml.safe_load((ROLE / file).read_text(encoding="utf-8")))


def render(template: Any, **variables: Any) -> Any:
    """Return what a template of the role gives, with the role's own defaults and variables below these."""
    known = {**role("defaults/main.yml"), **role("vars/main.yml"), "inventory_hostname": "localhost", **variables}
    templar = Templar(loader=DataLoader(), variables=known)
    templar.environment.filters.update(FILTERS.FilterModule().filters())
    return templar.template(trusted(template))


def render_own(file: str, template: str, **variables: Any) -> Any:
    """Return what a template gives that stands in a task file of the role."""
    text = " ".join((ROLE / "tasks" / file).read_text(encoding="utf-8").split())
    assert template in text, f"{file} has another template"
    return render(template, **variables)


def host_json(**more: Any) -> str:
    """Return what the role keeps of a host."""
    nothing: dict[str, Any] = {"skipped": True}
    variables = {
        "__doctor_facts": {}, "__doctor_tracker_info": nothing, "__doctor_seeder_info": nothing,
        "__doctor_scripted_info": nothing,
        "__doctor_catalogue_file": nothing, "__doctor_address": "192.0.2.9", "group_names": [],
        "hostvars": {"localhost": {"ansible_facts": {"default_ipv4": {"address": "192.0.2.99"}}}},
        "lab_services": {"tracker": {"port": 8888}, "seeder": {"peer_port": 8082}}, **more,
    }  # fmt: skip
    return str(render_own(
        "host.yml",
        "{{ {'facts': __doctor_facts, 'tracker': __doctor_tracker_info, 'seeder': __doctor_seeder_info, "
        "'scripted': __doctor_scripted_info, 'catalogue': __doctor_catalogue_file} | doctor_host(groups=group_names, "
        "tracker_port=lab_services.tracker.port | default(0), "
        "tracker_interval=lab_services.tracker.interval | default(0), "
        "peer_port=lab_services.seeder.peer_port | default(0), "
        "address=__doctor_address, host=hostvars[inventory_hostname]) }}",
        **variables,
    ))  # fmt: skip


@pytest.fixture(scope="module")
def variables() -> dict[str, Any]:
    """The variables of a play on the controller, after every host was asked."""
    seen = lab()
    content = base64.b64encode(json.dumps({"items": [seen["item"]]}).encode()).decode()
    hostvars = {
        "tracker1": {"__doctor_host_json": host_json(
            __doctor_tracker_info={"active": True}, __doctor_catalogue_file={"content": content},
            __doctor_address="192.0.2.1", group_names=["portals", "trackers"])},
        "seeder1": {"__doctor_host_json": host_json(
            __doctor_seeder_info=seen["seeders"]["seeder1"]["info"], __doctor_address="192.0.2.2",
            group_names=["seeders"])},
        "leecher1": {},
        "localhost": {},
    }  # fmt: skip
    groups = {"all": list(hostvars)[:3], "leechers": ["leecher1"], "portals": ["tracker1"], "seeders": ["seeder1"]}
    return {"groups": groups, "hostvars": hostvars}


def chosen(variables: dict[str, Any], **more: Any) -> dict[str, Any]:
    return dict(render_own(
        "choose.yml", "{{ __doctor_hosts | doctor_case(options=__doctor_options, portal=__doctor_portal) }}",
        **variables, **more,
    ))  # fmt: skip


def test_a_leecher_is_known_by_its_ip_address() -> None:
    """Trackers hand out addresses, whatever name the inventory has."""
    host = {"lab_address": "leecher.example", "ansible_facts": {"default_ipv4": {"address": "192.0.2.3"}}}
    own = render(
        "{{ __doctor_own_address }}", inventory_hostname="l", hostvars={"l": host}, lab_services={"leecher": {}}
    )
    assert own == render("{{ host | doctor_host_ip }}", host=host) == "192.0.2.3"


def test_from_hosts_to_the_end(variables: dict[str, Any]) -> None:
    """Every filter in the order of the playbook, through the role's own expressions."""
    seen = lab()
    case = chosen(variables)
    assert case["faults"] == []
    variables["hostvars"]["localhost"]["__doctor_chosen"] = case
    assert json.loads(render_own("main.yml", "{{ __doctor_case.asked_json }}", **variables)) == [seen["item"]]
    addresses = json.loads(render_own("main.yml", "{{ __doctor_case.addresses_json }}", **variables))
    assert addresses == {"seeder1": {"address": "192.0.2.2", "peer_port": 8082}}

    web = {"url": "http://192.0.2.1/x", "info_hash": HASH, "ok": True, "reason": "", "message": "", "compared": "x"}
    answers = {"trackers": seen["view"]["trackers"], "peers": seen["view"]["peers"], "webseeds": [web]}
    verdicts = render_own(
        "main.yml",
        "{{ __doctor_case | doctor_verdicts(view={'from': __doctor_view, 'address': __doctor_own_address, "
        "'clock': now().timestamp() | int, 'trackers': __doctor_answers.trackers, 'peers': __doctor_answers.peers, "
        "'webseeds': __doctor_answers.webseeds}) }}",
        **variables, inventory_hostname="leecher1", lab_address="192.0.2.3", lab_services={}, __doctor_answers=answers,
    )  # fmt: skip
    assert [(verdict["from"], verdict["verdict"]) for verdict in verdicts] == [("leecher1", "clock_skew")]

    variables["hostvars"]["leecher1"] = {"__doctor_verdicts": verdicts, "__doctor_answers": answers}
    lines = render_own(
        "report.yml", "{{ __doctor_case | doctor_details(answers=hostvars[host]['__doctor_answers'], host=host) }}",
        **variables, host="leecher1",
    )  # fmt: skip
    assert lines[0]["text"] == f"item ({HASH}) as leecher1 sees it"
    assert "    http://192.0.2.1/x  serves ranges, x is right" in [line["text"] for line in lines]
    table = render_own(
        "report.yml", "{{ __doctor_found | doctor_report(every_item=doctor_every_item | bool) }}", **variables
    )
    assert [line["text"].split("  ")[:3] for line in (table[2], table[-1])] == [
        ["WARN", "item", "leecher1"], ["WARN", "controller cannot be reached by SSH: its view is missing"],
    ]  # fmt: skip
    closed = [{"host": "seeder1", "port": "8082/tcp", "prober": "tracker1", "rule": "", "text": "closed"}]
    slow = {"impairment": "slow", "words": "1 Mbit/s", "until": 1700000000, "lacking": []}
    impaired = {"seeder1": slow, "leecher1": None}
    document = render(
        "{{ __doctor_found | doctor_document(closed=closed, impairments=impaired) }}",
        **variables, closed=closed, impaired=impaired,
    )  # fmt: skip
    named = [{"host": "seeder1", "impairment": "slow", "words": "1 Mbit/s", "until": "2023-11-14T22:13:20Z"}]
    assert document == {"schema_version": 1, "verdicts": verdicts, "closed_ports": closed, "impairments": named}
    [line] = render("{{ impaired | doctor_impairment_lines }}", impaired=impaired)
    assert line["text"].startswith("note  seeder1 is impaired: slow (1 Mbit/s) until ")
    end = render_own("report.yml", "{{ __doctor_found | doctor_conclusion }}", **variables)
    assert end == {"well": True, "message": "Every item can be downloaded."}


def test_a_host_that_is_not_reached_has_no_impairment() -> None:
    slow = {"impairment": "slow", "words": "1 Mbit/s", "until": 1700000000, "lacking": []}
    hosts: dict[str, Any] = {
        "seeder1": {"__doctor_impairment": {"current": slow}},
        "leecher1": {"__doctor_impairment": {"current": None}},
        "seeder9": {"__doctor_impairment": {"skipped": True}},
        "tracker9": {},
    }
    found = render("{{ __doctor_impairments }}", groups={"all": list(hosts)}, hostvars=hosts)
    assert found == {"seeder1": slow, "leecher1": None, "seeder9": {}, "tracker9": {}}
    assert len(render("{{ found | doctor_impairment_lines }}", found=found)) == 1


def test_of_a_host_that_is_not_reached_the_address_of_ssh_is_kept() -> None:
    gone = {"unreachable": True}
    state = json.loads(host_json(
        __doctor_facts=gone, __doctor_seeder_info=gone, group_names=["seeders"], __doctor_address="192.0.2.7",
        lab_services={"seeder": {"peer_port": 51413}},
    ))  # fmt: skip
    assert state["seeder"] == {"address": "192.0.2.7", "peer_port": 51413, "info": None}


VARIABLES = sorted(yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8")))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = [*VARIABLES, "torrent", "torrent_file", "magnet"]
any_yaml = st.recursive(scalars, lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(), some, max_size=2))


@settings(max_examples=50)
@given(options=st.dictionaries(st.sampled_from(NAMES), any_yaml, max_size=3))
def test_any_yaml_in_any_variable_ends_in_sentences(variables: dict[str, Any], options: dict[str, Any]) -> None:
    faults = render("{{ __doctor_options | doctor_option_faults }}", **variables, **options)
    if not faults:
        faults = chosen(variables, **options)["faults"]
    assert all(isinstance(fault, str) and fault for fault in faults)
