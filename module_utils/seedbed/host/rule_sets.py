"""The packet filters of a host as chains of rules, however they were loaded.

Two readers, `nft -j list ruleset` and the format of iptables-save, make one simple form of a rule: what it matches as
far as that can be known, and what it does. What is not understood makes a rule unsure, never wrong.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple, Union

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Ports = List[Tuple[int, int]]
"""Ranges, both ends included."""


class Rule(NamedTuple):
    """What a rule matches and does; None matches all."""

    text: str
    """As iptables-save writes it; of nftables its handle, for which nft itself has the text."""
    verdict: str = ""
    """accept, drop, reject, return, jump, goto, dnat; empty for none that counts here."""
    target: str = ""
    """The chain that is gone to."""
    protocols: frozenset[str] | None = None
    ports: Ports | None = None
    sources: list[Network] | None = None
    never: bool = False
    """A new connection from outside is never meant."""
    unsure: bool = False
    """There is more to it than this form can say."""
    tracks: bool = False
    """It asks the kernel's connection tracking."""


class Chain(NamedTuple):
    """A chain; `hook` and `policy` are empty where it is reached from others alone."""

    family: str
    """ip, ip6 or inet."""
    where: str
    """Such as "inet filter input"."""
    kind: str
    hook: str
    policy: str
    rules: list[Rule]


Chains = Dict[str, Chain]
"""By their `where`."""

_VERDICTS = ("accept", "drop", "reject", "return", "jump", "goto", "dnat", "redirect")
_QUIET = ("counter", "log", "comment", "notrack", "mangle", "ct helper")
_TARGETS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return", "DNAT": "dnat"}
_TARGETS["REDIRECT"] = "dnat"
_FAMILIES = ("ip", "ip6", "inet")


# -- nftables ---------------------------------------------------------------------------------------------------------


def read_nft(text: str) -> Chains:
    """Return the chains of `nft -j list ruleset`; the rules' texts are their handles."""
    objects = json.loads(text)["nftables"]
    sets = {
        (entry["family"], entry["table"], f"@{entry['name']}"): entry.get("elem", [])
        for entry in _of_kind(objects, "set")
    }
    chains: Chains = {}
    for entry in _of_kind(objects, "chain"):
        where = f"{entry['family']} {entry['table']} {entry['name']}"
        kind, hook, policy = (entry.get(key, "") for key in ("type", "hook", "policy"))
        chains[where] = Chain(entry["family"], where, kind, hook, policy, [])
    for entry in _of_kind(objects, "rule"):
        family, table = entry["family"], entry["table"]
        named = {key[2]: value for key, value in sets.items() if key[:2] == (family, table)}
        where = f"{family} {table} {entry['chain']}"
        chains[where].rules.append(_nft_rule(str(entry["handle"]), entry["expr"], named))
    return chains


def _of_kind(objects: Iterable[Mapping[str, Any]], kind: str) -> list[Any]:
    return [entry[kind] for entry in objects if kind in entry and entry[kind].get("family") in _FAMILIES]


def _nft_rule(handle: str, expressions: Sequence[Mapping[str, Any]], sets: Mapping[str, Any]) -> Rule:
    rule = Rule(handle)
    for expression in expressions:
        [(kind, body)] = expression.items()
        if kind == "match":
            rule = _nft_match(rule, body, sets)
        elif kind in _VERDICTS:
            target = (body or {}).get("target", "") if kind in ("jump", "goto") else ""
            rule = rule._replace(verdict="dnat" if kind == "redirect" else kind, target=target)
        elif kind == "xt":
            rule = _xt(rule, body)
        elif kind not in _QUIET:  # limit, vmap, quota, ...
            rule = rule._replace(unsure=True, tracks=rule.tracks or '"ct"' in json.dumps(body))
    return rule


def _xt(rule: Rule, body: Mapping[str, Any] | None) -> Rule:
    """Return the rule with what iptables-nft has added in its own form, of which nft shows the name alone."""
    kind, name = (body or {}).get("type"), (body or {}).get("name")
    if kind == "target" and name in _TARGETS:
        return rule._replace(verdict=_TARGETS[name])
    if kind == "match" and name == "comment":
        return rule
    return rule._replace(unsure=True, tracks=rule.tracks or name in ("conntrack", "state"))


