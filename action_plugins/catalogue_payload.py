"""The controller's side of modules whose work is long: asks again until long work is done, and tells how far it is."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

SHOWS_ARGUMENTS = 3  # -vvv; callbacks show a result's invocation from there on


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = self._task.args
        changed, diffs = False, list[Any]()
        run = os.getppid()
        while True:
            result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=variables)
            # A worker outlives a run that was killed. Nobody waits for what it would go on to ask for, and nobody reads
            # its result: one that does not fit into the pipe to the run, with its arguments, would block it for ever.
            if os.getppid() != run:
                self._task.args = {}
                return {"failed": True, "msg": "the run was killed"}
            # The arguments once more, the whole catalogue: kept for those who ask for it alone.
            if self._display.verbosity < SHOWS_ARGUMENTS:
                result.pop("invocation", None)
            if not result.get("failed"):
                # What an earlier call began is no change to a later one.
                diffs += [result["diff"]] if result["changed"] and "diff" in result else []
                result["changed"] = changed = changed or result["changed"]
                if diffs:
                    result["diff"] = diffs if len(diffs) > 1 else diffs[0]
            # A call that failed does not say.
            if result.get("finished", True):
                return result
            arguments = {**arguments, **result.get("again", {})}
            Display().display(f"{variables['inventory_hostname']}: {result['progress']}")
