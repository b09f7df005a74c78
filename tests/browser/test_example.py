"""The suite that testers are shown is itself run against the lab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_for_testers_passes(portal: str, catalogue: list[dict[str, Any]]) -> None:
    public = min(
        (item for item in catalogue if item["magnet"] and item["swarm"]["seeders"]), key=lambda one: one["size"]
    )
    private = next(item for item in catalogue if item["private"])
    names = f"{public['name']},{private['name']}"
    client = f"{sys.executable} {ROOT}/tests/browser/client.py {{torrent}} {{directory}}"
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir=/",
            "docs/examples/test_download.py",
        ],
        cwd=ROOT,
        env={**os.environ, "PORTAL": portal, "CLIENT": client, "ITEMS": names, "no_proxy": "*"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed" in run.stdout
