"""What roles declare about a host, evaluated as a play would: any value of any variable ends in sentences."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import action_loader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]
LOADER = DataLoader()  # it reads each file once
ROLES = [
    "lab",
    "lab_firewall",
    "opentracker",
    "transmission",
    "transmission_web",
    "catalogue",
    "flood",
    "portal",
    "leecher",
    "scripted_peer",
]
plugin = sys.modules[action_loader.get("role_contracts", class_only=True).__module__]
GROUPS = {"all": ["a"], **{group: ["a"] for group in ("trackers", "seeders", "portals", "leechers", "scripted_peers")}}


def contracts(roles: list[str] = ROLES, **variables: Any) -> dict[str, Any]:
    """Return what role_contracts answers for a host that takes these roles."""
    defaults = LOADER.load_from_file(str(ROOT / "roles/lab/defaults/main.yml"), trusted_as_template=True)
    given = {
        **defaults,
        "ansible_facts": {},
        "groups": GROUPS,
        "hostvars": {"a": {"inventory_hostname": "a", "lab_services": variables.get("lab_services")}},
        "inventory_dir": "/nonexistent",
        "inventory_hostname": "a",
        "playbook_dir": str(ROOT / "playbooks"),
        "transmission_rpc_password": "only for this test",
        **variables,
    }
    found: dict[str, Any] = {}
    for asked, of in ((["services"], ROLES), (["listeners", "faults"], roles)):
        if asked == ["services"] and "lab_services" in given:
            continue
        templar = Templar(loader=LOADER, variables=given)
        loaded = [plugin.load_contract(str(ROOT / "roles" / role), given, LOADER, templar) for role in of]
        found.update(plugin.evaluate(loaded, asked))
        given["lab_services"] = given.get("lab_services", found.get("services"))
        given["hostvars"] = {"a": {"inventory_hostname": "a", "lab_services": given["lab_services"]}}
    return found


def test_defaults_have_no_faults() -> None:
    found = contracts()
    assert found["faults"] == []
    assert found["services"]["tracker"]["port"] == 8888
    assert found["services"]["portal"] == {"port": 8000, "tls_port": None, "directory": "/srv/seedbed/portal"}
    assert {listener["variable"] for listener in found["listeners"]} == {
        "opentracker_port", "portal_port", "transmission_rpc_port", "transmission_peer_port", "leecher_rpc_port",
        "leecher_peer_port", "scripted_peer_port", *(f"scripted_peer_port + {above}" for above in range(1, 9)),
    }  # fmt: skip


def test_a_host_variable_stands_above_a_default_and_is_a_template() -> None:
    found = contracts(opentracker_port=trust_as_template("{{ base + 1 }}"), base=8200)
    assert found["services"]["tracker"]["port"] == 8201
    assert [listener["port"] for listener in found["listeners"] if listener["variable"] == "opentracker_port"] == [8201]


def test_a_service_that_is_off_offers_nothing() -> None:
    assert "flood" not in contracts()["services"]
    assert contracts(flood_enabled=True, flood_password="x")["services"]["flood"] == {"port": 8083, "user": "seedbed"}


def test_aria2_as_a_service_declares_its_ports_and_makes_room_for_itself() -> None:
    found = contracts(["leecher"], leecher_persistent=True)
    assert found["faults"] == []
    assert found["services"]["leecher"]["rpc_open"] is True
    seen = {(each["variable"], each["port"], each["unit"], each.get("loopback", False)) for each in found["listeners"]}
    assert seen == {
        ("leecher_rpc_port", 8084, "seedbed-aria2.service", False),
        ("leecher_peer_port", 8085, "seedbed-aria2.service", False),
        ("leecher_proof_rpc_port", 8200, "seedbed-leecher.service", True),
        ("leecher_proof_peer_port", 8201, "seedbed-leecher.service", False),
    }
    wrong = {"leecher_split": 0, "leecher_min_split_size": "1B", "leecher_tracker_list": ["x"]}
    assert len(contracts(["leecher"], leecher_persistent=True, **wrong)["faults"]) == 3
    # Off, nobody minds.
    assert contracts(["leecher"], **wrong)["faults"] == []


def test_a_secret_is_in_no_contract() -> None:
    secrets = {"transmission_rpc_password": "hush-1", "flood_password": "hush-2", "leecher_rpc_secret": "hush-hush-3"}
    assert "hush" not in str(contracts(flood_enabled=True, leecher_persistent=True, **secrets))


def test_a_role_with_wrong_types_says_only_that() -> None:
    faults = contracts(opentracker_port="many", opentracker_features=["WANT_SYNC_LIVE"])["faults"]
    assert len(faults) == 1
    assert "opentracker_port" in faults[0]
    assert faults[0].endswith("(a variable of role opentracker)")


def test_a_missing_option_is_described() -> None:
    [fault] = contracts(["transmission"], transmission_rpc_password=None)["faults"]
    assert fault.startswith("transmission_rpc_password is null; it takes: ")


def test_ports_of_different_roles_are_compared() -> None:
    assert contracts(portal_port=8888)["faults"] == [
        "opentracker_port and portal_port are both 8888 (tcp) on this host; give each a port of its own"
    ]


def test_a_variable_that_cannot_be_computed_is_named() -> None:
    [fault] = contracts(["portal"], portal_dir=trust_as_template("{{ nowhere }}"))["faults"]
    assert fault.startswith("portal_dir cannot be computed: ")
    assert "'nowhere' is undefined" in fault


VALUES = [None, 0, "text", "{{ nowhere }}", [None], [{"name": []}], {"a": None}]
# What Python says about a value that was not expected; none of it tells an operator what to mend.
TRACES = re.compile(
    "Traceback|object has no attribute|object is not|'NoneType'|Error\\b|unhashable|not supported|concatenate"
)


@pytest.mark.parametrize("role", ROLES)
def test_any_value_of_any_variable_ends_in_sentences(role: str) -> None:
    specs = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    services = contracts()["services"]
    for name in next(iter(specs["argument_specs"].values()))["options"]:
        for value in VALUES:
            given = trust_as_template(value) if isinstance(value, str) else value
            faults = contracts([role], **{"leecher_persistent": True, "lab_services": services, name: given})["faults"]
            assert all(isinstance(fault, str) and not TRACES.search(fault) for fault in faults), (name, value, faults)


def test_several_values_that_a_role_cannot_use_are_all_named() -> None:
    """They have the right types, so that only the role itself stumbles over them."""
    faults = contracts(["portal"], portal_users=[[1]], portal_aria2_rpc=[[2]])["faults"]
    assert {fault.split(" ")[0] for fault in faults} == {"portal_aria2_rpc", "portal_users"}
