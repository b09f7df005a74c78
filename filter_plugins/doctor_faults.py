"""Say what is wrong with the doctor's options."""

from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_faults
short_description: Say what is wrong with the doctor's options
description:
  - Tells, one sentence each, what can be known to be wrong before any host is asked.
positional: _input
options:
  _input: {description: 'Names of items, which a torrent file or a magnet excludes.', type: list, elements: str,
    required: true}
  torrent_file: {description: Path of a .torrent on the controller., type: str, default: ""}
  magnet: {description: A magnet link., type: str, default: ""}
  seconds: {description: 'Time-outs by the names of their variables, which have to be more than 0.', type: dict,
    default: {}}
  json_path: {description: 'Path of the JSON file, in a directory that can be written to.', type: str, default: ""}
"""

EXAMPLES = r"""
- name: Refuse what cannot be looked at
  ansible.builtin.assert:
    that: "[] | doctor_faults(magnet='magnet:?xt=urn:btih:2aa4f5a7e209e54b32803d43670971c4c8caaa05') | length == 0"
"""

RETURN = r"""
_value:
  description: Sentences.
  type: list
  elements: str
  sample: ["doctor_peer_timeout is 0; expected seconds, more than 0"]
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed.doctor.choice import option_faults


def doctor_faults(
    names: Sequence[str],
    *,
    torrent_file: str = "",
    magnet: str = "",
    seconds: Mapping[str, Any] | None = None,
    json_path: str = "",
) -> list[str]:
    times = {name: float(value) for name, value in (seconds or {}).items()}
    return option_faults(names, torrent_file, magnet, times, json_path)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_faults": doctor_faults}