def _nft_match(rule: Rule, body: Mapping[str, Any], sets: Mapping[str, Any]) -> Rule:
    left, positive = body["left"], body["op"] in ("==", "in")
    values = _values(body["right"], sets)
    known = left if isinstance(left, Mapping) else {}
    if "ct" in known:
        state = positive and known["ct"].get("key") == "state"
        return rule._replace(
            tracks=True, unsure=rule.unsure or not state, never=rule.never or (state and "new" not in values)
        )
    meta, payload = known.get("meta", {}).get("key"), known.get("payload", {})
    protocol, field = payload.get("protocol"), payload.get("field")
    if meta in ("iif", "iifname") and values == ["lo"]:
        return rule._replace(never=rule.never or positive)
    if not positive:
        pass
    elif meta == "l4proto" or (protocol, field) in (("ip", "protocol"), ("ip6", "nexthdr")):
        return rule._replace(protocols=_also(rule.protocols, values))
    elif field == "dport" and protocol in ("tcp", "udp", "th"):
        protocols = rule.protocols if protocol == "th" else _also(rule.protocols, [protocol])
        return rule._replace(ports=_ranges(values), protocols=protocols)
    elif (protocol, field) in (("ip", "saddr"), ("ip6", "saddr")):
        return rule._replace(sources=_networks(values))
    return rule._replace(unsure=True)


def _values(right: Any, sets: Mapping[str, Any]) -> list[Any]:
    if isinstance(right, str) and right.startswith("@"):
        right = list(sets.get(right, []))
    elif isinstance(right, Mapping) and "set" in right:
        right = right["set"]
        right = list(sets.get(right, [])) if isinstance(right, str) else right
    values = right if isinstance(right, list) else [right]
    return [value["elem"]["val"] if isinstance(value, Mapping) and "elem" in value else value for value in values]


def _also(known: frozenset[str] | None, values: Iterable[Any]) -> frozenset[str]:
    found = frozenset(str(value) for value in values)
    return found if known is None else known & found


def _ranges(values: Iterable[Any]) -> Ports:
    found = [value["range"] if isinstance(value, Mapping) else [value, value] for value in values]
    return [(int(low), int(high)) for low, high in found if str(low).isdigit() and str(high).isdigit()]


def _networks(values: Iterable[Any]) -> list[Network]:
    found: list[Network] = []
    for value in values:
        if isinstance(value, Mapping) and "range" in value:
            low, high = map(ipaddress.ip_address, value["range"])
            found += ipaddress.summarize_address_range(low, high)
        elif isinstance(value, Mapping) and "prefix" in value:
            found.append(ipaddress.ip_network(f"{value['prefix']['addr']}/{value['prefix']['len']}", strict=False))
        elif isinstance(value, str):
            found.append(ipaddress.ip_network(value, strict=False))
    return found


# -- iptables ---------------------------------------------------------------------------------------------------------

_HOOKS = {"INPUT": "input", "PREROUTING": "prerouting", "FORWARD": "forward", "OUTPUT": "output"}


def read_iptables(text: str, family: str, name: str) -> Chains:
    """Return the chains of what iptables-save or ip6tables-save writes; `name` is the tool, for people."""
    chains: Chains = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            where = f"{name} {table} {chain}"
            hook = _HOOKS.get(chain, "") if policy != "-" else ""
            kind = "nat" if table == "nat" else "filter"
            chains[where] = Chain(family, where, kind, hook, policy.lower().replace("-", ""), [])
        elif line.startswith("-A "):
            words = shlex.split(line)
            chains[f"{name} {table} {words[1]}"].rules.append(_iptables_rule(line, words[2:]))
    return chains


def _iptables_rule(text: str, words: Sequence[str]) -> Rule:
    rule = Rule(text)
    rest = list(words)
    while rest:
        word = rest.pop(0)
        value = rest[0] if rest and not rest[0].startswith("-") else ""
        if word in ("-p", "--protocol"):
            rule = rule._replace(protocols=_also(rule.protocols, [value]))
        elif word in ("-s", "--source"):
            rule = rule._replace(sources=_networks(value.split(",")))
        elif word in ("--dport", "--dports"):
            spans = [part.split(":") for part in value.split(",")]
            rule = rule._replace(ports=[(int(span[0]), int(span[-1])) for span in spans])
        elif word in ("--ctstate", "--state"):
            rule = rule._replace(tracks=True, never=rule.never or "NEW" not in value.split(","))
        elif word == "-i" and value == "lo":
            rule = rule._replace(never=True)
        elif word in ("-j", "-g"):
            verdict = _TARGETS.get(value, "" if value in ("LOG", "MARK") else "jump" if word == "-j" else "goto")
            rule = rule._replace(verdict=verdict, target=value if verdict in ("jump", "goto") else "")
            break  # what follows says how
        elif word == "!":  # what is excepted is beyond this form
            del rest[:2]
            rule = rule._replace(unsure=True)
            continue
        elif word == "--comment":
            pass
        elif not (word == "-m" and value in ("tcp", "udp", "comment", "multiport", "conntrack", "state")):
            rule = rule._replace(unsure=True)
        if value:
            rest.pop(0)
    return rule
