"""Every plugin of ours is found by Ansible, documented so that ansible-doc renders it, and has a test."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILTERS = sorted(path.stem for path in (ROOT / "filter_plugins").glob("*.py"))
MODULES = sorted(path.stem for path in (ROOT / "library").glob("*.py"))
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")) + "\n".join(
    path.read_text(encoding="utf-8") for path in (ROOT / "molecule").rglob("*.py")
)


def ansible_doc(kind: str, names: list[str]) -> dict:
    run = subprocess.run(
        ["ansible-doc", "--type", kind, "--json", *names],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "WARNING" not in run.stderr, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def rendered() -> dict[str, dict]:
    return {"filter": ansible_doc("filter", FILTERS), "module": ansible_doc("module", MODULES)}


@pytest.mark.parametrize(
    ("kind", "name"), [("filter", name) for name in FILTERS] + [("module", name) for name in MODULES]
)
def test_plugin_is_documented(rendered: dict[str, dict], kind: str, name: str) -> None:
    page = rendered[kind][name]
    assert page["doc"]["short_description"]
    assert name in page["examples"]
    assert page["return"]
    for option, spec in page["doc"].get("options", {}).items():
        assert spec.get("type"), f"{name}: {option} has no type"
        assert spec.get("description"), f"{name}: {option} is not described"


@pytest.mark.parametrize("name", FILTERS + MODULES)
def test_plugin_has_a_test(name: str) -> None:
    assert name in TESTS


@pytest.mark.parametrize("name", FILTERS)
def test_one_filter_a_file_named_after_it(name: str) -> None:
    source = (ROOT / "filter_plugins" / f"{name}.py").read_text(encoding="utf-8")
    assert f'return {{"{name}": {name}}}' in source


def test_filters_work_from_a_playbook_run() -> None:
    """The import of the shared package hangs on a mechanism of Ansible's own; it must keep working."""
    run = subprocess.run(
        ["ansible", "localhost", "-m", "ansible.builtin.debug", "-a", "msg={{ {'a': ['b']} | fault_report }}"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "a: b" in run.stdout
    assert "No filter named" not in run.stdout + run.stderr
