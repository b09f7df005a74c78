"""Which firewalls a host has, and what they mean for the lab's ports. Only looks."""

from __future__ import annotations

import os
import re
import shutil
from typing import Any, Mapping, Sequence, TypeVar

from ansible.module_utils.seedbed.base.commands import CommandError, run
from ansible.module_utils.seedbed.base.files import read_file
from ansible.module_utils.seedbed.base.listeners import Socket
from ansible.module_utils.seedbed.host import firewalld, host_firewall, ufw
from ansible.module_utils.seedbed.host.opening import opening, reachable
from ansible.module_utils.seedbed.host.rule_reading import closing_rules, redirections, tracking_rules
from ansible.module_utils.seedbed.host.rule_sets import Chain, Chains, read_iptables, read_nft
from ansible.module_utils.seedbed.host.ssh_port import ssh_ports
from ansible.module_utils.seedbed.torrent.model import ClosingRule, Firewalls, Redirection

Found = TypeVar("Found", ClosingRule, Redirection)

OURS = "seedbed"
"""Begins the names of the lab's own tables."""


def find_firewalls(
    listeners: Sequence[Mapping[str, Any]],
    networks: Sequence[str],
    sockets: Sequence[Socket],
    port_range: tuple[int, int],
) -> Firewalls:
    """Return what else filters on this host beside our own table; nothing to those who may not see it."""
    if os.geteuid():
        return {
            "backend": "nftables",
            "obstacles": [],
            "closing": [],
            "redirected": [],
            "tracking": [],
            "ssh_ports": ssh_ports(sockets),
            "opened": host_firewall.opened(),
        }
    backend = "firewalld" if firewalld.running() else "ufw" if ufw.enabled() else "nftables"
    wanted = opening(listeners, networks)
    through = reachable(listeners)
    chains = {where: chain for where, chain in all_chains().items() if not _belongs(chain, ["seedbed"])}
    foreign = {where: chain for where, chain in chains.items() if not _managed(chain, backend)}
    return {
        "backend": backend,
        "obstacles": host_firewall.obstacles(backend, wanted),
        "closing": _worded(closing_rules(foreign, through, networks)),
        "redirected": _worded(redirections(chains, *port_range)),
        "tracking": _worded(tracking_rules(chains)[:1]),
        "ssh_ports": ssh_ports(sockets),
        "opened": host_firewall.opened(),
    }


def all_chains() -> Chains:
    """Return the chains of nftables and of the old iptables, which nft does not see."""
    chains: Chains = {}
    if shutil.which("nft"):
        chains.update(read_nft(run(["nft", "-j", "list", "ruleset"])))
    for family, names, tool in (("ip", "ip_tables_names", "iptables"), ("ip6", "ip6_tables_names", "ip6tables")):
        legacy, new = f"{tool}-legacy", f"{tool}-nft"
        if read_file(f"/proc/net/{names}") and shutil.which(f"{legacy}-save"):
            chains.update(read_iptables(run([f"{legacy}-save"]), family, legacy))
        if not shutil.which("nft") and shutil.which(f"{new}-save"):
            chains.update(read_iptables(run([f"{new}-save"]), family, tool))
    return chains


def _belongs(chain: Chain, tables: Sequence[str]) -> bool:
    return any(chain.where.split()[1].startswith(table) for table in tables)


def _managed(chain: Chain, backend: str) -> bool:
    """Return whether a chain is of the firewall that opens the ports for us."""
    if backend == "firewalld":
        return _belongs(chain, firewalld.TABLES)
    return backend == "ufw" and chain.where.split()[1] == "filter" and chain.family != "inet"


def _worded(rules: list[Found]) -> list[Found]:
    """Return rules with nft's own text in place of their handles."""
    if not any(rule["rule"].isdigit() for rule in rules):
        return rules
    try:
        texts = rule_texts(run(["nft", "-a", "list", "ruleset"]))
    except CommandError:
        return rules
    for rule in rules:
        rule["rule"] = texts.get((rule["where"], rule["rule"]), rule["rule"])
    return rules


def rule_texts(listing: str) -> dict[tuple[str, str], str]:
    """Return the text of each rule of `nft -a list ruleset` by its chain and handle."""
    found, table, chain = {}, "", ""
    for line in listing.splitlines():
        head = re.match(r"\s*(table|chain) (.+?) \{", line)
        if head and head.group(1) == "table":
            table = head.group(2)
        elif head:
            chain = head.group(2)
        else:
            rule = re.match(r"\s*(.+?) # handle (\d+)$", line)
            if rule:
                text = re.sub(r" counter packets \d+ bytes \d+|^counter packets \d+ bytes \d+ ", "", rule.group(1))
                found[f"{table} {chain}", rule.group(2)] = text
    return found
