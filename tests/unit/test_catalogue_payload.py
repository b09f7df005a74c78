"""The module catalogue_payload as Ansible runs it: quick work at once, long work in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import catalogue_payload
import pytest
from ansible.module_utils.seedbed.base.jobs import BackgroundJob
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
SOURCE = {"name": "film", "kind": "source", "state": "present", "piece_length": 0, "hybrid": False, "hash": True}


@pytest.fixture
def call(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    def run(*entries: dict[str, Any], check: bool = False, wait: int = 120, job: str = "") -> dict[str, Any]:
        arguments = {
            "payload_dir": str(tmp_path / "payload"),
            "state_dir": str(tmp_path / "state"),
            "entries": entries or [ENTRY],
            "client": "",
            "wait": wait,
            "job": job,
            "_ansible_check_mode": check,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            catalogue_payload.main()
        result = json.loads(capfd.readouterr().out)
        assert isinstance(result, dict)
        return result

    return run


@pytest.fixture
def interrupt(call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make calls whose work goes on in the background to its end, while nobody waits for the result."""

    def run(*entries: dict[str, Any]) -> dict[str, Any]:
        with monkeypatch.context() as patch:
            patch.setattr(catalogue_payload, "LONG", 1)
            result = call(*entries, wait=0)
        with BackgroundJob(str(tmp_path / "state")) as job:
            assert job.acquire(time.monotonic() + 120)
        assert isinstance(result, dict)
        return result

    return run


def test_made_once(call: Any, tmp_path: Path) -> None:
    foreseen = call(check=True)
    assert not list(tmp_path.iterdir())
    first, second = call(), call()
    assert (foreseen["changed"], first["changed"], second["changed"]) == (True, True, False)
    pieces = {json.loads(result["payloads_json"])[0]["pieces"] for result in (foreseen, first, second)}
    assert len(pieces) == 1
    assert first["diff"]["after"] == "one\n"


def test_a_host_that_holds_nothing_gets_no_place_for_it(tmp_path: Path) -> None:
    made = {"payload_dir": str(tmp_path / "payload"), "state_dir": str(tmp_path / "state"), "entries": []}
    more = {"prune": True, "client": "", "unit": "", "wait": 5, "job": "", "processes": 1, "role": "catalogue"}
    result = catalogue_payload.run({**made, **more})
    assert (result["changed"], result["payloads_json"], list(tmp_path.iterdir())) == (False, "[]", [])


def test_long_work_goes_on_in_the_background(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_payload, "LONG", 1)
    result = call(wait=0)
    assert (result["changed"], result["finished"]) == (False, False)
    while not result["finished"]:
        result = call(wait=1, **result["again"])
    assert result["changed"]
    assert json.loads(result["payloads_json"])[0]["name"] == "one"
    assert not call()["changed"]


def test_what_a_call_that_was_interrupted_found_is_not_taken_for_what_is_there(
    call: Any, interrupt: Any, tmp_path: Path
) -> None:
    film = tmp_path / "film"
    film.write_bytes(b"as it was")
    source = {**SOURCE, "source": str(film)}
    assert not interrupt(ENTRY, source)["finished"]
    (tmp_path / "payload" / "one").unlink()
    film.write_bytes(b"as it is")
    result = call(ENTRY, source)
    assert (result["changed"], result["failures"]) == (True, [])
    assert (tmp_path / "payload" / "one").stat().st_size == 300_000
    found = {payload["name"]: payload for payload in json.loads(result["payloads_json"])}
    assert found["film"]["files"][0]["sha256"] == hashlib.sha256(b"as it is").hexdigest()
    assert not call(ENTRY, source)["changed"]


def test_what_a_call_that_was_interrupted_changed_is_reported_once(call: Any, interrupt: Any) -> None:
    """The daemon may have its files open and has to check them."""
    interrupt(ENTRY, {**ENTRY, "name": "two"})
    result = call()
    assert (result["changed"], result["made"]) == (True, 0)
    assert [payload["changed"] for payload in json.loads(result["payloads_json"])] == [True]
    assert result["diff"]["after"] == "one\ntwo\n"
    assert not call()["changed"]


def test_a_fault_that_is_over_stops_nobody(call: Any, interrupt: Any, tmp_path: Path) -> None:
    stage = tmp_path / "payload" / ".seedbed"
    stage.parent.mkdir()
    stage.write_text("in the way")
    job = interrupt(ENTRY)["again"]["job"]
    outcome = json.loads((tmp_path / "state" / "result.json").read_text())
    assert (outcome["job_id"], "Not a directory" in outcome["error"]) == (job, True)
    stage.unlink()
    assert call()["changed"]


def test_work_that_was_killed_is_done_by_the_next_run(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    never, _closed_at_the_end = os.pipe()

    def work_until_killed(*_arguments: Any) -> bytes:
        os.write(writer, str(os.getpid()).encode())
        return os.read(never, 1)

    with monkeypatch.context() as patch:
        patch.setattr(catalogue_payload, "LONG", 1)
        patch.setattr(catalogue_payload, "do", work_until_killed)
        job = call(wait=0)["again"]["job"]
    child = int(os.read(reader, 20))
    os.kill(child, 9)
    os.waitpid(child, 0)
    result = call(job=job)
    assert result["msg"] == "the process that did the work was ended before it had a result; run again to go on"
    assert call()["changed"]
    assert (tmp_path / "payload" / "one").stat().st_size == 300_000


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
    lines = [line for line in run.stdout.splitlines() if line.startswith("localhost: ")]
    assert lines
    assert any(re.match(r"localhost: hashing: .* of 2 GiB \(\d+ %\)", line) for line in lines), lines
    assert "finished: true" in run.stdout
    assert '"name":"long"' in run.stdout.replace("\\", "")


def test_progress_for_people() -> None:
    progress = {"step": "making", "done": 3 * 2**30, "total": 12 * 2**30, "rate": 1.5 * 2**30}
    assert catalogue_payload.unfinished(progress, "")["progress"] == (
        "making: 3 GiB of 12 GiB (25 %), 1.5 GiB/s, about 6 s left for this step"
    )
    # In the first second there is no speed yet.
    assert catalogue_payload.unfinished({**progress, "rate": 0}, "")["progress"] == "making: 3 GiB of 12 GiB (25 %)"
    assert catalogue_payload.unfinished({}, "")["progress"] == "at work, with nothing done yet"
