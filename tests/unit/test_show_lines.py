"""The lines of show_lines, as a person and as a file see them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = [
    {"text": "item   verdict"},
    {"text": "a'b\"  gone", "severity": "fault"},
    {"text": "ok     healthy", "severity": "ok"},
]


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ("ANSIBLE_NOCOLOR", "item   verdict\na'b\"  gone\nok     healthy\n"),
        ("ANSIBLE_FORCE_COLOR", "item   verdict\n\x1b[0;31ma'b\"  gone\x1b[0m\n\x1b[0;32mok     healthy\x1b[0m\n"),
    ],
)
def test_lines_are_shown_as_they_are(setting: str, shown: str) -> None:
    colours = ("ANSIBLE_NOCOLOR", "NO_COLOR", "ANSIBLE_FORCE_COLOR")
    run = subprocess.run(
        ["ansible", "localhost", "--module-name", "show_lines", "--args", json.dumps({"lines": LINES})],
        env={**{name: value for name, value in os.environ.items() if name not in colours}, setting: "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith(shown)
    assert "changed: false" in run.stdout
