"""What a host's roles tell others: the fact ``lab_services``, and the address under which the services are reached."""

from __future__ import annotations

import ipaddress
from typing import Any, Mapping

from ansible.module_utils.seedbed.base.errors import SeedbedError


class UnknownServiceError(SeedbedError):
    """A host that was not asked, or that does not have the service."""


class AddressError(SeedbedError):
    """A host whose address nobody knows."""


def is_ip(address: Any) -> bool:
    """Return whether a text is an IP address, and not a name."""
    try:
        ipaddress.ip_address(str(address))
    except ValueError:
        return False
    return True


def own_ip(facts: Mapping[str, Any], ssh_address: Any, networks: Any = ()) -> str:
    """Return the IP address by which others see a host that names none itself; empty where nobody can know.

    The one of its default route, of two that which lies in one of the networks, and IPv4 before IPv6; without such a
    route that by which SSH comes in, as the inventory has it or as the host sees it.
    """
    routed = [str((facts.get(family) or {}).get("address") or "") for family in ("default_ipv4", "default_ipv6")]
    found = [address for address in routed if address]
    if found:
        return next((address for address in found if _lies_in(address, networks)), found[0])
    return str(ssh_address) if is_ip(ssh_address) else str(facts.get("arrival_address") or "")


def _lies_in(address: str, networks: Any) -> bool:
    """Return whether an address lies in one of the networks; what is none the preflight has to name."""
    for network in networks if isinstance(networks, (list, tuple)) else ():
        try:
            if ipaddress.ip_address(address) in ipaddress.ip_network(str(network)):
                return True
        except ValueError:
            continue
    return False


def host_ip(host: Mapping[str, Any], lab_address: str = "") -> str:
    """Return the IP address of a host whose ``lab_address`` may be a name, from its variables; the name without one."""
    address = str(lab_address or host.get("lab_address") or "")
    if address and is_ip(address):
        return address
    own = own_ip(host.get("ansible_facts") or {}, host.get("ansible_host"), host.get("lab_networks"))
    return own or str(host.get("lab_ip") or address)


def service(host: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what a host tells about one of its services, from its variables."""
    where = host.get("inventory_hostname", "the host")
    services = host.get("lab_services")
    if services is None:
        raise UnknownServiceError(
            f"nobody asked {where} about its services in this run; run it without --limit, "
            "or let it begin with entry point contracts of role lab on all hosts"
        )
    if name not in services:
        raise UnknownServiceError(f"{where} has no {name}; it has {', '.join(services) or 'no service at all'}")
    found: Mapping[str, Any] = services[name]
    return found


def host_address(host: Mapping[str, Any]) -> str:
    """Return the address by which the others reach a host, from its variables."""
    ssh = host.get("ansible_host")
    facts, networks = host.get("ansible_facts") or {}, host.get("lab_networks")
    address = host.get("lab_address") or own_ip(facts, ssh, networks) or ssh
    if not address:
        name = host.get("inventory_hostname", "a host")
        raise AddressError(f"{name} has no known address; set lab_address, or gather its facts first")
    return str(address)


def endpoint(host: Mapping[str, Any], name: str, port: str = "port") -> str:
    """Return address and port of a service as they stand in a URL; ``port`` is the port's key in the service.

    Before the hosts are asked their address may be unknown: then it is their name.
    """
    try:
        address = host_address(host)
    except AddressError:
        address = str(host.get("inventory_hostname", ""))
    return f"{bracketed(address)}:{service(host, name)[port]}"


def scripted_addresses(host: Mapping[str, Any]) -> list[str]:
    """Return the IP addresses at which a host plays scripted peers, from its variables.

    What the inventory names otherwise, or did not know yet when the services were asked for, is the host's own address.
    """
    named = [str(address) for address in service(host, "scripted_peer")["addresses"]]
    found = [address if is_ip(address) else host_ip(host) for address in named]
    return list(dict.fromkeys(str(ipaddress.ip_address(address)) for address in found if is_ip(address)))


def bracketed(address: str) -> str:
    """Return an address as it stands in a URL."""
    return f"[{address}]" if ":" in address else address
