#!/usr/bin/env python3
"""Measure the tracker at its limit: against the distribution's own binary, and beside a download.

    make bench-tracker
    bench/tracker.py --seconds 5

Boots one Debian 13 host as `make lab` does (needs root and podman), with the whole lab on it, and removes it at the
end. What is told is how many questions a tracker answers in a second of processor time: who asks takes more of the
machine than the tracker does, and how fast that is does not matter. The two are asked in turn, and the best round of
each counts. Then a leecher fetches one item with nobody beside it, and again while the tracker is asked as fast as it
answers. Not one question may be lost. All traffic stays on the host.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Sequence

ROOT = Path(__file__).resolve().parent.parent
NAME = "seedbed-bench-tracker"
LAB = ROOT / ".lab" / NAME
HOST = "box"
IN_THE_LAB, ALONE = 8888, 8990
TORRENTS = 1000
ITEM = "fetched.bin"
SLOWER = 4.0
"""How many times longer the download may take beside the load, which has the same cores."""
UNITS = ("ours", "debians")
ASKED = [(protocol, kind) for protocol in ("http", "udp") for kind in ("announce", "scrape")]
# Each in a network of its own, with loopback alone and without connection tracking, which would be full within seconds.
# Debian's is unpacked beside what is installed, whose unit has the same name.
TRACKERS = """
set -eu
cd /root
libraries=$(apt-cache depends --important opentracker | sed -n 's/.*Depends: \\(libowfat[^ ]*\\)/\\1/p')
apt-get download opentracker $libraries > /dev/null 2>&1
for package in *.deb; do dpkg-deb --extract "$package" debian; done
library=$(dirname "$(find /root/debian -name 'libowfat.so*' | head -n 1)")
run() {
    mkdir -p "/srv/$1"
    cp /root/hashes "/srv/$1/whitelist"
    printf "listen.tcp_udp 127.0.0.1:8990\\ntracker.rootdir /srv/$1\\n$3" > "/srv/$1/conf"
    systemd-run --quiet --unit "$1" --property=PrivateNetwork=yes --property=LimitNOFILE=65536 \\
        --setenv="LD_LIBRARY_PATH=$library" "$2" -f "/srv/$1/conf"
}
run ours /opt/opentracker/current/opentracker ""
run debians /root/debian/usr/bin/opentracker "access.whitelist /whitelist\\n"
"""


class Bench:
    """The host, and what is done on it."""

    def __init__(self, work: Path) -> None:
        self.inventory = work / "inventory.json"
        groups = ("trackers", "seeders", "leechers", "portals")
        inventory = {
            "hosts": {HOST: {"container_host_release": "trixie"}},
            "children": {group: {"hosts": {HOST: {}}} for group in groups},
            "vars": {
                "lab_name": NAME,
                "lab_acceptance": "never",
                # What is asked from loopback counts for the connection tracking, too.
                "lab_firewall_untracked": True,
                "lab_networks": ["10.0.0.0/8", "127.0.0.0/8"],
                "transmission_rpc_password": "only for this bench",
                "catalogue_torrents": [{"name": ITEM, "synthetic": {"size": "512MiB"}}],
            },
        }
        self.inventory.write_text(json.dumps({"all": inventory}), encoding="utf-8")
        self.results = work / "results.json"
        self.environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_REMOTE_USER": "root",
            "ANSIBLE_SSH_COMMON_ARGS": f"-F {LAB}/ssh_config",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"~/.ansible/cp/{NAME}",
        }

    def play(self, playbook: str, *arguments: str) -> None:
        command = ["ansible-playbook", f"--inventory={self.inventory}", *arguments, str(ROOT / "playbooks" / playbook)]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")

    def on(self, command: str, script: str = "") -> str:
        """Run a command on the host, with this as its input."""
        ssh = ["ssh", "-F", f"{LAB}/ssh_config", HOST, command]
        return subprocess.run(ssh, input=script, text=True, stdout=subprocess.PIPE, check=True).stdout

    def main_pid(self, unit: str) -> str:
        return self.on(f"systemctl show --property=MainPID --value {unit}").strip()

    def ask(self, unit: str, port: int, what: Sequence[str], *, seconds: float, processes: int) -> dict[str, Any]:
        """Ask the tracker of a unit, in its network."""
        pid, (protocol, kind) = self.main_pid(unit), what
        words = f"nsenter --net=/proc/{pid}/ns/net python3 - {port} {pid} {protocol} {kind} {seconds} {processes}"
        script = (ROOT / "bench" / "announces.py").read_text(encoding="utf-8")
        told: dict[str, Any] = json.loads(self.on(f"{words} /root/hashes", script))
        lost = told["asked"] - told["answered"]
        if lost:
            sys.exit(f"{unit}: {lost} of {told['asked']} {kind}s over {protocol} are lost: {told['faults']}")
        return told

    def download(self) -> float:
        """Seconds that a leecher takes for the item."""
        chosen = {"torrent": ITEM, "by": "torrent", "download_trackers": ["http"], "download_json": str(self.results)}
        self.play("download.yml", f"--extra-vars={json.dumps(chosen)}")
        (one,) = json.loads(self.results.read_text(encoding="utf-8"))["downloads"]
        return float(one["seconds"]["download"])


def compare(bench: Bench, seconds: float, rounds: int) -> None:
    """Ask both trackers in turn."""
    best: dict[tuple[str, str, str], float] = {}
    asked = 0
    for _ in range(rounds):
        for protocol, kind in ASKED:
            for unit in UNITS:
                told = bench.ask(unit, ALONE, (protocol, kind), seconds=seconds, processes=2)
                rate = told["answered"] / max(told["processor"], 0.01)
                best[unit, protocol, kind] = max(best.get((unit, protocol, kind), 0), rate)
                asked += told["asked"]
    print("| answered in a second of one core | ours | Debian's | ratio |\n|---|---|---|---|")
    for protocol, kind in ASKED:
        ours, theirs = (best[unit, protocol, kind] for unit in UNITS)
        print(f"| {kind}s over {protocol} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} |")
    print(f"\nOf {asked:,} questions none was lost.", flush=True)


def beside_a_download(bench: Bench, seconds: float) -> None:
    """Fetch an item alone, and while the tracker is asked without a pause."""
    alone = min(bench.download(), bench.download())
    over = threading.Event()
    told: list[dict[str, Any]] = []

    def load() -> None:
        while not over.is_set():
            told.extend(
                bench.ask("opentracker", IN_THE_LAB, (protocol, "announce"), seconds=seconds, processes=1)
                for protocol in ("http", "udp")
            )

    asking = threading.Thread(target=load)
    asking.start()
    try:
        beside = bench.download()
    finally:
        over.set()
        asking.join()
    asked = sum(each["asked"] for each in told)
    rate = asked / sum(each["seconds"] for each in told)
    print(f"\nBeside {asked:,} announces ({rate:,.0f} a second), of which none was lost, a download takes ", end="")
    print(f"{beside:.1f} s instead of {alone:.1f} s: {beside / alone:.2f} times (at most {SLOWER}).", flush=True)
    if beside > SLOWER * alone:
        sys.exit("the download is slower than that")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="of each asking (default 3)")
    parser.add_argument("--rounds", type=int, default=4, help="of asking both trackers (default 4)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seedbed-bench-") as work:
        bench = Bench(Path(work))
        bench.play("local_hosts.yml")
        try:
            bench.play("site.yml")
            hashes = "".join(f"{number:040x}\n" for number in range(1, TORRENTS + 1))
            bench.on("cat > /root/hashes", hashes)
            bench.on("bash -s", TRACKERS)
            compare(bench, options.seconds, options.rounds)
            beside_a_download(bench, options.seconds)
        finally:
            bench.play("local_hosts.yml", "--extra-vars=container_host_state=absent")


if __name__ == "__main__":
    main()
