"""Container hosts of a bench's own, booted as `make lab` does (needs root and podman), and what is played on them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "only for this bench"
# A disk would be measured with what was deleted on it lately: ext4 makes files several times slower for minutes then.
MEMORY = """
set -eu
for place in /srv /var/lib/transmission-daemon; do
    mkdir -p "$place"
    mount -t tmpfs -o size=4g tmpfs "$place"
done
"""


class Hosts:
    """The hosts of one bench."""

    def __init__(self, work: Path, name: str) -> None:
        self.name, self.lab = name, ROOT / ".lab" / name
        # JSON by its name, too: Ansible reads that many times as quickly as YAML.
        self.inventory = work / "inventory.json"
        self.environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_REMOTE_USER": "root",
            "ANSIBLE_SSH_COMMON_ARGS": f"-F {self.lab}/ssh_config",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"~/.ansible/cp/{name}",
        }

    def write(self, inventory: dict[str, Any]) -> None:
        """Have all that is played from now on read this inventory."""
        variables = {"lab_name": self.name, "transmission_rpc_password": PASSWORD, **inventory.get("vars", {})}
        self.inventory.write_text(json.dumps({"all": {**inventory, "vars": variables}}), encoding="utf-8")

    def play(self, playbook: str, *arguments: str) -> str:
        """Run a playbook to its end, and return what it said."""
        command = ["ansible-playbook", f"--inventory={self.inventory}", *arguments, str(ROOT / playbook)]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        return done.stdout

    def ssh(self, host: str, *words: str) -> list[str]:
        """The words that run a command on one of the hosts."""
        return ["ssh", "-F", f"{self.lab}/ssh_config", host, *words]

    def on(self, host: str, script: str, *arguments: str) -> None:
        """Run a script on one of the hosts."""
        quoted = [repr(argument) for argument in arguments]
        subprocess.run(self.ssh(host, "bash", "-s", "--", *quoted), input=script, text=True, check=True)

    def address(self, host: str) -> str:
        """Its address once it runs, empty before."""
        config = self.lab / "ssh_config"
        text = config.read_text(encoding="utf-8") if config.exists() else ""
        found = re.search(rf"^Host {host}\n  HostName (\S+)", text, re.MULTILINE)
        return found[1] if found else ""

    def known(self, host: str) -> dict[str, str]:
        """What an inventory says of it once it runs, so that no facts have to be gathered for its address."""
        return {"lab_address": self.address(host)} if self.address(host) else {}

    def remove(self) -> None:
        """Take the hosts away."""
        self.play("playbooks/local_hosts.yml", "--extra-vars=container_host_state=absent")
