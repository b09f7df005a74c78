#!/usr/bin/python
"""Bring a Transmission daemon's settings.json, unit drop-in and service to the wanted state in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: transmission_settings
short_description: Settings of a Transmission daemon, merged into its file while it is stopped
description:
  - Reads the daemon's settings file and compares the wanted keys as data. When all are equal, the unit's drop-in is the
    wanted one, and the running daemon answers with these settings, nothing is touched.
  - Otherwise the daemon is stopped, the file is read again (at its exit the daemon writes what was changed over RPC),
    the wanted keys are merged in, the file is written in one step with the daemon's user as owner, and the daemon is
    started.
  - The call ends when the daemon serves RPC with the wanted password, its web interface and its peer port. If it does
    not, the former file and drop-in are put back and the daemon is started again with them if it was running.
  - The file belongs to the daemon's user, who can read and write it, and grants others no more than the daemon's own
    umask would. One that does not is written anew in the same way, since the daemon would start without a password on a
    file that it cannot read.
  - Keys that are not named stay as they are. A file that is not a JSON object is refused before anything is stopped,
    since the daemon would start on it without a password.
options:
  path:
    description: The settings file; a symbolic link is followed and kept.
    type: path
    default: /etc/transmission-daemon/settings.json
  settings:
    description:
      - The wanted keys in kebab-case or snake_case; each is written in the one spelling that all versions read.
      - Types and ranges are checked, since the daemon misreads wrong ones without a word.
      - C(rpc-whitelist) may be a list of networks in CIDR form; it is written as the shell patterns that the daemon
        understands, with the host itself added.
    type: dict
    default: {}
  password:
    description: The RPC password. It is stored hashed; a stored hash of it, with any salt, counts as unchanged.
    type: str
    required: true
  drop_in:
    description:
      - Content of the unit's drop-in C(/etc/systemd/system/<unit>.d/seedbed.conf). Absent, drop-ins are left alone.
    type: str
  unit:
    description: The daemon's systemd unit.
    type: str
    default: transmission-daemon.service
  program:
    description: The daemon's program, asked for its version.
    type: path
    default: /usr/bin/transmission-daemon
  owner:
    description: The user that the daemon runs as. A file that it cannot read lets it start without a password.
    type: str
    default: debian-transmission
  role:
    description:
      - For which role what is written is noted as ours, see M(owned); of a settings file that is not ours a dated copy
        is kept beside it. Without one nothing is noted.
    type: str
    default: ""
  adopt:
    description: Whether a daemon that is not ours is taken over. Without it such a one is refused, given a O(role).
    type: bool
    default: false
  makes:
    description: Directories that the unit makes where they are missing, noted with it.
    type: list
    elements: path
    default: []
  folders:
    description: Folders of a daemon that is taken over, noted with it.
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds to wait for the started daemon.
    type: int
    default: 30
attributes:
  check_mode:
    description: Says what would change, also on a host where nothing is installed.
    support: full
  diff_mode:
    description: Shows the keys that change; passwords, their hashes and credentials inside a URL are hidden.
    support: full
"""

EXAMPLES = r"""
- name: Configure Transmission
  transmission_settings:
    settings:
      rpc-port: 8081
      rpc-username: seedbed
      rpc-whitelist: [192.0.2.0/24]
      speed-limit-up: 5000
      speed-limit-up-enabled: true
    password: "{{ transmission_rpc_password }}"
"""

RETURN = r"""
changed_keys:
  description: The keys of the settings file that differed.
  type: list
  elements: str
  returned: always
  sample: [rpc-port, speed-limit-up]
reasons:
  description: Why the daemon had to be stopped or started beside changed keys.
  type: list
  elements: str
  returned: always
  sample: [transmission-daemon.service is inactive]
daemon:
  description:
    - The running daemon's version, ports, and the HTTP status of its web interface.
    - Null in check mode when something would change.
  type: dict
  returned: always
  sample: {version: 4.1.0, rpc_port: 8081, peer_port: 8082, web_ui: 200}
unread_keys:
  description: Wanted keys that the installed version does not read.
  type: list
  elements: str
  returned: always
  sample: [default-trackers]
udp_buffers:
  description: The host's largest socket buffers in bytes, null where it does not show them.
  type: dict
  returned: always
  sample: {net.core.rmem_max: 4194304, net.core.wmem_max: 1048576}
"""

import signal
import sys
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.ownership import known
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.transmission.daemon import (
    DaemonPlan,
    DaemonSpec,
    apply_daemon,
    installed_version,
    plan_daemon,
    udp_buffers,
)
from ansible.module_utils.seedbed.transmission.existing import ForeignDaemon, foreign_daemon
from ansible.module_utils.seedbed.transmission.keys import unread_keys
from ansible.module_utils.seedbed.transmission.settings import SettingChange, native_settings, stored_password

ARGUMENTS = {
    "path": {"type": "path", "default": "/etc/transmission-daemon/settings.json"},
    "settings": {"type": "dict", "default": {}},
    "password": {"type": "str", "required": True, "no_log": True},
    "drop_in": {"type": "str"},
    "unit": {"type": "str", "default": "transmission-daemon.service"},
    "program": {"type": "path", "default": "/usr/bin/transmission-daemon"},
    "owner": {"type": "str", "default": "debian-transmission"},
    "role": {"type": "str", "default": ""},
    "adopt": {"type": "bool", "default": False},
    "folders": {"type": "list", "elements": "path", "default": []},
    "makes": {"type": "list", "elements": "path", "default": []},
    "timeout": {"type": "int", "default": 30},
}


def difference(changes: list[SettingChange], plan: DaemonPlan) -> dict[str, Any]:
    """Return the diff: settings keys, then what else stops or starts the daemon."""
    before = {change.key: change.before for change in changes if change.before is not None}
    after = {change.key: change.after for change in changes if change.after is not None}
    if plan.drop_in:
        before["(unit drop-in)"], after["(unit drop-in)"] = "other", "as wanted"
    if plan.reasons:
        before["(service)"], after["(service)"] = "; ".join(plan.reasons), "running with these settings"
    return {"before": before, "after": after}


def refuse_foreign(spec: DaemonSpec) -> None:
    """Refuse a daemon that somebody else has set up, before anything of it is touched."""
    found = foreign_daemon(known())
    if found and found.settings == spec.path:
        raise ForeignDaemon(found)


def main() -> None:
    """Read the arguments, compare, apply, report."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    arguments = dict(module.params)
    adopt = arguments.pop("adopt")
    # A cut connection ends this process: as an exception, so that the daemon is not left stopped.
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda number, _frame: sys.exit(128 + number))
    try:
        stored_password(arguments["password"])
        spec = DaemonSpec(**{**arguments, "settings": native_settings(arguments["settings"])})
        unit = Unit(spec.unit)
        version = installed_version(spec.program)
        plan = plan_daemon(spec, unit, version)
        if spec.role and plan.report is None and not adopt:
            refuse_foreign(spec)
        changes, report = plan.changes, plan.report
        if report is None and not module.check_mode:
            changes, report = apply_daemon(spec, unit, version)
    except SeedbedError as error:
        module.fail_json(msg=str(error))
    result = {
        "changed": plan.report is None,
        "changed_keys": [change.key for change in changes],
        "reasons": plan.reasons,
        "daemon": report and report._asdict(),
        "unread_keys": unread_keys(spec.settings, version) if version else [],
        "udp_buffers": udp_buffers(),
        "diff": difference(changes, plan),
    }
    module.exit_json(**result)


if __name__ == "__main__":
    main()
