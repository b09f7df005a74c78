"""A port that is really bound while a tracker is asked: private ones refuse a port on which nobody can listen."""

from __future__ import annotations

import socket
import threading

from ansible.module_utils.seedbed.base.net import NetError


class Door:
    """The one port of all questions of a call, bound at the first need, over TCP and UDP, until it is closed."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._port = 0

    def port(self) -> int:
        """Return the port; the last one that is free, where services begin with the first ones."""
        with self._lock:
            for port in range(self.last, self.first - 1, -1) if not self._port else ():
                if self._bind(port):
                    break
            if not self._port:
                one = self.first == self.last
                what = f"port {self.first} is" if one else f"the ports {self.first} to {self.last} are"
                raise NetError("os_error", f"{what} taken on this host, so it could not be asked again")
            return self._port

    def _bind(self, port: int) -> bool:
        family, any_address = (socket.AF_INET6, "::") if socket.has_dualstack_ipv6() else (socket.AF_INET, "0.0.0.0")
        tcp, udp = socket.socket(family, socket.SOCK_STREAM), socket.socket(family, socket.SOCK_DGRAM)
        self._sockets = [tcp, udp]
        try:
            for sock in self._sockets:
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                sock.bind((any_address, port))
            tcp.listen()  # the kernel takes connections of trackers that try it
        except OSError:
            self.close()
            return False
        self._port = port
        return True

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets = []
        self._port = 0
