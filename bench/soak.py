"""A long while with a scripted seeder: 200 peers of one torrent, good and bad, and three clients that come and go.

    bench/soak.py [--minutes N]

The clients download everything, throw it away and begin again. At the end the daemon's memory is what it was when all
had come once, and it has written no exception. Traffic stays on loopback and ends with the script.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ansible.module_utils
import libtorrent

ROOT = Path(__file__).resolve().parent.parent
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))

from ansible.module_utils.seedbed.payload.virtual import virtual_payload  # noqa: E402 - needs the path above
from ansible.module_utils.seedbed.torrent.metainfo import torrent_metainfo  # noqa: E402

MIB = 2**20
PEERS = 200
SIZE, PIECE = 64 * MIB, 128 * 1024
HONEST = {"behaviour": "healthy", "upload_limit": "256KiB/s"}
# In turn, each beside an honest one, so that a download ends.
BAD = ("corrupt", "stall", "flap", "grow", "reject-some", "choke-cycle", "drop-some", "partial", "snub", "super-seed")
WARM = 0.5  # of the time: by then every client has met every peer, and what is remembered of them is full
GROWTH = 1.15  # what memory may have grown to since


def prepare(work: Path) -> Path:
    """Write the torrent and the daemon's configuration."""
    spec = {
        "kind": "synthetic",
        "name": "soak",
        "state": "present",
        "piece_length": PIECE,
        "hybrid": False,
        "hash": True,
    }
    made = torrent_metainfo(virtual_payload({**spec, "recipe": {"size": SIZE, "seed": "soak"}}))
    torrent = work / "soak.torrent"
    torrent.write_bytes(base64.b64decode(made["metainfo"]))
    addresses = [f"127.0.1.{number}" for number in range(1, PEERS + 1)]
    bad = [{"behaviour": BAD[number % len(BAD)]} for number in range(PEERS // 2)]
    scripts = [script for each in bad for script in (HONEST, each)]
    played = {
        "info_hash": made["info_hash"],
        "torrent": str(torrent),
        "seed": "soak",
        "peers": [{"address": address, "script": script} for address, script in zip(addresses, scripts)],
        "trackers": {"1-1": {"behaviour": "healthy"}},
    }
    config = work / "scripted.json"
    config.write_text(json.dumps({"port": 0, "addresses": addresses, "torrents": [played]}), encoding="utf-8")
    return config


class Client:
    """One that downloads, throws away and begins again."""

    def __init__(self, work: Path, number: int, port: int, **settings: int) -> None:
        self.directory, self.port, self.rounds = work / f"client{number}", port, 0
        self.torrent = str(work / "soak.torrent")
        address = f"127.0.2.{number}"
        quiet = {"enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False}
        more = {"connections_limit": 500, "connection_speed": 200, "outgoing_interfaces": address}
        listen = {"listen_interfaces": f"{address}:0", "alert_mask": 0, "allow_multiple_connections_per_ip": False}
        self.session = libtorrent.session({**quiet, **more, **listen, **settings})
        self.begin()

    def begin(self) -> None:
        params = libtorrent.add_torrent_params()
        params.ti = libtorrent.torrent_info(self.torrent)
        params.trackers = [f"http://127.0.1.1:{self.port}/announce/1-1/announce"]
        params.save_path = str(self.directory)
        self.handle = self.session.add_torrent(params)

    def look(self) -> None:
        """Begin again when all is there."""
        if self.handle.status().is_seeding:
            self.rounds += 1
            self.session.remove_torrent(self.handle)
            shutil.rmtree(self.directory, ignore_errors=True)  # the session may still be writing: then it stays
            self.begin()


def memory(pid: int) -> int:
    """The bytes that a process has in memory."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    seconds = parser.parse_args().minutes * 60
    with tempfile.TemporaryDirectory(prefix="seedbed-soak-") as directory:
        work = Path(directory)
        command = [sys.executable, str(ROOT / "bench/own.py"), "scripted", str(prepare(work))]
        with (work / "said").open("w", encoding="utf-8") as said:
            daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True)
        assert daemon.stdout
        port = int(daemon.stdout.readline().split()[-1])
        began, sizes = time.monotonic(), []
        ways = ({}, {"out_enc_policy": 0, "in_enc_policy": 0}, {"out_enc_policy": 2, "in_enc_policy": 2})
        clients = [Client(work, number, port, **way) for number, way in enumerate(ways, 1)]
        try:
            while (age := time.monotonic() - began) < seconds and daemon.poll() is None:
                for client in clients:
                    client.look()
                sizes.append((age, memory(daemon.pid)))
                time.sleep(1)  # between two looks at memory
            ended = daemon.poll()
            rounds = sum(client.rounds for client in clients)
            peers = [client.handle.status().num_peers for client in clients]
        finally:
            clients.clear()
            daemon.terminate()
            daemon.wait()
        words = (work / "said").read_text(encoding="utf-8")
    warm = max(size for age, size in sizes if age <= max(WARM * seconds, sizes[0][0]))
    last = sizes[-1][1]
    print(
        f"{PEERS} scripted peers, 3 clients with {rounds} downloads in {sizes[-1][0] / 60:.1f} minutes; "
        f"connected at the end: {peers}"
    )
    print(f"memory: {warm / MIB:.1f} MiB at most in the first half, {last / MIB:.1f} MiB at the end")
    print(f"exceptions: {words.count('Traceback')}")
    well = ended is None and not words.strip() and last <= warm * GROWTH
    print("well" if well else f"not well: {words[-2000:]}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
