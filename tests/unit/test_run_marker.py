"""The mark of a run that has begun, and what a run that was cut off leaves to be proven anew."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def mark(tmp_path: Path) -> Callable[..., dict[str, bool]]:
    def run(state: str, *options: str) -> dict[str, bool]:
        proofs = [f"{tmp_path}/proof", f"{tmp_path}/lab/ports"]
        given = {"state": state, "path": f"{tmp_path}/lab/begun", "proofs": proofs}
        done = subprocess.run(
            ["ansible", "localhost", "-m", "run_marker", "--args", json.dumps(given), *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.findall(r"(changed|cut_off): (true|false)", done.stdout)
        return {"failed": done.returncode != 0, **{name: value == "true" for name, value in found}}

    return run


def test_only_a_run_that_was_cut_off_takes_proofs(tmp_path: Path, mark: Callable[..., dict[str, bool]]) -> None:
    proof, ports = tmp_path / "proof", tmp_path / "lab/ports"
    proof.mkdir()
    (proof / "leecher1.json").touch()
    assert mark("begun", "--check") == {"failed": False, "changed": False, "cut_off": False}
    assert not (tmp_path / "lab").exists()
    assert mark("begun") == {"failed": False, "changed": False, "cut_off": False}
    ports.touch()
    assert mark("ended") == {"failed": False, "changed": False, "cut_off": True}
    assert mark("ended") == {"failed": False, "changed": False, "cut_off": False}
    assert mark("begun")["changed"] is False  # and is killed
    assert mark("begun", "--check")["changed"] is True
    assert (proof.exists(), ports.exists()) == (True, True)
    assert mark("begun")["changed"] is True
    assert (proof.exists(), ports.exists()) == (False, False)
    assert mark("begun") == {"failed": False, "changed": False, "cut_off": True}


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path, mark: Callable[..., dict[str, bool]]) -> None:
    (tmp_path / "lab").touch()
    assert mark("begun")["failed"] is True
