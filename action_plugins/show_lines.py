"""The display side of module show_lines: the controller prints, in its own process, as Ansible prints its results."""

from __future__ import annotations

from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {"lines": {"type": "list", "elements": "dict", "required": True, "options": {
                "text": {"type": "str", "required": True},
                "severity": {"type": "str", "default": ""},
            }}}
        )  # fmt: skip
        colors = {"fault": constants.COLOR_ERROR, "warning": constants.COLOR_WARN, "ok": constants.COLOR_OK}
        lines = [{"text": line["text"], "color": colors.get(line["severity"])} for line in arguments["lines"]]
        # The project's own callback shows them itself, after the recap.
        if constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK") == "steps":
            return {**result, "changed": False, "lines": lines}
        for line in lines:
            Display().display(line["text"], color=line["color"])
        return {**result, "changed": False}
