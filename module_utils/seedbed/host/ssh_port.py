"""By which ports people come in over SSH, which stay open whatever else is closed, and at which address."""

from __future__ import annotations

import os
from typing import Iterable, NamedTuple

from ansible.module_utils.seedbed.base.listeners import Socket


class Arrival(NamedTuple):
    """Where an SSH connection arrives on this host; an empty address and port 0 for none."""

    address: str
    port: int


NOWHERE = Arrival("", 0)


def ssh_ports(sockets: Iterable[Socket], proc: str = "/proc") -> list[int]:
    """Return the port of this very connection, and those that sshd holds."""
    held = {socket["port"] for socket in sockets if socket["process"] == "sshd" and socket["protocol"] == "tcp"}
    return sorted(held | {port for port in [arrival(os.getpid(), proc).port] if port})


def arrival(pid: int, proc: str = "/proc") -> Arrival:
    """Return where the SSH connection arrives that a process came by.

    sudo takes SSH_CONNECTION out of the environment; the shell that called sudo still has it.
    """
    while pid > 1:
        try:
            with open(f"{proc}/{pid}/environ", "rb") as file:
                words = dict(entry.partition(b"=")[::2] for entry in file.read().split(b"\0"))
            with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):  # not ours to see, or ended meanwhile
            return NOWHERE
        connection = words.get(b"SSH_CONNECTION", b"").decode(errors="replace").split()
        if len(connection) == 4 and connection[3].isdigit():  # client, its port, our address, our port
            return Arrival(connection[2].partition("%")[0], int(connection[3]))
        pid = parent
    return NOWHERE
