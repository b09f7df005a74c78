"""Thin shell around seedbed.metainfo: magnet links."""

from __future__ import annotations

DOCUMENTATION = r"""
name: magnet_link
short_description: A magnet link
description:
  - Makes a magnet link (BEP 9, 53). Only what is given is written.
positional: _input
options:
  _input:
    description: The v1 info hash as 40 hexadecimal digits; empty for a torrent of version 2 alone.
    type: str
    required: true
  name:
    description: Display name (C(dn)).
    type: str
    default: ""
  info_hash_v2:
    description: The v2 info hash as 64 hexadecimal digits, for hybrids and version 2.
    type: str
    default: ""
  size:
    description: Bytes in all (C(xl)).
    type: int
  trackers:
    description: Announce URLs (C(tr)), or one as a text; tiers are taken, too.
    type: raw
    default: []
  webseeds:
    description: Web seeds (C(ws)), or one as a text.
    type: raw
    default: []
  peers:
    description: Peers as address:port (C(x.pe)), or one as a text.
    type: raw
    default: []
  select:
    description: Numbers of the files to download (C(so)), like V(0,2,4-6).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show a magnet link
  ansible.builtin.debug:
    msg: "{{ '9ed2efbb7fa8be0ccf0e6fd0b1cb4de9a06b9c1a' | magnet_link(name='hello.txt', peers=['192.0.2.20:8082']) }}"
"""

RETURN = r"""
_value:
  description: The link.
  type: str
  sample: magnet:?xt=urn:btih:9ed2efbb7fa8be0ccf0e6fd0b1cb4de9a06b9c1a&dn=hello.txt&x.pe=192.0.2.20:8082
"""

import os
import re
from typing import Any, Callable, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent import magnet
from ansible.module_utils.seedbed.torrent.model import flatten_tiers
from ansible.module_utils.seedbed.torrent.trackers import as_texts, as_tiers


def magnet_link(
    info_hash: str,
    *,
    name: str = "",
    info_hash_v2: str = "",
    size: int | None = None,
    trackers: str | Sequence[str | Sequence[str]] = (),
    webseeds: str | Sequence[str] = (),
    peers: str | Sequence[str] = (),
    select: str = "",
) -> str:
    """A magnet link."""
    v1 = "([0-9a-f]{40})?" if info_hash_v2 else "[0-9a-f]{40}"
    for value, digits, pattern in ((info_hash, 40, v1), (info_hash_v2, 64, "([0-9a-f]{64})?")):
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise AnsibleFilterError(f"magnet_link: expected {digits} lower-case hexadecimal digits, got {value!r}")
    try:
        return magnet.magnet_link(
            info_hash,
            name=name,
            info_hash_v2=info_hash_v2,
            size=size,
            trackers=flatten_tiers(as_tiers(trackers)),
            webseeds=as_texts(webseeds, "webseeds"),
            peers=as_texts(peers, "peers"),
            select=select,
        )
    except SeedbedError as error:
        raise AnsibleFilterError(f"magnet_link: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"magnet_link": magnet_link}
