"""The controller's side of module role_contracts: evaluates what roles declare in their variables."""

from __future__ import annotations

import os
from typing import Any, Mapping, Sequence

import ansible.module_utils

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.seedbed import preflight
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import add_all_plugin_dirs

PARTS = ["services", "listeners", "claims", "faults", "host_faults", "notes", "bundle"]


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False  # a host that is down has a contract, too

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {
                "roles": {"type": "list", "elements": "str", "required": True},
                "parts": {"type": "list", "elements": "str", "choices": PARTS, "default": PARTS[:4]},
            }
        )
        variables = task_vars or {}
        directory = os.path.dirname(variables["role_path"])
        contracts = [
            load_contract(os.path.join(directory, role), variables, self._loader, self._templar)
            for role in dict.fromkeys(arguments["roles"])
        ]
        return {**result, **evaluate(contracts, arguments["parts"]), "changed": False}


class Contract:
    """What one role says about a host: the values of ``__ROLE_services``, ``__ROLE_listeners`` and so on.

    And, once the host was observed, ``__ROLE_host_faults`` and ``__ROLE_notes``.
    """

    def __init__(
        self,
        role: str,
        *,
        options: Mapping[str, Mapping[str, Any]],
        defaults: Mapping[str, Any],
        variables: dict[str, Any],
        templar: Any,
    ) -> None:
        self.role, self._options, self._defaults, self._variables = role, options, defaults, variables
        self._templar = templar
        self.uncomputed: list[str] = []
        self._sound = True

    def type_faults(self) -> list[str]:
        """Return what is wrong with the types of the role's variables; a role with such faults says nothing else."""
        values: dict[str, Any] = {}
        faults: list[str] = []
        for name in sorted(set(self._options) & set(self._variables)):
            try:
                values[name] = self._template(self._variables[name])
            except AnsibleError as error:
                faults.append(preflight.uncomputed(name, str(error)))
        unfit = {name: preflight.shape_faults(name, values[name], self._options[name]) for name in values}
        faults += [fault for name in unfit for fault in unfit[name]]
        # Those go no further: Ansible's own validation stumbles over some of them.
        options = {
            name: option
            for name, option in self._options.items()
            if not unfit.get(name) and (name in values or name not in self._variables)
        }
        fit = {name: value for name, value in values.items() if name in options}
        errors = ArgumentSpecValidator(options).validate(fit, validate_role_argument_spec=True).error_messages
        faults += preflight.argument_faults(errors, options, self.role)
        self._sound = not faults
        return faults

    def part(self, part: str, empty: Any, **more: Any) -> Any:
        """Return a part of the contract; empty where the role has none, or where it cannot be computed."""
        self._variables.update(more)
        name = f"__{self.role}_{part}"
        if not self._sound or name not in self._variables:
            return empty
        try:
            return self._template(self._variables[name])
        except AnsibleError as error:
            self.uncomputed += self._culprits(name) or [preflight.uncomputed(name, str(error))]
            return empty

    def _culprits(self, name: str) -> list[str]:
        """Return the variables that alone, with all others at their defaults, keep a part from being computed."""
        faults = []
        for option in self._options:
            if self._variables.get(option) != self._defaults.get(option):
                try:
                    self._template(self._variables[name], {**self._defaults, option: self._variables.get(option)})
                except AnsibleError:
                    faults.append(preflight.unfit(option, self._options[option]))
        return faults

    def _template(self, value: Any, more: Mapping[str, Any] | None = None) -> Any:
        variables = {**self._variables, **(more or {})}
        return self._templar.copy_with_new_env(available_variables=variables).template(value)


def load_contract(path: str, task_vars: Mapping[str, Any], loader: Any, templar: Any) -> Contract:
    """Return the contract of the role in a directory, with its defaults below the host's variables, its vars above."""
    add_all_plugin_dirs(path)  # its own filters, as when Ansible loads the role

    def load(name: str) -> dict[str, Any]:
        file = os.path.join(path, name)
        if not os.path.exists(file):
            return {}
        # This process reads it once: it is not kept, and not copied either, which would take as long as the reading and
        # which Ansible calls unsafe.
        return loader.load_from_file(file, cache="none", unsafe=True, trusted_as_template=True) or {}

    role = os.path.basename(path)
    defaults = load("defaults/main.yml")
    variables = {
        **defaults,
        **task_vars,
        **load("vars/main.yml"),
        "role_name": role,
        "role_path": path,
        # Relative paths of files begin in the role, as they do in its tasks.
        "ansible_search_path": [path, *task_vars.get("ansible_search_path", [])],
    }
    entries: dict[str, Any] = load("meta/argument_specs.yml").get("argument_specs", {})
    first: dict[str, Any] = next(iter(entries.values()), {})  # it has the role's variables
    options = first.get("options", {})
    return Contract(role, options=options, defaults=defaults, variables=variables, templar=templar)


def evaluate(contracts: Sequence[Contract], parts: Sequence[str]) -> dict[str, Any]:
    """Return the wanted parts of all the contracts of a host together."""
    found: dict[str, Any] = {}
    if "services" in parts:
        found["services"] = {
            name: service for contract in contracts for name, service in contract.part("services", {}).items()
        }
    faults = [fault for contract in contracts for fault in contract.type_faults()] if "faults" in parts else []
    listeners = [listener for contract in contracts for listener in contract.part("listeners", [])]
    if "listeners" in parts:
        found["listeners"] = listeners
    if "claims" in parts:
        found["claims"] = [claim for contract in contracts for claim in contract.part("claims", [])]
    if "bundle" in parts:
        found["bundle"] = [archive for contract in contracts for archive in contract.part("bundle", [])]
    if "faults" in parts:
        # What the host's roles listen on together is the affair of role lab.
        faults += [fault for contract in contracts for fault in contract.part("faults", [], lab_listeners=listeners)]
        faults += [fault for contract in contracts for fault in contract.uncomputed]
        found["faults"] = list(dict.fromkeys(faults))
    # What the host itself has shown. Whatever cannot be computed of it is a fault of the host, too.
    for part in [part for part in ("notes", "host_faults") if part in parts]:
        found[part] = list(dict.fromkeys(said for contract in contracts for said in contract.part(part, [])))
    if "host_faults" in parts:
        found["host_faults"] += [fault for contract in contracts for fault in contract.uncomputed]
    return found
