"""Thin shell around seedbed.metainfo: what a .torrent file says."""

from __future__ import annotations

DOCUMENTATION = r"""
name: torrent_info
short_description: What a .torrent file says
description:
  - Reads any metainfo file, v1, hybrid or v2, made by anybody, as liberally as clients do; C(remarks) tells what is
    odd about it. Input is bounded in size, depth and the number of values. What no two of libtorrent, Transmission
    3.00, Transmission 4 and aria2 load ends in one sentence, for bencode with the byte offset.
  - Names are safe to use as parts of a path; clients may write odd ones in another way.
positional: _input
options:
  _input:
    description: The .torrent file as base64.
    type: str
    required: true
seealso:
  - plugin: torrent_metainfo
    plugin_type: filter
  - plugin: bdecode
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the files of a torrent
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.pipe', 'base64 -w0 film.torrent') | torrent_info }}"
"""

RETURN = r"""
_value:
  description: >-
    What the file says. Info hashes are hex, and info_hash is empty for version 2 alone; piece hashes are base64, sizes
    bytes. Each remark is a sentence on an oddity and on what clients make of it.
  type: dict
  sample:
    name: hello.txt
    info_hash: 9ed2efbb7fa8be0ccf0e6fd0b1cb4de9a06b9c1a
    info_hash_v2: ""
    magnet: magnet:?xt=urn:btih:9ed2efbb7fa8be0ccf0e6fd0b1cb4de9a06b9c1a&dn=hello.txt&xl=5
    bare_magnet: magnet:?xt=urn:btih:9ed2efbb7fa8be0ccf0e6fd0b1cb4de9a06b9c1a
    version: v1
    private: false
    single_file: true
    size: 5
    piece_length: 16384
    pieces: 1
    piece_hashes: qvTGHdzF6KLavt4PO0gs2a6pQ00=
    files: [{path: [], length: 5}]
    padding: 0
    pad_files: []
    trackers: []
    webseeds: []
    comment: ""
    source: ""
    created_by: Seedbed
    creation_date: 0
    remarks: []
"""

import base64
import binascii
import os
from typing import Any, Callable

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent import metainfo_reader
from ansible.module_utils.seedbed.torrent.model import TorrentInfo


def torrent_info(text: str) -> TorrentInfo:
    """Return what a .torrent file says."""
    if not isinstance(text, str):
        raise AnsibleFilterError(f"torrent_info: expected base64 text, got {type(text).__name__}")
    try:
        return metainfo_reader.torrent_info(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise AnsibleFilterError(f"torrent_info: not base64: {error}") from error
    except SeedbedError as error:
        raise AnsibleFilterError(f"torrent_info: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"torrent_info": torrent_info}
