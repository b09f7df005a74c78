"""The filters of roles lab and preflight as plays use them, and module listener_info."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any

import listener_info
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible.plugins.loader import filter_loader

Render = Callable[..., Any]
LISTENERS = [{"variable": "portal_port", "port": 9500, "protocols": ["tcp"], "unit": "seedbed-portal.service"}]


def test_budget_faults(render: Render) -> None:
    budget = "{{ listeners | budget_faults({'first': 8000, 'last': 9000}, ['10.0.0.1/8']) }}"
    assert [fault.split(",")[0].split(":")[0] for fault in render(budget, listeners=LISTENERS)] == [
        "portal_port is 9500",
        "lab_networks has '10.0.0.1/8'",
    ]


def test_host_faults(render: Render) -> None:
    template = (
        "{{ listeners | host_faults(sockets=sockets, address='127.0.0.1', groups=['portals'], "
        "facts={'distribution': 'Debian', 'distribution_major_version': '12'}) }}"
    )
    sockets = [{"protocol": "tcp", "port": 9500, "process": "caddy", "unit": "caddy.service"}]
    assert render(template, listeners=LISTENERS, sockets=sockets) == [
        "lab_address is 127.0.0.1, which no other host can reach; "
        "set it to the address by which the other hosts reach this one",
        "portal_port is 9500, but tcp port 9500 is held by caddy (caddy.service); stop that or choose another port",
    ]


def test_password_faults(render: Render) -> None:
    (fault,) = render("{{ 'change-me' | password_faults('x_password') }}")
    assert fault.startswith("x_password is still the word of the example")


def test_archive_faults(render: Render) -> None:
    faults = render("{{ '' | archive_faults(sha256='0' * 63, variable='portal_ui_archive') }}")
    assert [fault.split(" is ")[0] for fault in faults] == ["portal_ui_archive", "portal_ui_sha256"]


def test_fault_report(render: Render) -> None:
    assert render("{{ {'b': ['x'], 'a': ['x', 'y']} | fault_report }}") == ["a, b: x", "a: y"]


def test_group_faults(render: Render) -> None:
    assert render("{{ {'all': ['a']} | group_faults(['portals']) }}") == [
        "no host is in group portals; put at least one there"
    ]


def test_role_filters_are_loaded_where_the_header_is_rendered(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_loader, "_extra_dirs", [])
    filter_loader._clear_caches()
    filter_loader.add_directory("roles/preflight/filter_plugins")
    monkeypatch.setattr(gc, "set_threshold", lambda _number: None)  # these processes have more to collect
    frozen = gc.get_freeze_count()
    assert render("{{ false | with_role_filters }}") is False
    assert gc.get_freeze_count() > frozen
    gc.unfreeze()
    loaded = dict(filter_loader._cached_non_collection_wrappers)
    assert "opentracker_faults" in loaded
    # A role that is included later changes nothing.
    filter_loader.add_directory("roles/opentracker/filter_plugins")
    assert filter_loader._cached_non_collection_wrappers == loaded


def test_listener_info_answers_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    with patch_module_args({"first": 1, "last": 65535}), pytest.raises(SystemExit):
        listener_info.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer["changed"] is False
    assert all(set(entry) == {"protocol", "port", "loopback", "pid", "process", "unit"} for entry in answer["sockets"])
