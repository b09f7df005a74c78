"""Further addresses of a host: set by a unit of ours, beside the host's own network configuration and never in it.

An address that the host has anyway is used as it is, and stays when ours go.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import select
import socket
import time
from typing import Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.commands import run
from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.files import make_directory, read_file, remove_files, write_atomically
from ansible.module_utils.seedbed.base.ownership import claim, known
from ansible.module_utils.seedbed.base.services import is_ip
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.host.service_unit import Service, ServiceFile

UNIT = "seedbed-addresses.service"
UP = "/etc/seedbed/addresses.up"
DOWN = "/etc/seedbed/addresses.down"
"""What `ip -batch` reads when the unit starts and stops."""
IP = "/sbin/ip"
KNOCK = 9  # a port at which nobody listens: whoever has the address refuses
PATIENCE = 3.0  # seconds in which whoever has an address answers: the kernel asks for a neighbour three times
_GONE = ("FAILED", "INCOMPLETE", "NONE", "NOARP")  # states of a neighbour that did not answer


class AddressError(SeedbedError):
    """Addresses that cannot be set."""


class Plan(NamedTuple):
    """What is not as it shall be."""

    files: dict[str, str]
    """By path, the texts that shall stand there; all empty where there shall be no unit."""
    written: list[str]
    """Files that differ."""
    added: list[str]
    removed: list[str]
    device: str
    starts: bool
    """Whether the unit has to be started, or started at boot from now on."""

    @property
    def changed(self) -> bool:
        """Return whether there is anything to do."""
        return bool(self.written or self.added or self.removed or self.starts)


class Brought(NamedTuple):
    """What was done to the host's further addresses, or would be."""

    changed: bool
    added: list[str]
    removed: list[str]
    before: str
    """Those that our unit sets, one a line."""
    after: str


def installed() -> bool:
    """Return whether the host has the tool that shows and sets addresses, which a bare one need not have."""
    return os.path.exists(IP)


def devices() -> dict[str, str]:
    """Return the addresses that this host has, with the device of each; none where it cannot be asked."""
    if not installed():
        return {}
    return {
        info["local"]: link["ifname"]
        for link in json.loads(run([IP, "-json", "address", "show"]) or "[]")
        for info in link.get("addr_info", [])
        if "local" in info
    }


def ours() -> list[str]:
    """Return the addresses that our unit sets."""
    text = (read_file(UP) or b"").decode()
    return [line.split()[2].partition("/")[0] for line in text.splitlines() if line.startswith("address ")]


@os_errors_reported()
def plan(wanted: Sequence[str], beside: str, unit_text: str) -> Plan:
    """Compare the host with what it shall have.

    wanted: all addresses, those that the host has anyway among them; beside: the address on whose device they are set.
    """
    have, set_by_us = devices(), ours()
    needed = [str(ipaddress.ip_address(address)) for address in wanted]
    needed = [address for address in needed if address not in have or address in set_by_us]
    device = have.get(beside, "")
    if needed and not device:
        raise AddressError(
            f"no device of this host has the address {beside}, beside which {needed[0]} and the like would be set; set "
            "lab_address to an address of the host itself"
        )
    unit = Unit(UNIT)
    up = "".join(f"address replace {_words(address, device)}\n" for address in needed)
    down = "".join(f"address del {_network(address)} dev {device}\n" for address in needed)
    files = {UP: up, DOWN: down, unit.path: unit_text if needed else ""}
    written = [path for path, text in files.items() if (read_file(path) or b"").decode() != text]
    if not needed:
        written = [path for path in written if known().has("files", path)]
    state = unit.properties()
    starts = bool(needed) and (state["ActiveState"] != "active" or state["UnitFileState"] != "enabled")
    added = [address for address in needed if have.get(address) != device]
    removed = [address for address in set_by_us if address not in needed and address in have]
    return Plan(files, written, added, removed, device, starts)


