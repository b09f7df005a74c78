#!/usr/bin/python
"""Fetch source archives that are pinned by SHA-256."""

from __future__ import annotations

DOCUMENTATION = r"""
module: source_archives
short_description: Fetch source archives that are pinned by SHA-256
description:
  - Fetches source archives into a directory on the host and accepts each only if it has the pinned SHA-256. What is
    there already and has it is not fetched.
  - They come out of source packages of suites of the host's own distribution, one after the other, with a private apt
    configuration that is made for this in I(directory). It takes mirror, keys and proxy over from the host's sources,
    which stay as they are. What no suite has comes from the archive's own addresses.
  - The failure names every place that was tried, and why it did not deliver.
options:
  directory:
    type: path
    required: true
    description: An existing directory for the archives.
  suites:
    type: list
    elements: str
    default: []
    description: The suites, in their order; empty to leave apt out.
  timeout:
    type: float
    default: 30
    description: Seconds that an address may stay silent.
  archives:
    type: list
    elements: dict
    required: true
    description: The archives.
    suboptions:
      name: {type: str, required: true, description: The archive's file name.}
      sha256: {type: str, required: true, description: The SHA-256 that it must have.}
      pin: {type: str, required: true, description: 'The name of the variable that sets it, for messages.'}
      package: {type: str, description: 'The source package that holds it, with I(suites).'}
      urls: {type: list, elements: str, default: [], description: 'Addresses in turn.'}
attributes:
  check_mode:
    support: none
    description: It is skipped in check mode.
"""

EXAMPLES = r"""
- name: Fetch a library's sources
  source_archives:
    suites: [sid, testing]
    directory: /var/tmp/build
    archives:
      - name: libowfat_0.34.orig.tar.xz
        package: libowfat
        sha256: d4330d373ac9581b397bc24a22ad1f7f5d58a7fe36d9d239fe352ceffc5d304b
        pin: opentracker_libowfat_sha256
"""

RETURN = r"""
paths:
  description: Where the archives are, in the order asked.
  returned: success
  type: list
  elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.host.source_archives import ARCHIVE_OPTIONS, fetch_archives


def main() -> None:
    """Read the parameters, fetch, return where the archives are."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "suites": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 30},
            "archives": {"type": "list", "elements": "dict", "options": ARCHIVE_OPTIONS, "required": True},
        }
    )
    archives, directory = module.params["archives"], module.params["directory"]
    try:
        fetch_archives(archives, directory, module.params["suites"], module.params["timeout"])
    except SeedbedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, paths=[os.path.join(directory, archive["name"]) for archive in archives])


if __name__ == "__main__":
    main()
