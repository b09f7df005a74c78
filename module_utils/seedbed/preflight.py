"""What can be known to be wrong before any host is touched: ports, types, addresses.

A fault is one sentence: what is wrong, with the variable's name and value, and what would be right.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Iterable, Mapping, Sequence

from ansible.module_utils.seedbed.base.services import is_ip
from ansible.module_utils.seedbed.base.systems import System, UnknownSystem, beyond, is_tested, system_of

Listener = Mapping[str, Any]
"""What a role listens on: ``variable``, ``port``, ``protocols`` (of tcp and udp) and ``unit``, the systemd unit that
holds the port, or ``process``, the name of the program that holds it for a while; ``former``: units of ours that may
hold it until the role has run."""


def port_faults(listeners: Sequence[Listener], port_range: Mapping[str, Any]) -> list[str]:
    """Return the ports of one host that are no ports, outside the range ``{first, last}``, or wanted twice."""
    faults: list[str] = []
    first, last = int(port_range["first"]), int(port_range["last"])
    wanted: dict[tuple[int, str], list[str]] = {}
    for listener in listeners:
        variable, port = str(listener["variable"]), listener["port"]
        if not re.fullmatch(r"[0-9]{1,5}", str(port)):
            faults.append(f"{variable} is {port!r}, which is no port; choose a free number from {first} to {last}")
            continue
        if not first <= int(port) <= last:
            faults.append(
                f"{variable} is {port}, outside lab_port_range {first}-{last}; choose a free port inside the range"
            )
        for protocol in listener["protocols"]:
            wanted.setdefault((int(port), str(protocol)), []).append(variable)
    named: set[tuple[str, ...]] = set()
    for (port, protocol), variables in sorted(wanted.items()):
        if len(variables) > 1 and tuple(variables) not in named:
            named.add(tuple(variables))
            faults.append(
                f"{' and '.join(variables)} are both {port} ({protocol}) on this host; give each a port of its own"
            )
    return faults


def range_faults(port_range: Any) -> list[str]:
    """Return what is wrong with ``lab_port_range``."""
    right = "give it a first and a last port, such as {first: 8000, last: 9000}"
    if not isinstance(port_range, Mapping) or not {"first", "last"} <= set(port_range):
        return [f"lab_port_range is {port_range!r}; {right}"]
    bounds = [str(port_range["first"]), str(port_range["last"])]
    is_range = all(re.fullmatch("[0-9]{1,5}", bound) for bound in bounds)
    if not is_range or not 1 <= int(bounds[0]) <= int(bounds[1]) <= 65535:
        return [f"lab_port_range goes from {bounds[0]} to {bounds[1]}; {right}"]
    return []


def network_faults(networks: Any) -> list[str]:
    """Return the entries of ``lab_networks`` that are no networks in CIDR form."""
    if not isinstance(networks, (list, tuple)):
        return [f"lab_networks is {networks!r}; write a list of networks such as [192.168.10.0/24]"]
    faults = []
    for network in networks:
        try:
            ipaddress.ip_network(str(network))
        except ValueError as error:
            faults.append(f"lab_networks has {str(network)!r}: {error}; write a network such as 192.168.10.0/24")
    return faults


def budget_faults(listeners: Sequence[Listener], port_range: Any, networks: Any) -> list[str]:
    """Return what is wrong with one host's ports, and with what the whole lab shares."""
    return [*(range_faults(port_range) or port_faults(listeners, port_range)), *network_faults(networks)]


def group_faults(groups: Mapping[str, Sequence[str]], needed: Iterable[str]) -> list[str]:
    """Return the groups that a lab needs and that have no host."""
    return [f"no host is in group {group}; put at least one there" for group in needed if not groups.get(group)]