def _network(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"


def _words(address: str, device: str) -> str:
    # Deprecated, the kernel takes an IPv6 address for connections of its own only where a program asks for it, as it
    # does with an IPv4 address that is no network's. That nobody else has it was seen before.
    more = " preferred_lft 0 valid_lft forever nodad" if ":" in address else ""
    return f"{_network(address)} dev {device}{more}"


@os_errors_reported()
def apply(changes: Plan, role: str) -> None:
    """Carry a plan out."""
    unit, have = Unit(UNIT), devices()
    if not any(changes.files.values()):
        if changes.written or changes.removed:
            unit.disable()  # which takes the addresses away
            remove_files(list(changes.files))
            unit.reload_files()
        return
    claim(role, {"files": list(changes.files), "units": [UNIT]})
    for path in changes.written:
        make_directory(os.path.dirname(path))
        write_atomically(path, changes.files[path].encode(), mode=0o644)
    if unit.path in changes.written:
        unit.reload_files()
    for address in changes.removed:
        run([IP, "address", "del", _network(address), "dev", have[address]])
    for address in changes.added:  # one by one, as the unit's other addresses are in use
        run([IP, "address", "replace", *_words(address, changes.device).split()])
    if changes.starts:
        unit.enable()
        unit.start()


def bring_addresses(wanted: Sequence[str], *, beside: str, unit: str, role: str, check: bool) -> Brought:
    """Bring the host's further addresses to their state, or tell what would be done; arguments as those of plan()."""
    if check and not installed():  # which the role does before
        return Brought(True, list(wanted), [], "", "".join(f"{one}\n" for one in wanted))
    before = ours()
    changes = plan(wanted, beside, unit)
    if changes.changed and not check:
        apply(changes, role)
    after = [address for address in dict.fromkeys([*before, *changes.added]) if address not in changes.removed]
    texts = ["".join(f"{one}\n" for one in each) for each in (before, after)]
    return Brought(changes.changed, changes.added, changes.removed, *texts)


def as_services() -> list[Service]:
    """Return our unit with its files, as a service that shall be as it is; none where the host has no such unit."""
    unit = Unit(UNIT)
    paths = [path for path in (UP, DOWN, unit.path) if os.path.exists(path)]
    return [Service(UNIT, [ServiceFile(path) for path in paths], enabled=True)] if paths else []


def occupied(addresses: Sequence[str]) -> dict[str, str]:
    """Return the addresses at which somebody else answers, with who it is.

    Whoever has one answers a connection, if only by refusing it, or at least the question for its neighbour's address.
    """
    have = devices()
    asked = [address for address in addresses if is_ip(address) and address not in have]
    found = _answers(asked)
    for address, hardware in _neighbours().items():
        if address in asked:
            found.setdefault(address, f"a host with the hardware address {hardware}")
    return {address: found[address] for address in asked if address in found}


def _answers(addresses: Sequence[str]) -> dict[str, str]:
    """Knock at all addresses at once."""
    found: dict[str, str] = {}
    waiting: dict[int, tuple[socket.socket, str]] = {}
    poll = select.poll()
    for address in addresses:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        sock.setblocking(False)
        status = sock.connect_ex((address, KNOCK))
        if status == errno.EINPROGRESS:
            waiting[sock.fileno()] = sock, address
            poll.register(sock, select.POLLOUT)
        else:
            sock.close()
    deadline = time.monotonic() + PATIENCE
    while waiting and time.monotonic() < deadline:
        for number, _event in poll.poll(max(0, deadline - time.monotonic()) * 1000):
            poll.unregister(number)
            sock, address = waiting.pop(number)
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNREFUSED, errno.ECONNRESET):
                found[address] = "somebody"
            sock.close()
    for sock, _address in waiting.values():
        sock.close()
    return found


def _neighbours() -> Mapping[str, str]:
    """Return the neighbours that have answered, with their hardware addresses."""
    lines = json.loads(run([IP, "-json", "neighbour", "show"]) or "[]") if installed() else []
    return {
        line["dst"]: line["lladdr"]
        for line in lines
        if "lladdr" in line and not set(line.get("state", [])) & set(_GONE)
    }
