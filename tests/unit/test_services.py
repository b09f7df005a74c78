"""What a host tells others about its services, as their templates ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleError

Render = Callable[..., Any]
HOST = {"inventory_hostname": "seeder1", "lab_services": {"seeder": {"rpc_port": 8081}, "flood": {"port": 8083}}}
ENDPOINT = "{{ host | endpoint('flood') }}"


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"lab_address": "192.0.2.1", "ansible_host": "192.0.2.9"}, "192.0.2.1:8083"),
        ({"lab_address": "2001:db8::1"}, "[2001:db8::1]:8083"),
        ({"ansible_facts": {"default_ipv4": {"address": "192.0.2.2"}}}, "192.0.2.2:8083"),
        ({"ansible_host": "192.0.2.9"}, "192.0.2.9:8083"),
        ({"lab_address": ""}, "seeder1:8083"),  # before facts are gathered
    ],
)
def test_address_and_port_stand_as_in_a_url(render: Render, more: dict[str, Any], place: str) -> None:
    assert render(ENDPOINT, host={**HOST, **more}) == place


def test_a_service_may_have_several_ports(render: Render) -> None:
    assert render("{{ host | endpoint('seeder', port='rpc_port') }}", host=HOST) == "seeder1:8081"


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ({}, "seeder1 has no flood; it has no service at all"),
        ({"seeder": {}}, "seeder1 has no flood; it has seeder"),
        (None, "nobody asked seeder1 about its services in this run; run it without --limit"),
    ],
)
def test_a_service_that_nobody_knows_is_said_so(render: Render, services: Any, message: str) -> None:
    with pytest.raises(AnsibleError, match=message):
        render(ENDPOINT, host={**HOST, "lab_services": services})
