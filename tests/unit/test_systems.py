"""Hosts of other systems: facts as they tell them, and what the lab says, installs and writes there.

None of these systems is at hand in the tests. What is compared is what the roles make of such hosts' facts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.seedbed.base.systems import (
    DISTRIBUTIONS,
    FAMILIES,
    UnknownSystem,
    enforces_selinux,
    system_of,
)
from ansible.module_utils.seedbed.preflight import system_faults
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]
Render = Callable[..., Any]


def facts(distribution: str, version: str, family: str, **more: Any) -> dict[str, Any]:
    """Return what a host's Ansible tells of its system."""
    return {
        "distribution": distribution,
        "distribution_version": version,
        "distribution_major_version": version.split(".", maxsplit=1)[0],
        "os_family": family,
        "service_mgr": "systemd",
        "effective_user_id": 0,
        "selinux": {"status": "disabled"},
        **more,
    }


ENFORCING = {"status": "enabled", "mode": "enforcing", "config_mode": "enforcing", "policyvers": 33, "type": "targeted"}
BULLSEYE = facts("Debian", "11.11", "Debian")
BOOKWORM = facts("Debian", "12.9", "Debian")
TRIXIE = facts("Debian", "13.1", "Debian")
FORKY = facts("Debian", "forky/sid", "Debian")
JAMMY = facts("Ubuntu", "22.04", "Debian")
NOBLE = facts("Ubuntu", "24.04", "Debian")
RHEL = facts("RedHat", "9.4", "RedHat", selinux=ENFORCING)
ROCKY = facts("Rocky", "9.5", "RedHat", selinux=ENFORCING)
ORACLE = facts("OracleLinux", "10.0", "RedHat", selinux={**ENFORCING, "mode": "permissive"})
FEDORA = facts("Fedora", "42", "RedHat", selinux=ENFORCING)
KNOWN = [BULLSEYE, BOOKWORM, TRIXIE, FORKY, JAMMY, NOBLE, RHEL, ROCKY, ORACLE, FEDORA]


def called(host: dict[str, Any]) -> str:
    return f"{host['distribution']} {host['distribution_version']}"


class Role:
    """A role's defaults and variables as a play on a host sees them."""

    def __init__(self, name: str, host: dict[str, Any], **more: Any) -> None:
        variables: dict[str, Any] = {}
        for role in ("lab", name):
            for part in ("defaults", "vars"):
                path = ROOT / "roles" / role / part / "main.yml"
                variables |= yaml.safe_load(path.read_text(encoding="utf-8"))
        self._variables = {**_trusted(variables), "ansible_facts": host, "inventory_dir": "/nowhere", **more}
        self._templates = ROOT / "roles" / name / "templates"

    def value(self, template: str) -> Any:
        return Templar(DataLoader(), self._variables).template(trust_as_template(template))

    def file(self, name: str) -> str:
        return str(self.value((self._templates / name).read_text(encoding="utf-8")))


def _trusted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _trusted(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_trusted(member) for member in value]
    return trust_as_template(value) if isinstance(value, str) else value


# -- which systems -----------------------------------------------------------------------------------------------------

OTHERS = "use Debian 11, 12 or 13, on which Seedbed is tested"


@pytest.mark.parametrize(
    ("host", "fault"),
    [
        (facts("openSUSE Leap", "15.6", "Suse"), "the host has openSUSE Leap 15.6, of which Seedbed knows neither "),
        (facts("Alpine", "3.20.3", "Alpine", service_mgr="openrc"), "the host has Alpine 3.20.3, of which "),
        (
            facts("Archlinux", "", "Archlinux"),
            "the host has Archlinux, of which Seedbed knows neither packages nor paths",
        ),
        (facts("Amazon", "2023", "RedHat"), "the host has Amazon 2023, of which "),
        (facts("Debian", "10.13", "Debian"), "the host has Debian 10.13, which is too old; "),
        (facts("Ubuntu", "20.04", "Debian"), "the host has Ubuntu 20.04, which is too old; "),
        (facts("CentOS", "7.9", "RedHat"), "the host has CentOS 7.9, which is too old; "),
        (
            facts("Debian", "12", "Debian", service_mgr="sysvinit"),
            "the host is run by sysvinit, and the lab's services ",
        ),
        ({}, "the host has an unknown system, of which "),
    ],
)
def test_another_system_is_refused_in_one_sentence(render: Render, host: dict[str, Any], fault: str) -> None:
    (said,) = system_faults(host)
    assert said.startswith(fault)
    assert OTHERS in said
    with pytest.raises(UnknownSystem, match="use Debian"):
        system_of(host)
    # What a role alone says, without the preflight.
    with pytest.raises(AnsibleError, match="use Debian"):
        render("{{ facts | system }}", facts=host)
    assert render("{{ facts | system_notes }}", facts=host) == []
    assert render("{{ facts | node_faults(needed=16) }}", facts=host) == []


