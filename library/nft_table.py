#!/usr/bin/python
"""Keep one nftables table as wanted, in the kernel and at boot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nft_table
short_description: Keep one nftables table as wanted, in the kernel and at boot
description:
  - Compares the table that the kernel has with the one that is wanted, so that a flush by hand is noticed.
  - A change is loaded in one transaction, and taken back by a timer unless a later call with O(state=confirmed)
    arrives. Make that call over a new connection.
  - Tables of other owners are never touched.
options:
  table:
    description: Family and name of the table.
    type: str
    required: true
  state:
    description:
      - V(present) loads the rules; what it changed in the kernel waits for V(confirmed).
      - V(confirmed) keeps the live rules and writes them for the next boot.
      - V(absent) removes the table, its files and its unit.
    type: str
    choices: [present, confirmed, absent]
    default: present
  rules:
    description: The whole table in nft's own language. Needed for V(present).
    type: str
  path:
    description: Where the rules lie for the next boot.
    type: path
    required: true
  unit:
    description: The systemd unit that loads the rules at boot.
    type: str
    required: true
  unit_text:
    description: The text of that unit. Needed for V(present).
    type: str
  role:
    description: For which role the table and its files are noted as ours, see M(owned). Without one nothing is noted.
    type: str
    default: ""
  rollback_seconds:
    description: After this time the former rules come back, unless they were confirmed.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: The rules are tried in a network namespace of their own.
  diff_mode:
    support: full
    description: The kernel's listing before and after.
"""

EXAMPLES = r"""
- name: Load the table
  nft_table:
    table: inet seedbed
    rules: "{{ lookup('ansible.builtin.template', 'seedbed.nft.j2') }}"
    path: /etc/seedbed/firewall.nft
    unit: seedbed-firewall.service
    unit_text: "{{ lookup('ansible.builtin.template', 'seedbed-firewall.service.j2') }}"
  register: loaded

- name: Keep it, as this new connection proves that the host is reachable
  nft_table:
    table: inet seedbed
    state: confirmed
    path: /etc/seedbed/firewall.nft
    unit: seedbed-firewall.service
  when: loaded.waiting
"""

RETURN = r"""
waiting:
  description: Whether the live rules go away again unless they are confirmed.
  type: bool
  returned: state is present
"""

import os
import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.commands import run
from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.files import read_file, remove_files
from ansible.module_utils.seedbed.base.ownership import claim
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.host import nft_table
from ansible.module_utils.seedbed.host.nft_table import TablePaths


def boot_unit(module: AnsibleModule) -> bool:
    """Write and enable the unit; return whether anything differed."""
    unit, text = Unit(module.params["unit"]), module.params["unit_text"]
    if read_file(unit.path) == text.encode() and unit.is_wanted():
        return False
    if not module.check_mode:
        nft_table.write_durably(unit.path, text)
        unit.reload_files()
        unit.enable()
    return True


def present(module: AnsibleModule, paths: TablePaths) -> dict[str, Any]:
    """Bring kernel, file and unit to the wanted state."""
    table, rules = module.params["table"], module.params["rules"]
    if module.check_mode and not shutil.which("nft"):
        return {"changed": True, "waiting": False}
    live, wanted, kept = nft_table.compare_table(table, rules, paths)
    differs = live != wanted
    if not module.check_mode:
        unit = Unit(module.params["unit"])
        made = {"tables": [table], "units": [unit.name], "files": [*paths.all(), unit.path]}
        claim(module.params["role"], made)
    if differs and not module.check_mode:
        timer = module.params["unit"].replace(".service", "-rollback")
        nft_table.load_with_rollback(table, rules, paths, timer, module.params["rollback_seconds"])
    elif not kept and not module.check_mode:
        nft_table.keep(table, rules, paths)
    return {
        "changed": boot_unit(module) or differs or not kept,
        "waiting": differs and not module.check_mode,
        "diff": {"before_header": table, "after_header": table, "before": live, "after": wanted},
    }


def confirmed(module: AnsibleModule, paths: TablePaths) -> dict[str, Any]:
    """Cancel the rollback and start the unit, which loads the very rules that are live."""
    nft_table.confirm(module.params["table"], paths, module.params["unit"].replace(".service", "-rollback"))
    Unit(module.params["unit"]).start()
    return {"changed": True}


@os_errors_reported()
def absent(module: AnsibleModule, paths: TablePaths) -> dict[str, Any]:
    """Take everything back."""
    table, unit = module.params["table"], Unit(module.params["unit"])
    live = nft_table.live_listing(table) if shutil.which("nft") else ""
    files = [*paths.all(), unit.path]
    changed = bool(live) or any(os.path.lexists(path) for path in files)
    if changed and not module.check_mode:
        if os.path.lexists(unit.path):
            unit.disable()
        if remove_files(files):
            unit.reload_files()
        if live:
            run(["nft", "-f", "-"], nft_table.replacing(table, ""))
    return {"changed": changed, "diff": {"before": live, "after": ""}}


def main() -> None:
    """Read the parameters, do the work, return the result."""
    module = AnsibleModule(
        argument_spec={
            "table": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "confirmed", "absent"], "default": "present"},
            "rules": {"type": "str"},
            "path": {"type": "path", "required": True},
            "unit": {"type": "str", "required": True},
            "unit_text": {"type": "str"},
            "role": {"type": "str", "default": ""},
            "rollback_seconds": {"type": "int", "default": 60},
        },
        required_if=[("state", "present", ("rules", "unit_text"))],
        supports_check_mode=True,
    )
    states = {"present": present, "confirmed": confirmed, "absent": absent}
    try:
        module.exit_json(**states[module.params["state"]](module, TablePaths(module.params["path"])))
    except SeedbedError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
