"""Thin shell: an info hash as a tracker wants it in a URL."""

from __future__ import annotations

DOCUMENTATION = r"""
name: info_hash_url
short_description: An info hash, percent-encoded
description:
  - The raw 20 bytes of an info hash in the percent-encoding that announce and scrape URLs carry.
positional: _input
options:
  _input:
    description: The info hash as 40 hexadecimal digits.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Scrape one torrent
  ansible.builtin.uri:
    url: "http://192.0.2.10:8888/scrape?info_hash={{ '9ed2efbb7fa8be0ccf0e6fd0b1cb4de9a06b9c1a' | info_hash_url }}"
"""

RETURN = r"""
_value:
  description: The percent-encoded bytes.
  type: str
  sample: "%9E%D2%EF%BB%7F%A8%BE%0C%CF%0Eo%D0%B1%CBM%E9%A0k%9C%1A"
"""

import os
import re
from typing import Any, Callable
from urllib.parse import quote_from_bytes

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.errors import AnsibleFilterError


def info_hash_url(info_hash: str) -> str:
    """The raw bytes of an info hash, percent-encoded."""
    if not isinstance(info_hash, str) or not re.fullmatch("[0-9a-fA-F]{40}", info_hash):
        raise AnsibleFilterError(f"info_hash_url: expected 40 hexadecimal digits, got {info_hash!r}")
    return quote_from_bytes(bytes.fromhex(info_hash), safe="")


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"info_hash_url": info_hash_url}
