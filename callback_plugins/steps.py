"""Show a run as one line a step; with -v, and of what fails, all that Ansible shows by itself."""

from __future__ import annotations

DOCUMENTATION = """
name: steps
type: stdout
short_description: One line a step, with the hosts that changed and the time
description:
  - A step is what a play includes or imports, or one of its roles; its line comes when the last host has left it that
    will come to it, at the latest when the play ends.
  - What fails is shown in full, so are warnings, differences and the texts of C(ansible.builtin.debug). The lines of
    C(show_lines) come last, after the recap.
  - With C(-v) the output is that of C(ansible.builtin.default), but for the place of these lines.
extends_documentation_fragment: [default_callback, result_format_callback]
"""

import time
from typing import Any, Callable

from ansible import constants
from ansible.playbook.handler import Handler
from ansible.playbook.role_include import IncludeRole
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as Default


class Step:
    def __init__(self) -> None:
        self.start = self.end = time.monotonic()
        self.active: set[str] = set()
        self.left: set[str] = set()
        self.changed: dict[str, bool] = {}  # of each host that has done something


def step_name(task: Any) -> str | None:
    """Return the name of the outermost include that a task belongs to, else of its role; None for a play's own task."""
    include: Any = None
    role: Any = None
    while task is not None:  # blocks and tasks alike know their parent and, when they come from one, their role
        include = task if isinstance(task, IncludeRole) else include
        role, task = getattr(task, "_role", None) or role, getattr(task, "_parent", None)
    # An include that takes one role after the other is a step for each of them.
    one = include and not include.loop and "{{" not in str(include.name)
    name: str | None = include.name if one else role and role.get_name()
    return name


class CallbackModule(Default):
    CALLBACK_NAME = "steps"

    def __init__(self) -> None:
        super().__init__()
        self._steps: dict[str, Step] = {}
        self._at: dict[str, str] = {}
        self._hosts: set[str] = set()  # of the play
        # Of what was included: who will come, by step, and by which task; and who is through with that.
        self._expected: dict[str, set[str]] = {}
        self._include: dict[str, str] = {}
        self._included: dict[str, set[str]] = {}
        self._last_lines: list[dict[str, str]] = []
        self._brief = not self._display.verbosity

    def get_option(self, option: str, hostvars: Any = None) -> Any:
        hidden = self._brief and option in ("display_ok_hosts", "display_skipped_hosts")
        return False if hidden else super().get_option(option, hostvars)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._end_play()
        self._hosts = {host.name for host in play.get_variable_manager()._inventory.get_hosts(play.hosts)}
        super().v2_playbook_on_play_start(play)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        # Each host includes all roles of a loop at once, and then goes through them at its own pace.
        if included_file._is_role:
            task, hosts = included_file._task, {host.name for host in included_file._hosts}
            name = step_name(task) or included_file._filename
            self._include[name] = task._uuid
            for found, key in ((self._expected, name), (self._included, task._uuid)):
                found.setdefault(key, set()).update(hosts)
        if not self._brief:
            super().v2_playbook_on_include(included_file)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        super().v2_runner_on_start(host, task)
        # A handler counts for the step in which it runs, not for the one that has brought it along.
        if not isinstance(task, (TaskInclude, Handler)):
            name = step_name(task) or self._play.get_name()
            if self._at.get(host.name) != name:
                self._leave(host.name)
                self._at[host.name] = name
                self._steps.setdefault(name, Step()).active.add(host.name)

    def _leave(self, *hosts: str) -> None:
        """Show the steps that these hosts were the last to leave."""
        for host in hosts:
            step = self._steps.get(self._at.pop(host, ""), Step())
            step.active.discard(host)
            step.left.add(host)
        for name, step in list(self._steps.items()):
            if not step.active and not self._to_come(name) - step.left:
                self._end(name)

    def _to_come(self, name: str) -> set[str]:
        """Return who comes to a step, or may do so: the whole play, where it was not included."""
        undecided = self._hosts - self._included.get(self._include.get(name, ""), set())
        return undecided | self._expected.get(name, set())

    def _end(self, name: str) -> None:
        self._expected.pop(name, None)
        self._show(name, self._steps.pop(name))

    def _end_play(self) -> None:
        for name in list(self._steps):
            self._end(name)
        for known in (self._at, self._expected, self._include, self._included):
            known.clear()

    def _show(self, name: str, step: Step) -> None:
        if self._brief and step.changed:
            count = f"{len(step.changed)} host{'s' if len(step.changed) > 1 else ''}"
            changed = f", {sum(step.changed.values())} changed" if any(step.changed.values()) else ""
            color = constants.COLOR_CHANGED if changed else constants.COLOR_OK
            self._display.display(f"{step.end - step.start:6.1f} s  {name}: {count}{changed}", color=color)

    def _count(self, result: Any) -> None:
        host, step = result.host.name, self._steps.get(self._at.get(result.host.name, ""), Step())
        step.changed[host] = step.changed.get(host, False) or bool(result.result.get("changed"))
        step.end = time.monotonic()

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._count(result)
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_skipped(self, result: Any) -> None:
        if isinstance(result.task, IncludeRole):
            self._included.setdefault(result.task._uuid, set()).add(result.host.name)
        super().v2_runner_on_skipped(result)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._count(result)
        action, brief = result.task.action, self._brief
        self._last_lines += result.result.get("lines", []) if action == "show_lines" else []
        if brief and action not in ("debug", "ansible.builtin.debug"):
            self._handle_warnings_and_exception(result)
        else:
            self._brief = False
            super().v2_runner_on_ok(result)
            self._brief = brief

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._end_play()
        super().v2_playbook_on_stats(stats)
        for line in self._last_lines:
            self._display.display(line["text"], color=line["color"])


def _unless_brief(event: str) -> Callable[[CallbackModule, Any], None]:
    return lambda self, what: None if self._brief else getattr(Default, event)(self, what)


for _on in ("runner_item_on_ok", "runner_retry", "runner_on_async_poll", "runner_on_async_ok"):
    setattr(CallbackModule, f"v2_{_on}", _unless_brief(f"v2_{_on}"))
