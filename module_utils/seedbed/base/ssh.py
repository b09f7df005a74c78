"""How Ansible reaches a host by SSH: as a command for people, and what it means when it fails."""

from __future__ import annotations

import re
import shlex
from typing import Any, Mapping, NamedTuple, Sequence, Tuple

Forward = Tuple[int, str, int]
"""A port of this machine, and the address and port behind it."""

# What tells the way to a host.
VARIABLES = (
    "inventory_hostname",
    "ansible_host",
    "ansible_port",
    "ansible_user",
    "ansible_ssh_private_key_file",
    "ansible_private_key_file",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
)

# How ssh ends when not the host itself but the way to it has failed.
_CUT_ON_THE_WAY = "UNKNOWN port 65535"
_NOT_FORWARDED = "stdio forwarding failed"


class Route(NamedTuple):
    """The way to a host."""

    host: str
    """Its name in the inventory."""
    address: str
    user: str
    port: str
    jump: str
    """The last jump host, as USER@HOST:PORT; empty where the inventory names none."""
    options: list[str]
    """All of ssh's options besides port, for a command line."""

    @property
    def target(self) -> str:
        return f"{self.user}@{self.address}" if self.user else self.address


def route(variables: Mapping[str, Any]) -> Route:
    """Return the way to a host, from its variables."""
    options: list[str] = []
    jump = ""
    words = shlex.split(" ".join(str(variables.get(f"ansible_ssh_{kind}_args") or "") for kind in ("common", "extra")))
    while words:
        word = words.pop(0)
        if word in ("-J", "-o", "-F", "-i", "-l", "-p") and words:
            word += words.pop(0)
        found = re.fullmatch(r"(?:-J|-o\s*ProxyJump[= ])(.+)", word, re.IGNORECASE)
        if found:
            jump = found.group(1).split(",")[-1]
            options += ["-J", found.group(1)]
        else:
            options += [word[:2], word[2:]] if re.match("-[oFi].", word) else [word]
    key = variables.get("ansible_ssh_private_key_file") or variables.get("ansible_private_key_file")
    if key:
        options += ["-i", str(key)]
    name = str(variables.get("inventory_hostname", ""))
    address = str(variables.get("ansible_host") or name)
    user = str(variables.get("ansible_user") or "")
    return Route(name, address, user, str(variables.get("ansible_port") or ""), "" if jump == "none" else jump, options)


def command(way: Route, *more: str) -> str:
    """Return what a person types to go the same way."""
    port = ["-p", way.port] if way.port else []
    return " ".join(map(_quoted, ["ssh", *way.options, *port, *more, way.target]))


def tunnel(way: Route, forwards: Sequence[Forward]) -> str:
    """Return the command that opens ports behind a host on this machine."""
    told = [f"{here}:{f'[{address}]' if ':' in address else address}:{there}" for here, address, there in forwards]
    return command(way, "-N", *(word for forward in told for word in ("-L", forward)))


def _quoted(word: str) -> str:
    return f"~/{shlex.quote(word[2:])}" if word.startswith("~/") else shlex.quote(word)


def trouble(said: str, way: Route) -> str:
    """Return why Ansible could not work on a host, and what helps; an empty text where its own words have to do.

    said: what ssh, sudo or the shell has said, in the words of OpenSSH and sudo without translation.
    """
    causes = (_sudo_trouble, _python_trouble, _key_trouble, _network_trouble)
    return next(filter(None, (cause(said, way) for cause in causes)), "")