@pytest.mark.parametrize("host", KNOWN, ids=called)
def test_known_systems_are_not_refused(host: dict[str, Any]) -> None:
    assert system_faults(host) == []


@pytest.mark.parametrize("host", [facts("Alpine", "3.20.3", "Alpine", service_mgr="openrc"), ROCKY], ids=called)
def test_the_preflight_says_nothing_else_of_a_system_that_it_refuses(render: Render, host: dict[str, Any]) -> None:
    template = "{{ [] | host_faults(facts=facts, sockets=[], address='', groups=[]) }}"
    (fault,) = render(template, facts=host)
    assert fault.startswith("the host has Alpine" if host is not ROCKY else "lab_address is not known")
    sources = "{{ facts | source_faults(source='apt', built=false, lacking=['a'], urls={}) }}"
    assert len(render(sources, facts=host)) == (host is ROCKY)


@pytest.mark.parametrize(("host", "tested"), [(host, host in (BULLSEYE, BOOKWORM, TRIXIE)) for host in KNOWN])
def test_what_was_never_tried_is_called_so(host: dict[str, Any], tested: bool) -> None:
    notes = Role("lab", host, __lab_host={"package_lock_holder": ""}).value("{{ __lab_notes }}")
    assert [note.split(" is not among")[0] for note in notes] == ([] if tested else [called(host)])


def test_every_distribution_has_a_family_and_every_family_all_roles() -> None:
    assert {each.family for each in DISTRIBUTIONS.values()} == set(FAMILIES)
    roles = {name for family in FAMILIES.values() for name in family.packages}
    assert all(set(family.packages) == roles for family in FAMILIES.values())


# -- what a release cannot do ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "refused"),
    [(BULLSEYE, True), (BOOKWORM, True), (TRIXIE, False), (FORKY, False), (JAMMY, True), (NOBLE, False), (ROCKY, True)],
)
def test_one_box_needs_a_seeder_that_serves_its_own_address(
    render: Render, host: dict[str, Any], refused: bool
) -> None:
    template = "{{ [] | host_faults(facts=facts, sockets=[], address='192.0.2.1', groups=groups) }}"
    assert render(template, facts=host, groups=["seeders", "trackers"]) == []
    found = render(template, facts=host, groups=["seeders", "leechers"])
    assert ["whose Transmission 3.00 serves no peer" in fault for fault in found] == [True] * refused
    assert Role("leecher", TRIXIE, groups={"seeders": ["a"]}, hostvars={"a": {"ansible_facts": host}}).value(
        "{{ __leecher_once }}"
    ) == (refused)


@pytest.mark.parametrize(
    ("host", "groups", "packages", "count"),
    [
        (BULLSEYE, ["portals"], ["nginx-light"], 1),
        (JAMMY, ["portals"], ["nginx-light"], 1),
        (BOOKWORM, ["portals"], ["nginx-light"], 0),
        (BULLSEYE, ["portals"], ["nginx-core", "nginx"], 0),
        (BULLSEYE, ["seeders"], ["nginx-light"], 0),
    ],
)
def test_an_nginx_without_what_the_portal_needs_is_named(
    render: Render, host: dict[str, Any], groups: list[str], packages: list[str], count: int
) -> None:
    template = "{{ [] | host_faults(facts=facts, sockets=[], address='192.0.2.1', groups=groups, packages=packages) }}"
    faults = render(template, facts=host, groups=groups, packages=packages)
    assert len(faults) == count
    assert all("install nginx-core or nginx-full in its place" in fault for fault in faults)


@pytest.mark.parametrize(
    ("host", "too_old"), [(BULLSEYE, True), (JAMMY, True), (BOOKWORM, False), (NOBLE, False), (ROCKY, False)]
)
def test_flood_needs_a_nodejs_that_not_every_release_has(host: dict[str, Any], too_old: bool) -> None:
    assert Role("flood", host).value("{{ __flood_host_faults }}") == []
    found = Role("flood", host, flood_enabled=True).value("{{ __flood_host_faults }}")
    assert [fault.split(", and")[0] for fault in found] == [
        f"flood_enabled is true, but {called(host)} has Node.js 12" for _ in range(too_old)
    ]


