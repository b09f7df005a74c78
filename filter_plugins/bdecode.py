"""Thin shell around seedbed.bencode: the value of bencoded data."""

from __future__ import annotations

DOCUMENTATION = r"""
name: bdecode
short_description: Read bencoded data
description:
  - Decodes data of any origin. Depth, digits, size and the number of values are bounded; an error names
    the byte offset.
  - A string that is not UTF-8 comes back as a dictionary of the one key C(!binary) with its base64, a key that is not
    UTF-8, or begins with C(!binary) itself, as C(!binary:) and its base64. P(bencode#filter) makes the same data of it
    again, byte for byte.
positional: _input
options:
  _input:
    description: The data as base64.
    type: str
    required: true
  strict:
    description: >-
      Whether to refuse what clients read although it is no bencode, such as keys out of order or leading zeros. Of a
      key that stands there twice, the first counts.
    type: bool
    default: true
seealso:
  - plugin: bencode
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what a tracker answered
  ansible.builtin.debug:
    msg: "{{ 'ZDg6aW50ZXJ2YWxpMTgwMGU1OnBlZXJzNjoKAAABH5Jl' | bdecode }}"
"""

RETURN = r"""
_value:
  description: The value.
  type: raw
  sample:
    interval: 1800
    peers: {"!binary": CgAAAR+S}
"""

import base64
import binascii
import os
from typing import Any, Callable

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent.bencode import decode
from ansible.module_utils.seedbed.torrent.bencode_text import as_text


def bdecode(text: str, *, strict: bool = True) -> Any:
    """Return the value of bencoded data."""
    if not isinstance(text, str):
        raise AnsibleFilterError(f"bdecode: expected base64 text, got {type(text).__name__}")
    try:
        return as_text(decode(base64.b64decode(text, validate=True), strict=strict))
    except binascii.Error as error:
        raise AnsibleFilterError(f"bdecode: not base64: {error}") from error
    except SeedbedError as error:
        raise AnsibleFilterError(f"bdecode: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"bdecode": bdecode}
