"""Show a run as one line a step; with -v, and of what fails, all that Ansible shows by itself."""

from __future__ import annotations

DOCUMENTATION = """
name: steps
type: stdout
short_description: One line a step, with the hosts that changed and the time
description:
  - A step is what a play includes or imports, or one of its roles; its line comes when the last host has left it.
  - What fails is shown in full, so are warnings, differences and the texts of C(ansible.builtin.debug).
  - The lines of C(show_lines) come last, after the recap.
  - With C(-v) the output is that of C(ansible.builtin.default), but for the place of these lines.
extends_documentation_fragment: [default_callback, result_format_callback]
"""

import time
from typing import Any

from ansible import constants
from ansible.playbook.role_include import IncludeRole
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as Default


class Step:
    def __init__(self) -> None:
        self.start = time.monotonic()
        self.active: set[str] = set()
        self.hosts: set[str] = set()
        self.changed: set[str] = set()


def step_name(task: Any) -> str | None:
    """Return the name of the outermost include that a task belongs to, else of its role; None for a play's own task."""
    include = role = None
    while task is not None:
        if isinstance(task, IncludeRole):
            include = task
        # Blocks and tasks alike know their parent and, when they come from one, their role.
        role, task = getattr(task, "_role", None) or role, getattr(task, "_parent", None)
    if include is not None and include.name and "{{" not in include.name:
        return str(include.name)
    return None if role is None else str(role.get_name())


class CallbackModule(Default):
    CALLBACK_NAME = "steps"

    def __init__(self) -> None:
        super().__init__()
        self._steps: dict[str, Step] = {}
        self._at: dict[str, str] = {}
        self._last_lines: list[dict[str, str]] = []
        self._brief = not self._display.verbosity

    def get_option(self, option: str, hostvars: Any = None) -> Any:
        if self._brief and option in ("display_ok_hosts", "display_skipped_hosts"):
            return False
        return super().get_option(option, hostvars)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._leave_all()
        super().v2_playbook_on_play_start(play)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        super().v2_runner_on_start(host, task)
        if isinstance(task, TaskInclude):
            return
        name = step_name(task) or self._play.get_name()
        if self._at.get(host.name) != name:
            self._leave(host.name)
            self._at[host.name] = name
            self._steps.setdefault(name, Step()).active.add(host.name)

    def _leave(self, host: str) -> None:
        name = self._at.pop(host, "")
        if name in self._steps:
            self._steps[name].active.discard(host)
            if not self._steps[name].active:
                self._show(name, self._steps.pop(name))

    def _leave_all(self) -> None:
        for host in [*self._at]:
            self._leave(host)

    def _show(self, name: str, step: Step) -> None:
        if self._brief and step.hosts:
            hosts = f"{len(step.hosts)} host{'s' if len(step.hosts) > 1 else ''}"
            changed = f", {len(step.changed)} changed" if step.changed else ""
            color = constants.COLOR_CHANGED if changed else constants.COLOR_OK
            self._display.display(f"{time.monotonic() - step.start:6.1f} s  {name}: {hosts}{changed}", color=color)

    def _count(self, result: Any) -> None:
        host, step = result.host.name, self._steps.get(self._at.get(result.host.name, ""))
        if step is not None:
            step.hosts.add(host)
            if result.result.get("changed"):
                step.changed.add(host)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._count(result)
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._count(result)
        action, brief = result.task.action, self._brief
        self._last_lines += result.result.get("lines", []) if action == "show_lines" else []
        if brief and action not in ("debug", "ansible.builtin.debug"):
            self._handle_warnings_and_exception(result)
            return
        self._brief = False
        super().v2_runner_on_ok(result)
        self._brief = brief

    def v2_runner_item_on_ok(self, result: Any) -> None:
        if not self._brief:
            super().v2_runner_item_on_ok(result)

    def v2_runner_retry(self, result: Any) -> None:
        if not self._brief:
            super().v2_runner_retry(result)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        if not self._brief:
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._leave_all()
        super().v2_playbook_on_stats(stats)
        for line in self._last_lines:
            self._display.display(line["text"], color=line["color"])
