#!/usr/bin/python
"""Have services of the lab forget what they have seen, and their directories be empty."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fresh_start
short_description: Have services forget what they have seen, and directories be empty
description:
  - Stops services that run, empties directories, and starts the services again. Those that did not run stay so.
  - Only directories are emptied that were noted as the lab's own with all that is in them, see M(owned); others are
    returned in RV(left).
options:
  units: {type: list, elements: str, default: [], description: 'Services that know it, in memory or in O(directories).'}
  directories: {type: list, elements: path, default: [], description: Directories to empty.}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Have the tracker forget its peers
  fresh_start:
    units: [opentracker.service]
"""

RETURN = r"""
restarted: {description: The services., type: list, elements: str, returned: always, sample: [opentracker.service]}
emptied: {description: What has gone., type: list, elements: str, returned: always, sample: [/srv/seedbed/leecher/one]}
left: {description: 'Directories that are not the lab''s own.', type: list, elements: str, returned: always, sample: []}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.host.fresh_start import fresh_start


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "str", "default": []},
            "directories": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        done = fresh_start(module.params["units"], module.params["directories"], check=module.check_mode)
    except (SeedbedError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(done.restarted or done.emptied), **done._asdict())


if __name__ == "__main__":
    main()
