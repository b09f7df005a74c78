#!/usr/bin/env python3
"""Measure a seeder with many torrents: the catalogue's play against the classic shell loop, on one host, in one run.

    make bench-scale                     1,000 torrents of 1 MiB
    bench/scale.py --experiment 10000    besides, so many of 64 KiB, by the play alone, with the curve

Boots a Debian 13 container host as `make lab` does (needs root and podman), runs tracker and Transmission on it, and
removes it at the end. The loop is what people type: transmission-create and transmission-remote --add for each file,
whose content lies there already. The play makes the content, hashes it, makes the torrents and adds them. Both are
watched from here over RPC until the daemon seeds all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable

import ansible.module_utils

ROOT = Path(__file__).resolve().parent.parent
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))

from ansible.module_utils.seedbed.transmission_rpc import RpcClient  # noqa: E402 - needs the path above

NAME = "seedbed-scale"
LAB = ROOT / ".lab" / NAME
PASSWORD = "only for this bench"
SEEDING = 6
KIB = 1024
LOOP = """
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


class Bench:
    """One host and what is played on it."""

    def __init__(self, work: Path) -> None:
        self.inventory = work / "inventory.yml"
        self.environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_SSH_COMMON_ARGS": f"-F {LAB}/ssh_config",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"~/.ansible/cp/{NAME}",
        }
        self.want(0, KIB)

    def want(self, count: int, size: int) -> None:
        """So many torrents of this size from now on."""
        entries = [{"name": f"item-{number:05}", "synthetic": {"size": size}} for number in range(count)]
        box = {"hosts": {"box": {}}}
        told = {
            "hosts": {"box": {"container_host_release": "trixie"}},
            "children": {"trackers": box, "seeders": box},
            "vars": {"lab_name": NAME, "transmission_rpc_password": PASSWORD, "catalogue_torrents": entries},
        }
        self.inventory.write_text(json.dumps({"all": told}), encoding="utf-8")

    def play(self, playbook: str, *arguments: str) -> str:
        command = ["ansible-playbook", f"--inventory={self.inventory}", *arguments, str(ROOT / playbook)]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        return done.stdout

    def on_host(self, script: str, *arguments: str) -> None:
        command = ["ssh", "-F", f"{LAB}/ssh_config", "box", "bash", "-s", "--", *(repr(one) for one in arguments)]
        subprocess.run(command, input=script, text=True, check=True)

    def rpc(self) -> RpcClient:
        (address,) = re.findall(r"HostName (\S+)", (LAB / "ssh_config").read_text(encoding="utf-8"))
        return RpcClient(address, 8081, ("seedbed", PASSWORD))


class Watched:
    """Something that adds torrents, in a process of its own, watched until all of them seed."""

    def __init__(self, bench: Bench, work: Callable[[], object], count: int) -> None:
        rpc, began = bench.rpc(), time.monotonic()
        self.curve: list[tuple[int, float]] = []
        child = os.fork()
        if not child:
            work()
            os._exit(0)
        seeding = 0
        while seeding < count:
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
    said = bench.play("bench/scale.yml", "--tags=catalogue")
    if not re.search(r"changed=0 ", said):
        sys.exit(f"a second run changed something:\n{said[-2000:]}")
    return time.monotonic() - began


def clear(bench: Bench) -> None:
    """No torrents and no content."""
    rpc = bench.rpc()
    held = [torrent["hashString"] for torrent in rpc.call("torrent-get", {"fields": ["hashString"]})["torrents"]]
    if held:
        rpc.call("torrent-remove", {"ids": held})
    rpc.close()
    bench.want(0, KIB)
    bench.play("bench/scale.yml", "--tags=catalogue")


def measure(bench: Bench, count: int, experiment: int) -> None:
    def play() -> object:
        return bench.play("bench/scale.yml", "--tags=catalogue")

    bench.on_host(CONTENT, str(count))
    (address,) = re.findall(r"HostName (\S+)", (LAB / "ssh_config").read_text(encoding="utf-8"))
    loop = Watched(bench, lambda: bench.on_host(LOOP, PASSWORD, f"http://{address}:8888/announce"), count)
    clear(bench)
    bench.want(10, KIB * KIB)
    play()
    few = min(again(bench), again(bench))
    clear(bench)
    bench.want(count, KIB * KIB)
    ours = Watched(bench, play, count)
    many = min(again(bench), again(bench))
    print(f"| {count} torrents of 1 MiB | seconds |\n|---|---|")
    print(f"| the shell loop: all added and seeding | {loop.seeding:.1f} |")
    print(f"| the play, content made too: all added and seeding | {ours.seeding:.1f} |")
    print(f"| the play to its end, every one announced | {ours.ended:.1f} |")
    print(f"| the play again, changed=0 | {many:.1f} |")
    print(f"| the play again with 10 torrents, changed=0 | {few:.1f} |")
    print(f"\nAll seeding {loop.seeding / ours.seeding:.1f} times as fast as the loop (aim 5).")
    print(f"A run without changes takes {many / few:.2f} times as long as with 10 torrents (aim: under 2).", flush=True)
    if experiment:
        clear(bench)
        bench.want(experiment, 64 * KIB)
        most = Watched(bench, play, experiment)
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
            bench.play("bench/scale.yml", "--tags=daemons")
            bench.on_host("apt-get install --yes --no-install-recommends transmission-cli > /dev/null 2>&1")
            measure(bench, options.count, options.experiment)
        finally:
            bench.play("playbooks/local_hosts.yml", "--extra-vars=container_host_state=absent")


if __name__ == "__main__":
    main()
