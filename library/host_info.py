#!/usr/bin/python
"""Thin shell around seedbed.base and Ansible's own facts: what the roles ask a host before they decide."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Answers in one call what roles ask a host before they decide
description:
  - Gathers facts, and says what listens on a range of ports, which packages are installed, and what the host filters
    with. Changes nothing.
options:
  first:
    description: The first port of the range.
    type: int
    required: true
  last:
    description: The last port of the range, included.
    type: int
    required: true
  name:
    description: A name or IP address of the host, to see what the host itself takes it for; empty for none.
    type: str
    default: ""
  claims:
    description:
      - What the lab would have for its own, dictionaries with C(kind) (of unit, user, directory and daemon), C(name)
        and C(variable).
    type: list
    elements: dict
    default: []
  listeners:
    description: What shall be reached on the host, each with C(port) and C(protocols); for RV(firewall).
    type: list
    elements: dict
    default: []
  networks:
    description: From where it shall be reached, in CIDR form; for RV(firewall).
    type: list
    elements: str
    default: []
  addresses:
    description: IP addresses that the lab would give the host, to see whether somebody else has them.
    type: list
    elements: str
    default: []
  gather_subset:
    description: The facts, as M(ansible.builtin.setup) takes them.
    type: list
    elements: str
    default: [min, default_ipv4, default_ipv6, "!all"]
  gather_timeout:
    description: Seconds that each kind of fact may take.
    type: int
    default: 10
  fact_path:
    description: Where the host's own facts lie.
    type: path
    default: /etc/ansible/facts.d
  table:
    description: Our own nftables table, as M(nft_table) has it.
    type: dict
    suboptions:
      name: {type: str, required: true, description: Family and name of the table.}
      path: {type: path, required: true, description: Where the rules lie for the next boot.}
      unit: {type: str, required: true, description: The systemd unit that loads them at boot.}
  tracker:
    description:
      - What M(opentracker_info) has to know of the tracker that the host has or shall have; it is then inspected in the
        same call.
    type: dict
    suboptions:
      cc: {type: str, required: true, description: The C compiler, with options.}
      prefix: {type: path, required: true, description: Where the builds are installed.}
      user: {type: str, required: true, description: The user that the service runs as.}
      port: {type: int, required: true, description: The port that it listens on.}
      listen: {type: list, elements: str, default: [], description: Addresses where the tracker is asked.}
      unit: {type: str, default: opentracker.service, description: Its systemd unit.}
attributes:
  check_mode:
    support: full
    description: It only reads.
seealso:
  - module: listener_info
"""

EXAMPLES = r"""
- name: Observe the host
  host_info:
    first: 8000
    last: 9000
  register: host
"""

RETURN = r"""
ansible_facts:
  description: The facts, and as C(arrival_address) the host's own address by which SSH comes in.
  returned: always
  type: dict
sockets:
  description: The listening sockets, as M(listener_info) tells them.
  returned: always
  type: list
  elements: dict
made_for:
  description: The roles for which anything was made on this host, each with the kinds of it, see M(owned).
  returned: always
  type: dict
  sample: {opentracker: [files, trees, units, users]}
resolved:
  description: The IP addresses that the host finds behind C(name).
  returned: always
  type: list
  elements: str
occupied:
  description: Those of O(addresses) at which somebody else answers, with who it is.
  returned: always
  type: dict
  sample: {192.0.2.41: a host with the hardware address 52:54:00:12:34:56}
foreign:
  description: Those of O(claims) that others have on this host, with C(what) they are.
  returned: always
  type: list
  elements: dict
  sample:
    - {kind: directory, name: /srv/site, variable: portal_dir, what: index.html and 3 more}
folders:
  description: Directories that a Transmission daemon used before the lab took it over.
  returned: always
  type: list
  elements: str
  sample: [/srv/media]
firewall:
  description: What else filters on the host beside the lab's own table.
  returned: always
  type: dict
  contains:
    backend:
      description: Who decides, V(firewalld) or V(ufw); V(nftables) where neither runs.
      type: str
    obstacles: {description: Why that one cannot be told of the listeners now., type: list, elements: str}
    closing:
      description: Rules of others that seem to keep the networks out of the listeners' ports.
      type: list
      elements: dict
      sample: [{where: inet filter input, rule: policy drop, ports: [8888/tcp, 8888/udp]}]
    redirected:
      description: Ports of the range that are sent elsewhere, as container engines publish them.
      type: list
      elements: dict
      sample:
        - {where: ip nat DOCKER, rule: tcp dport 8888 dnat to 172.17.0.2:80, protocols: [tcp], first: 8888, last: 8888}
    tracking: {description: A rule of others that asks the connection tracking., type: list, elements: dict}
    ssh_ports: {description: By which the host is reached over SSH., type: list, elements: int}
    opened: {description: 'In which of firewalld and ufw the lab has opened something.', type: list, elements: str}
services:
  description:
    - By unit, what M(service_unit) and M(scripted_peers) have brought to its state and is in it, with what they would
      return, so that nobody has to look again.
  returned: always
  type: dict
  sample: {seedbed-portal.service: {fingerprint: 1c5a1a6a, result: {action: "", reasons: [], status: 200}}}
table:
  description: What of O(table) is in force; empty without it.
  returned: always
  type: dict
  contains:
    rules: {description: SHA-256 of the rules for the next boot., type: str}
    unit: {description: The same of the unit that loads them., type: str}
    intact: {description: 'Whether the kernel filters with these rules, and that unit is enabled.', type: bool}
tracker:
  description: What M(opentracker_info) returns, empty without O(tracker).
  returned: always
  type: dict
  sample: {compiler: 12.2.0 x86_64-linux-gnu, builds: [a1b2c3], running: a1b2c3, active: true, user: true,
           holders: [opentracker.service], unanswered: []}
impairment:
  description: What M(impairment) has begun on the host and is not over, null for nothing.
  returned: always
  type: dict
  sample: {impairment: slow, words: 1 Mbit/s, until: 1700000000, lacking: []}
packages:
  description: The names of the installed packages.
  returned: always
  type: list
  elements: str
  sample: [adduser, apt]
package_lock_holder:
  description: Who is changing packages right now, empty when nobody is.
  returned: always
  type: str
  sample: unattended-upgr (process 4711)
"""

