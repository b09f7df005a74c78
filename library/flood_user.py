#!/usr/bin/python
"""Keep the account by which Flood is used."""

from __future__ import annotations

DOCUMENTATION = r"""
module: flood_user
short_description: Keep the account by which Flood is used
description:
  - Keeps the administrator's account in Flood's file of accounts, with the daemon that it shows, so that Flood never
    offers to make one to its first visitor. Accounts that were made in Flood stay.
  - Where something differs, the unit is stopped first, since a running Flood writes its own state over the file.
options:
  path:
    description: The file of accounts. Its directory is made where it is missing, for the owner alone.
    type: path
    required: true
  owner:
    description: The system user that Flood runs as.
    type: str
    required: true
  unit:
    description: The systemd unit of Flood.
    type: str
    required: true
  username:
    description: Who logs in to Flood.
    type: str
    required: true
  password:
    description: With what.
    type: str
    required: true
  url:
    description: The daemon's RPC.
    type: str
    required: true
  rpc_username:
    description: Who Flood is for the daemon.
    type: str
    required: true
  rpc_password:
    description: With what.
    type: str
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    description: The file holds secrets.
"""

EXAMPLES = r"""
- name: Make the account before the first start
  flood_user:
    path: /var/lib/seedbed-flood/db/users.db
    owner: seedbed-flood
    unit: seedbed-flood.service
    username: seedbed
    password: "{{ flood_password }}"
    url: http://127.0.0.1:8081/transmission/rpc
    rpc_username: seedbed
    rpc_password: "{{ transmission_rpc_password }}"
"""

RETURN = r"""
reason:
  description: What was not as wanted.
  returned: always
  type: str
  sample: the account was missing or different
"""

import os
import secrets
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.files import read_file, write_atomically
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.base.users import give_directory, user_ids
from ansible.module_utils.seedbed.host import flood

ARGUMENTS = {
    "path": {"type": "path", "required": True},
    "owner": {"type": "str", "required": True},
    "unit": {"type": "str", "required": True},
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "url": {"type": "str", "required": True},
    "rpc_username": {"type": "str", "required": True},
    "rpc_password": {"type": "str", "required": True, "no_log": True},
}


def read(path: str) -> str:
    """Return the file's text, empty when there is none."""
    try:
        return (read_file(path) or b"").decode()
    except UnicodeDecodeError:
        raise flood.FloodFileError("it is not UTF-8 text; mend or delete the file") from None


def write(path: str, text: str, owner: str) -> None:
    """Replace the file at once, readable for its owner alone, as is the directory that is made for it."""
    user = user_ids(owner)
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        os.makedirs(directory, mode=0o700)
        give_directory(directory, user)
    # What the owner may have laid at another name is not written through: the new file is made under a name of its own.
    write_atomically(path, text.encode(), mode=0o600, owner=user)


@os_errors_reported()
def keep_account(path: str, owner: str, unit: Unit, account: flood.Account, *, check: bool) -> bool:
    """Write the account where it is missing or different; return whether it was."""
    if flood.is_there(flood.parse_records(read(path)), account, flood.verify):
        return False
    if not check:
        stored = flood.hash_password(account.password, secrets.token_hex(8))
        if unit.active():
            unit.stop()
        # Once more: its end may have written what was changed in it.
        records = flood.parse_records(read(path))
        write(path, flood.dump_records(flood.with_account(records, account, stored, int(time.time()))), owner)
    return True


def main() -> None:
    """Read the parameters, keep the account, return whether it changed."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    account = flood.Account(**{field: params[field] for field in flood.Account._fields})
    try:
        changed = keep_account(params["path"], params["owner"], Unit(params["unit"]), account, check=module.check_mode)
    except SeedbedError as error:
        module.fail_json(msg=f"{params['path']}: {error}")
    module.exit_json(changed=changed, reason="the account was missing or different" if changed else "")


if __name__ == "__main__":
    main()
