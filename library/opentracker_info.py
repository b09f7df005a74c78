#!/usr/bin/python
"""Ansible module: what there is of opentracker on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: opentracker_info
short_description: What there is of opentracker on a host
description:
  - Reads compiler, builds and the running process, and asks the tracker itself, all in one call, so that role
    opentracker can decide on the controller whether anything is left to do.
options:
  cc: {type: str, required: true, description: The C compiler, with options.}
  prefix: {type: path, required: true, description: Where the builds are installed.}
  user: {type: str, required: true, description: The user that the service runs as.}
  port: {type: int, required: true, description: The port that it listens on.}
  listen:
    type: list
    elements: str
    default: []
    description:
      - Addresses where the tracker is asked, over HTTP and UDP; one that stands for all is asked at loopback. Without
        any it is not asked.
  unit: {type: str, default: opentracker.service, description: Its systemd unit.}
  announced:
    type: str
    default: ""
    description: Info hash of a torrent that is announced at I(listen), and taken back, to learn the intervals.
attributes:
  check_mode:
    support: full
    description: It only reads.
"""

EXAMPLES = r"""
- name: See which build runs
  opentracker_info:
    cc: gcc
    prefix: /opt/opentracker
    user: opentracker
    port: 8888
    listen: ["::"]
  register: opentracker
"""

RETURN = r"""
compiler: {description: 'Version and target of the compiler, empty when there is none.', type: str, returned: always}
builds: {description: The builds that are installed., type: list, elements: str, returned: always}
running: {description: 'The build that runs, empty when none does.', type: str, returned: always}
active: {description: Whether the service is active., type: bool, returned: always}
user: {description: Whether the user is there., type: bool, returned: always}
holders: {description: The units or programs that listen on the port., type: list, elements: str, returned: always}
unanswered:
  description: The trackers of I(listen) that do not answer a scrape, each with the reason.
  type: list
  elements: str
  returned: always
  sample: ['udp://127.0.0.1:8888/announce: no answer within 10 s']
told:
  description: The trackers of I(listen) that took the announce of I(announced), with the seconds that they told.
  type: list
  elements: dict
  returned: always
  sample: [{'tracker': 'http://127.0.0.1:8888/announce', 'interval': 61, 'min_interval': 30}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.host.opentracker_state import ARGUMENTS, state


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    module.exit_json(changed=False, **state(**module.params))


if __name__ == "__main__":
    main()
