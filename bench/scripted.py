#!/usr/bin/env python3
"""Measure a scripted seeder beside Transmission 4, libtorrent and a plain TCP stream, in one run.

    bench/scripted.py [--size MIB] [--rounds N]

To a counting sink, which asks for every block of a torrent, 400 ahead, and throws away what comes; and to libtorrent,
which checks and stores it in memory. The daemon computes what it serves; the others seed a file that lies in memory.
The stream is a process that writes the same megabyte again and again: what loopback and this Python take at most.
Besides: how long 10,000 torrents take to start, and a client to connect to 1,000 peers of one torrent.

All of it stays on loopback. libtorrent comes with `make setup-test`. Transmission 4 is this machine's, or that of an
image of a Debian 13 host that `make lab` has built, run in this machine's network (needs root). Where there is none, it
is left out.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import importlib.util
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import ansible.module_utils

ROOT = Path(__file__).resolve().parent.parent
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))

from ansible.module_utils.seedbed.base.errors import SeedbedError  # noqa: E402 - needs the path above
from ansible.module_utils.seedbed.base.net import Deadline  # noqa: E402
from ansible.module_utils.seedbed.payload import content  # noqa: E402
from ansible.module_utils.seedbed.payload.virtual import virtual_payload  # noqa: E402
from ansible.module_utils.seedbed.probe.peer_encryption import call  # noqa: E402
from ansible.module_utils.seedbed.probe.peer_handshake import PROTOCOL, RESERVED  # noqa: E402
from ansible.module_utils.seedbed.probe.peer_wire import Wire  # noqa: E402
from ansible.module_utils.seedbed.scripted.messages import BLOCK, triple_message  # noqa: E402
from ansible.module_utils.seedbed.torrent.metainfo import torrent_metainfo  # noqa: E402
from ansible.module_utils.seedbed.transmission.rpc import RpcClient  # noqa: E402

MIB = 2**20
PIECE = 4 * MIB
AHEAD = 400  # blocks that are asked for before they come
FRAMED = BLOCK + 13
PATIENCE = 300.0
TORRENTS, PEERS = 10_000, 1000
STREAM = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
data = memoryview(bytes(1 << 20))
while True:
    client, _ = server.accept()
    with client:
        for _mib in range(int(sys.argv[1])):
            client.sendall(data)
"""
SEED = """
import sys, time
import libtorrent as lt
sys.path.append(sys.argv[3])
from leecher import SETTINGS
session = lt.session(SETTINGS)
params = lt.add_torrent_params()
params.ti, params.save_path = lt.torrent_info(sys.argv[1]), sys.argv[2]
handle = session.add_torrent(params)
while not handle.status().is_seeding:
    session.wait_for_alert(100)
    session.pop_alerts()
print(session.listen_port(), flush=True)
sys.stdin.read()
"""


class Seeder(NamedTuple):
    """A process that has the torrent."""

    name: str
    process: subprocess.Popen[str]
    port: int
    pid: int


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


def write_content(work: Path, size: int) -> None:
    """Write what the daemon computes, for those who cannot."""
    key = content.file_key("bench", ())
    with (work / "bench").open("wb") as file:
        for at in range(0, size, MIB):
            file.write(content.read(key, at, min(MIB, size - at)))


