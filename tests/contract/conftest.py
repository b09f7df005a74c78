"""Runs a playbook that has to refuse, with inventories/local, whose hosts need not exist."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Every task is named: a test may look for one that must not have run.
OUTPUT = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}


@pytest.fixture(scope="session")
def refused() -> Callable[..., str]:
    def run(
        playbook: str, *, config: Path = ROOT / "ansible.cfg", inventory: str = "inventories/local", **variables: object
    ) -> str:
        """What the run says, on one line."""
        given = {"lab_name": "never-booted", "transmission_rpc_password": "secret", **variables}
        done = subprocess.run(
            ["ansible-playbook", f"--inventory={inventory}", f"playbooks/{playbook}", "-e", json.dumps(given)],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_CONFIG": str(config), "ANSIBLE_FORCE_COLOR": "0", **OUTPUT},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (2, 4), done.stdout  # failed, or unreachable
        return " ".join(done.stdout.split())

    return run
