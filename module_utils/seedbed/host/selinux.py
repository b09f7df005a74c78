"""Teaches a host's SELinux policy the ports and files of a service, and takes that back.

A rule is a text: ``port tcp 8000 http_port_t``, ``fcontext /srv/x(/.*)? httpd_sys_content_t`` or
``boolean httpd_can_network_connect``. It is known by all but its type. What somebody else has set is never changed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.commands import CommandError, run
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import read_file

CONFIG = "/etc/selinux/config"
SUBSTITUTIONS = "/etc/selinux/{}/contexts/files/file_contexts.subs_dist"


class PolicyConflict(SeedbedError):
    """Something that the policy has already been taught otherwise."""

    def __init__(self, what: str, has: str, wants: str) -> None:
        super().__init__(
            f"SELinux has {what} as {has} here by somebody's own rule, and the lab needs {wants}; choose another port "
            "or directory, or take that rule back (semanage export shows it). Nothing was changed"
        )


class Plan(NamedTuple):
    """What has to be done, as rules."""

    add: list[str]
    drop: list[str]

    def lines(self, listing: str) -> str:
        """Return it as the input of ``semanage import``; listing: the output of ``semanage port -l``."""
        return "".join(
            [f"{_dropping(rule)}\n" for rule in self.drop] + [f"{_adding(rule, listing)}\n" for rule in self.add]
        )


def rules(
    ports: Iterable[Mapping[str, Any]],
    contexts: Iterable[Mapping[str, str]],
    booleans: Iterable[str],
    substitutions: Sequence[tuple[str, str]] = (),
) -> list[str]:
    """Return what is wanted as rules; a context is a directory with all that is in it, substituted as SELinux does."""
    return [
        *(f"port {port['protocol']} {int(port['port'])} {port['type']}" for port in ports),
        *(f"fcontext {_pattern(each['path'], substitutions)} {each['type']}" for each in contexts),
        *(f"boolean {name}" for name in booleans),
    ]


def _pattern(path: str, substitutions: Sequence[tuple[str, str]]) -> str:
    """Return the expression for a directory and what is in it, under the name that the policy has for it.

    semanage takes no spaces in it: a dot stands for each.
    """
    path = path.rstrip("/")
    for alias, original in substitutions:
        if path == alias or path.startswith(alias + "/"):
            path = original + path[len(alias) :]
            break
    return re.sub(r"\s", ".", re.sub(r"([.^$?*+|\[\](){}\\])", r"\\\1", path)) + "(/.*)?"


def substitutions() -> list[tuple[str, str]]:
    """Return the directories that the host's policy has under another name, such as /run for /var/run."""
    kind = re.search(rb"^\s*SELINUXTYPE\s*=\s*(\w+)", read_file(CONFIG) or b"", re.MULTILINE)
    text = (read_file(SUBSTITUTIONS.format(kind.group(1).decode() if kind else "targeted")) or b"").decode()
    words = [line.split() for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [(pair[0], pair[1]) for pair in words if len(pair) == 2]


def local_rules(export: str) -> dict[str, str]:
    """Return the types that were set on this host, by port and pattern, from the output of ``semanage export``."""
    found = {}
    for line in export.splitlines():
        words = shlex.split(line)
        if words[:2] not in (["port", "-a"], ["fcontext", "-a"]):
            continue
        options = dict(zip(words[2:-1:2], words[3:-1:2]))
        what = f"port {options.get('-p')} {words[-1]}" if words[0] == "port" else f"fcontext {words[-1]}"
        found[what] = options.get("-t", "")
    return found


def plan(
    wanted: Sequence[str], ours: Iterable[str], *, local: Mapping[str, str], listing: str, on: Iterable[str]
) -> Plan:
    """Return how the wanted rules come about.

    ours: the rules of earlier runs. local: those set on this host. listing: the output of ``semanage port -l``. on: the
    booleans that are on. What the policy has anyway is nothing to do, and stays when all else goes.
    """
    ours, on = set(ours), set(on)
    # A rule with another type than before takes the other one's place.
    drop = sorted(rule for rule in ours - set(wanted) if rule.startswith("boolean ") or _known_by(rule) in local)
    left = {what: kind for what, kind in local.items() if what not in {_known_by(rule) for rule in drop}}
    add = []
    for rule in wanted:
        kind, name = rule.split(" ", 1)
        if kind == "boolean":
            if name not in on:
                add.append(rule)
            continue
        what, wants = _known_by(rule), rule.rsplit(" ", 1)[1]
        if what in left:
            if rule not in ours and left[what] != wants:
                raise PolicyConflict(what.split(" ", 1)[1], left[what], wants)
        elif kind != "port" or wants not in _types(what, listing):
            add.append(rule)
    return Plan(add, drop)


def _known_by(rule: str) -> str:
    return rule.rsplit(" ", 1)[0]


def _types(port: str, listing: str) -> set[str]:
    """Return the types that the policy has for just this port, in no range."""
    _kind, protocol, number = port.split()
    words = [line.replace(",", " ").split() for line in listing.splitlines()]
    return {line[0] for line in words if line[1:2] == [protocol] and number in line[2:]}


def _adding(rule: str, listing: str) -> str:
    kind, *words = rule.split()
    if kind == "boolean":
        return f"boolean -m -1 {words[0]}"
    if kind == "port":  # one that the policy has is changed, not added
        verb = "-m" if _types(_known_by(rule), listing) else "-a"
        return f"port {verb} -t {words[2]} -p {words[0]} {words[1]}"
    return f"fcontext -a -t {words[1]} {shlex.quote(words[0])}"


def _dropping(rule: str) -> str:
    kind, *words = rule.split()
    if kind == "boolean":
        return f"boolean -m -0 {words[0]}"
    return f"port -d -p {words[0]} {words[1]}" if kind == "port" else f"fcontext -d {shlex.quote(words[0])}"


# --- on the host


def is_there() -> bool:
    """Return whether the host has what changes its policy."""
    return shutil.which("semanage") is not None


def planned(wanted: Sequence[str], ours: Sequence[str]) -> tuple[Plan, str]:
    """Return what has to be done on this host, and its list of ports."""
    names = [rule.split()[1] for rule in wanted if rule.startswith("boolean ")]
    on = [name for name in names if run(["getsebool", name]).split()[-1] == "on"]
    listing = run(["semanage", "port", "-l"])
    return plan(wanted, ours, local=local_rules(run(["semanage", "export"])), listing=listing, on=on), listing


def bring(wanted: Plan, listing: str) -> None:
    """Have the policy changed as a whole, or not at all."""
    if wanted.add or wanted.drop:
        run(["semanage", "import"], wanted.lines(listing))


def relabel(paths: Iterable[str], *, check: bool) -> list[str]:
    """Give what is there the labels that the policy has for it; return one line for each that got another."""
    there = [path for path in paths if os.path.lexists(path)]
    words = ["restorecon", "-R", "-v", *(["-n"] if check else []), *there]
    return [line for line in run(words).splitlines() if "elabel" in line] if there else []


def remove(ours: Sequence[str]) -> list[str]:
    """Take rules back; return those that were there."""
    if not ours or not is_there():
        return []
    try:
        gone = plan([], ours, local=local_rules(run(["semanage", "export"])), listing="", on=[])
    except CommandError:  # without a policy there is nothing to take back
        return []
    bring(gone, "")
    return gone.drop
