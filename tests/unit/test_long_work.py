"""The controller's side of long work: it asks until the work is done, shows how far it is, and ends with its run."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "action_plugins"
AT_WORK = {"changed": False, "finished": False, "again": {"job": "1"}, "progress": "half of it\n    a line"}
DONE = {"changed": True, "finished": True, "diff": "of it", "invocation": {}}


@pytest.fixture(params=["catalogue_payload", "transmission_torrents", "client_download", "_aria2_download", "evidence"])
def plugin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An action plugin whose module answers with `plugin.answers`; what was asked and shown are lists of it."""
    spec = importlib.util.spec_from_file_location("long_work", PLUGINS / f"{request.param}.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    made = module.ActionModule.__new__(module.ActionModule)
    made._task = SimpleNamespace(args={"wait": 3}, check_mode=False, async_val=0, diff=False)
    made._connection = made._shared_loader_obj = None
    made.asked, made.shown = [], []
    made._display = SimpleNamespace(verbosity=0)
    monkeypatch.setattr(module, "Display", lambda: SimpleNamespace(display=made.shown.append))
    monkeypatch.setattr(module.ActionBase, "run", lambda *_: {})

    def answer(module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        made.asked.append(module_args)
        return dict(made.answers.pop(0))

    made._execute_module = answer
    return made


def test_it_asks_until_the_work_is_done(plugin: Any) -> None:
    plugin.answers = [AT_WORK, AT_WORK, DONE]
    result = plugin.run(task_vars={"inventory_hostname": "leecher1"})
    assert result == {"changed": True, "finished": True, "diff": "of it"}
    assert plugin.asked == [{"wait": 3}, {"wait": 3, "job": "1"}, {"wait": 3, "job": "1"}]
    assert plugin.shown == ["leecher1: half of it\n    a line"] * 2


def test_what_has_changed_without_a_difference_to_show_is_told(plugin: Any) -> None:
    kept = {"changed": True, "finished": True}
    plugin.answers = [AT_WORK, kept]
    assert plugin.run(task_vars={"inventory_hostname": "leecher1"}) == kept
    # Also where an earlier call has.
    plugin.answers = [{**AT_WORK, "changed": True}, {"changed": False, "finished": True}]
    assert plugin.run(task_vars={"inventory_hostname": "leecher1"}) == kept


def test_it_does_not_outlive_a_run_that_was_killed(plugin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([4242, 4242, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    plugin.answers = [AT_WORK] * 3
    result = plugin.run(task_vars={"inventory_hostname": "leecher1"})
    assert len(plugin.asked) == 2
    # What it hands back goes into a pipe that nobody empties.
    assert (result, plugin._task.args) == ({"failed": True, "msg": "the run was killed"}, {})


def test_it_hands_a_killed_run_nothing_of_what_was_done(plugin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([4242, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    plugin.answers = [DONE]
    assert plugin.run(task_vars={"inventory_hostname": "leecher1"}) == {"failed": True, "msg": "the run was killed"}
    assert plugin._task.args == {}
