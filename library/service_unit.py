#!/usr/bin/python
"""Ansible module: a systemd unit with its files, as one state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_unit
short_description: Bring a systemd unit with its files to its state in one call
description:
  - Compares the unit's file, its drop-ins and the other files that it reads with what they shall be, validates what is
    new before anything is replaced, writes in one step each, has systemd read its files, and starts, restarts or
    reloads the unit.
  - It does so, too, where nothing differs but the running process is older than one of the files, has not read it since
    it changed, or the unit is not active, not enabled or needs C(daemon-reload). So a run that was cut off is made up
    for by the next one.
  - The call ends when the unit is active, holds its ports itself and answers. If it does not within I(seconds), the
    former files are put back, what ran before runs again, and the task fails with the reason and the last lines of the
    unit's journal.
  - A port that another program holds is refused before anything is touched.
options:
  name:
    description: The unit, with its suffix, such as C(seedbed-portal.service).
    type: str
    required: true
  unit:
    description: The text of its file in C(/etc/systemd/system). Absent, the unit is a package's.
    type: str
  drop_ins:
    description:
      - Content of drop-ins by their names, without C(.conf). An empty content stands for no such drop-in.
    type: dict
    default: {}
  files:
    description: What else the unit reads, in the order in which it is written.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {type: path, required: true, description: Where it lies. Missing directories are made.}
      content: {type: str, description: 'Its content. Without any content and link there shall be no file.'}
      content_base64: {type: str, description: 'Its content, of any bytes.'}
      secret_base64:
        type: str
        description:
          - Its content, which is never shown. In base64, since Ansible writes the parameters of a module into the
            journal of the host, and does not recognise a secret of several lines there.
      link: {type: str, description: Where a symbolic link at this path leads.}
      mode: {type: str, choices: ["0600", "0640", "0644", "0755"], default: "0644", description: Its mode.}
      reload: {type: bool, default: false, description: Whether a reload is enough for the unit to read it again.}
      validate:
        type: list
        elements: str
        default: []
        description:
          - A command that refuses a bad content. C({file}) is the new file, C({directory}) the directory that it lies
            in for the time being, which is deleted afterwards.
  state:
    description:
      - With C(started) it shall run. With C(present) it is restarted or reloaded if it runs, and else left alone. With
        C(absent) it shall be gone, with all its files.
    type: str
    choices: [started, present, absent]
    default: started
  enabled:
    description: Whether it starts at boot. Absent, that is left as it is.
    type: bool
  ports:
    description: Ports that its processes have to hold, and nobody else.
    type: list
    elements: dict
    default: []
    suboptions:
      port: {type: int, required: true, description: The port.}
      protocol: {type: str, choices: [tcp, udp], default: tcp, description: The protocol.}
  url:
    description: An address that has to answer over HTTP, with any status below 500.
    type: str
    default: ""
  journal_faults:
    description:
      - Regular expressions. A line of the running process in the journal that matches one means that it does not run as
        configured, although it goes on.
    type: list
    elements: str
    default: []
  renews_workers:
    description:
      - Whether its main process makes new worker processes when it has taken a reload over, as nginx does. Only that
        tells of a reload that was accepted but not carried out.
    type: bool
    default: false
  role:
    description:
      - For which role what is written is noted as ours, see M(owned). Then only what is noted is removed, and of a file
        of somebody else that is replaced a dated copy is kept beside it. Without a role nothing is noted.
    type: str
    default: ""
  directories:
    description: Directories that the unit makes itself, noted as ours where they are not there yet.
    type: list
    elements: path
    default: []
  trees:
    description: The same, of directories that are ours with all that is in them.
    type: list
    elements: path
    default: []
  seconds:
    description: How long it may take to serve.
    type: float
    default: 30
  touched:
    description:
      - Whether the play has touched the unit otherwise since M(host_info) has looked at it. Then it is looked at anew.
    type: bool
    default: false
  fingerprint:
    description:
      - Stands for the options above; the controller gives it. It is remembered on the host until the next boot, and
        M(host_info) returns it as long as files, units and processes are what they became. Then no call is made.
    type: str
    default: ""
  beside:
    description:
      - Further units of the same role, which are brought to their states after it, in the same call. Each has these
        options but I(role), I(touched), I(fingerprint) and I(beside).
    type: list
    elements: dict
    default: []
attributes:
  check_mode:
    support: full
    description: Also on a host where nothing is installed.
  diff_mode:
    support: full
    description: Secret content is left out.
"""

EXAMPLES = r"""
- name: Run the portal
  service_unit:
    name: seedbed-portal.service
    unit: "{{ lookup('ansible.builtin.template', 'seedbed-portal.service.j2') }}"
    files:
      - path: /etc/nginx/seedbed-portal.conf
        content: "{{ lookup('ansible.builtin.template', 'portal.conf.j2') }}"
        validate: [nginx, -t, -q, -p, "{directory}", -c, "{file}"]
        reload: true
    enabled: true
    ports: [{port: 8000}]
    url: http://127.0.0.1:8000/
    beside:
      - name: seedbed-collector.service
        unit: "{{ lookup('ansible.builtin.template', 'seedbed-collector.service.j2') }}"
        enabled: true
"""

