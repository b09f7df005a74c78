"""What the scenarios share that interrupt runs: a host that waits for a moment, a run until then, the lab around it."""

from __future__ import annotations

import contextlib
import re
import select
import subprocess
from pathlib import Path
from typing import Any, Iterator

from ansible.module_utils.seedbed.transmission.rpc import RpcClient

MOLECULE = Path(__file__).resolve().parent
ROOT = MOLECULE.parent
INVENTORY = f"--inventory={MOLECULE}/survive/inventory.yml"
PASSWORD = "only for this test"


@contextlib.contextmanager
def waiting_for(lab: Any, host: str, *moment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have that host wait for a moment and then kill what Ansible runs there, or only say so after a second "watch"."""
    command = ["ssh", "-F", str(lab.directory / "ssh_config"), host, "python3", "-", *moment]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        process.stdin.write((MOLECULE / "killer.py").read_bytes())
        process.stdin.close()
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            process.kill()


def ended_before(run: subprocess.Popen[bytes], waiting: subprocess.Popen[bytes]) -> bool:
    """Wait for the moment that a host waits for; return whether the run that should come to it ended before."""
    while run.poll() is None and not select.select([waiting.stdout.fileno()], [], [], 0.2)[0]:
        pass
    return run.poll() is not None


def site(lab: Any, *variables: str) -> str:
    """Run site.yml to its end, and return what it says."""
    run = lab.playbook(INVENTORY, "playbooks/site.yml", *variables)
    assert run.returncode == 0, run.stdout[-5000:]
    return str(run.stdout)


def in_one_line(said: str) -> str:
    """Return what a run says without its colours and line ends: long sentences are broken."""
    return " ".join(re.sub(r"\x1b\[[\d;]*m", "", said).split())


def seeders_rpc(lab: Any) -> contextlib.closing[RpcClient]:
    """The way to the seeder's daemon."""
    return contextlib.closing(RpcClient(lab.address("seeder1"), 8081, ("seedbed", PASSWORD), timeout=120))


def torrents(lab: Any) -> set[tuple[str, int, int]]:
    """Return what the seeder has: hash, status and missing bytes of each torrent."""
    with seeders_rpc(lab) as client:
        fields = {"fields": ["hashString", "status", "leftUntilDone"]}
        found = client.call("torrent-get", fields)["torrents"]
    return {(torrent["hashString"], torrent["status"], torrent["leftUntilDone"]) for torrent in found}