import os
import socket

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.facts import ansible_collector, default_collectors
from ansible.module_utils.facts.namespace import PrefixFactNamespace
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.listeners import listening_sockets
from ansible.module_utils.seedbed.base.ownership import foreign, known
from ansible.module_utils.seedbed.base.packages import installed_packages, package_lock_holder
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.host import impairing, opentracker_state
from ansible.module_utils.seedbed.host.firewalls import find_firewalls
from ansible.module_utils.seedbed.host.host_addresses import occupied
from ansible.module_utils.seedbed.host.nft_table import TablePaths, loaded_table
from ansible.module_utils.seedbed.host.services_in_force import services_in_force
from ansible.module_utils.seedbed.host.ssh_port import arrival
from ansible.module_utils.seedbed.transmission.existing import foreign_daemon

# What module setup takes as its subset "min".
MINIMAL = frozenset(
    [
        "apparmor",
        "caps",
        "cmdline",
        "date_time",
        "distribution",
        "dns",
        "env",
        "fips",
        "local",
        "lsb",
        "pkg_mgr",
        "platform",
        "python",
        "selinux",
        "service_mgr",
        "ssh_pub_keys",
        "user",
    ]
)


def resolved(name: str) -> list[str]:
    """Return the addresses of a name as far as this host knows them."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(name, None)}) if name else []
    except (OSError, UnicodeError):
        return []


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "first": {"type": "int", "required": True},
            "last": {"type": "int", "required": True},
            "name": {"type": "str", "default": ""},
            "claims": {"type": "list", "elements": "dict", "default": []},
            "listeners": {"type": "list", "elements": "dict", "default": []},
            "networks": {"type": "list", "elements": "str", "default": []},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "table": {
                "type": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "path": {"type": "path", "required": True},
                    "unit": {"type": "str", "required": True},
                },
            },
            "tracker": {"type": "dict", "options": opentracker_state.ARGUMENTS},
            "gather_subset": {
                "type": "list",
                "elements": "str",
                "default": ["min", "default_ipv4", "default_ipv6", "!all"],
            },
            "gather_timeout": {"type": "int", "default": 10},
            "fact_path": {"type": "path", "default": "/etc/ansible/facts.d"},
        },
        supports_check_mode=True,
    )
    # As module setup does it.
    facts = ansible_collector.get_ansible_collector(
        all_collector_classes=default_collectors.collectors,
        namespace=PrefixFactNamespace(namespace_name="ansible", prefix="ansible_"),
        gather_subset=module.params["gather_subset"],
        gather_timeout=module.params["gather_timeout"],
        minimal_gather_subset=MINIMAL,
    )
    params = module.params
    port_range = params["first"], params["last"]
    sockets = listening_sockets(*port_range)
    try:
        packages = installed_packages()
        owned = known()
        # Who is not root does not see what others have, and is told so by the preflight.
        claims = module.params["claims"] if os.geteuid() == 0 else []
        others = foreign(owned, [claim for claim in claims if claim["kind"] != "daemon"])
        daemons = [claim for claim in claims if claim["kind"] == "daemon"]
        daemon = foreign_daemon(owned) if daemons else None
        taken = occupied(params["addresses"]) if params["addresses"] else {}
        tracker = opentracker_state.state(**params["tracker"]) if params["tracker"] else None
        impairment = impairing.current()
        table = params["table"] if os.geteuid() == 0 else None  # others may not ask the kernel
        loaded = loaded_table(table["name"], TablePaths(table["path"]), Unit(table["unit"])) if table else None
        firewall = find_firewalls(params["listeners"], params["networks"], sockets, port_range)
    except (SeedbedError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        ansible_facts={**facts.collect(module=module), "ansible_arrival_address": arrival(os.getpid()).address},
        sockets=sockets,
        packages=packages,
        occupied=taken,
        package_lock_holder=package_lock_holder(),
        foreign=others + [{**claim, "name": daemon.settings, "what": daemon.what} for claim in daemons if daemon],
        folders=daemon.folders if daemon else sorted(owned.of("transmission", "folders")),
        made_for={role: sorted(kinds) for role, kinds in owned.plain().items()},
        services=services_in_force() if os.geteuid() == 0 else {},
        table=loaded or {},
        tracker=tracker or {},
        resolved=resolved(module.params["name"]),
        firewall=firewall,
        impairment=impairment,
    )


if __name__ == "__main__":
    main()
