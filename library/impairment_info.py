#!/usr/bin/python
"""What makes the way to and from a host bad just now."""

from __future__ import annotations

DOCUMENTATION = r"""
module: impairment_info
short_description: What makes the way to and from a host's lab ports bad just now
description:
  - Tells what M(impairment) has begun on this host and has not ended yet.
options: {}
attributes:
  check_mode:
    support: full
    description: It only reads.
"""

EXAMPLES = r"""
- name: See whether the host is impaired
  impairment_info:
  register: weather
"""

RETURN = r"""
current:
  description: What befalls the host, null for nothing.
  returned: always
  type: dict
  sample: {impairment: slow, words: 1 Mbit/s, until: 1700000000, lacking: []}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.host.impairing import current


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        module.exit_json(changed=False, current=current())
    except SeedbedError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