def address_faults(address: str, resolved: Sequence[str] | None = None) -> list[str]:
    """Return what is wrong with a ``lab_address``: the tracker would hand out an address that nobody can reach.

    resolved: the IP addresses that the host itself finds behind it; None where it was not asked.
    """
    right = "set it to the address by which the other hosts reach this one"
    address = str(address)
    if not address:
        return [f"lab_address is not known: the host has no default route, and nobody comes to it by SSH; {right}"]
    if not is_ip(address):
        if not _NAME.fullmatch(address) or address.split(".")[-1].isdigit() or address == "localhost":
            return [f"lab_address is {address!r}, which is no IP address and no name of a host; {right}"]
        if resolved is None:
            return []
        if not resolved:
            return [
                f"lab_address is {address}, a name that the host itself does not know; teach it to all hosts, "
                f"or {right}"
            ]
        unreachable = [found for found in resolved if _is_own(found)]
        return [
            f"lab_address is {address}, which the host itself takes for {found} (see its /etc/hosts): it would "
            f"announce itself as such, and no other host could reach it; correct that, or {right}"
            for found in unreachable[:1]
        ]
    return [f"lab_address is {address}, which no other host can reach; {right}"] if _is_own(address) else []


def admission_faults(address: str, resolved: Sequence[str], networks: Sequence[str]) -> list[str]:
    """Return why the lab's own hosts would keep this one out: the others' ports are open to ``lab_networks`` alone."""
    own = [address] if is_ip(address) else resolved
    known = [ipaddress.ip_network(str(network)) for network in networks]
    if not own or any(ipaddress.ip_address(each) in network for each in own for network in known):
        return []
    return [
        f"lab_address is {address}, which is in none of lab_networks ({', '.join(map(str, networks))}), so that the "
        f"lab's own hosts would keep this one out; add its network"
    ]


_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")


