"""Ports opened in firewalld: a service and a policy of ours, which does not depend on zones."""

from __future__ import annotations

import os
import re
import shutil
from typing import Iterator
from xml.sax.saxutils import quoteattr

from ansible.module_utils.seedbed.base.commands import CommandError, run
from ansible.module_utils.seedbed.base.files import read_file
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.host.opening import Files, Opening, replace_files

CONFIGURATION = "/etc/firewalld"
SERVICE = f"{CONFIGURATION}/services/seedbed.xml"
POLICY = f"{CONFIGURATION}/policies/seedbed.xml"
TABLES = ("firewalld", "firewalld_policy_drop")
OURS = "seedbed"
UNIT = Unit("firewalld.service")
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<!-- Managed by Ansible: Seedbed -->\n'
# firewalld gives interfaces back to their zones after a reload.
_KEPT = ("interfaces",)


def running() -> bool:
    """Return whether firewalld decides on this host."""
    return shutil.which("firewall-cmd") is not None and UNIT.active()


def wanted_files(opening: Opening) -> Files:
    """Return the files that open the ports to the networks; None for one that shall not be."""
    if not opening.ports or not opening.networks:
        return {SERVICE: None, POLICY: None}
    ports = "".join(f'  <port protocol="{protocol}" port="{port}"/>\n' for port, protocol in opening.ports)
    rules = "".join(
        f'  <rule family="ipv{6 if ":" in network else 4}"><source address={quoteattr(network)}/>'
        f'<service name="{OURS}"/><accept/></rule>\n'
        for network in opening.networks
    )
    return {
        SERVICE: f"{_HEAD}<service>\n  <short>Seedbed</short>\n{ports}</service>\n",
        POLICY: f'{_HEAD}<policy target="CONTINUE" priority="-100">\n  <ingress-zone name="ANY"/>\n'
        f'  <egress-zone name="HOST"/>\n{rules}</policy>\n',
    }


def obstacles() -> list[str]:
    """Return why firewalld cannot be reloaded without harm, one sentence each."""
    if not _loaded():
        return [
            "firewalld runs, but its rules are gone from the kernel, as after `nft flush ruleset`; a reload could shut "
            "everybody out, SSH too: `systemctl restart firewalld` on the host mends that"
        ]
    version = run(["firewall-cmd", "--version"]).strip()
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < (0, 9):
        return [f"firewalld {version} knows no policies; it takes 0.9 or newer, or lab_firewall_backend: nftables"]
    loose = list(runtime_only())
    if loose:
        return [
            "firewalld has rules that stand in its memory alone, and the reload that the lab's ports need would drop "
            f"them: {'; '.join(loose)}. Keep them with `firewall-cmd --runtime-to-permanent`, or drop them with "
            "`firewall-cmd --reload`"
        ]
    return []


def runtime_only() -> Iterator[str]:
    """Yield in words what would be another after a reload."""
    for kind in ("zones", "policies"):
        listing = f"--list-all-{kind}"
        runtime, permanent = (
            settings(run(["firewall-cmd", listing])),
            settings(run(["firewall-cmd", "--permanent", listing])),
        )
        for place, key, value in sorted(runtime ^ permanent):
            if place != OURS and key not in _KEPT:
                there = "only in memory" if (place, key, value) in runtime else "not in memory"
                yield f"{kind[:4] if kind == 'zones' else 'policy'} {place}: {key} {value} ({there})"
    rules = ["--direct", "--get-all-rules"]
    known = set(run(["firewall-cmd", "--permanent", *rules]).splitlines())
    for line in run(["firewall-cmd", *rules]).splitlines():
        if line not in known:
            yield f"direct rule {line}"


def settings(listing: str) -> set[tuple[str, str, str]]:
    """Return (zone, setting, value) of what --list-all-zones says, each word of a list on its own."""
    found, place, key = set(), "", ""
    for line in listing.splitlines():
        if line and not line[0].isspace():
            place = line.split()[0]
        elif line.startswith("\t"):
            found.add((place, key, line.strip()))
        elif line.strip():
            key, _, values = line.strip().partition(":")
            found |= {(place, key, value) for value in values.split()}
    return found


def reload() -> None:
    """Have firewalld read its files, once they are known to be sound."""
    run(["firewall-cmd", "--check-config"])
    run(["firewall-cmd", "--reload"])


def undo() -> list[str]:
    """Return the commands that make firewalld take its former files, in whatever state it is."""
    return ["systemctl restart firewalld.service"]


def remove() -> bool:
    """Take our files away, and the rules from memory; return whether there were any."""
    gone: Files = {SERVICE: None, POLICY: None}
    if not any(os.path.lexists(path) for path in gone):
        return False
    if running():
        if obstacles():
            _forget()
            replace_files(gone)
        else:
            replace_files(gone)
            reload()
    else:
        replace_files(gone)
    return True


def _forget() -> None:
    """Take our rules out of memory without a reload."""
    policy = ["firewall-cmd", f"--policy={OURS}"]
    try:
        for rule in run([*policy, "--list-rich-rules"]).splitlines():
            run([*policy, f"--remove-rich-rule={rule}"])
    except CommandError as error:
        if "INVALID_POLICY" not in str(error):  # it was never loaded
            raise


def _loaded() -> bool:
    """Return whether the rules of firewalld are in the kernel."""
    configured = (read_file(f"{CONFIGURATION}/firewalld.conf") or b"").decode("utf-8", "replace")
    if re.search(r"^FirewallBackend=iptables", configured, re.MULTILINE) or not shutil.which("nft"):
        return True  # not ours to tell
    try:
        run(["nft", "list", "chain", "inet", TABLES[0], "filter_INPUT"])
    except CommandError:
        return False
    return True
