"""By which ports people come in over SSH: those stay open whatever else is closed."""

from __future__ import annotations

import os
from typing import Iterable

from ansible.module_utils.seedbed.base.listeners import Socket


def ssh_ports(sockets: Iterable[Socket], proc: str = "/proc") -> list[int]:
    """Return the port of this very connection, and those that sshd holds."""
    held = {socket["port"] for socket in sockets if socket["process"] == "sshd" and socket["protocol"] == "tcp"}
    return sorted(held | {port for port in [connection_port(os.getpid(), proc)] if port})


def connection_port(pid: int, proc: str = "/proc") -> int:
    """Return the port of the SSH connection that a process came by; 0 for one that came by none.

    sudo takes SSH_CONNECTION out of the environment; the shell that called sudo still has it.
    """
    while pid > 1:
        try:
            with open(f"{proc}/{pid}/environ", "rb") as file:
                words = dict(entry.partition(b"=")[::2] for entry in file.read().split(b"\0"))
            with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):  # not ours to see, or ended meanwhile
            return 0
        connection = words.get(b"SSH_CONNECTION", b"").split()  # client, its port, our address, our port
        if len(connection) == 4 and connection[3].isdigit():
            return int(connection[3])
        pid = parent
    return 0
