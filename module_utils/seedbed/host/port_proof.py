"""Who knocks where, and what closed doors mean: from hosts, knocks and traces to sentences."""

from __future__ import annotations

import ipaddress
from typing import Any, Dict, Mapping, NamedTuple, Sequence, TypedDict

from ansible.module_utils.seedbed.torrent.model import Knock, KnockAnswer, TracedPort


class Member(NamedTuple):
    """A host that takes part in the round."""

    address: str
    listeners: Sequence[Mapping[str, Any]]
    """What shall be reached on it from others."""


Members = Dict[str, Member]


class Seen(NamedTuple):
    """What one host has seen."""

    answers: Sequence[KnockAnswer]
    sockets: Sequence[Mapping[str, Any]]
    """What listens on it."""
    again: Sequence[KnockAnswer]
    """What came of a second knock, while the way of the packets was written down."""
    traced: list[TracedPort] | None
    """Where those ended that came to it; None where nobody looked."""


class Closed(TypedDict):
    """A port that others do not get through to."""

    host: str
    port: str
    prober: str
    rule: str
    """Empty where it is not known."""
    text: str


def doors(members: Members, prober: str, networks: Sequence[str]) -> list[Knock]:
    """Return where a host has to knock: at the ports of all to whom it is the next one in the round."""
    return [
        {
            "host": name,
            "address": member.address,
            "protocol": protocol,
            "port": int(listener["port"]),
            "variable": str(listener["variable"]),
        }
        for name, member in sorted(members.items())
        if prober_of(name, members, networks) == prober
        for listener in member.listeners
        for protocol in listener["protocols"]
    ]


def prober_of(name: str, members: Members, networks: Sequence[str]) -> str:
    """Return the next host that lab_networks lets in; empty without one."""
    names = sorted(members)
    at = names.index(name)
    others = names[at + 1 :] + names[:at]
    return next((other for other in others if _let_in(members[other].address, networks)), "")


def _let_in(address: str, networks: Sequence[str]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a name: the knock itself will tell
        return bool(address)
    return any(parsed in ipaddress.ip_network(network) for network in networks)


def suspects(seen: Mapping[str, Seen]) -> list[KnockAnswer]:
    """Return the answers that a firewall may have given."""
    return [
        {**answer, "prober": prober}
        for prober, view in seen.items()
        for answer in view.answers
        if answer["reason"] != "open" and (answer["reason"] != "refused" or _listens(answer, seen))
    ]


def _listens(answer: KnockAnswer, seen: Mapping[str, Seen]) -> bool:
    """Return whether something listens where a connection was refused."""
    sockets = seen[answer["host"]].sockets if answer["host"] in seen else []
    return any((held["protocol"], held["port"]) == (answer["protocol"], answer["port"]) for held in sockets)


def closed_ports(seen: Mapping[str, Seen]) -> list[Closed]:
    """Return what keeps others out of ports."""
    found: list[Closed] = []
    for answer in suspects(seen):
        opened = [again for again in seen[answer["prober"]].again if _same(again, answer) and again["reason"] == "open"]
        view = seen.get(answer["host"])
        traced = None if view is None else view.traced
        ends = [trace for trace in traced or [] if _same(trace, answer)]
        rule = f"{ends[0]['where']}: {ends[0]['rule']}" if ends and ends[0]["where"] else ""
        # What arrives and says nothing to strangers is no affair of a firewall.
        if opened or (answer["reason"] == "silent" and not rule and (ends or traced is None)):
            continue
        port = f"{answer['port']}/{answer['protocol']}"
        text = f"{answer['variable']}: {port} on {answer['host']} is closed to {answer['prober']}"
        text += f" ({answer['reason']}), {_cause(rule, ends, traced)}"
        found.append({"host": answer["host"], "port": port, "prober": answer["prober"], "rule": rule, "text": text})
    return found


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    keys = ("protocol", "port", *(["host"] if "host" in one and "host" in other else []))
    return all(one[key] == other[key] for key in keys)


def _cause(rule: str, ends: Sequence[TracedPort], traced: Sequence[TracedPort] | None) -> str:
    if rule:
        return f"by {rule}"
    if ends:
        return "though no rule of nftables there ends it; see what iptables-legacy-save has"
    if traced is not None:
        return "and nothing of it arrives there: look at what lies between the two, and at lab_address"
    return "nobody looked by which rule"
