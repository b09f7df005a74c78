"""The systems that a host may have: what they call things, and what their releases bring.

All that differs between distributions stands here. A new release takes after the newest one below it; an older one, or
a distribution without a line here, is refused by the preflight.
"""

from __future__ import annotations

import math
from typing import Any, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError


class UnknownSystem(SeedbedError):
    """A host with a system that no role knows."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the host {what}; use Debian 11, 12 or 13, on which Seedbed is tested, or one that it has only the names "
            "and paths of: Ubuntu from 22.04, Fedora from 40, RedHat, Rocky, AlmaLinux, OracleLinux or CentOS from 9"
        )


class Family(NamedTuple):
    """What all releases of a distribution and its relatives call things."""

    packages: Mapping[str, Sequence[str]]
    """By role."""
    clients: Mapping[str, Sequence[str]]
    """Packages of the clients that download, by client, beside the leecher's own."""
    client_services: Mapping[str, str]
    """What the packages of clients run as a service of the host, by client."""
    selinux_packages: Sequence[str]
    """What changes SELinux's policy, on a host that enforces one."""
    transmission_user: str
    transmission_home: str
    transmission_settings: str
    nginx: str = "/usr/sbin/nginx"
    nginx_mime_types: str = "/etc/nginx/mime.types"
    node_program: str = "/usr/bin/node"


class Release(NamedTuple):
    """What a release brings."""

    transmission: int
    """The version: 3 serves no peer at its own address, and a torrent once to each."""
    node: int
    """The version."""
    bare_nginx_light: bool = False
    """Whether its nginx-light lacks module geo."""
    transmission_apparmor: str = ""
    """The AppArmor profile that the daemon's unit has to name, where the distribution's own keeps it from working."""
    without_clients: Sequence[str] = ()
    """Clients of which it has no package, or none that anybody has seen."""
    tested: bool = False


class Distribution(NamedTuple):
    family: str
    releases: Mapping[int, Release]
    """By number, as ``distribution_major_version`` has it."""
    source_suites: bool = False
    """Whether its mirrors have the suites of opentracker's source package."""
    beyond: Mapping[str, Sequence[str]] = {}
    """Packages that come from elsewhere, by the package that makes that known."""


class System(NamedTuple):
    """A host's system."""

    name: str
    """As in a sentence: ``Debian 12``."""
    distribution: Distribution
    names: Family
    release: Release

    def client_packages(self) -> dict[str, Sequence[str]]:
        """Return the packages of the clients that it has, by client."""
        return {
            client: packages
            for client, packages in self.names.clients.items()
            if client not in self.release.without_clients
        }


DEBIAN = Family(
    packages={
        "lab_firewall": ["nftables"],
        "opentracker": ["gcc", "make", "libc6-dev", "zlib1g-dev", "xz-utils"],
        "transmission": ["transmission-daemon", "transmission-cli"],
        # argon2 hashes the password as Flood does.
        "flood": ["nodejs", "argon2"],
        "portal": ["nginx"],
        "leecher": ["aria2"],
        "scripted_peer": ["iproute2"],
    },
    clients={
        "aria2": [],
        "deluge": ["deluged"],
        "libtorrent": ["python3-libtorrent"],
        "qbittorrent": ["qbittorrent-nox"],
        "rtorrent": ["rtorrent"],
        "transmission": ["transmission-daemon"],
    },
    client_services={"deluge": "deluged.service", "transmission": "transmission-daemon.service"},
    selinux_packages=["policycoreutils", "policycoreutils-python-utils"],
    transmission_user="debian-transmission",
    transmission_home="/var/lib/transmission-daemon",
    transmission_settings="/etc/transmission-daemon/settings.json",
)
REDHAT = Family(
    packages={
        "lab_firewall": ["nftables"],
        "opentracker": ["gcc", "make", "glibc-devel", "zlib-devel", "tar", "xz"],
        "transmission": ["transmission-daemon", "transmission-cli"],
        "flood": ["nodejs", "argon2"],
        "portal": ["nginx"],
        "leecher": ["aria2"],
        "scripted_peer": ["iproute"],
    },
    clients={
        "aria2": [],
        "deluge": ["deluge-daemon"],
        "libtorrent": ["rb_libtorrent-python3"],
        "qbittorrent": ["qbittorrent-nox"],
        "rtorrent": ["rtorrent"],
        "transmission": ["transmission-daemon"],
    },
    client_services={"deluge": "deluge-daemon.service", "transmission": "transmission-daemon.service"},
    selinux_packages=["policycoreutils", "policycoreutils-python-utils"],
    transmission_user="transmission",
    transmission_home="/var/lib/transmission",
    transmission_settings="/var/lib/transmission/.config/transmission-daemon/settings.json",
)
FAMILIES: Mapping[str, Family] = {"Debian": DEBIAN, "RedHat": REDHAT}

