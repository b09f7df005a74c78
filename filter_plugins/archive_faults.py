"""Thin shell around seedbed.preflight: whether an archive can be had."""

from __future__ import annotations

DOCUMENTATION = r"""
name: archive_faults
short_description: What is wrong with an archive that a role shall unpack, as sentences
description:
  - Checks the variables that name an archive before any host is touched.
positional: _input
options:
  _input:
    description: The archive, a URL, a file on the controller, or C(npm:NAME@VERSION).
    type: str
    required: true
  sha256:
    description: Its SHA-256.
    type: str
    required: true
  variable:
    description: The variable that names the archive; the one for the SHA-256 ends in C(sha256) instead of C(archive).
    type: str
    required: true
  found:
    description: Where the file lies on the controller; empty when it was not found.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: See that an archive is not pinned
  ansible.builtin.debug:
    msg: "{{ 'https://archive.example.com/ui.zip' | archive_faults(sha256='', variable='portal_aria2_ui_archive') }}"
"""

RETURN = r"""
_value:
  description: One sentence a fault; empty when nothing is wrong.
  type: list
  elements: str
  sample:
    - portal_aria2_ui_sha256 is ''; it takes the 64 digits that sha256sum tells of the archive
"""

import os
import re
import shutil
from typing import Any, Callable

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

from ansible.module_utils.seedbed import preflight


def archive_faults(archive: str, *, sha256: str, variable: str, found: Any = "") -> list[str]:
    return preflight.archive_faults(
        archive,
        sha256,
        variable=variable,
        pin=re.sub("archive$", "sha256", variable),
        found=str(found or ""),
        npm=shutil.which("npm") is not None,
    )


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"archive_faults": archive_faults}
