"""Ansible module: what roles declare about a host. The action plugin of the same name does it, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: role_contracts
short_description: Evaluate what roles declare about a host
description:
  - Reads defaults, variables and argument specification of roles that lie beside the calling one, and evaluates some
    of their variables with the variables of the host. Of role C(x) these are C(__x_services), C(__x_listeners),
    C(__x_claims), C(__x_faults) and C(__x_bundle), and once the host was observed C(__x_host_faults) and C(__x_notes).
  - A role whose variables have wrong types is only asked for its services.
  - No connection to the host is needed.
options:
  roles:
    description: The roles.
    type: list
    elements: str
    required: true
  parts:
    description: What to evaluate.
    type: list
    elements: str
    choices: [services, listeners, claims, faults, host_faults, notes, bundle]
    default: [services, listeners, claims, faults]
attributes:
  check_mode:
    support: full
    description: It changes nothing, so it does the same in check mode.
"""

EXAMPLES = r"""
- name: Ask the roles of this host
  role_contracts:
    roles: [opentracker, portal]
  register: contracts
"""

RETURN = r"""
services:
  description: What other roles and hosts may know, by the name of the service.
  returned: with O(parts) services
  type: dict
  sample: {tracker: {port: 8888, statistics: stats}}
listeners:
  description: What the roles listen on.
  returned: with O(parts) listeners
  type: list
  elements: dict
  sample:
    - {variable: opentracker_port, port: 8888, protocols: [tcp, udp], unit: opentracker.service}
claims:
  description: What the roles will make on the host and nobody else may have there.
  returned: with O(parts) claims
  type: list
  elements: dict
  sample:
    - {kind: directory, name: /srv/seedbed/portal, variable: portal_dir}
bundle:
  description: The archives that the roles take besides packages, as role bundle collects them.
  returned: with O(parts) bundle
  type: list
  elements: dict
faults:
  description:
    - What is wrong with the variables, one sentence a fault. The types of all variables come first, then what the roles
      themselves find, then what cannot be computed.
  returned: with O(parts) faults
  type: list
  elements: str
  sample:
    - transmission_rpc_password is not set; it takes the password of the remote control
host_faults:
  description: What the host itself has shown to be wrong, one sentence a fault.
  returned: with O(parts) host_faults
  type: list
  elements: str
  sample:
    - portal_port is 8000, but tcp port 8000 is held by caddy (caddy.service); stop that or choose another port
notes:
  description: What people should know of the host, though it stops nothing.
  returned: with O(parts) notes
  type: list
  elements: str
  sample:
    - "inet filter input: policy drop seems to close 8888/tcp to lab_networks; ..."
"""
