"""Action plugin host_info: the first thing that a run asks of a host, so it says why a host cannot be worked on."""

from __future__ import annotations

import os
from typing import Any

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.seedbed.base import ssh
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            result.update(self._execute_module(task_vars=variables))
        except AnsibleConnectionFailure as error:
            said = f"{error}\n{self._said_by_ssh()}"
            raise AnsibleConnectionFailure(self._told(said, variables) or said) from None
        except AnsibleError as error:
            raise AnsibleActionFail(self._told(str(error), variables) or str(error)) from None
        if result.get("failed"):
            said = "\n".join(str(result.get(key, "")) for key in ("module_stderr", "module_stdout", "msg"))
            result["msg"] = self._told(said, variables) or result.get("msg", "")
        return result

    def _said_by_ssh(self) -> str:
        """What ssh says on a connection of its own, with nothing to send.

        Of a connection that is kept open, ssh keeps to itself what its way through a jump host has said; and where
        Ansible could not send a module, it has only the last words.
        """
        if self._connection.transport not in ("ssh", "ansible.builtin.ssh"):
            return ""
        extra = self._connection.get_option("ssh_extra_args") or ""
        self._connection.set_option("ssh_extra_args", f"{extra} -S none")
        try:
            self._connection.exec_command("true", sudoable=False)
        except AnsibleConnectionFailure as error:
            return str(error)
        finally:
            self._connection.set_option("ssh_extra_args", extra)
        return ""

    def _told(self, said: str, variables: dict[str, Any]) -> str:
        found = {name: self._templar.template(variables[name]) for name in ssh.VARIABLES if name in variables}
        told = ssh.trouble(said, ssh.route(found))
        if "cannot be reached" in told:
            told += f". While it is down, run without it: -e lab_absent={found['inventory_hostname']}"
        return told
