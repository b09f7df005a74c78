"""The suite that docs/for-testers.md shows is itself run against the lab."""

from __future__ import annotations

import subprocess


def test_the_example_for_testers_passes(example: subprocess.Popen[str]) -> None:
    told, _ = example.communicate(timeout=900)
    assert example.returncode == 0, told
    assert "3 passed" in told
