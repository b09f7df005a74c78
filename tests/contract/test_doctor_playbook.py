"""What an operator reads when there is no lab to look at: playbooks/doctor.yml."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_lab_that_is_not_up_is_told_in_one_sentence() -> None:
    run = subprocess.run(
        [
            "ansible-playbook",
            "--inventory=inventories/local",
            "playbooks/doctor.yml",
            "--extra-vars=lab_name=never-booted",
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "No catalogue: tracker1, the portal, cannot be reached by SSH." in " ".join(run.stdout.split())