def _is_own(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.is_loopback or parsed.is_unspecified


def user_faults(user: int) -> list[str]:
    """Return the fault of a run that is not root on the host."""
    if user == 0:
        return []
    return [
        f"this run is user {user} on the host and has to be root: take ansible_become and ansible_become_user out of "
        "the inventory, so that the playbooks' own become: true holds"
    ]


# What an example has where a password belongs.
_PLACEHOLDERS = ("change-me", "changeme", "change me")


def password_faults(password: Any, variable: str) -> list[str]:
    """Return the fault of a password that everybody knows from an example."""
    if str(password).strip().lower() not in _PLACEHOLDERS:
        return []
    return [f"{variable} is still the word of the example; choose a password, and keep it in a vault"]


def argument_faults(errors: Sequence[str], options: Mapping[str, Mapping[str, Any]], role: str) -> list[str]:
    """Return the findings of Ansible's argument validation as sentences.

    What a missing option takes stands in its description.
    """
    faults: list[str] = []
    for error in errors:
        missing = re.fullmatch(r"missing required arguments: (.*)", str(error))
        if missing:
            names = missing.group(1).split(", ")
            faults += [f"{name} is not set; it takes: {_description(options.get(name, {}))}" for name in names]
        else:
            faults.append(f"{error} (a variable of role {role})")
    return faults


# Texts are what -e brings: a,b and JSON.
_SHAPES: Mapping[str, tuple[type, ...]] = {"list": (list, str), "dict": (dict, str)}


def shape_faults(name: str, value: Any, option: Mapping[str, Any]) -> list[str]:
    """Return the fault of a value whose shape Ansible's argument validation lets through, or does not survive."""
    if value is None:
        return [f"{name} is null; it takes: {_description(option)}"]
    if not isinstance(value, _SHAPES.get(str(option.get("type")), object)):
        return [f"{name} is {value!r}, no {option['type']}; it takes: {_description(option)}"]
    if "elements" in option and isinstance(value, list):
        shape = _SHAPES.get(option["elements"], object)
        return [
            f"{name}[{number}] is {'null' if element is None else repr(element)}, no {option['elements']}; "
            f"{name} takes: {_description(option)}"
            for number, element in enumerate(value)
            if element is None or not isinstance(element, shape)
        ]
    return []


def unfit(name: str, option: Mapping[str, Any]) -> str:
    """Return the fault of a variable that has the right type, and keeps its role from computing what it declares."""
    return f"{name} holds something that its role cannot use; it takes: {_description(option)}"


def uncomputed(name: str, error: str) -> str:
    """Return the fault of a variable whose value cannot be computed."""
    return f"{name} cannot be computed: {' '.join(error.split())}"


def _description(option: Mapping[str, Any]) -> str:
    text = option.get("description", "see the role's README")
    return " ".join(text) if isinstance(text, list) else str(text)


def foreign_port_faults(listeners: Sequence[Listener], sockets: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the wanted ports that something foreign holds already.

    ``sockets`` is what listens on the host now: ``protocol``, ``port``, ``process``, ``unit`` (see listeners.py).
    """
    faults = []
    for listener in listeners:
        for socket in sockets:
            if str(socket["port"]) != str(listener["port"]) or socket["protocol"] not in listener["protocols"]:
                continue
            ours = socket["unit"] in filter(None, [listener.get("unit"), *listener.get("former", [])])
            if not ours and socket["process"] != listener.get("process"):
                faults.append(
                    f"{listener['variable']} is {listener['port']}, but {socket['protocol']} port {socket['port']} is "
                    f"held by {socket['process'] or 'an unknown process'} ({socket['unit'] or 'no service'}); "
                    "stop that or choose another port"
                )
    return sorted(set(faults))


def fault_report(faults: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the faults of all hosts, one line a fault; hosts that share a fault are named together."""
    hosts: dict[str, list[str]] = {}
    for host in sorted(faults):
        for fault in faults[host]:
            hosts.setdefault(str(fault), []).append(host)
    return [f"{', '.join(dict.fromkeys(names))}: {fault}" for fault, names in hosts.items()]


def system_faults(facts: Mapping[str, Any]) -> list[str]:
    """Return why no role can work on the host's system."""
    try:
        system_of(facts)
    except UnknownSystem as error:
        return [str(error)]
    return []


def topology_faults(groups: Sequence[str], system: System) -> list[str]:
    """Return why one host cannot serve its groups together: Transmission 3.00 drops every peer at its own address."""
    if {"seeders", "leechers"} <= set(groups) and system.release.transmission < 4:
        return [
            f"the host is in groups seeders and leechers with {system.name}, whose Transmission 3.00 serves no peer at "
            "its own address; use Debian 13 or newer for it, or another host as leecher"
        ]
    return []


def package_faults(groups: Sequence[str], packages: Sequence[str], wanted: Sequence[str], system: System) -> list[str]:
    """Return the packages of others that stand in the way of ours, and those of ours that the host cannot get."""
    faults = []
    if "portals" in groups and "nginx-light" in packages and system.release.bare_nginx_light:
        faults.append(
            f"the host is in group portals with nginx-light of {system.name}, which lacks what the portal needs "
            "(module geo); install nginx-core or nginx-full in its place, or run the portal on another host"
        )
    return faults + [
        f"{system.name} has {_and(missing)} in a repository that the host does not know; install {repository} there "
        "first, or run those services on another host"
        for repository, missing in beyond(system, wanted, packages).items()
    ]


def node_faults(system: System, needed: int) -> list[str]:
    """Return why Flood cannot run on a release."""
    if system.release.node >= needed:
        return []
    return [
        f"flood_enabled is true, but {system.name} has Node.js {system.release.node}, and Flood needs {needed}; set it "
        "to false for this host, or run the seeder on a newer one"
    ]


def source_faults(
    source: str, *, built: bool, lacking: Sequence[str], urls: Mapping[str, Sequence[str]], system: System
) -> list[str]:
    """Return why opentracker's sources cannot come from anywhere: mirrors of Debian's alone have them as packages.

    built: whether there is a build on the host. lacking: the archives that the controller has not. urls: their
    addresses, by the variable that sets them.
    """
    if built or not lacking or system.distribution.source_suites or source not in ("auto", "apt"):
        return []
    if source == "auto" and all(urls.values()):
        return []
    return [
        f"opentracker_source is {source}, but the mirrors of {system.name} have no source package of opentracker: make "
        f"bundle on a machine with Debian puts {_and(lacking)} beside the inventory, or set {_and(list(urls))} to "
        "where they are"
    ]


def system_notes(facts: Mapping[str, Any]) -> list[str]:
    """Return what people should know of a host's system."""
    system = system_of(facts)
    if is_tested(system, facts):
        return []
    return [
        f"{system.name} is not among the systems that Seedbed is tested on (Debian 11, 12 and 13): look twice at what "
        "the run does there"
    ]


def foreign_faults(foreign: Sequence[Mapping[str, Any]], adopt: Sequence[str]) -> list[str]:
    """Return what the lab would have for its own and others have, but for what was handed to it.

    `foreign` is what module host_info tells of the claims of the host's roles.
    """
    return [
        _FOREIGN[str(each["kind"])].format(**{"variable": "", **each})
        for each in foreign
        if each["name"] not in adopt and not each.get("adopted")
    ]


_FOREIGN = {
    "directory": (
        "{variable} is {name}, which was not made by Seedbed and is not empty ({what}); choose another directory, or "
        "have the lab use it beside what is there with lab_adopt: ['{name}']"
    ),
    "user": (
        "{variable} is {name}, a user that this host has and Seedbed did not make ({what}); choose another name, or "
        "have the service run as that user with lab_adopt: ['{name}']"
    ),
    "unit": (
        "the host has a unit {name} that Seedbed did not make ({what}); remove it, or have the lab put its own in its "
        "place until it is taken back with lab_adopt: ['{name}']"
    ),
    "daemon": (
        "the host has a Transmission that Seedbed did not set up, with {what} ({name}); hand it to the lab with "
        "transmission_adopt: true, which keeps a dated copy of its settings, its torrents and their folders, or run "
        "the seeder on another host"
    ),
}


def archive_faults(archive: str, sha256: str, *, variable: str, pin: str, found: str, npm: bool) -> list[str]:
    """Return why an archive cannot be had; ``found`` is its path on the controller, ``npm`` whether npm is there."""
    faults = []
    if not archive:
        faults.append(f"{variable} is empty; it takes a URL, a file on the controller, or npm:NAME@VERSION")
    elif archive.startswith("npm:"):
        if not re.fullmatch(r"npm:(@[a-z0-9~._-]+/)?[a-z0-9~._-]+@\d[\w.+-]*", archive):
            faults.append(
                f"{variable} is {archive!r}; from npm it takes a name and one version, as in npm:flood@4.11.0"
            )
        elif not npm:
            faults.append(
                f"{variable} is {archive!r}, but this controller has no npm to fetch it with; install npm, or name the "
                f"file that `npm pack {archive[4:]}` makes elsewhere"
            )
    elif not re.match("https?://", archive) and not found:
        faults.append(
            f"{variable} is {archive!r}, which is neither a URL nor a file on the controller; correct the path"
        )
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        faults.append(f"{pin} is {sha256!r}; it takes the 64 digits that sha256sum tells of the archive")
    return faults


def copied_name_faults(name: str, inventories: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the fault of a lab whose name another inventory has; known: the directories of the last run's inventory.

    What the controller keeps of a lab (passwords, proofs, addresses of its hosts) lies under the lab's name.
    """
    if not known or not inventories or set(known) & set(inventories):
        return []
    return [
        f"lab_name is {name}, which is the lab of {' and '.join(known)}: give this inventory "
        f"({' and '.join(inventories)}) a lab_name of its own"
    ]


def absent_hosts(value: Any) -> list[str]:
    """Return the names in ``lab_absent``: a list, or a text with commas."""
    names = str(value or "").split(",") if not isinstance(value, (list, tuple)) else list(value)
    return [str(name).strip() for name in names if str(name).strip()]


ASKED_FOR = ("trackers", "seeders", "portals", "leechers", "scripted_peers")
MAKERS = ("seeders", "portals", "scripted_peers")
"""Groups of hosts that others ask for, and of those that make the catalogue together."""


def run_faults(
    groups: Mapping[str, Sequence[str]], *, in_run: Sequence[str], absent: Sequence[str], known: Iterable[str]
) -> list[str]:
    """Return why a run of some of the hosts must not begin.

    known: the hosts of which this run or an earlier one knows address and services. The catalogue is one: what some of
    its seeders alone would make of it takes the others' items off the portals.
    """
    faults = [
        f"lab_absent names {host}, which this run asks all the same: give it on the command line, -e lab_absent={host}"
        for host in absent
        if host in in_run
    ]
    # A bastion, or whatever else the inventory has in none of the lab's groups, is nobody that others ask for.
    asked_for = {host for group in ASKED_FOR for host in groups.get(group, [])}
    left_out = [host for host in groups.get("all", []) if host in asked_for and host not in in_run]
    strange = [host for host in left_out if host not in set(known)]
    if strange:
        faults.append(
            f"{_listed(strange)} left out of this run, and no earlier one has left word of the address: run once "
            "with all hosts"
        )
    for group in ("portals", "seeders"):
        members = groups.get(group, [])
        gone = [host for host in members if host in absent]
        if gone and (gone[0] == members[0] if group == "portals" else len(gone) == len(members)):
            need = "the first portal, which has the catalogue" if group == "portals" else "the last seeder"
            faults.append(f"lab_absent names {gone[0]}, {need}: without it there is no lab")
    makers = list(dict.fromkeys(host for group in MAKERS for host in groups.get(group, [])))
    missing = [host for host in makers if host not in in_run and host not in absent]
    if missing and len(missing) < len(makers) - len(set(absent) & set(makers)):
        # Without the first portal there is no lab at all.
        down = "" if set(groups.get("portals", [])[:1]) & set(missing) else ",".join(missing)
        faults.append(
            f"{_listed(missing)} left out of this run, but seeders and portals make the catalogue together: run it "
            "without --limit" + (f", or, where a host is down, with -e lab_absent={down}" if down else "")
        )
    return faults


def scripted_address_faults(
    addresses: Any, networks: Sequence[str], others: Mapping[str, Iterable[str]], variable: str
) -> list[str]:
    """Return why addresses cannot be those of one host's scripted peers.

    others: the addresses of the inventory's other hosts, by host. What is not known yet, an empty text, is passed over.
    """
    if not addresses:
        return [f"{variable} is empty; scripted peers need at least one address, such as the host's lab_address"]
    faults = []
    allowed = [ipaddress.ip_network(network) for network in networks if not network_faults([network])]
    seen: set[str] = set()
    for address in map(str, addresses):
        where = f"{variable} has {address}"
        if not address:
            continue
        if not is_ip(address):
            faults.append(f"{variable} has {address!r}, which is no IP address; write one such as 192.168.10.41")
            continue
        parsed = ipaddress.ip_address(address)
        if str(parsed) in seen:
            faults.append(f"{where} twice; clients take one peer an address, so each has to be another one")
        seen.add(str(parsed))
        if parsed.is_multicast or parsed.is_link_local or _is_own(address):
            faults.append(f"{where}, which other hosts cannot reach; choose free addresses of the host's own network")
        elif not any(parsed in network for network in allowed):
            faults.append(f"{where}, which is in none of lab_networks; choose free addresses inside them")
        faults += [
            f"{where}, which is the address of {host}; choose one that nobody has"
            for host, theirs in others.items()
            if str(parsed) in theirs
        ]
    return faults


def occupied_faults(occupied: Mapping[str, str], variable: str) -> list[str]:
    """Return the addresses that somebody answers at; `occupied` is what module host_info tells."""
    return [
        f"{variable} has {address}, but {who} answers there already; choose addresses that nobody has"
        for address, who in occupied.items()
    ]


def _listed(hosts: Sequence[str]) -> str:
    return f"{_and(hosts)} {'is' if len(hosts) == 1 else 'are'}"


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1])] * (len(names) > 1) + list(names[-1:]))
