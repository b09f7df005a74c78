#!/usr/bin/env python3
"""Measure a seeder with many torrents: the catalogue's play against the classic shell loop, on one host, in one run.

    make bench-scale                     1,000 torrents of 1 MiB
    bench/scale.py --experiment 10000    besides, so many of 64 KiB, by the play alone, with the curve

Boots two Debian 13 container hosts as `make lab` does (needs root and podman), runs tracker and Transmission on each,
and removes them at the end. The loop is what people type: transmission-create and transmission-remote --add for each
file. It has a host and the play has one, so that neither works in what the other left behind. The same amount of
content lies on both beforehand, in memory, as do the daemons' own files. Both hash it, make the torrents and add them,
and are watched from here over RPC until the daemon seeds all of them.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Sequence

import ansible.module_utils
from hosts import MEMORY, PASSWORD, ROOT, Hosts

ansible.module_utils.__path__.append(str(ROOT / "module_utils"))

from ansible.module_utils.seedbed.transmission.rpc import RpcClient  # noqa: E402 - needs the path above

LOOP, PLAY = HOSTS = ("loop", "play")
SEEDING = 6
KIB = 1024
COMMANDS = """
set -eu
export TR_AUTH="seedbed:$1"
cd /srv/seedbed/loop
for file in *; do
    transmission-create -o "/root/$file.torrent" -t "$2" "$PWD/$file" > /dev/null
    transmission-remote 8081 --authenv --download-dir "$PWD" --add "/root/$file.torrent" > /dev/null
done
"""
CONTENT = """
mkdir -p /srv/seedbed/loop && cd /srv/seedbed/loop
head -c $(($1 << 20)) /dev/urandom | split -b 1M -a 4 -d - file-
"""


class Bench(Hosts):
    """Two hosts, and what is played on them."""

    def __init__(self, work: Path) -> None:
        super().__init__(work, "seedbed-scale")
        self.want(0, KIB, HOSTS)

    def want(self, count: int, size: int, hosts: Sequence[str] = (PLAY,)) -> None:
        """So many torrents of this size from now on, on these hosts."""
        entries = [{"name": f"item-{number:05}", "synthetic": {"size": size}} for number in range(count)]
        concerned: dict[str, object] = {"hosts": {host: {} for host in hosts}}
        self.write(
            {
                "hosts": {host: {"container_host_release": "trixie", **self.known(host)} for host in HOSTS},
                "children": {"trackers": concerned, "seeders": concerned},
                "vars": {"catalogue_torrents": entries},
            }
        )

    def catalogue(self) -> str:
        """What is measured."""
        return self.play("bench/scale.yml")

    def rpc(self, host: str) -> RpcClient:
        return RpcClient(self.address(host), 8081, ("seedbed", PASSWORD))


class Watched:
    """Something that adds torrents, in a process of its own, watched until all of them seed."""

    def __init__(self, rpc: RpcClient, work: Callable[[], object], count: int) -> None:
        began = time.monotonic()
        self.curve: list[tuple[int, float]] = []
        child = os.fork()
        if not child:
            failed = True
            try:
                work()
                failed = False
            finally:
                os._exit(failed)
        seeding = 0
        while seeding < count:
            # A number, where the state of every torrent would keep the daemon from its work; those at the end alone.
            seeding = rpc.call("session-stats")["activeTorrentCount"]
            if seeding >= count:
                listed = rpc.call("torrent-get", {"fields": ["status"]})["torrents"]
                seeding = sum(torrent["status"] == SEEDING for torrent in listed)
            self.curve.append((seeding, time.monotonic() - began))
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended and (status or seeding < count):
                sys.exit(f"it ended with {status} while {seeding} of {count} seed")
            time.sleep(0.1)  # between two questions; ends with the process at the latest
        self.seeding = self.curve[-1][1]
        if not ended:
            os.waitpid(child, 0)
        self.ended = time.monotonic() - began
        rpc.close()

    def after(self, count: int) -> float:
        """Seconds until so many were seeding."""
        return next(seconds for seeding, seconds in self.curve if seeding >= count)


def again(bench: Bench) -> float:
    """Seconds of a run that changes nothing."""
    began = time.monotonic()
    output = bench.catalogue()
    if not re.search(r"changed=0 ", output):
        sys.exit(f"a second run changed something:\n{output[-2000:]}")
    return time.monotonic() - began


def measure(bench: Bench, count: int, experiment: int) -> None:
    bench.want(count, KIB * KIB)
    bench.on(LOOP, CONTENT, str(count))
    bench.play("bench/scale_hosts.yml", "--tags=content")
    announce = f"http://{bench.address(LOOP)}:8888/announce"
    loop = Watched(bench.rpc(LOOP), lambda: bench.on(LOOP, COMMANDS, PASSWORD, announce), count)
    ours = Watched(bench.rpc(PLAY), bench.catalogue, count)
    many = min(again(bench), again(bench))
    bench.want(10, KIB * KIB)
    bench.catalogue()
    few = min(again(bench), again(bench))
    print(f"| {count} torrents of 1 MiB | seconds |\n|---|---|")
    print(f"| the shell loop: all added and seeding | {loop.seeding:.1f} |")
    print(f"| the play: all added and seeding | {ours.seeding:.1f} |")
    print(f"| the play to its end, every one announced | {ours.ended:.1f} |")
    print(f"| the play again, changed=0 | {many:.1f} |")
    print(f"| the play again with 10 torrents, changed=0 | {few:.1f} |")
    print(f"\nAll seeding {loop.seeding / ours.seeding:.1f} times as fast as the loop (aim 5).")
    print(f"A run without changes takes {many / few:.2f} times as long as with 10 torrents (aim: under 2).", flush=True)
    if experiment:
        bench.want(0, KIB)
        bench.catalogue()
        bench.want(experiment, 64 * KIB)
        most = Watched(bench.rpc(PLAY), bench.catalogue, experiment)
        print(f"\n| of {experiment} torrents of 64 KiB | seeding after seconds |\n|---|---|")
        for tenth in range(1, 11):
            print(f"| {experiment * tenth // 10} | {most.after(experiment * tenth // 10):.1f} |")
        print(f"| the play to its end, every one announced | {most.ended:.1f} |")
        print(f"| the play again, changed=0 | {again(bench):.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="torrents for play and loop (default 1000)")
    parser.add_argument("--experiment", type=int, default=0, help="so many more for the play alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seedbed-scale-") as work:
        bench = Bench(Path(work))
        bench.play("playbooks/local_hosts.yml")
        try:
            for host in HOSTS:
                bench.on(host, MEMORY)
            bench.play("bench/scale_hosts.yml", "--tags=daemons")
            bench.on(LOOP, "apt-get install --yes --no-install-recommends transmission-cli > /dev/null 2>&1")
            measure(bench, options.count, options.experiment)
        finally:
            bench.remove()


if __name__ == "__main__":
    main()
