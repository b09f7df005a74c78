"""Read a magnet link."""

from __future__ import annotations

DOCUMENTATION = r"""
name: magnet_info
short_description: Read a magnet link
description:
  - Tells name, info hash and trackers of a magnet link.
positional: _input
options:
  _input: {description: The magnet link., type: str, required: true}
"""

EXAMPLES = r"""
- name: Show the info hash
  ansible.builtin.debug:
    msg: "{{ ('magnet:?xt=urn:btih:2aa4f5a7e209e54b32803d43670971c4c8caaa05' | magnet_info).info_hash }}"
"""

RETURN = r"""
_value:
  description: An item as in catalogue.json, without a swarm.
  type: dict
  sample: {name: hello, info_hash: 2aa4f5a7e209e54b32803d43670971c4c8caaa05, private: false, trackers: [], swarm: null}
"""

import os
from typing import Any, Callable

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.doctor import MagnetError, magnet_item


def magnet_info(magnet: str) -> dict[str, Any]:
    try:
        return magnet_item(magnet)
    except MagnetError as error:
        raise AnsibleFilterError(f"magnet_info: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"magnet_info": magnet_info}
