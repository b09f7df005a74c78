"""Which clients there are, by name, and how each is made."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Mapping

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.clients import libtorrent_program
from ansible.module_utils.seedbed.clients.aria2 import Aria2
from ansible.module_utils.seedbed.clients.commands import CommandClient
from ansible.module_utils.seedbed.clients.contract import FEATURES, Client, ClientSettings
from ansible.module_utils.seedbed.clients.lines import LinesClient
from ansible.module_utils.seedbed.clients.transmission import Transmission

LIBTORRENT = "libtorrent_program.py"


def libtorrent(settings: ClientSettings) -> Client:
    """Return libtorrent's binding, under the host's own Python."""
    # The module's file may lie in an archive, which the client's user cannot read.
    files = {LIBTORRENT: inspect.getsource(libtorrent_program)}
    argv = ["/usr/bin/python3", "-B", f"{settings.directory}/{LIBTORRENT}"]
    return LinesClient(settings, "libtorrent", argv, files=files)


KNOWN: dict[str, Callable[[ClientSettings], Client]] = {
    "aria2": Aria2,
    "libtorrent": libtorrent,
    "transmission": Transmission,
}


def make_client(name: str, settings: ClientSettings, own: Mapping[str, Any]) -> Client:
    """Return a client that has not been started; own: of the operator's own clients, by name, what runs them."""
    if name in KNOWN:
        return KNOWN[name](settings)
    if name not in own:
        names = ", ".join([*KNOWN, *own])
        raise SeedbedError(f"there is no client {quoted(name)}; these are known: {names}")
    told = own[name]
    features = frozenset(told.get("features") or FEATURES)
    if told.get("program"):
        return LinesClient(settings, name, told["program"], features=features)
    return CommandClient(settings, name, told["commands"], features=features)


def own_faults(own: Any) -> list[str]:
    """Return a sentence for everything that is wrong with the operator's own clients."""
    if not isinstance(own, Mapping):
        return [f"is {quoted(own)}; a mapping from names to commands would be right"]
    return [f"{name}: {fault}" for name, told in own.items() for fault in _own_client_faults(name, told)]


def _own_client_faults(name: Any, told: Any) -> list[str]:
    if not isinstance(told, Mapping):
        return [f"is {quoted(told)}; a mapping with program or commands would be right"]
    faults = [f"{quoted(key)} is not known" for key in told if key not in ("program", "commands", "features")]
    if name in KNOWN:
        faults.append("is the name of one of the lab's clients; choose another")
    if ("program" in told) == ("commands" in told):
        faults.append("needs either program or commands")
    if "program" in told and not _is_argv(told["program"]):
        faults.append(f"program is {quoted(told['program'])}; a list such as [/opt/acme/lab-client] would be right")
    if "commands" in told:
        faults += _commands_faults(told["commands"])
    unknown = [feature for feature in told.get("features") or [] if feature not in FEATURES]
    if unknown:
        faults.append(f"feature {quoted(unknown[0])} is not known; these are: {', '.join(FEATURES)}")
    return faults


def _commands_faults(commands: Any) -> list[str]:
    if not isinstance(commands, Mapping) or not commands or not set(commands) <= {"torrent", "magnet"}:
        return ["commands has the keys torrent and magnet, or one of them"]
    wrong = [way for way in commands if not _is_argv(commands[way])]
    return [f"commands.{way}: a list such as [/opt/acme/get, --out, '{{directory}}']" for way in wrong]


def _is_argv(value: Any) -> bool:
    """Whether it is a program with its arguments, the program by its whole path: a unit has no user's PATH."""
    return isinstance(value, list) and all(isinstance(word, str) for word in value) and "".join(value[:1])[:1] == "/"
