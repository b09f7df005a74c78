"""Ansible module: a certificate of the lab for a host. It runs on the controller alone, as action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_certificate
short_description: Has a certificate for a host, by a certificate authority of the lab's own
description:
  - The authority is made once. Its key never leaves the controller, where the user who runs Ansible alone can read
    it, and nothing of any key is ever part of a task's result.
  - What a host has stays as long as it carries all I(names), comes from this authority and lasts another month. Then
    another one is made, with another key.
  - The authority's own certificate is renewed with the same key fourteen months before it ends, so that programs with
    the former one go on until its end.
options:
  directory:
    description: Where on the controller C(ca.key) and C(ca.crt) of the authority lie, and C(NAME.pem) of each host.
    type: path
    required: true
  lab:
    description: The lab's name, which stands in the authority's.
    type: str
    required: true
  name:
    description: The host's name.
    type: str
    required: true
  names:
    description: The IP addresses and names under which the host is reached.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    support: full
"""

EXAMPLES = r"""
- name: Have a certificate of the lab
  lab_certificate:
    directory: "{{ lab_directory }}/tls"
    lab: "{{ lab_name }}"
    name: "{{ inventory_hostname }}"
    names: ["{{ lab_address }}"]
"""

RETURN = r"""
changed: {description: Whether anything was made or renewed., type: bool, returned: always}
reasons:
  description: Why.
  type: list
  elements: str
  returned: always
  sample: [tracker1 has a certificate without 192.0.2.11]
"""