def started(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> int:
    """The port that a process says that it listens on."""
    assert process.stdout
    return int(process.stdout.readline().split()[-1])


@contextlib.contextmanager
def stopped(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """End a process behind it."""
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def scripted(config: Path) -> subprocess.Popen[str]:
    return started(sys.executable, str(ROOT / "bench/own.py"), "scripted", str(config))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def transmission_command(work: Path) -> list[str]:
    """How Transmission 4 is run here; empty where it is not to be had."""
    here = shutil.which("transmission-daemon")
    if here and " 4." in subprocess.run([here, "--version"], capture_output=True, text=True, check=False).stderr:
        return [here]
    if not shutil.which("podman") or os.geteuid():
        return []
    limits = ["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:2000"]
    run = ["podman", "run", "--rm", "--runtime", "runc", *limits, "--network", "host", "--volume", f"{work}:{work}"]
    names = subprocess.run(
        ["podman", "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=*seedbed-host:trixie-*"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in names:
        command = [*run, name, "/usr/bin/transmission-daemon"]
        if not subprocess.run([*command, "--version"], capture_output=True, check=False).returncode:
            return command
    return []


def running(home: Path) -> int:
    """The process that uses this configuration: of a container it is another than that which was started."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if words[0].endswith(b"transmission-daemon") and str(home).encode() in words:
                return int(path.parent.name)
    sys.exit("Transmission has ended")


def transmission(work: Path) -> Seeder | None:
    """Transmission 4 that seeds the torrent, if it is to be had."""
    command = transmission_command(work)
    if not command:
        print("left out: Transmission 4 is neither installed nor in an image of `make lab`", file=sys.stderr)
        return None
    rpc_port, port = free_port(), free_port()
    settings = {
        "rpc-port": rpc_port,
        "rpc-bind-address": "127.0.0.1",
        "rpc-authentication-required": False,
        "peer-port": port,
        "bind-address-ipv4": "127.0.0.1",
        "download-dir": str(work),
        "utp-enabled": False,
        "dht-enabled": False,
        "lpd-enabled": False,
        "port-forwarding-enabled": False,
    }
    home = work / "transmission"
    home.mkdir()
    (home / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    process = started(*command, "--foreground", "--log-level=error", "--config-dir", str(home))
    rpc = RpcClient("127.0.0.1", rpc_port, ("", ""))
    deadline = time.monotonic() + PATIENCE
    metainfo = base64.b64encode((work / "bench.torrent").read_bytes()).decode()
    while True:
        try:
            rpc.call("torrent-add", {"metainfo": metainfo, "download-dir": str(work)})
            break
        except SeedbedError:  # it does not listen yet
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.1)  # between two tries, until the deadline
    rpc.call("torrent-verify")
    seeding = 6
    while rpc.call("torrent-get", {"fields": ["status"]})["torrents"][0]["status"] != seeding:
        if time.monotonic() > deadline:
            sys.exit("Transmission does not seed in time")
        time.sleep(0.1)  # between two questions, until the deadline
    rpc.close()
    return Seeder("Transmission 4", process, port, running(home))


def sink(port: int, info_hash: str, size: int, *, encrypted: bool = False) -> float:
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
        came = sock.recv_into(room)
        if not came:
            sys.exit(f"the seeder on port {port} has closed")
        got += came
    seconds = time.monotonic() - began
    sock.close()
    return size / seconds


def leech(work: Path, port: int) -> float:
    """Have libtorrent download it into memory; return the bytes a second."""
    with tempfile.TemporaryDirectory(dir=work) as directory:
        command = [sys.executable, str(ROOT / "bench/leecher.py"), str(work / "bench.torrent"), str(port), directory]
        return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout)


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


class Row(NamedTuple):
    """What is measured again and again."""

    name: str
    pid: int
    measure: Callable[[], float]


def race(title: str, rows: list[Row], size: int, rounds: int, base: str) -> dict[str, float]:
    """Measure in turn, round after round; print the medians, and return the rates."""
    rates: dict[str, list[float]] = {row.name: [] for row in rows}
    busy: dict[str, list[float]] = {row.name: [] for row in rows}
    for _round in range(rounds):
        for row in rows:
            before = processor_seconds(row.pid)
            rates[row.name].append(row.measure())
            busy[row.name].append(size / max(0.01, processor_seconds(row.pid) - before))
    print(f"\n### {title}\n\n| seeder | MB/s | of {base} | MB a processor second of the seeder |\n|---|---|---|---|")
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, rate in medians.items():
        print(f"| {name} | {rate / 1e6:.0f} | {rate / medians[base]:.2f} | {statistics.median(busy[name]) / 1e6:.0f} |")
    return medians


def start_many(work: Path) -> None:
    """Seconds and memory of a daemon with many torrents, until it says that it is ready."""
    torrents = [
        {
            "info_hash": f"{number:040x}",
            "torrent": f"/srv/torrents/{number}.torrent",
            "seed": f"item {number}",
            "peers": [{"address": "127.0.0.1", "script": {"behaviour": "corrupt", "pieces": "1/8"}}],
            "trackers": {"1-1": {"behaviour": "healthy"}},
        }
        for number in range(TORRENTS)
    ]
    config = work / "many.json"
    config.write_text(json.dumps({"port": 0, "addresses": ["127.0.0.1"], "torrents": torrents}), encoding="utf-8")
    began = time.monotonic()
    with stopped(scripted(config)) as daemon:
        told(daemon)
        seconds = time.monotonic() - began
        pages = int(Path(f"/proc/{daemon.pid}/statm").read_text(encoding="utf-8").split()[1])
        memory = pages * os.sysconf("SC_PAGE_SIZE") / MIB
    print(f"\n{TORRENTS} torrents start in {seconds:.1f} s with {memory:.0f} MiB (aim: under 2 s, under 150 MB).")


def meet_many(work: Path, info_hash: str) -> None:
    """Seconds until a client of libtorrent is connected to a thousand peers of one torrent."""
    addresses = [f"127.1.{number // 250}.{1 + number % 250}" for number in range(PEERS)]
    peers = [{"address": address, "script": {"behaviour": "never-unchoke"}} for address in addresses]
    played = {
        "info_hash": info_hash,
        "torrent": str(work / "bench.torrent"),
        "seed": "bench",
        "peers": peers,
        "trackers": {"t": {}},
    }
    config = work / "crowd.json"
    config.write_text(json.dumps({"port": 0, "addresses": addresses, "torrents": [played]}), encoding="utf-8")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with stopped(scripted(config)) as daemon:
        port = told(daemon)
        leecher = [sys.executable, str(ROOT / "bench/leecher.py"), "crowd", str(work / "bench.torrent")]
        began = time.monotonic()
        with stopped(started(*leecher, str(port), str(PEERS))):
            met = 0
            while met < PEERS and time.monotonic() - began < PATIENCE:
                with opener.open(f"http://127.0.0.1:{port}/status.json", timeout=60) as answer:
                    met = json.load(answer)["connections"] - 1
                time.sleep(0.1)  # between two looks, until the deadline
            seconds = time.monotonic() - began
    print(f"\n{met} peers of one torrent are connected within {seconds:.1f} s (aim: {PEERS} within 15 s).")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, help="MiB of each round (default 1024)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir", default="/dev/shm", help="where the content lies, twice (default: in memory)")
    options = parser.parse_args()
    size = options.size * MIB
    print(f"{len(os.sched_getaffinity(0))} processors, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(
        prefix="seedbed-bench-", dir=options.dir
    ) as directory, contextlib.ExitStack() as ends:
        work = Path(directory)
        info_hash = torrent(work, size)
        write_content(work, size)
        plain = ends.enter_context(stopped(started(sys.executable, "-c", STREAM, str(options.size))))
        daemon = ends.enter_context(stopped(scripted(work / "scripted.json")))
        own = Seeder("scripted seeder", daemon, told(daemon), daemon.pid)
        others = [transmission(work)]
        has_libtorrent = importlib.util.find_spec("libtorrent") is not None
        if has_libtorrent:
            arguments = [str(work / "bench.torrent"), str(work), str(ROOT / "bench")]
            process = started(sys.executable, "-c", SEED, *arguments)
            others.append(Seeder("libtorrent", process, told(process), process.pid))
        else:
            print("left out: libtorrent is not installed", file=sys.stderr)
        seeders = [own, *(other for other in others if other)]
        for other in seeders[1:]:
            ends.enter_context(stopped(other.process))

        def sunk(seeder: Seeder, *, encrypted: bool = False) -> Row:
            name = f"{seeder.name}, RC4" if encrypted else seeder.name
            return Row(name, seeder.pid, lambda: sink(seeder.port, info_hash, size, encrypted=encrypted))

        port = told(plain)
        rows = [Row("plain TCP stream", plain.pid, lambda: stream(port, size)), *map(sunk, seeders)]
        rows.insert(2, sunk(own, encrypted=True))
        race("To a counting sink", rows, size, options.rounds, "plain TCP stream")
        print("\nAim: 400 MB/s. Where others use the machine, what a processor second does tells more.", flush=True)
        if has_libtorrent:
            leeched = [Row(one.name, one.pid, lambda one=one: leech(work, one.port)) for one in seeders]
            base = next((one.name for one in seeders if one.name == "Transmission 4"), own.name)
            race("To libtorrent", leeched, size, options.rounds, base)
            print("\nAim: 0.9 of Transmission 4.", flush=True)
            meet_many(work, info_hash)
        start_many(work)
    print(f"\nload at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