@pytest.mark.parametrize(
    ("host", "installed", "missing"),
    [
        (ROCKY, ["nginx"], "transmission-daemon, transmission-cli and aria2"),
        (ROCKY, ["aria2", "transmission-daemon"], "transmission-cli"),
        (ROCKY, ["epel-release"], ""),
        (ORACLE, ["oracle-epel-release-el10"], ""),
        (FEDORA, [], ""),
        (BOOKWORM, [], ""),
    ],
)
def test_packages_from_another_repository_are_asked_for_before_anything_is_changed(
    render: Render, host: dict[str, Any], installed: list[str], missing: str
) -> None:
    found = render(
        "{{ [] | host_faults(facts=facts, sockets=[], address='192.0.2.1', groups=[], packages=packages,"
        " roles=['transmission', 'leecher', 'portal', 'catalogue']) }}",
        facts=host,
        packages=installed,
    )
    assert found == [
        f"{called(host)} has {missing} in a repository that the host does not know; install epel-release there first, "
        "or run those services on another host"
        for _ in range(bool(missing))
    ]


# -- opentracker's sources ---------------------------------------------------------------------------------------------

URLS = {"opentracker_urls": ["https://a"], "opentracker_libowfat_urls": ["https://b"]}


@pytest.mark.parametrize(
    ("host", "settings", "refused"),
    [
        (BOOKWORM, {}, False),
        (NOBLE, {}, True),
        (ROCKY, {}, True),
        (ROCKY, {"opentracker_source": "apt"}, True),
        (ROCKY, {"opentracker_source": "apt", **URLS}, True),
        (ROCKY, {"opentracker_source": "url", **URLS}, False),
        (ROCKY, {"opentracker_source": "controller"}, False),  # what is missing there is a fault of the inventory
        (ROCKY, {"opentracker_source": "auto", **URLS}, False),
        (ROCKY, {"opentracker_source": "auto", "opentracker_urls": ["https://a"]}, True),
        (ROCKY, {"__lab_host": {"made_for": {"opentracker": ["trees"]}}}, False),
    ],
)
def test_sources_come_from_elsewhere_where_no_mirror_has_them(
    host: dict[str, Any], settings: dict[str, Any], refused: bool
) -> None:
    tracker = Role("opentracker", host, **{"__lab_host": {"made_for": {}}, "lab_directory": "/nowhere", **settings})
    faults = tracker.value("{{ __opentracker_host_faults }}")
    assert len(faults) == refused
    for fault in faults:
        assert fault.startswith("opentracker_source is ")
        assert f"the mirrors of {called(host)} have no source package of opentracker" in fault
        assert "make bundle on a machine with Debian puts opentracker_1.0+git" in fault
        assert "or set opentracker_urls and opentracker_libowfat_urls to where they are" in fault


@pytest.mark.parametrize(
    ("host", "source", "suites"),
    [
        (BOOKWORM, "auto", ["sid", "testing", "stable"]),
        (NOBLE, "auto", []),
        (ROCKY, "auto", []),
        (BOOKWORM, "apt", ["sid"]),
        (ROCKY, "url", []),
        (ROCKY, "controller", []),
    ],
)
def test_only_debians_mirrors_are_asked_for_suites(host: dict[str, Any], source: str, suites: list[str]) -> None:
    assert Role("opentracker", host, opentracker_source=source).value("{{ __opentracker_suites }}") == suites


# -- names, paths, units -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "compiler", "settings", "user"),
    [
        (NOBLE, "zlib1g-dev", "/etc/transmission-daemon/settings.json", "debian-transmission"),
        (ROCKY, "zlib-devel", "/var/lib/transmission/.config/transmission-daemon/settings.json", "transmission"),
    ],
)
def test_names_are_those_of_the_family(host: dict[str, Any], compiler: str, settings: str, user: str) -> None:
    assert compiler in Role("opentracker", host).value("{{ __opentracker_packages }}")
    seeder = Role("transmission", host)
    assert seeder.value("{{ __transmission_settings_file }}") == settings
    assert seeder.value("{{ __transmission_user }}") == user
    for role in ("transmission", "portal", "leecher", "flood", "lab_firewall"):
        assert Role(role, host).value(f"{{{{ __{role}_packages }}}}"), role


