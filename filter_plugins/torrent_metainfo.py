"""Thin shell around seedbed.metainfo: a payload descriptor becomes a .torrent."""

from __future__ import annotations

DOCUMENTATION = r"""
name: torrent_metainfo
short_description: The .torrent file, info hash and magnet links of a payload
description:
  - Makes a metainfo file (BEP 3, 12, 19, 27, 47, 52) from a payload descriptor of module M(catalogue_payload).
  - The info hash depends on content, name, O(private) and O(tag) alone, so trackers may change under a running torrent.
    There is no date unless one is given, so that the same input gives the same bytes.
  - Refuses, in a sentence, what any of libtorrent, Transmission and aria2 refuses or takes in another way.
positional: _input
options:
  _input:
    description: A descriptor with name, single_file, piece_length, pieces, length, files and, for hybrids, hybrid.
    type: dict
    required: true
  trackers:
    description: Announce URLs in tiers (BEP 12). A text is one URL; in a list of texts each is a tier of its own.
    type: raw
    default: []
  private:
    description: Whether clients may find peers through trackers alone (BEP 27). There is no magnet then.
    type: bool
    default: false
  webseeds:
    description: URLs of web seeds (BEP 19), or one as a text.
    type: raw
    default: []
  comment:
    description: A comment, outside the info section.
    type: str
    default: ""
  tag:
    description: The C(source) key of the info section, which makes another info hash of the same content.
    type: str
    default: ""
  creation_date:
    description: Seconds since 1970; 0 for none.
    type: int
    default: 0
seealso:
  - plugin: torrent_info
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Make a torrent
  ansible.builtin.set_fact:
    hello: "{{ payload | torrent_metainfo(trackers=[['http://192.0.2.10:8888/announce', 'udp://192.0.2.10:8888']]) }}"
  vars:
    payload:
      name: hello.txt
      single_file: true
      piece_length: 16384
      pieces: qvTGHdzF6KLavt4PO0gs2a6pQ00=
      length: 5
      files: [{path: [], length: 5}]
"""

RETURN = r"""
_value:
  description: Name, metainfo as base64, info hashes as hex, magnet links (null for a private torrent).
  type: dict
  sample:
    name: hello.txt
    metainfo: ZDg6YW5ub3VuY2Uz...
    info_hash: 9ed2efbb7fa8be0ccf0e6fd0b1cb4de9a06b9c1a
    info_hash_v2: ""
    magnet: magnet:?xt=urn:btih:9ed2efbb7fa8be0ccf0e6fd0b1cb4de9a06b9c1a&dn=hello.txt&xl=5
    bare_magnet: magnet:?xt=urn:btih:9ed2efbb7fa8be0ccf0e6fd0b1cb4de9a06b9c1a
"""

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent import metainfo
from ansible.module_utils.seedbed.torrent.model import MadeTorrent, Payload
from ansible.module_utils.seedbed.torrent.trackers import as_texts, as_tiers


def torrent_metainfo(
    payload: Payload,
    *,
    trackers: str | Sequence[str | Sequence[str]] = (),
    private: bool = False,
    webseeds: str | Sequence[str] = (),
    comment: str = "",
    tag: str = "",
    creation_date: int = 0,
) -> MadeTorrent:
    """Return metainfo, info hashes and magnet links of a payload."""
    if not isinstance(payload, Mapping):
        raise AnsibleFilterError(f"torrent_metainfo: expected a payload descriptor, got {type(payload).__name__}")
    try:
        return metainfo.torrent_metainfo(
            payload,
            trackers=as_tiers(trackers),
            private=private,
            webseeds=as_texts(webseeds, "webseeds"),
            comment=comment,
            tag=tag,
            creation_date=creation_date,
        )
    except KeyError as error:
        raise AnsibleFilterError(f"torrent_metainfo: the payload descriptor lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise AnsibleFilterError(
            f"torrent_metainfo: the payload descriptor has a value of a wrong type: {error}"
        ) from error
    except SeedbedError as error:
        raise AnsibleFilterError(f"torrent_metainfo: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"torrent_metainfo": torrent_metainfo}
