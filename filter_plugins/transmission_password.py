"""Thin shell around seedbed.transmission.settings: the daemon's stored form of a password."""

from __future__ import annotations

DOCUMENTATION = r"""
name: transmission_password
short_description: The form in which Transmission stores a password
description:
  - C({), the hex SHA-1 of password and salt, then the salt. The daemon accepts it in its settings file, logs the user
    in and keeps it byte for byte, on 3.00 and on all 4.x.
  - The role C(transmission) needs it for nothing, since its module stores the password hashed by itself. Use it for a
    settings file that you write in another way.
positional: _input
options:
  _input:
    description: The password; not empty.
    type: str
    required: true
  salt:
    description: 8 to 16 letters and digits. The same salt gives the same text.
    type: str
    required: true
seealso:
  - plugin: ansible.builtin.password_hash
    plugin_type: filter
"""

EXAMPLES = r"""
- name: See the stored form of a password
  ansible.builtin.debug:
    msg: "{{ 'correct horse' | transmission_password(salt='Xk3vTq9Lw2') }}"
"""

RETURN = r"""
_value:
  description: The value for C(rpc-password).
  type: str
  sample: "{22c84acb0257f041a199e4a4c64f7df24bf14304Xk3vTq9Lw2"
"""

import os
from typing import Any, Callable

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.transmission.settings import PasswordError, stored_password


def transmission_password(password: str, *, salt: str) -> str:
    """Return the stored form of a password."""
    if not isinstance(password, str) or not isinstance(salt, str):
        raise AnsibleFilterError(
            f"transmission_password: expected texts, got {type(password).__name__} and {type(salt).__name__} as salt"
        )
    try:
        return stored_password(password, salt)
    except PasswordError as error:
        raise AnsibleFilterError(f"transmission_password: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"transmission_password": transmission_password}
