"""Thin shell around seedbed.bencode: bencoded data."""

from __future__ import annotations

DOCUMENTATION = r"""
name: bencode
short_description: Bencode a value
description:
  - Bencodes numbers, text (as UTF-8), lists and dictionaries. Raw bytes are given as a dictionary of the one key
    C(!binary) with their base64, a raw key as C(!binary:) and its base64, which are the forms in which
    P(bdecode#filter) returns what is not text.
positional: _input
options:
  _input:
    description: The value.
    type: raw
    required: true
seealso:
  - plugin: bdecode
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show bencoded data
  ansible.builtin.debug:
    msg: "{{ {'interval': 1800, 'peers': {'!binary': 'CgAAAR+S'}} | bencode | b64decode }}"
"""

RETURN = r"""
_value:
  description: The bencoded data as base64.
  type: str
  sample: ZDg6aW50ZXJ2YWxpMTgwMGU1OnBlZXJzNjoKAAABH5Jl
"""

import base64
import os
from typing import Any, Callable

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent.bencode import encode
from ansible.module_utils.seedbed.torrent.bencode_text import from_text


def bencode(value: Any) -> str:
    """Return bencoded data as base64."""
    try:
        return base64.b64encode(encode(from_text(value))).decode()
    except SeedbedError as error:
        raise AnsibleFilterError(f"bencode: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"bencode": bencode}
