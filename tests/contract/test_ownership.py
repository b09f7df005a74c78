"""What a role makes on a host it makes by modules that write it down, so that nothing else is ever taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# The role container_host works on the controller's own machine, with a lab of its own for each name.
TASKS = sorted(path for path in ROOT.glob("roles/*/tasks/*.yml") if "container_host" not in path.parts)
WRITE_DOWN = (
    *("service_unit", "nft_table", "torrent_file", "transmission_settings", "owned"),
    *("scripted_peers", "impairment"),
)
# They make or take away whatever a variable names.
BLIND = ("apt", "dnf", "package", "user", "group", "file", "template", "systemd_service", "service", "blockinfile")


def tasks(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return the tasks of a file, those in blocks with what the block says of them."""
    for entry in entries:
        yield entry
        inherited = {key: entry[key] for key in ("delegate_to", "changed_when") if key in entry}
        for part in ("block", "rescue", "always"):
            yield from tasks([{**inherited, **task} for task in entry.get(part, [])])


@pytest.mark.parametrize("path", TASKS, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_every_task_that_makes_something_says_for_which_role(path: Path) -> None:
    role = path.parts[-3]
    for task in tasks(yaml.safe_load(path.read_text(encoding="utf-8")) or []):
        for module in WRITE_DOWN:
            # A table is confirmed by a second call, and playbooks/remove.yml takes back what is there for any role.
            if module in task and task[module].get("state") != "confirmed" and path.stem != "remove":
                for_role = task[module].get("role", "")
                # What a role takes back alone goes by a name of its own, that begins with the role's.
                own = for_role == role or for_role.startswith(f"{role}_")
                assert own or (role == "lab" and for_role.startswith("{{ lab_")), task["name"]


@pytest.mark.parametrize("path", TASKS, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_no_task_makes_or_removes_what_is_not_written_down(path: Path) -> None:
    for task in tasks(yaml.safe_load(path.read_text(encoding="utf-8")) or []):
        for module in BLIND:
            # On the controller, or in a directory that is gone when the step ends.
            harmless = task.get("delegate_to") == "localhost" or task.get("changed_when") is False
            assert f"ansible.builtin.{module}" not in task or harmless, task["name"]
