"""Action plugin preflight_report: stops a run with all faults of all hosts, or remembers the hosts for later runs."""

from __future__ import annotations

import os
from typing import Any

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.errors import AnsibleActionFail
from ansible.module_utils.seedbed import preflight
from ansible.module_utils.seedbed.base import lab_record
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.plugins.action import ActionBase

SPEC = {
    "faults": {"type": "dict", "required": True},
    "name": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "absent": {"type": "raw", "default": ""},
    "remember": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(SPEC)
        variables = task_vars or {}
        try:
            faults = self._faults(arguments, variables)
            if faults:
                what = "this" if len(faults) == 1 else f"these {len(faults)}"
                lines = "\n".join(f"- {fault}" for fault in faults)
                return {**result, "failed": True, "msg": f"Nothing was changed. Mend {what} in the inventory:\n{lines}"}
            if arguments["remember"] and not self._task.check_mode:
                hostvars = variables["hostvars"]
                seen = {
                    host: {key: hostvars[host][key] for key in lab_record.KEPT if key in hostvars[host]}
                    for host in variables["ansible_play_hosts"]
                }
                lab_record.write_record(
                    arguments["directory"],
                    seen,
                    inventories=self._inventories(variables),
                    all_hosts=variables["groups"]["all"],
                )
        except SeedbedError as error:
            raise AnsibleActionFail(str(error)) from error
        return {**result, "changed": False}

    def _faults(self, arguments: dict[str, Any], variables: dict[str, Any]) -> list[str]:
        """Return what is wrong with the hosts, then what is wrong with the run as a whole."""
        faults = preflight.fault_report(arguments["faults"])
        if arguments["remember"]:  # that was asked before the hosts were
            return faults
        record = lab_record.read_record(arguments["directory"])
        in_run = variables["ansible_play_hosts_all"]
        return [
            *faults,
            *preflight.run_faults(
                variables["groups"],
                in_run=in_run,
                absent=preflight.absent_hosts(arguments["absent"]),
                known=[*in_run, *record["hosts"]],
            ),
            *preflight.copied_name_faults(
                arguments["name"], self._inventories(variables), [d for d in record["inventories"] if os.path.isdir(d)]
            ),
        ]

    @staticmethod
    def _inventories(variables: dict[str, Any]) -> list[str]:
        hostvars = variables["hostvars"]
        found = {hostvars[host].get("inventory_dir") for host in variables["ansible_play_hosts_all"]}
        return sorted(os.path.realpath(directory) for directory in found if directory)
