"""What listens on this host, read from /proc: no tool needs to be installed for it (proc(5), socket tables)."""

from __future__ import annotations

import ipaddress
import os
import re
import struct
from typing import Iterator, TypedDict

# Socket states (include/net/tcp_states.h): a TCP socket listens in state 0A, a bound UDP socket shows 07.
_TABLES = (("tcp", "tcp", "0A"), ("tcp6", "tcp", "0A"), ("udp", "udp", "07"), ("udp6", "udp", "07"))


class Socket(TypedDict):
    """A listening socket; pid is 0, process and unit are empty where nobody could be found that holds it."""

    protocol: str
    port: int
    loopback: bool
    """Nobody but this host itself reaches it."""
    pid: int
    process: str
    unit: str


def listening_sockets(first: int, last: int, proc: str = "/proc") -> list[Socket]:
    """Return the sockets that listen on a port from first to last, both included."""
    bound = [entry for entry in _bound(proc) if first <= entry[1] <= last]
    owners = _owners({entry[3] for entry in bound}, proc) if bound else {}
    sockets: list[Socket] = []
    for protocol, port, loopback, inode in bound:
        pid, process, unit = owners.get(inode, (0, "", ""))
        socket = Socket(protocol=protocol, port=port, loopback=loopback, pid=pid, process=process, unit=unit)
        if socket not in sockets:
            sockets.append(socket)
    return sockets


def holders(port: int, proc: str = "/proc") -> dict[int, str]:
    """Return process id -> name of all that listen on a TCP port."""
    return {
        socket["pid"]: socket["process"]
        for socket in listening_sockets(port, port, proc)
        if socket["protocol"] == "tcp" and socket["pid"]
    }


def _bound(proc: str) -> Iterator[tuple[str, int, bool, str]]:
    for table, protocol, state in _TABLES:
        try:
            with open(f"{proc}/net/{table}", encoding="ascii") as lines:
                for line in list(lines)[1:]:
                    field = line.split()
                    if field[3] == state:
                        address, port = field[1].rsplit(":", 1)
                        yield protocol, int(port, 16), _is_loopback(address), field[9]
        except FileNotFoundError:  # a kernel without IPv6
            continue


def _is_loopback(address: str) -> bool:
    """Return whether an address of /proc is one; its words have the machine's own order of bytes."""
    raw = b"".join(struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8))
    parsed = ipaddress.ip_address(raw)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def _owners(inodes: set[str], proc: str) -> dict[str, tuple[int, str, str]]:
    """Return inode -> (process id, process name, systemd unit) of the first process that has the socket open."""
    owners: dict[str, tuple[int, str, str]] = {}
    for pid in filter(str.isdigit, os.listdir(proc)):
        try:
            held = inodes & _socket_inodes(f"{proc}/{pid}/fd")
            if held:
                owner = (int(pid), _read(f"{proc}/{pid}/comm").strip(), _unit(_read(f"{proc}/{pid}/cgroup")))
                owners.update(dict.fromkeys(held - set(owners), owner))
        except (FileNotFoundError, ProcessLookupError, PermissionError):  # ended meanwhile, or not ours to see
            continue
    return owners


def _socket_inodes(directory: str) -> set[str]:
    inodes = set()
    for name in os.listdir(directory):
        try:
            link = os.readlink(os.path.join(directory, name))
        except FileNotFoundError:  # closed meanwhile
            continue
        if link.startswith("socket:["):
            inodes.add(link[8:-1])
    return inodes


def _unit(cgroups: str) -> str:
    """Return the systemd unit in /proc/PID/cgroup, of either version of control groups: the innermost service."""
    for line in cgroups.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "name=systemd"):
            units = re.findall(r"[^/]+\.service", path)
            if units:
                return str(units[-1])
    return ""


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return str(file.read())
