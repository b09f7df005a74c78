"""Thin shell around seedbed.sizes: the piece length that fits a size."""

from __future__ import annotations

DOCUMENTATION = r"""
name: piece_length
short_description: The piece length that fits a size
description:
  - The power of two nearest to a 1024th of the size, between 16 KiB and 16 MiB, so about 1000 pieces.
  - For a hybrid of several files it is halved while padding would take more than a tenth.
positional: _input
options:
  _input:
    description: The size, or the list of the sizes of all files, as bytes or text like V(256MiB).
    type: raw
    required: true
  hybrid:
    description: Whether it is for a hybrid torrent.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the piece length for 4 GiB
  ansible.builtin.debug:
    msg: "{{ '4GiB' | piece_length }}"
"""

RETURN = r"""
_value:
  description: Bytes.
  type: int
  sample: 4194304
"""

import os
from typing import Any, Callable

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.base import sizes
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent import piece_lengths


def piece_length(size: Any, *, hybrid: bool = False) -> int:
    """The piece length that fits a size."""
    try:
        lengths = [sizes.parse_size(one) for one in (size if isinstance(size, list) else [size])]
        return piece_lengths.fit_piece_length(lengths, hybrid=hybrid)
    except SeedbedError as error:
        raise AnsibleFilterError(f"piece_length: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"piece_length": piece_length}