@pytest.mark.parametrize("host", KNOWN, ids=called)
def test_a_client_without_a_package_that_anybody_has_seen_is_skipped_with_the_reason(host: dict[str, Any]) -> None:
    leecher = Role("leecher", host, client="deluge,rtorrent,acme", leecher_own_clients={"acme": {}})
    reasons = [
        Role("leecher", host, leecher_own_clients={"acme": {}}, wanted=name).value(
            "{{ wanted | client_missing(ansible_facts | system, leecher_own_clients) }}"
        )
        for name in ("deluge", "rtorrent", "acme")
    ]
    packages = leecher.value("{{ __leecher_packages }}")
    assert {"aria2", "deluge", "acme"} < set(leecher.value("{{ leecher_own_clients | all_clients }}"))
    if host in (RHEL, ROCKY, ORACLE):
        assert reasons == [f"package known for {called(host)}"] * 2 + [""]
        assert packages == ["aria2"]
        return
    assert reasons == ["", "", ""]
    deluge, service = ("deluge-daemon",) * 2 if host is FEDORA else ("deluged", "deluged")
    assert packages == ["aria2", deluge, "rtorrent"]
    assert leecher.value("{{ __leecher_disabled }}") == [f"{service}.service"]


@pytest.mark.parametrize("host", KNOWN, ids=called)
def test_apparmor_is_told_of_the_daemon_where_it_has_a_profile_for_it(host: dict[str, Any]) -> None:
    unit = Role("transmission", host, ansible_managed="by Ansible").file("seedbed.conf.j2")
    assert ("\nAppArmorProfile=-unconfined\n" in unit) is (host is NOBLE)
    home = "/var/lib/transmission" if host["os_family"] == "RedHat" else "/var/lib/transmission-daemon"
    assert f'RequiresMountsFor="{home}" ' in unit


# -- SELinux -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", KNOWN, ids=called)
def test_selinux_is_taught_only_where_it_enforces(host: dict[str, Any], render: Render) -> None:
    enforcing = host in (RHEL, ROCKY, FEDORA)
    assert enforces_selinux(host) is enforcing
    assert render("{{ facts | enforces_selinux }}", facts=host) is enforcing
    # As older hosts, and those without the library, tell it.
    for said in (False, {"status": "Missing selinux Python library"}, None):
        assert not enforces_selinux({**host, "selinux": said})


def test_what_selinux_has_to_know_follows_the_variables() -> None:
    portal = Role("portal", ROCKY, portal_port=8500, portal_dir="/srv/site", portal_payload_dir="/data/payload")
    assert portal.value("{{ __portal_selinux }}") == {
        "ports": [{"port": 8500, "type": "http_port_t"}],
        "contexts": [
            {"path": "/srv/site", "type": "httpd_sys_content_t"},
            {"path": "/data/payload", "type": "httpd_sys_content_t"},
            {"path": "/run/seedbed-portal", "type": "httpd_var_run_t"},
            {"path": "/var/log/seedbed-portal", "type": "httpd_log_t"},
            {"path": "/run/seedbed-collector", "type": "httpd_var_run_t"},
        ],
        "booleans": ["httpd_can_network_connect"],
    }
    program = {"path": "/opt/tracker/releases", "type": "bin_t"}
    tracker = Role("opentracker", ROCKY, opentracker_prefix="/opt/tracker")
    assert tracker.value("{{ __opentracker_selinux }}") == {"contexts": [program], "ports": [], "booleans": []}
    front = Role(
        "opentracker", ROCKY, opentracker_prefix="/opt/tracker", opentracker_tls=True, opentracker_tls_port=8501
    )
    assert front.value("{{ __opentracker_selinux }}") == {
        "contexts": [
            program,
            {"path": "/run/seedbed-tracker-tls", "type": "httpd_var_run_t"},
            {"path": "/var/log/seedbed-tracker-tls", "type": "httpd_log_t"},
        ],
        "ports": [{"port": 8501, "type": "http_port_t"}],
        "booleans": ["httpd_can_network_connect"],
    }


def test_the_packages_of_all_roles_are_known_without_a_host(render: Render) -> None:
    assert render("{{ ['leecher', 'portal', 'no role'] | debian_packages }}") == ["aria2", "nginx"]
    named = render("{{ roles | debian_packages }}", roles=list(FAMILIES["Debian"].packages))
    assert {"aria2", "gcc", "nginx", "nftables", "nodejs", "transmission-daemon"} <= set(named)
