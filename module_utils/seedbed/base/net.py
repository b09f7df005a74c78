"""Connections with a deadline, whose failures carry a reason code instead of an errno."""

from __future__ import annotations

import errno
import socket
import threading
import time
from typing import Any, Callable, Tuple, TypeVar

from ansible.module_utils.seedbed.base.errors import SeedbedError

FAMILIES = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}

_REASONS = {
    errno.ECONNREFUSED: ("refused", "nothing listens there (connection refused)"),
    errno.ECONNRESET: ("reset", "the other side closed the connection"),
    errno.ECONNABORTED: ("reset", "the other side closed the connection"),
    errno.EPIPE: ("reset", "the other side closed the connection"),
    errno.ENETUNREACH: ("unreachable", "this host has no route to that network"),
    errno.EHOSTUNREACH: ("unreachable", "the host cannot be reached, or a firewall says so"),
    errno.EADDRNOTAVAIL: ("unreachable", "this host has no address of that family"),
    errno.EAFNOSUPPORT: ("unreachable", "this host has no address of that family"),
    errno.EPERM: ("blocked", "this host's own firewall forbids it"),
    errno.EACCES: ("blocked", "this host's own firewall forbids it"),
}

Answer = TypeVar("Answer")
Address = Tuple[int, Any]
"""Socket family and the address that connect() takes."""


class NetError(SeedbedError):
    """Something on the network went wrong; reason is a code for programs, the text is for people."""

    def __init__(self, reason: str, message: str, address: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.address = address


class Deadline:
    """A point in time that all the steps of one question share."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds until the end; raise NetError, reason ``timeout``, past it."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise NetError("timeout", f"no answer within {self.seconds:.2g} s")
        return left

    def share(self, parts: int) -> Deadline:
        """Return the deadline of the first of that many equal parts of the time left."""
        return Deadline(self.left() / max(parts, 1))


def net_error(error: OSError, deadline: Deadline) -> NetError:
    """Return the reason behind an OSError."""
    if isinstance(error, socket.timeout):  # TimeoutError itself only since Python 3.10
        return NetError("timeout", f"no answer within {deadline.seconds:.2g} s")
    reason, message = _REASONS.get(error.errno or 0, ("os_error", str(error)))
    return NetError(reason, message)


def resolve(host: str, port: int, family: str, deadline: Deadline) -> list[Address]:
    """Return the addresses of a name.

    The resolver knows no deadline of ours, so it works in a thread that we need not wait for.
    """
    found: list[Address] = []
    failure: list[str] = []

    def ask() -> None:
        try:
            for entry in socket.getaddrinfo(host, port, FAMILIES[family], socket.SOCK_STREAM):
                if (entry[0], entry[4]) not in found:
                    found.append((entry[0], entry[4]))
        except (OSError, ValueError, OverflowError) as error:  # a tracker may hand out any text as an address
            failure.append(str(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(deadline.left())
    if failure:
        raise NetError("dns", f"the name {host} does not resolve ({failure[0]})")
    if thread.is_alive() or not found:
        raise NetError("dns", f"no resolver gave the address of {host} within {deadline.seconds:.2g} s")
    return found


def try_each(addresses: list[Address], deadline: Deadline, ask: Callable[[Address, Deadline], Answer]) -> Answer:
    """Return the first answer of the addresses, asked in turn; each gets an equal share of the time that is left."""
    failure = NetError("dns", "a name without addresses")
    for index, address in enumerate(addresses):
        try:
            return ask(address, deadline.share(len(addresses) - index))
        except NetError as error:
            error.address = address[1][0]
            failure = error
    raise failure


def loopback() -> str:
    """Return the loopback address at which programs of this host can listen.

    Many ask the resolver for families that are configured (AI_ADDRCONFIG). On a host that has no other IPv4 address,
    IPv4 is none of them.
    """
    try:
        socket.getaddrinfo("127.0.0.1", None, socket.AF_INET, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
    except OSError:
        return "::1"
    return "127.0.0.1"


def open_tcp(address: Address, deadline: Deadline, source: str = "") -> socket.socket:
    """Return a connected TCP socket whose next operation is bounded by the deadline."""
    sock = socket.socket(address[0], socket.SOCK_STREAM)
    try:
        sock.settimeout(deadline.left())
        if source:
            sock.bind((source, 0))
        sock.connect(address[1])
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except OSError as error:
        sock.close()
        raise net_error(error, deadline) from error
    except NetError:
        sock.close()
        raise
