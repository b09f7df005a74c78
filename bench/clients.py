#!/usr/bin/env python3
"""Measure how fast every client downloads from the lab, beside a plain TCP stream over the same bridge, in one run.

    bench/clients.py [--client NAME[,NAME]] [--size MIB] [--rounds N]

Boots two Debian 13 container hosts as `make lab` does (needs root and podman) and removes them at the end: a hub with
tracker, portal and seeder, and a leecher. Content and downloads lie in memory. A client fetches an item of the seeder
(Transmission 4), and one that is played by a scripted peer, which computes what it serves: the better of the two is the
client's own best. The stream is a process of Python's on the hub that writes the same megabyte again and again to one
on the leecher, before each download. Each rate is the best of the rounds, from the first byte to the last. What comes
within a second is no rate: that cell says so, and the stream alone is the measure then. Where a download fails the
other clients are measured all the same, and the failure is told at the end. The load of the machine stands in each row,
since others may be at work on it.

What limits a client is read from the processes' times during the seeder's best download: who has kept a core busy, or
the machine all of them, or else nobody, and the client paces itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from hosts import MEMORY, Hosts

MIB = 2**20
HUB, LEECHER = "hub", "leecher"
KNOWN = ("aria2", "deluge", "libtorrent", "qbittorrent", "rtorrent", "transmission")
UNITS = {"the seeder": "transmission-daemon.service", "the client": "seedbed-leecher.service"}
AIM = 0.9
BUSY = 0.85  # of a core, or of all: what a process that never waits is seen to have
EVERY = 0.5  # seconds between two looks
TICKS = os.sysconf("SC_CLK_TCK")
ITEMS = ("seeded", "played")
PORT = 7300  # outside of the lab's range, which its firewall closes
SERVER = """
import socket
data = memoryview(bytes(1 << 20))
with socket.create_server(("", %d)) as server:
    client, _ = server.accept()
    with client:
        for _mib in range(%d):
            client.sendall(data)
"""
READER = """
import socket, time
with socket.create_connection(("%s", %d)) as sock:
    buffer, count = bytearray(1 << 20), 0
    began = time.monotonic()
    while part := sock.recv_into(buffer):
        count += part
