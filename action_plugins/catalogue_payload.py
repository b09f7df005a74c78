"""The controller's side of module catalogue_payload: asks again until long work is done, and tells how far it is."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        while True:
            told: dict[str, Any] = self._execute_module(task_vars=variables)
            # A call that failed does not say.
            if told.get("finished", True):
                return told
            Display().display(f"{variables['inventory_hostname']}: {told['progress']}")
