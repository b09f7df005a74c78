"""Thin shell around seedbed.announce: where a tracker is scraped."""

from __future__ import annotations

DOCUMENTATION = r"""
name: scrape_url
short_description: The scrape URL that belongs to an announce URL
description:
  - By the rule of BEP 48, the last part of the path has to begin with C(announce), which becomes C(scrape). A UDP
    tracker is scraped where it is announced to.
positional: _input
options:
  _input:
    description: The announce URL.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show where to scrape
  ansible.builtin.debug:
    msg: "{{ 'http://192.0.2.10:8888/announce' | scrape_url }}"
"""

RETURN = r"""
_value:
  description: The scrape URL.
  type: str
  sample: http://192.0.2.10:8888/scrape
"""

import os
from typing import Any, Callable
from urllib.parse import urlsplit

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.probe.tracker_urls import scrape_path


def scrape_url(announce: str) -> str:
    """Where a tracker is scraped."""
    if not isinstance(announce, str):
        raise AnsibleFilterError(f"scrape_url: expected a URL, got {type(announce).__name__}")
    parts = urlsplit(announce)
    if parts.scheme == "udp":
        return announce
    try:
        return parts._replace(path=scrape_path(parts.path)).geturl()
    except SeedbedError as error:
        raise AnsibleFilterError(f"scrape_url: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"scrape_url": scrape_url}