_ENTERPRISE = Distribution(
    "RedHat",
    # Which Transmission EPEL has was not seen: what the older one cannot do is not asked of it. Nor was seen which
    # clients it has.
    {
        9: Release(transmission=3, node=16, without_clients=("deluge", "qbittorrent", "rtorrent")),
        10: Release(transmission=4, node=22, without_clients=("deluge", "qbittorrent", "rtorrent")),
    },
    beyond={"epel-release": ["transmission-daemon", "transmission-cli", "argon2", "aria2", "rb_libtorrent-python3"]},
)
DISTRIBUTIONS: Mapping[str, Distribution] = {
    "Debian": Distribution(
        "Debian",
        {
            11: Release(transmission=3, node=12, bare_nginx_light=True, tested=True),
            12: Release(transmission=3, node=18, tested=True),
            13: Release(transmission=4, node=20, tested=True),
        },
        source_suites=True,
    ),
    "Ubuntu": Distribution(
        "Debian",
        {
            22: Release(transmission=3, node=12, bare_nginx_light=True),
            # From here on AppArmor has a profile for the daemon. In a unit with a view of its own of the file system it
            # does not recognise the socket by which systemd is told that the daemon is up, so that the start times out;
            # nor does it know the lab's folders.
            24: Release(transmission=4, node=18, transmission_apparmor="unconfined"),
        },
    ),
    "Fedora": Distribution("RedHat", {40: Release(transmission=4, node=20)}),
    **dict.fromkeys(("RedHat", "Rocky", "AlmaLinux", "OracleLinux", "CentOS"), _ENTERPRISE),
}


def system_of(facts: Mapping[str, Any]) -> System:
    """Return a host's system, from its facts; UnknownSystem where no role would work on it."""
    name = str(facts.get("distribution") or "an unknown system")
    version = str(facts.get("distribution_version") or facts.get("distribution_major_version") or "")
    called = f"{name} {version}".strip()
    distribution = DISTRIBUTIONS.get(name)
    if distribution is None:
        raise UnknownSystem(f"has {called}, of which Seedbed knows neither packages nor paths")
    if facts.get("service_mgr", "systemd") != "systemd":
        raise UnknownSystem(f"is run by {facts['service_mgr']}, and the lab's services need systemd")
    number = release_number(facts.get("distribution_major_version"))
    known = [release for release in sorted(distribution.releases) if release <= number]
    if not known:
        raise UnknownSystem(f"has {called}, which is too old")
    return System(called, distribution, FAMILIES[distribution.family], distribution.releases[known[-1]])


def release_number(version: Any) -> float:
    """Return the number of a release; one without a number, such as Debian testing, is newer than all."""
    return int(version) if str(version or "").isdigit() else math.inf


def is_tested(system: System, facts: Mapping[str, Any]) -> bool:
    """Return whether the tests run on this very release."""
    number = release_number(facts.get("distribution_major_version"))
    return system.release.tested and number in system.distribution.releases


def beyond(system: System, wanted: Sequence[str], installed: Sequence[str]) -> dict[str, list[str]]:
    """Return the wanted packages that come from repositories that the host does not have, by what would bring those."""
    return {
        repository: missing
        for repository, packages in system.distribution.beyond.items()
        # Some have it under a name of their own, such as oracle-epel-release-el9.
        if not any(repository in package for package in installed)
        for missing in [[package for package in wanted if package in packages and package not in installed]]
        if missing
    }


def enforces_selinux(facts: Mapping[str, Any]) -> bool:
    """Return whether the host refuses what its SELinux policy does not know."""
    selinux = facts.get("selinux")
    return isinstance(selinux, Mapping) and selinux.get("mode") == "enforcing"
