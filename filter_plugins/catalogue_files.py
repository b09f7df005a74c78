"""Thin shell around seedbed.catalogue: the files that a catalogue is published as."""

from __future__ import annotations

DOCUMENTATION = r"""
name: catalogue_files
short_description: The files that a catalogue is published as
description:
  - The .torrent file of each item below C(torrents/), and C(catalogue.json), as module M(torrent_file) wants them.
positional: _input
options:
  _input:
    description: The items, from P(catalogue_items#filter).
    type: raw
    required: true
  name:
    description: The lab's name, for the head of the catalogue.
    type: str
    default: seedbed
  malformed:
    description: Whether to publish the malformed .torrent files, too.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Publish the catalogue
  torrent_file:
    directory: /srv/seedbed/portal
    files: "{{ catalogue_items | catalogue_files }}"
"""

RETURN = r"""
_value:
  description: The parameter C(files) of module M(torrent_file).
  type: list
  elements: dict
  sample:
    - path: catalogue.json
      content: eyJzY2hlbWFfdmVyc2lvbiI6IDF9
"""

import os
from typing import Any, Callable

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.catalogue import items as catalogue
from ansible.module_utils.seedbed.catalogue import publication


def catalogue_files(items: Any, *, name: str = "seedbed", malformed: bool = False) -> list[dict[str, str]]:
    """The files to publish."""
    try:
        return publication.published_files(catalogue.handed_on(items), lab=name, with_malformed=malformed)
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"catalogue_files: expected what catalogue_items returned ({error})") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"catalogue_files": catalogue_files}
