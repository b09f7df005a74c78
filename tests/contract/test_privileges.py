"""Root on the hosts, nobody in particular on the controller: plays say so, inventories do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# They connect to nobody.
LOCAL = ("local_hosts.yml", "bundle.yml")
PLAYBOOKS = sorted(path for path in (ROOT / "playbooks").glob("*.yml") if path.name not in LOCAL)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or []


def tasks(entries: Any) -> Iterator[dict[str, Any]]:
    """Return the tasks of a file, those in blocks as well."""
    for entry in entries:
        yield entry
        for part in ("block", "rescue", "always"):
            yield from tasks(entry.get(part, []))


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.name)
def test_plays_become_root_on_hosts_and_stay_the_operator_here(playbook: Path) -> None:
    for play in load(playbook):
        if "hosts" in play:
            assert play["become"] is ("localhost" not in play["hosts"]), play["name"]


@pytest.mark.parametrize("part", ["tasks", "handlers"])
def test_tasks_on_the_controller_stay_the_operators(part: str) -> None:
    for file in sorted(ROOT.glob(f"roles/*/{part}/*.yml")):
        for task in tasks(load(file)):
            if "delegate_to" in task and not task.get("delegate_facts"):
                # On another host of the lab it is root, as the play is.
                assert (task["delegate_to"] == "localhost") == (task.get("become") is False), task


@pytest.mark.parametrize("name", ["preflight.yml", "site.yml", "download.yml", "doctor.yml"])
def test_every_play_for_hosts_leaves_out_those_that_are_down(name: str) -> None:
    for play in load(ROOT / "playbooks" / name):
        if play.get("hosts") not in (None, "localhost", "portals[0]"):
            assert "| without_absent(lab_absent | default([]))" in play["hosts"], play["name"]


def test_inventories_say_how_to_connect_and_nothing_of_root() -> None:
    for file in ROOT.glob("inventories/**/*.yml"):
        assert "ansible_become" not in file.read_text(encoding="utf-8"), file
