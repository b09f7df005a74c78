#!/usr/bin/python
"""Have a portal tell testers which hosts are impaired."""

from __future__ import annotations

DOCUMENTATION = r"""
module: impairment_notice
short_description: Have a portal tell testers which hosts are impaired
description:
  - Writes into C(catalogue.json) and C(impairments.json) of a portal what M(impairment) has begun or ended. What is
    published of other hosts and is not over stays. A portal without a catalogue is left alone.
options:
  directory: {type: path, required: true, description: The portal's directory.}
  impairments:
    type: dict
    required: true
    description: What befalls each host that this is about, as M(impairment) returns it as C(current); null for nothing.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Tell testers
  impairment_notice:
    directory: /srv/seedbed/portal
    impairments: {seeder1: "{{ hostvars['seeder1'].begun.current }}"}
"""

RETURN = r"""
impairments:
  description: What is published now.
  returned: always
  type: list
  elements: dict
  sample: [{host: seeder1, impairment: slow, words: 1 Mbit/s, until: '2024-05-01T14:05:00Z'}]
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import read_file, write_atomically
from ansible.module_utils.seedbed.catalogue.impairments import merged, named, rendered


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "impairments": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    catalogue, alone = (
        os.path.join(module.params["directory"], name) for name in ("catalogue.json", "impairments.json")
    )
    hosts = module.params["impairments"]
    try:
        content = read_file(catalogue)
        if content is None:
            module.exit_json(changed=False, impairments=[])
        published = json.loads(content.decode())
        published["impairments"] = merged(published.get("impairments", []), list(hosts), named(hosts))
        wanted = {catalogue: rendered(published), alone: rendered({"impairments": published["impairments"]})}
        differing = [path for path, text in wanted.items() if read_file(path) != text]
        if not module.check_mode:
            for path in differing:
                write_atomically(path, wanted[path], mode=0o644)
    except (SeedbedError, OSError, ValueError) as error:
        module.fail_json(msg=f"{catalogue}: {error}")
    module.exit_json(changed=bool(differing), impairments=published["impairments"])


if __name__ == "__main__":
    main()
