"""The module catalogue_payload as Ansible runs it: quick work at once, long work in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import catalogue_payload
import pytest
from ansible.module_utils.testing import patch_module_args

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
    assert foreseen["payloads"][0]["pieces"] == first["payloads"][0]["pieces"] == second["payloads"][0]["pieces"]
    assert first["diff"]["after"] == "one\n"


def test_long_work_goes_on_in_the_background(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_payload, "LONG", 1)
    told = call(wait=0)
    assert (told["changed"], told["finished"]) == (False, False)
    while not told["finished"]:
        told = call(wait=1)
    assert told["changed"]
    assert told["payloads"][0]["name"] == "one"
    assert not call()["changed"]


def test_progress_for_people() -> None:
    told = {"step": "making", "done": 3 * 2**30, "total": 12 * 2**30, "rate": 1.5 * 2**30}
    assert catalogue_payload._unfinished(told)["progress"] == (
        "making: 3.0 GiB of 12.0 GiB (25 %), 1.5 GiB/s, about 6 s left for this step"
    )
    # In the first second there is no speed yet.
    assert catalogue_payload._unfinished({**told, "rate": 0})["progress"] == "making: 3.0 GiB of 12.0 GiB (25 %)"
    assert catalogue_payload._unfinished({})["progress"] == "waiting for work that another call began"
