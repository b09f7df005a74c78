"""What the rules of others on a host mean for the lab's ports: hints for people, the proof is a probe."""

from __future__ import annotations

import ipaddress
from typing import Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.host.rule_sets import Chain, Chains, Network, Rule
from ansible.module_utils.seedbed.torrent.model import ClosingRule, Redirection

_DEPTH = 16  # of jumps, as the kernel bounds them


class Packet(NamedTuple):
    """The first packet of a connection to a declared port, from any of the lab's networks."""

    protocol: str
    port: int
    networks: Sequence[Network]


class _End(NamedTuple):
    """Where a walk through a chain has ended."""

    verdict: str
    where: str
    text: str


def closing_rules(
    chains: Chains, listeners: Sequence[Mapping[str, object]], networks: Sequence[str]
) -> list[ClosingRule]:
    """Return the rules that would keep the lab's networks out of ports that are declared, as far as can be read."""
    found: dict[tuple[str, str], list[str]] = {}
    for chain in chains.values():
        if chain.kind != "filter" or chain.hook not in ("input", "prerouting"):
            continue
        for listener in listeners:
            for protocol in listener["protocols"]:  # type: ignore[attr-defined]
                packet = Packet(protocol, int(str(listener["port"])), _of_family(networks, chain.family))
                end = _walk(chain, chains, packet) if packet.networks else None
                if end is None and packet.networks and chain.policy == "drop":
                    end = _End("drop", chain.where, "policy drop")
                if end and end.verdict != "accept":
                    ports = found.setdefault((end.where, end.text), [])
                    ports += [f"{packet.port}/{protocol}"] if f"{packet.port}/{protocol}" not in ports else []
    return [{"where": where, "rule": rule, "ports": ports} for (where, rule), ports in found.items()]


def redirections(chains: Chains, first: int, last: int) -> list[Redirection]:
    """Return what is sent elsewhere of the ports from first to last before any input chain sees it."""
    found: list[Redirection] = []
    for chain in chains.values():
        if chain.kind == "nat" and chain.hook == "prerouting":
            for place, rule in _reached(chain, chains, _DEPTH):
                for low, high in rule.ports or [] if rule.verdict == "dnat" and not rule.never else []:
                    protocols = sorted((rule.protocols or frozenset(["tcp", "udp"])) & {"tcp", "udp"})
                    entry = Redirection(
                        where=place, rule=rule.text, protocols=protocols, first=max(low, first), last=min(high, last)
                    )
                    found += [entry] if entry["first"] <= entry["last"] else []
    return found


def tracking_rules(chains: Chains) -> list[ClosingRule]:
    """Return the first rule of each chain that asks the connection tracking; untracked packets are strangers to it."""
    return [
        {"where": chain.where, "rule": next(rule.text for rule in chain.rules if rule.tracks), "ports": []}
        for chain in chains.values()
        if any(rule.tracks for rule in chain.rules)
    ]


def _of_family(networks: Sequence[str], family: str) -> list[Network]:
    parsed = [ipaddress.ip_network(network) for network in networks]
    return [net for net in parsed if family == "inet" or net.version == (4 if family == "ip" else 6)]


def _target(chain: Chain, rule: Rule, chains: Chains) -> Chain | None:
    return chains.get(" ".join([*chain.where.split()[:-1], rule.target]))


def _reached(chain: Chain, chains: Chains, depth: int) -> list[tuple[str, Rule]]:
    found = []
    for rule in chain.rules:
        target = _target(chain, rule, chains) if rule.verdict in ("jump", "goto") and depth else None
        found += [(chain.where, rule)] if target is None else _reached(target, chains, depth - 1)
    return found


def _walk(chain: Chain, chains: Chains, packet: Packet, depth: int = _DEPTH) -> _End | None:
    """Return where a packet ends for certain in a chain and those that it jumps to; None where it comes out again."""
    for rule in chain.rules:
        matched = _matches(rule, packet)
        if matched is False:
            continue
        if rule.verdict in ("jump", "goto"):
            target = _target(chain, rule, chains) if depth else None
            end = _walk(target, chains, packet, depth - 1) if target else None
            if end and (matched or end.verdict == "accept"):
                return end
            if matched and rule.verdict == "goto":
                return None
        elif rule.verdict == "return" and matched:
            return None
        elif rule.verdict == "accept" and (matched or rule.ports or rule.sources):
            # One that names the port or a part of the networks was written for this, whatever else it asks for.
            return _End("accept", chain.where, rule.text)
        elif rule.verdict in ("drop", "reject") and matched:
            return _End(rule.verdict, chain.where, rule.text)
    return None


def _matches(rule: Rule, packet: Packet) -> bool | None:
    """Return whether a rule matches a packet; None where it may."""
    if rule.never or (rule.protocols is not None and packet.protocol not in rule.protocols):
        return False
    if rule.ports is not None and not any(low <= packet.port <= high for low, high in rule.ports):
        return False
    if rule.sources is not None:
        covered = [any(_covers(source, net) for source in rule.sources) for net in packet.networks]
        touched = any(net.overlaps(source) for source in rule.sources for net in packet.networks)
        if not touched:
            return False
        if not all(covered):
            return None
    return None if rule.unsure else True


def _covers(source: Network, network: Network) -> bool:
    return source.version == network.version and network.subnet_of(source)  # type: ignore[arg-type]
