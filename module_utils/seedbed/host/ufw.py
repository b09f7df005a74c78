"""Ports opened in ufw: an application profile of ours, and one rule for it for each network, before all others."""

from __future__ import annotations

import re
import shlex
import shutil

from ansible.module_utils.seedbed.base.commands import run
from ansible.module_utils.seedbed.base.files import read_file
from ansible.module_utils.seedbed.host.opening import Files, Opening, replace_files

PROFILE = "/etc/ufw/applications.d/seedbed"
NAME = "Seedbed"
# The first loads nothing when it finds itself below sshd, as here.
UPDATE = (["ufw", "app", "update", NAME], ["ufw", "reload"])


def enabled() -> bool:
    """Return whether ufw decides on this host; its unit says `inactive` right after `ufw enable`."""
    return shutil.which("ufw") is not None and bool(re.search("^ENABLED=yes", _text("/etc/ufw/ufw.conf"), re.MULTILINE))


def wanted_files(opening: Opening) -> Files:
    """Return the profile of the ports; None where nothing is to be opened."""
    if not opening.ports or not opening.networks:
        return {PROFILE: None}
    ports = "|".join(f"{port}/{protocol}" for port, protocol in opening.ports)
    text = f"# Managed by Ansible: Seedbed\n[{NAME}]\ntitle={NAME}\ndescription=BitTorrent test lab\nports={ports}\n"
    return {PROFILE: text}


def wanted_networks(opening: Opening) -> list[str]:
    """Return the networks that ufw takes rules for: without IPv6 none of that family."""
    no_ipv6 = re.search("^IPV6=no", _text("/etc/default/ufw"), re.MULTILINE)
    return [network for network in opening.networks if opening.ports and not (no_ipv6 and ":" in network)]


def present_networks() -> list[str]:
    """Return the networks that have a rule of ours."""
    return re.findall(rf"^ufw allow from (\S+) to any app {NAME}\b", run(["ufw", "show", "added"]), re.MULTILINE)


def allow(network: str) -> list[str]:
    """Return the command that lets a network in. An appended rule would come after an operator's `deny 8000:9000`."""
    return ["ufw", "prepend", "allow", "from", network, "to", "any", "app", NAME, "comment", "seedbed"]


def forget(network: str) -> list[str]:
    """Return the command that takes the rule of a network away; it succeeds where there is none."""
    return ["ufw", "delete", "allow", "from", network, "to", "any", "app", NAME]


def bring(opening: Opening, *, changed: bool) -> None:
    """Make the rules those of the profile, which is written already; changed: it was another before."""
    there, wanted = present_networks(), wanted_networks(opening)
    for network in there:
        if network not in wanted:
            run(forget(network))
    if changed and set(there) & set(wanted):
        for command in UPDATE:
            run(command)
    for network in wanted:
        if network not in there:
            run(allow(network))


def undo(former: Files, before: list[str], after: list[str]) -> list[str]:
    """Return the commands that bring the former rules back once the former profile lies in its place."""
    commands = [forget(network) for network in after if network not in before]
    if former[PROFILE] is not None:
        commands += UPDATE
        commands += [allow(network) for network in before if network not in after]
    return [" ".join(map(shlex.quote, command)) for command in commands]


def remove() -> bool:
    """Take our rules and the profile away; return whether there were any."""
    if _text(PROFILE) == "":
        return False
    if shutil.which("ufw"):
        for network in present_networks():
            run(forget(network))
    replace_files({PROFILE: None})
    return True


def _text(path: str) -> str:
    return (read_file(path) or b"").decode("utf-8", "replace")