print(count / (time.monotonic() - began))
"""


class Look(NamedTuple):
    """The seconds of processor that everybody has had until a moment."""

    at: float
    used: dict[str, float]
    idle: float


def look() -> Look:
    """Read what the processes of both units, and the whole machine, have had."""
    used = dict.fromkeys(UNITS, 0.0)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            groups = (process / "cgroup").read_text(encoding="utf-8")
            whose = next((name for name, unit in UNITS.items() if unit in groups and "libpod" in groups), None)
            if whose:
                fields = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                used[whose] += (int(fields[11]) + int(fields[12])) / TICKS
        except OSError:  # it has ended
            continue
    idle = int(Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[4]) / TICKS
    return Look(time.monotonic(), used, idle)


class Watch:
    """Looks at the machine while something is done, and says who was busy when it was busiest."""

    def __init__(self) -> None:
        self._looks: list[Look] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            self._looks.append(look())

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def limit(self) -> str:
        """Return who limited it, by the two looks a second apart in which seeder and client had most together."""
        pairs = list(zip(self._looks, self._looks[2:]))
        if not pairs:
            return "?"
        first, last = max(pairs, key=lambda pair: sum(pair[1].used.values()) - sum(pair[0].used.values()))
        seconds = last.at - first.at
        cores = {name: (last.used[name] - first.used[name]) / seconds for name in UNITS}
        busy = 1 - (last.idle - first.idle) / seconds / (os.cpu_count() or 1)
        shown = ", ".join(f"{name} {share:.2f}" for name, share in cores.items())
        most = max(cores, key=lambda name: cores[name])
        who = f"{most}'s core" if cores[most] >= BUSY else "the machine" if busy >= BUSY else "its own pace"
        return f"{who} ({shown}, machine {busy:.0%} busy)"


def stream(hosts: Hosts, size: int) -> float:
    """Return the bytes a second of a plain stream from the hub to the leecher."""
    server = subprocess.Popen(hosts.ssh(HUB, "python3", "-"), stdin=subprocess.PIPE, text=True)
    assert server.stdin
    server.stdin.write(SERVER % (PORT, size // MIB))
    server.stdin.close()
    reader = READER % (hosts.address(HUB), PORT)
    deadline = time.monotonic() + 60
    while True:
        done = subprocess.run(
            hosts.ssh(LEECHER, "python3", "-"), input=reader, capture_output=True, text=True, check=False
        )
        if not done.returncode:
            break
        if time.monotonic() > deadline:  # until the server listens; a try takes its time
            sys.exit(f"the leecher does not get a stream from the hub: {done.stderr[-500:]}")
    server.wait()
    return float(done.stdout)


def downloaded(hosts: Hosts, work: Path, client: str, item: str) -> float | None:
    """Return the bytes a second of a download, or nothing where it came too fast to be measured."""
    told = work / "downloads.json"
    asked = {"client": client, "by": "torrent", "torrent": item, "download_trackers": ["http"]}
    hosts.play("playbooks/download.yml", f"--extra-vars={json.dumps({**asked, 'download_json': str(told)})}")
    (found,) = json.loads(told.read_text(encoding="utf-8"))["downloads"]
    if not found["ok"]:
        sys.exit(f"{client}: {item}: {found['fault'] or found['skipped']}")
    return float(found["rate"]) if found["rate"] else None


def shown(rate: float | None) -> str:
    """Return a rate as a cell of the table."""
    return "too fast" if rate is None else f"{rate / 1e6:.0f}"


def measure(hosts: Hosts, work: Path, client: str, size: int, rounds: int) -> list[str]:
    """Return the row of a client."""
    streams: list[float] = []
    rates: dict[str, list[float]] = {item: [] for item in ITEMS}
    limit, load = "?", os.getloadavg()[0]
    for _round in range(rounds):
        for item in ITEMS:
            streams.append(stream(hosts, size))
            with Watch() as watch:
                rate = downloaded(hosts, work, client, item)
            if rate is None:
                continue
            rates[item].append(rate)
            if item == "seeded" and rate == max(rates[item]):
                limit = watch.limit()
    plain, seeded, played = max(streams), *(max(rates[item], default=None) for item in ITEMS)
    # What was too fast to be measured is faster than all that was.
    own = plain if played is None else max(played, seeded or 0)
    share = "" if seeded is None else f"{seeded / min(plain, own):.2f}"
    return [client, f"{load:.1f}", shown(plain), shown(seeded), shown(played), share, limit]


def inventory(hosts: Hosts, size: int) -> dict[str, object]:
    """The lab: one item that the seeder has, one that is played."""
    hub: dict[str, object] = {"hosts": {HUB: {}}}
    recipe = {"synthetic": {"size": size}, "piece_length": "1MiB"}
    played = {**recipe, "name": "played", "swarm": {"seeders": [], "peers": [{"behaviour": "healthy"}]}}
    return {
        "hosts": {name: {"container_host_release": "trixie", **hosts.known(name)} for name in (HUB, LEECHER)},
        "children": {
            **dict.fromkeys(("trackers", "seeders", "portals", "scripted_peers"), hub),
            "leechers": {"hosts": {LEECHER: {}}},
        },
        "vars": {"lab_acceptance": "never", "catalogue_torrents": [{**recipe, "name": "seeded"}, played]},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", default=",".join(KNOWN), help="names with commas (default all)")
    parser.add_argument("--size", type=int, default=1024, help="MiB of the item (default 1024)")
    parser.add_argument("--rounds", type=int, default=2, help="downloads of each item by each client (default 2)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seedbed-clients-") as directory:
        work = Path(directory)
        hosts = Hosts(work, "seedbed-bench")
        hosts.write(inventory(hosts, options.size * MIB))
        hosts.play("playbooks/local_hosts.yml")
        failed: list[str] = []
        try:
            for host in (HUB, LEECHER):
                hosts.on(host, MEMORY)
            hosts.write(inventory(hosts, options.size * MIB))
            hosts.play("playbooks/site.yml")
            print(f"MB/s, from the first byte to the last of {options.size} MiB, beside the load before")
            print("| client | load | stream | seeder | scripted peer | of the slower of stream and best | limited by |")
            print("|---|---|---|---|---|---|---|", flush=True)
            for client in options.client.split(","):
                try:
                    row = measure(hosts, work, client, options.size * MIB, options.rounds)
                except SystemExit as fault:  # the others are measured all the same
                    failed.append(f"{client}: {fault}")
                    row = [client, "a download failed"]
                print("| " + " | ".join(row) + " |", flush=True)
            print(f"\nAim: {AIM} of the slower of stream and the client's own best.")
        finally:
            hosts.remove()
        if failed:
            sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