def _key_trouble(said: str, way: Route) -> str:
    on_the_way = way.jump and _CUT_ON_THE_WAY in said
    where = f"jump host {way.jump}" if on_the_way else f"{way.host} ({way.address})"
    by_hand = " ".join(["ssh", *_config(way), _quoted(way.jump)]) if on_the_way else command(way)
    if "HOST IDENTIFICATION HAS CHANGED" in said:
        forget = re.search(r"^\s*(ssh-keygen .*?-R .*?)\s*$", said, re.MULTILINE)
        return (
            f"{where} shows another host key than it used to: find out why. Was it installed anew, forget the old key "
            f"({forget.group(1) if forget else 'ssh-keygen -R'}) and log in once by hand: {by_hand}"
        )
    if "Host key verification failed" in said or ("host key is known for" in said):
        return (
            f"The host key of {where} is not known on this machine: log in there once by hand and compare it: {by_hand}"
        )
    denied = re.search(r"(?:(\S+)@\S+: )?Permission denied \(([\w,-]*)\)", said)
    if denied:
        return (
            f"{where} does not let {denied.group(1) or way.user or 'you'} in ({denied.group(2)}): is the user right, "
            f"and is the key in your agent (ssh-add -l)? Try by hand: {by_hand}"
        )
    return ""


def _network_trouble(said: str, way: Route) -> str:
    behind = re.search(r"open failed: (?:connect failed|administratively prohibited): (.+?)\s*$", said, re.MULTILINE)
    if _NOT_FORWARDED in said and behind:
        why = behind.group(1)
        if "not known" in why or "resolution" in why:
            return (
                f"Jump host {way.jump} does not know the name {way.address}; put {way.host}'s address into ansible_host"
            )
        return f"{way.host} cannot be reached from jump host {way.jump}: {way.address}: {why}"
    unknown = re.search(r"Could not resolve hostname ([^:\s]+)", said)
    if unknown:
        what = "ansible_host" if unknown.group(1) == way.address else "the jump host's name"
        return f"This machine does not know the name {unknown.group(1)} on the way to {way.host}; correct {what}"
    refused = re.search(r"connect to (?:host )?(\S+) port (\d+): (.+?)\s*$", said, re.MULTILINE)
    if refused:
        there = way.host if refused.group(1) == way.address else f"on the way to {way.host} jump host {way.jump}"
        return f"{there} cannot be reached: {refused.group(1)} port {refused.group(2)}: {refused.group(3)}"
    if "timed out" in said:
        return f"{way.host} cannot be reached: no answer from {way.address} in time"
    return ""


def _sudo_trouble(said: str, way: Route) -> str:
    user = way.user or "its user"
    if "Missing sudo password" in said or "sudo: a password is required" in said:
        return (
            f"sudo asks {user} for a password on {way.host}: run with --ask-become-pass or --become-password-file FILE"
        )
    if "Incorrect sudo password" in said:
        return f"The sudo password that was given is not that of {user} on {way.host}"
    if "may not run sudo" in said or "not in the sudoers file" in said or "is not allowed to execute" in said:
        return f"{user} may not become root by sudo on {way.host}: let sudoers say so, or choose another ansible_user"
    if re.search(r"sudo: (?:command )?not found|sudo: No such file", said):
        return (
            f"{way.host} has no sudo: where {user} is root, say ansible_user: root in the inventory; otherwise install "
            "sudo, or choose another ansible_become_method"
        )
    return ""


def _python_trouble(said: str, way: Route) -> str:
    # From 3.7 on Ansible's modules say it themselves; before, Python does not understand them.
    old = re.search(r"requires a minimum of Python version 3\.\d+\. Current version: ([\d.]+)", said)
    if old or "future feature annotations is not defined" in said:
        return (
            f"{way.host} has {f'Python {old.group(1)}' if old else 'a Python older than 3.7'}, and Seedbed needs 3.8 "
            "or newer there: use a host with a newer release, or install a newer Python beside that one and name it in "
            "ansible_python_interpreter"
        )
    if re.search(r"python[\d.]*: (?:command )?not found|python[\d.]*: No such file", said):
        return f"{way.host} has no Python: install its package python3, or name another in ansible_python_interpreter"
    return ""


def _config(way: Route) -> list[str]:
    """Return the options that hold for the jump host, too."""
    at = way.options.index("-F") if "-F" in way.options else len(way.options)
    return [_quoted(word) for word in way.options[at : at + 2]]
