#!/usr/bin/python
"""Thin shell around seedbed.host.bundle: archives for hosts without a way out."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_archives
short_description: Collect archives, each by its SHA-256
description:
  - Has every archive in one directory, with C(SHA256SUMS) beside them. What is there with the right sum is left alone;
    what is missing is fetched by the first way that delivers the pinned bytes.
options:
  directory:
    type: path
    required: true
    description: Where the archives go; it has to exist.
  suite:
    type: str
    default: sid
    description: The suite whose source packages are tried for archives with a C(package), where the machine has apt.
  archives:
    type: list
    elements: dict
    required: true
    description: The archives.
    suboptions:
      name: {type: str, required: true, description: The archive's file name.}
      sha256: {type: str, required: true, description: The SHA-256 that it must have.}
      pin: {type: str, required: true, description: 'The name of the variable that sets it, for messages.'}
      package: {type: str, description: The source package that holds it.}
      urls:
        type: list
        elements: str
        default: []
        description: 'Other places, tried in turn: URLs, files of this machine, C(npm:NAME@VERSION).'
attributes:
  check_mode:
    support: none
    description: It is skipped in check mode.
seealso:
  - module: source_archives
"""

EXAMPLES = r"""
- name: Have an interface ready for hosts without a way out
  bundle_archives:
    directory: files
    archives:
      - name: flood-4.11.0.tgz
        urls: ["npm:flood@4.11.0"]
        sha256: 2099fc886c5ca0ac577a819d82ce3f2d23959b164ec17fe91201a40ffee6fce9
        pin: flood_sha256
"""

RETURN = r"""
fetched:
  description: The names of the archives that were not there.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.host.bundle import collect
from ansible.module_utils.seedbed.host.source_archives import ARCHIVE_OPTIONS


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "suite": {"type": "str", "default": "sid"},
            "archives": {"type": "list", "elements": "dict", "options": ARCHIVE_OPTIONS, "required": True},
        }
    )
    try:
        fetched = collect(module.params["archives"], module.params["directory"], suite=module.params["suite"])
    except SeedbedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(fetched), fetched=fetched)


if __name__ == "__main__":
    main()
