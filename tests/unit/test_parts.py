"""scripts/parts: parts run side by side, a failure stops none of them, and a table ends it all."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Called as: molecule test --scenario-name NAME
MOLECULE = """#!/bin/bash
cd "$(dirname "$0")"
case $3 in
    bad) echo "what was wrong with it"; exit 3 ;;
    good) printf '\\e[32m===== \\e[1m7 passed\\e[0m\\e[32m in 1.23s =====\\e[0m\\n' ;;
    # Each ends when the other has begun.
    first | second) touch "$3"; until [ -e first ] && [ -e second ]; do sleep 0.05; done ;;
    endless) sleep 1000 & echo $! >child; wait ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with this script, and with scenarios for a Molecule of our own."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "parts", tmp_path / "scripts")
    for name in ("bad", "endless", "first", "good", "second"):
        (tmp_path / "molecule" / name).mkdir(parents=True)
        (tmp_path / "molecule" / name / "molecule.yml").touch()
    program = tmp_path / "bin" / "molecule"
    program.parent.mkdir()
    program.write_text(MOLECULE, encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def start(project: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(project / "scripts" / "parts"), *arguments],
        env={**os.environ, "PATH": f"{project / 'bin'}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_failure_is_shown_and_the_others_go_on(project: Path) -> None:
    run = start(project, "bad", "good", "--jobs", "2")
    shown, _ = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "\nwhat was wrong with it\n" in shown
    assert "\n    7 passed in 1.23s\n" in shown
    *_, bad, good, total, last = shown.splitlines()
    assert re.fullmatch(r"bad   FAILED +\d+ s  artifacts/tests/bad\.log", bad)
    assert re.fullmatch(r"good  passed +\d+ s  artifacts/tests/good\.log", good)
    assert re.fullmatch(r"all +\d+ s", total)
    assert last == "1 passed, 1 failed"
    assert (project / "artifacts" / "tests" / "bad.log").read_text(encoding="utf-8") == "what was wrong with it\n"


def test_parts_run_side_by_side(project: Path) -> None:
    run = start(project, "first", "second", "--jobs", "2")
    shown, _ = run.communicate(timeout=120)
    assert run.returncode == 0
    assert shown.endswith("\n2 passed, 0 failed\n")


def test_one_part_shows_what_it_says_at_once(project: Path) -> None:
    shown, _ = start(project, "bad").communicate(timeout=120)
    assert shown.count("what was wrong with it") == 1


def test_each_time_has_a_line_of_its_own(project: Path) -> None:
    shown, _ = start(project, "good", "--repeat", "2", "--busy", "1").communicate(timeout=120)
    assert re.findall(r"^(\S+) +passed +\d+ s", shown, re.MULTILINE) == ["good", "good-2"]
    assert shown.endswith("\n2 passed, 0 failed\n")


def test_a_part_that_does_not_exist_is_named(project: Path) -> None:
    run = start(project, "good", "goood")
    shown, _ = run.communicate(timeout=120)
    assert run.returncode == 2
    assert "no part is called goood; there are lint, unit, bad, endless, first, good, second" in shown


def test_who_ends_the_run_ends_its_parts(project: Path) -> None:
    run, child = start(project, "endless", "good", "--jobs", "1"), project / "bin" / "child"
    deadline = time.monotonic() + 120
    while not (child.exists() and child.read_text(encoding="utf-8").strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between two looks; the deadline bounds the wait
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=120)
    assert run.returncode == 143
    ps = ["ps", "--no-headers", "-o", "stat,args", "--pid", child.read_text(encoding="utf-8").strip()]
    while re.match(r"[^Z]\S* +sleep", subprocess.run(ps, capture_output=True, text=True, check=False).stdout):
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between two looks; the deadline bounds the wait
