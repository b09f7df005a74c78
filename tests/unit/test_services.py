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
        ({"lab_address": "seeder.example", "ansible_host": "192.0.2.9"}, "seeder.example:8083"),
        ({"ansible_facts": {"default_ipv4": {}, "default_ipv6": {"address": "2001:db8::2"}}}, "[2001:db8::2]:8083"),
        ({"lab_address": ""}, "seeder1:8083"),  # before facts are gathered
    ],
)
def test_address_and_port_stand_as_in_a_url(render: Render, more: dict[str, Any], place: str) -> None:
    assert render(ENDPOINT, host={**HOST, **more}) == place


def test_a_service_may_have_several_ports(render: Render) -> None:
    assert render("{{ host | endpoint('seeder', port='rpc_port') }}", host=HOST) == "seeder1:8081"


@pytest.mark.parametrize(
    ("facts", "ssh", "address"),
    [
        (
            {"default_ipv4": {"address": "192.0.2.1"}, "default_ipv6": {"address": "2001:db8::1"}},
            "192.0.2.9",
            "192.0.2.1",
        ),
        ({"default_ipv4": {}, "default_ipv6": {"address": "2001:db8::1"}}, "192.0.2.9", "2001:db8::1"),
        # Without a default route, as behind a bastion.
        ({"default_ipv4": {}, "default_ipv6": {}}, "192.0.2.9", "192.0.2.9"),
        ({}, "seeder.example", ""),
        # The host of an alias in somebody's ssh_config knows by which of its addresses one comes in.
        ({"arrival_address": "192.0.2.7"}, "seeder.example", "192.0.2.7"),
        ({"arrival_address": "192.0.2.7"}, "192.0.2.9", "192.0.2.9"),
        ({}, "", ""),
    ],
)
def test_a_host_has_the_address_of_its_default_route_or_of_its_ssh(
    render: Render, facts: Any, ssh: str, address: str
) -> None:
    assert render("{{ facts | own_ip(ssh) }}", facts=facts, ssh=ssh) == address


@pytest.mark.parametrize(
    ("networks", "address"),
    [
        (["10.0.0.0/8", "fc00::/7"], "10.0.0.1"),
        (["fc00::/7"], "fd00::1"),
        (["192.0.2.0/24"], "10.0.0.1"),  # which the preflight refuses
        (["no network", "fc00::/7"], "fd00::1"),
        ("fc00::/7", "10.0.0.1"),
    ],
)
def test_of_two_addresses_a_host_has_the_one_in_the_labs_networks(render: Render, networks: Any, address: str) -> None:
    facts = {"default_ipv4": {"address": "10.0.0.1"}, "default_ipv6": {"address": "fd00::1"}}
    assert render("{{ facts | own_ip('', networks) }}", facts=facts, networks=networks) == address
    host = {**HOST, "ansible_facts": facts, "lab_networks": networks}
    assert address in render(ENDPOINT, host=host)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ({"lab_address": "192.0.2.1", "ansible_host": "192.0.2.9"}, "192.0.2.1"),
        ({"lab_address": "seeder.example", "ansible_host": "192.0.2.9"}, "192.0.2.9"),
        ({"lab_address": "seeder.example", "ansible_facts": {"default_ipv4": {"address": "192.0.2.2"}}}, "192.0.2.2"),
        ({"lab_address": "seeder.example", "lab_ip": "192.0.2.3"}, "192.0.2.3"),  # the last run's word
        ({"lab_address": "seeder.example"}, "seeder.example"),
        ({}, ""),
    ],
)
def test_an_ip_address_stands_behind_a_name(render: Render, host: Any, address: str) -> None:
    assert render("{{ host | host_ip }}", host=host) == address


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
