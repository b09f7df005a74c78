"""What a host's firewalls and listeners have against the lab, in sentences, before anything is changed."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.host.opening import reachable
from ansible.module_utils.seedbed.torrent.model import ClosingRule, Firewalls, Redirection

Sockets = Sequence[Mapping[str, Any]]
"""What listens on the host (module listener_info)."""
Listeners = Sequence[Mapping[str, Any]]
"""What the lab declares."""


def chosen_backend(wanted: str, firewall: Firewalls) -> str:
    """Return which firewall is told of the ports."""
    return firewall["backend"] if wanted == "auto" else wanted


def firewall_faults(
    firewall: Firewalls,
    *,
    listeners: Listeners,
    sockets: Sockets,
    backend: str,
    keep: Sequence[int],
    close_foreign: bool,
    untracked: bool,
    own_units: Sequence[str],
) -> list[str]:
    """Return why the ports cannot be opened, or whom it would harm."""
    faults = []
    chosen = chosen_backend(backend, firewall)
    if chosen not in ("nftables", firewall["backend"]):
        faults.append(
            f"lab_firewall_backend is {backend}, but {chosen} does not run on this host; start it, or take auto"
        )
    elif chosen == firewall["backend"]:
        faults += firewall["obstacles"]
    faults += _declared_elsewhere(firewall["redirected"], listeners)
    if untracked:
        faults += [
            f"lab_firewall_untracked is true, but {_rule(rule)} asks the connection tracking, which knows nothing of "
            "untracked packets; leave it false on this host"
            for rule in firewall["tracking"]
        ]
    if not close_foreign:
        faults += [
            f"{name} listens inside lab_port_range, which the lab closes; keep it open with lab_firewall_keep: "
            f"[{port}], have it cut off with lab_firewall_close_foreign: true, or choose another lab_port_range"
            for name, port in _cut_off(firewall, listeners, sockets, keep, own_units)
        ]
    return faults


def firewall_notes(
    firewall: Firewalls,
    *,
    listeners: Listeners,
    sockets: Sockets,
    keep: Sequence[int],
    close_foreign: bool,
    own_units: Sequence[str],
) -> list[str]:
    """Return what people should know, though it stops nothing."""
    notes = [
        f"{_rule(rule)} seems to close {', '.join(rule['ports'])} to lab_networks; the lab leaves it alone, so its "
        "owner has to let them in"
        for rule in firewall["closing"]
    ]
    notes += [
        f"{_rule(entry)} sends {_span(entry)} elsewhere, past every rule of the lab: it stays open to whom it is"
        for entry in firewall["redirected"]
        if not _declared(entry, listeners)
    ]
    if close_foreign:
        notes += [
            f"{name} is cut off from other hosts, as lab_firewall_close_foreign wants it"
            for name, _ in _cut_off(firewall, listeners, sockets, keep, own_units)
        ]
    return notes


def _declared_elsewhere(redirected: Sequence[Redirection], listeners: Listeners) -> list[str]:
    return [
        f"{listener['variable']} is {listener['port']}, but the host sends that port elsewhere, as container engines "
        f"do with a published one ({_rule(entry)}); choose another port, or publish that one no more"
        for entry in redirected
        for listener in _declared(entry, listeners)
    ]


def _declared(entry: Redirection, listeners: Listeners) -> list[Mapping[str, Any]]:
    return [
        listener
        for listener in reachable(listeners)
        if entry["first"] <= int(listener["port"]) <= entry["last"]
        and set(entry["protocols"]) & set(listener["protocols"])
    ]


def _cut_off(
    firewall: Firewalls, listeners: Listeners, sockets: Sockets, keep: Sequence[int], own_units: Sequence[str]
) -> list[tuple[str, int]]:
    """Return who listens on ports that the lab closes and is none of its own, with the port."""
    units = {listener["unit"] for listener in listeners if listener.get("unit")} | set(own_units)
    processes = {listener["process"] for listener in listeners if listener.get("process")}
    # A declared port that somebody else holds is refused as such.
    spared = {int(port) for port in keep} | {int(listener["port"]) for listener in listeners}
    spared |= set(firewall["ssh_ports"])
    for entry in firewall["redirected"]:
        spared |= set(range(entry["first"], entry["last"] + 1))
    found: dict[tuple[str, int], None] = {}
    for socket in sockets:
        ours = socket["unit"] in units or socket["unit"].startswith("seedbed") or socket["process"] in processes
        if not ours and not socket["loopback"] and socket["port"] not in spared:
            holder = f"{socket['process'] or 'an unknown process'} ({socket['unit'] or 'no service'})"
            found[f"{holder} on {socket['protocol']} port {socket['port']}", socket["port"]] = None
    return list(found)


def _rule(rule: ClosingRule | Redirection) -> str:
    return f"{rule['where']}: {rule['rule']}"


def _span(entry: Redirection) -> str:
    ports = f"{entry['first']}" if entry["first"] == entry["last"] else f"{entry['first']}-{entry['last']}"
    return f"{'/'.join(entry['protocols'])} port {ports}"
