"""The controller's side of the catalogue's modules: asks again until long work is done, and tells how far it is."""

from __future__ import annotations

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
        earlier: dict[str, Any] = {}
        while True:
            told: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=variables)
            # The arguments once more, the whole catalogue: kept for those who ask for it alone.
            if self._display.verbosity < SHOWS_ARGUMENTS:
                told.pop("invocation", None)
            if earlier and not told.get("failed"):
                # What an earlier call began is no change to a later one.
                told = {**told, **earlier}
            # A call that failed does not say.
            if told.get("finished", True):
                return told
            arguments = {**arguments, **told.get("again", {})}
            if told["changed"]:
                earlier = {"changed": True, "diff": told["diff"]}
            Display().display(f"{variables['inventory_hostname']}: {told['progress']}")
