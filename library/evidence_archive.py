#!/usr/bin/python
"""Ansible module: make one archive, and one page, of what module evidence left on the hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence_archive
short_description: Make one archive, and one page, of the evidence of several hosts
description:
  - Runs on the controller, on what was fetched from the hosts. Secrets are struck out of texts and packets.
options:
  fetched: {type: path, required: true, description: 'The directory with C(HOST/host.json) and C(HOST/packets.pcap).'}
  destination: {type: path, required: true, description: The archive's path without C(.zip) and C(.html).}
  title: {type: str, required: true, description: What it is about.}
  info_hash: {type: str, default: "", description: The torrent.}
  when: {type: float, required: true, description: 'When it was begun, in seconds since 1970.'}
  verdicts: {type: list, elements: dict, default: [], description: The doctor's.}
  answers: {type: dict, default: {}, description: 'By host, what M(swarm_info) returned there.'}
  names: {type: dict, default: {}, description: The lab's hosts by their addresses.}
  tracker_ports: {type: list, elements: int, default: [], description: Ports of trackers.}
  secrets: {type: list, elements: str, default: [], description: What must not be in it.}
attributes:
  check_mode:
    support: full
    description: Then nothing is written.
"""

EXAMPLES = r"""
- name: Make the archive
  evidence_archive:
    fetched: /tmp/fetched
    destination: evidence/film-20260101-120000
    title: film
    when: 1767268800.0
  delegate_to: localhost
"""

RETURN = r"""
archive: {description: The archive., type: str, returned: always, sample: evidence/film-20260101-120000.zip}
page: {description: Its page for people., type: str, returned: always, sample: evidence/film-20260101-120000.html}
silent: {description: Hosts that told nothing., type: list, elements: str, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.evidence.archive import Case, make_archive


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "fetched": {"type": "path", "required": True},
            "destination": {"type": "path", "required": True},
            "title": {"type": "str", "required": True},
            "info_hash": {"type": "str", "default": ""},
            "when": {"type": "float", "required": True},
            "verdicts": {"type": "list", "elements": "dict", "default": []},
            "answers": {"type": "dict", "default": {}},
            "names": {"type": "dict", "default": {}},
            "tracker_ports": {"type": "list", "elements": "int", "default": []},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    result = {"archive": params["destination"] + ".zip", "page": params["destination"] + ".html"}
    if module.check_mode:
        module.exit_json(changed=False, silent=[], **result)
    case = Case(**{key: params[key] for key in Case._fields})
    try:
        silent = make_archive(params["fetched"], params["destination"], case, params["secrets"])
    except (SeedbedError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, silent=silent, **result)


if __name__ == "__main__":
    main()
