"""The module catalogue_payload as Ansible runs it: quick work at once, long work in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import catalogue_payload
import pytest
from ansible.module_utils.testing import patch_module_args

ROOT = Path(__file__).resolve().parents[2]
ENTRY = {
    "name": "one",
    "kind": "synthetic",
    "state": "present",
    "piece_length": 0,
    "hybrid": False,
    "hash": True,
    "available": None,
    "recipe": {"size": 300_000, "seed": "one"},
}


@pytest.fixture
def call(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    def run(*, check: bool = False, wait: int = 60) -> dict[str, Any]:
        arguments = {
            "payload_dir": str(tmp_path / "payload"),
            "state_dir": str(tmp_path / "state"),
            "entries": [ENTRY],
            "client": "",
            "wait": wait,
            "_ansible_check_mode": check,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            catalogue_payload.main()
        told = json.loads(capfd.readouterr().out)
        assert isinstance(told, dict)
        return told

    return run


def test_made_once(call: Any, tmp_path: Path) -> None:
    foreseen = call(check=True)
    assert not list(tmp_path.iterdir())
    first, second = call(), call()
    assert (foreseen["changed"], first["changed"], second["changed"]) == (True, True, False)
    pieces = {json.loads(told["payloads_json"])[0]["pieces"] for told in (foreseen, first, second)}
    assert len(pieces) == 1
    assert first["diff"]["after"] == "one\n"


def test_long_work_goes_on_in_the_background(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_payload, "LONG", 1)
    told = call(wait=0)
    assert (told["changed"], told["finished"]) == (False, False)
    while not told["finished"]:
        told = call(wait=1)
    assert told["changed"]
    assert json.loads(told["payloads_json"])[0]["name"] == "one"
    assert not call()["changed"]


def test_the_controller_asks_until_it_is_done_and_tells_how_far_it_is(tmp_path: Path) -> None:
    # Hashing more than LONG bytes, of which a hundredth is written.
    spec = {**ENTRY, "name": "long", "piece_length": 2**20, "available": 10_000}
    arguments = {
        "payload_dir": str(tmp_path / "payload"),
        "state_dir": str(tmp_path / "state"),
        "entries": [{**spec, "recipe": {"size": catalogue_payload.LONG, "seed": "long"}}],
        "client": "",
        "wait": 0,
    }
    run = subprocess.run(
        ["ansible", "localhost", "--module-name", "catalogue_payload", "--args", json.dumps(arguments)],
        env={**os.environ, "NO_COLOR": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    told = [line for line in run.stdout.splitlines() if line.startswith("localhost: ")]
    assert told
    assert any(re.match(r"localhost: hashing: .* of 2 GiB \(\d+ %\)", line) for line in told), told
    assert "finished: true" in run.stdout
    assert '"name":"long"' in run.stdout.replace("\\", "")


def test_progress_for_people() -> None:
    told = {"step": "making", "done": 3 * 2**30, "total": 12 * 2**30, "rate": 1.5 * 2**30}
    assert catalogue_payload._unfinished(told)["progress"] == (
        "making: 3 GiB of 12 GiB (25 %), 1.5 GiB/s, about 6 s left for this step"
    )
    # In the first second there is no speed yet.
    assert catalogue_payload._unfinished({**told, "rate": 0})["progress"] == "making: 3 GiB of 12 GiB (25 %)"
    assert catalogue_payload._unfinished({})["progress"] == "at work, with nothing done yet"
