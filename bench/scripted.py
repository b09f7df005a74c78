#!/usr/bin/env python3
"""Measure a scripted seeder to a counting sink, plain and encrypted, beside a plain TCP stream, in one run.

    bench/scripted.py [--size MIB] [--rounds N]

The daemon runs as a process of its own and computes what it serves; the sink asks for every block of a torrent, 400
ahead, and throws away what comes. The stream is a process that writes the same megabyte again and again: what loopback
and this Python take at most. All of it stays on loopback, and needs no root.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ansible.module_utils

ROOT = Path(__file__).resolve().parent.parent
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))

from ansible.module_utils.seedbed.base.net import Deadline  # noqa: E402 - needs the path above
from ansible.module_utils.seedbed.payload.virtual import virtual_payload  # noqa: E402
from ansible.module_utils.seedbed.probe.peer_encryption import call  # noqa: E402
from ansible.module_utils.seedbed.probe.peer_handshake import PROTOCOL, RESERVED  # noqa: E402
from ansible.module_utils.seedbed.probe.peer_wire import Wire  # noqa: E402
from ansible.module_utils.seedbed.scripted.messages import BLOCK, triple_message  # noqa: E402
from ansible.module_utils.seedbed.torrent.metainfo import torrent_metainfo  # noqa: E402

MIB = 2**20
PIECE = 4 * MIB
AHEAD = 400  # blocks that are asked for before they come
FRAMED = BLOCK + 13
STREAM = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
data = memoryview(bytes(1 << 20))
for _round in range(int(sys.argv[2])):
    client, _ = server.accept()
    with client:
        for _mib in range(int(sys.argv[1])):
            client.sendall(data)
"""


def torrent(work: Path, size: int) -> str:
    """Write torrent and configuration; return the info hash."""
    recipe = {"size": size, "seed": "bench"}
    spec = {"kind": "synthetic", "name": "bench", "state": "present", "piece_length": PIECE, "hash": True}
    made = torrent_metainfo(virtual_payload({**spec, "recipe": recipe}))
    (work / "bench.torrent").write_bytes(base64.b64decode(made["metainfo"]))
    played = {
        "info_hash": made["info_hash"],
        "torrent": str(work / "bench.torrent"),
        "seed": "bench",
        "peers": [{"address": "127.0.0.1", "script": {"behaviour": "healthy"}}],
    }
    config = {"port": 0, "addresses": ["127.0.0.1"], "torrents": [played]}
    (work / "scripted.json").write_text(json.dumps(config), encoding="utf-8")
    return made["info_hash"]


def sink(port: int, info_hash: str, size: int, *, encrypted: bool) -> float:
    """Ask for all of it and throw it away; return the bytes a second."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire = Wire(sock, Deadline(600))
    hello = PROTOCOL + RESERVED[:7] + b"\0" + bytes.fromhex(info_hash) + b"-XX0000-" + os.urandom(12)
    outgoing = None
    if encrypted:
        # The sink does not decrypt: it is the seeder that is measured. What it sends it has to encrypt.
        outgoing, incoming = call(wire.send, wire.receive, bytes.fromhex(info_hash), hello)
        wire.encrypt((outgoing, incoming))
    else:
        wire.send(hello)
    wire.receive(68)
    wire.send_message(2)
    while wire.message()[0] != 1:  # until it unchokes
        pass
    blocks = [(at // PIECE, at % PIECE) for at in range(0, size, BLOCK)]
    asked, got, total = 0, 0, len(blocks) * FRAMED
    room = bytearray(4 * MIB)
    began = time.monotonic()
    while got < total:
        want = min(len(blocks), got // FRAMED + AHEAD)
        if want - asked >= AHEAD // 4 or (want == len(blocks) and asked < want):
            asks = b"".join(triple_message(6, *block, BLOCK) for block in blocks[asked:want])
            sock.sendall(outgoing.crypt(asks) if outgoing else asks)
            asked = want
        got += sock.recv_into(room)
    seconds = time.monotonic() - began
    sock.close()
    return size / seconds


def stream(port: int, size: int) -> float:
    """Read a plain stream; return the bytes a second."""
    room, got = bytearray(4 * MIB), 0
    with socket.create_connection(("127.0.0.1", port)) as sock:
        began = time.monotonic()
        while got < size:
            got += sock.recv_into(room)
    return size / (time.monotonic() - began)


def processor_seconds(pid: int) -> float:
    """What a process has used of processors so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=2048, help="MiB of each round (default 2048)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    size = options.size * MIB
    with tempfile.TemporaryDirectory(prefix="seedbed-bench-") as directory:
        work = Path(directory)
        info_hash = torrent(work, size)
        command = [sys.executable, str(ROOT / "bench/own.py"), "scripted", str(work / "scripted.json")]
        daemon = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        plain = subprocess.Popen(
            [sys.executable, "-c", STREAM, str(options.size), str(options.rounds)], stdout=subprocess.PIPE, text=True
        )
        rates: dict[str, list[float]] = {"stream": [], "plain": [], "RC4": []}
        try:
            assert daemon.stdout and plain.stdout
            port, stream_port = int(daemon.stdout.readline().split()[-1]), int(plain.stdout.readline())
            busy = {name: [] for name in rates}
            for _round in range(options.rounds):
                for name, process, measured in (
                    ("stream", plain, lambda: stream(stream_port, size)),
                    ("plain", daemon, lambda: sink(port, info_hash, size, encrypted=False)),
                    ("RC4", daemon, lambda: sink(port, info_hash, size, encrypted=True)),
                ):
                    before = processor_seconds(process.pid)
                    rates[name].append(measured())
                    busy[name].append(size / (processor_seconds(process.pid) - before))
        finally:
            for process in (daemon, plain):
                process.terminate()
                process.wait()
    print("\n### A scripted seeder to a counting sink\n")
    print("| what | MB/s | of the stream | MB a processor second |\n|---|---|---|---|")
    whole = statistics.median(rates["stream"])
    labels = {"stream": "plain TCP stream", "plain": "scripted seeder, plain", "RC4": "scripted seeder, RC4"}
    for name, label in labels.items():
        rate, work_rate = statistics.median(rates[name]), statistics.median(busy[name])
        print(f"| {label} | {rate / 1e6:.0f} | {rate / whole:.2f} | {work_rate / 1e6:.0f} |")
    print("\nAim: 400 MB/s plain. Where others use the machine, what a processor second does tells more.")


if __name__ == "__main__":
    main()
