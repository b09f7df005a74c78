"""A connection to a peer, read and written by whole messages (BEP 3)."""

from __future__ import annotations

import socket
import struct

from ansible.module_utils.seedbed.base.net import Deadline, NetError, net_error
from ansible.module_utils.seedbed.probe.peer_encryption import Rc4

CHOKE, UNCHOKE, INTERESTED, HAVE, BITFIELD, REQUEST, PIECE = 0, 1, 2, 4, 5, 6, 7
# Fast extension (BEP 6) and extension protocol (BEP 10).
HAVE_ALL, HAVE_NONE, REJECT, EXTENDED = 14, 15, 16, 20
MAX_MESSAGE = 4 * 1024 * 1024


class Wire:
    """A connection to a peer, plain or encrypted, read by whole messages.

    What came before a deadline passed is kept, so that a message whose rest comes later is still read from its start.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline
        self._received = b""
        self._outgoing: Rc4 | None = None
        self._incoming: Rc4 | None = None

    def encrypt(self, ciphers: tuple[Rc4, Rc4]) -> None:
        """Encrypt all that follows."""
        self._outgoing, self._incoming = ciphers

    @property
    def encrypted(self) -> bool:
        return self._outgoing is not None

    def send(self, data: bytes) -> None:
        """Send raw bytes."""
        try:
            self.sock.settimeout(self.deadline.left())
            self.sock.sendall(self._outgoing.crypt(data) if self._outgoing else data)
        except OSError as error:
            raise net_error(error, self.deadline) from error

    def receive(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        self._await(size)
        data, self._received = self._received[:size], self._received[size:]
        return data

    def message(self) -> tuple[int, bytes]:
        """Return the next message, keep-alives passed over."""
        while True:
            self._await(4)
            size = int.from_bytes(self._received[:4], "big")
            if size > MAX_MESSAGE:
                raise NetError("malformed", f"the peer announces a message of {size} bytes")
            data = self.receive(4 + size)
            if size:
                return data[4], data[5:]

    def send_message(self, kind: int, payload: bytes = b"") -> None:
        """Send one message."""
        self.send(struct.pack(">IB", len(payload) + 1, kind) + payload)

    def _await(self, size: int) -> None:
        """Read until so many bytes have come; never more of them, since what follows may be encrypted."""
        while len(self._received) < size:
            try:
                self.sock.settimeout(self.deadline.left())
                more = self.sock.recv(min(size - len(self._received), 65536))
            except OSError as error:
                raise net_error(error, self.deadline) from error
            if not more:
                raise NetError("closed", "the peer closed the connection")
            self._received += self._incoming.crypt(more) if self._incoming else more