RETURN = r"""
action:
  description: What was done to the unit O(name), empty for nothing; C(start), C(restart), C(reload) or C(remove).
  returned: always
  type: str
  sample: reload
reasons:
  description: What was not as it shall be, of all units.
  returned: always
  type: list
  elements: str
  sample: [/etc/nginx/seedbed-portal.conf differs]
status:
  description: The HTTP status of I(url), 0 without one, and in check mode where something would change.
  returned: always
  type: int
  sample: 200
"""

import base64
import signal
import sys
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.host import services_in_force
from ansible.module_utils.seedbed.host.service_unit import (
    Port,
    Service,
    ServiceFile,
    ServicePlan,
    apply_service,
    can_validate,
    difference_texts,
    http_status,
    plan_service,
    validate,
)

FILE: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "content_base64": {"type": "str"},
    "secret_base64": {"type": "str", "no_log": True},
    "link": {"type": "str"},
    "mode": {"type": "str", "choices": ["0600", "0640", "0644", "0755"], "default": "0644"},
    "reload": {"type": "bool", "default": False},
    "validate": {"type": "list", "elements": "str", "default": []},
}
ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "unit": {"type": "str"},
    "drop_ins": {"type": "dict", "default": {}},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": FILE,
        "mutually_exclusive": [["content", "content_base64", "secret_base64", "link"]],
    },
    "state": {"type": "str", "choices": ["started", "present", "absent"], "default": "started"},
    "enabled": {"type": "bool"},
    "ports": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "port": {"type": "int", "required": True},
            "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
        },
    },
    "url": {"type": "str", "default": ""},
    "journal_faults": {"type": "list", "elements": "str", "default": []},
    "renews_workers": {"type": "bool", "default": False},
    "role": {"type": "str", "default": ""},
    "directories": {"type": "list", "elements": "path", "default": []},
    "trees": {"type": "list", "elements": "path", "default": []},
    "seconds": {"type": "float", "default": 30},
}
# For the controller, which decides by them whether to call the module at all.
DECIDING: dict[str, Any] = {
    "touched": {"type": "bool", "default": False},
    "fingerprint": {"type": "str", "default": ""},
}
BESIDE = {name: option for name, option in ARGUMENTS.items() if name != "role"}
BESIDE_ARGUMENT: dict[str, Any] = {"type": "list", "elements": "dict", "default": [], "options": BESIDE}


class Done(NamedTuple):
    """What was found of a unit, and done to it."""

    service: Service
    plan: ServicePlan
    status: int


def service_of(params: dict[str, Any], unit: Unit, role: str) -> Service:
    """Return the service that the module's parameters describe."""
    gone = params["state"] == "absent"

    def encoded(text: str | None) -> bytes | None:
        return None if gone or text is None else text.encode()

    def content_of(file: dict[str, Any]) -> bytes | None:
        told = file["content_base64"] if file["secret_base64"] is None else file["secret_base64"]
        return encoded(file["content"]) if told is None or gone else base64.b64decode(told)

    files = [
        ServiceFile(
            file["path"],
            content_of(file),
            "" if gone else file["link"] or "",
            int(file["mode"], 8),
            file["validate"],
            file["reload"],
            file["secret_base64"] is not None,
        )
        for file in params["files"]
    ]
    files += [
        ServiceFile(f"{unit.path}.d/{name}.conf", encoded(text or None)) for name, text in params["drop_ins"].items()
    ]
    if params["unit"] is not None or gone:
        files.append(ServiceFile(unit.path, encoded(params["unit"])))
    return Service(
        params["name"],
        files,
        params["state"],
        params["enabled"],
        [Port(**port) for port in params["ports"]],
        params["url"],
        params["journal_faults"],
        params["renews_workers"],
        params["seconds"],
        role,
        params["directories"],
        params["trees"],
    )


def bring(params: dict[str, Any], role: str, *, check_mode: bool) -> Done:
    """Bring a unit to its state; in check mode see what that would take."""
    unit = Unit(params["name"])
    service = service_of(params, unit, role)
    plan = plan_service(service, unit, wait=not check_mode)
    if check_mode:
        for item in plan.differences:
            if can_validate(item.file):
                validate(item.file)
    elif plan.changed:
        apply_service(service, unit, plan)
    asked = service.url and service.state == "started" and not (check_mode and plan.changed)
    return Done(service, plan, http_status(service.url) if asked else 0)


def main() -> None:
    """Read the arguments, compare, apply, report."""
    module = AnsibleModule({**ARGUMENTS, **DECIDING, "beside": BESIDE_ARGUMENT}, supports_check_mode=True)
    # A cut connection ends this process: as an exception, so that nothing is left half done.
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda number, _frame: sys.exit(128 + number))
    wanted = [module.params, *module.params["beside"]]
    try:
        done = [bring(each, module.params["role"], check_mode=module.check_mode) for each in wanted]
        if module.params["fingerprint"] and not module.check_mode:
            same = {"action": "", "reasons": [], "status": done[0].status}
            services_in_force.remember(module.params["fingerprint"], [each.service for each in done], same)
    except (SeedbedError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=any(each.plan.changed for each in done),
        action=done[0].plan.action,
        reasons=[reason for each in done for reason in each.plan.reasons],
        status=done[0].status,
        diff=[difference for each in done for difference in difference_texts(each.plan)],
    )


if __name__ == "__main__":
    main()
