"""Runs playbooks as people do; one that has to refuse, with inventories/local, whose hosts need not exist."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def run_playbook() -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(
        playbook: str | Path,
        *arguments: str,
        config: Path = ROOT / "ansible.cfg",
        inventory: str = "inventories/local",
        **variables: object,
    ) -> subprocess.CompletedProcess[str]:
        """The run of a playbook: a path, or a name of this project's."""
        named = playbook if isinstance(playbook, Path) else f"playbooks/{playbook}"
        # Every task is named: a test may look for one that must not have run.
        output = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_FORCE_COLOR": "0"}
        return subprocess.run(
            ["ansible-playbook", f"--inventory={inventory}", str(named), "-e", json.dumps(variables), *arguments],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_CONFIG": str(config), **output},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def refused(run_playbook: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., str]:
    def run(playbook: str, **variables: object) -> str:
        """What the run says, on one line."""
        given = {"lab_name": "never-booted", "transmission_rpc_password": "secret", **variables}
        done = run_playbook(playbook, **given)
        assert done.returncode in (2, 4), done.stdout  # failed, or unreachable
        return " ".join(done.stdout.split())

    return run
