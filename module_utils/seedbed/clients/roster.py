"""Which clients there are, by name, and how each is made."""

from __future__ import annotations

import inspect
import subprocess
from types import ModuleType
from typing import Any, Callable, Mapping

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.clients import deluge_program, libtorrent_program
from ansible.module_utils.seedbed.clients.aria2 import Aria2
from ansible.module_utils.seedbed.clients.commands import CommandClient
from ansible.module_utils.seedbed.clients.contract import FEATURES, FINDS, Client, ClientSettings
from ansible.module_utils.seedbed.clients.lines import LinesClient
from ansible.module_utils.seedbed.clients.qbittorrent import Qbittorrent
from ansible.module_utils.seedbed.clients.rtorrent import Rtorrent
from ansible.module_utils.seedbed.clients.transmission import Transmission

PYTHON = "/usr/bin/python3"


def program(
    settings: ClientSettings, name: str, source: ModuleType, lacks: set[str], *, makes_code: bool = False
) -> Client:
    """Return a client that is told what to do by a program of ours, under the host's own Python."""
    # The module's file may lie in an archive, which the client's user cannot read.
    files = {f"{name}_program.py": inspect.getsource(source)}
    argv = [PYTHON, "-B", f"{settings.directory}/{name}_program.py"]
    features = frozenset(FEATURES) - lacks
    return LinesClient(settings, name, argv, features=features, files=files, makes_code=makes_code)


def binding_is_2() -> bool:
    """Return whether the host's libtorrent, by its Python binding, is of the second version, which knows v2."""
    asked = [PYTHON, "-c", "import libtorrent; print(libtorrent.__version__)"]
    done = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return not done.stdout.startswith((b"0.", b"1."))


def deluge(settings: ClientSettings) -> Client:
    """Return Deluge. With libtorrent 2 it does not notice that the metadata of a hybrid's magnet has come."""
    lacks = {"v2", "udp_tracker_ipv6", *FINDS} | ({"hybrid"} if binding_is_2() else set())
    # Its TLS calls back into Python, which the cffi of Debian 11 and 12 does by code that it makes.
    return program(settings, "deluge", deluge_program, lacks, makes_code=True)


def libtorrent(settings: ClientSettings) -> Client:
    """Return libtorrent's binding."""
    return program(settings, "libtorrent", libtorrent_program, set() if binding_is_2() else {"v2"})


KNOWN: dict[str, Callable[[ClientSettings], Client]] = {
    "aria2": Aria2,
    "deluge": deluge,
    "libtorrent": libtorrent,
    "qbittorrent": Qbittorrent,
    "rtorrent": Rtorrent,
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
    features = frozenset(told.get("features") or FEATURES.keys() - FINDS)
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
