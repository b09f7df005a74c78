"""Networks in CIDR form, written as the shell patterns that Transmission's whitelist understands."""

from __future__ import annotations

import ipaddress
from typing import Iterable, Union

from ansible.module_utils.seedbed.base.errors import SeedbedError

# The host itself, and whoever comes through an SSH tunnel.
LOOPBACK = ("127.0.0.1", "::ffff:127.0.0.1", "::1")

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


class NetworkError(SeedbedError):
    """A text that is no network in CIDR form."""

    def __init__(self, value: object, why: str) -> None:
        super().__init__(f"{value!r} is no network: {why}")
        self.value = value


def whitelist(networks: Iterable[str]) -> str:
    """Return the daemon's rpc-whitelist for these networks and the host itself.

    The daemon compares text: CIDR never matches, and it says nothing about that. IPv4 patterns are exact; an IPv6
    prefix is widened to where its text form is certain, since `::` may stand for any run of zeros. Behind a dual-stack
    listener the daemon sees IPv4 clients as ::ffff:a.b.c.d on most versions, so both forms are listed.
    """
    patterns: list[str] = list(LOOPBACK)
    for text in networks:
        network = _network(text)
        if isinstance(network, ipaddress.IPv4Network):
            for pattern in _ipv4_patterns(network):
                patterns += [pattern, "::ffff:" + pattern]
        else:
            patterns += _ipv6_patterns(network)
    return ",".join(dict.fromkeys(patterns))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except (ValueError, TypeError) as error:
        raise NetworkError(text, str(error)) from error


def _ipv4_patterns(network: ipaddress.IPv4Network) -> list[str]:
    octets = -(-network.prefixlen // 8)
    tail = [] if octets == 4 else ["*"]
    parts = network.subnets(new_prefix=octets * 8)
    return [".".join(str(part.network_address).split(".")[:octets] + tail) for part in parts]


def _ipv6_patterns(network: ipaddress.IPv6Network) -> list[str]:
    digits = -(-network.prefixlen // 4)
    parts = network.subnets(new_prefix=digits * 4)
    if digits == 32:
        return [str(part.network_address) for part in parts]
    return [_ipv6_pattern(str(part.network_address.exploded).replace(":", "")[:digits]) for part in parts]


def _ipv6_pattern(prefix: str) -> str:
    """Return a glob for the certain part of a prefix in hex digits: whole groups that are not zero, part of one."""
    pattern = ""
    for start in range(0, len(prefix), 4):
        group = prefix[start : start + 4]
        whole = len(group) == 4
        if group.strip("0") == "" or (not whole and group.startswith("0")):
            break
        pattern += group.lstrip("0") + (":" if whole else "")
    return pattern + "*"
