"""The work of module run_marker: files of the controller, in its own process, without a copy to anywhere."""

from __future__ import annotations

import os
import shutil
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {
                "state": {"type": "str", "required": True, "choices": ["begun", "ended"]},
                "path": {"type": "path", "required": True},
                "proofs": {"type": "list", "elements": "path", "default": []},
            }
        )
        path, check = arguments["path"], self._task.check_mode
        try:
            cut_off = os.path.exists(path)
            stale = [proof for proof in arguments["proofs"] if cut_off and os.path.lexists(proof)]
            if not check:
                if arguments["state"] == "begun":
                    _forget(stale)
                    _write(path)
                elif cut_off:
                    os.remove(path)
        except OSError as error:
            raise AnsibleActionFail(f"{path}: {error.strerror}: {error.filename}") from error
        return {**result, "changed": arguments["state"] == "begun" and bool(stale), "cut_off": cut_off}


def _forget(proofs: list[str]) -> None:
    for proof in proofs:
        if os.path.isdir(proof) and not os.path.islink(proof):
            shutil.rmtree(proof)
        else:
            os.remove(proof)


def _write(path: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
