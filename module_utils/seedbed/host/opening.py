"""What the lab wants opened on a host, in a form that every kind of firewall can take."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence

from ansible.module_utils.seedbed.base.files import make_directory, read_file, remove_files, write_atomically

Files = Dict[str, Optional[str]]
"""Texts by path; None for a file that shall not be."""


class Opening(NamedTuple):
    """Ports, and for which networks."""

    ports: list[tuple[int, str]]
    networks: list[str]


def reachable(listeners: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return those of what the lab declares that others get through to: neither on loopback nor dropped on purpose."""
    return [listener for listener in listeners if not listener.get("loopback") and not listener.get("dropped")]


def opening(listeners: Sequence[Mapping[str, Any]], networks: Sequence[str]) -> Opening:
    """Return what is to be opened for these listeners: nothing for those on loopback."""
    ports = {
        (int(listener["port"]), str(protocol))
        for listener in reachable(listeners)
        for protocol in listener["protocols"]
    }
    return Opening(sorted(ports), list(dict.fromkeys(networks)))


def present_files(paths: Sequence[str]) -> Files:
    """Return the files as they are."""
    found = {path: read_file(path) for path in paths}
    return {path: None if data is None else data.decode("utf-8", "replace") for path, data in found.items()}


def replace_files(files: Files) -> None:
    """Write and delete."""
    for path, text in files.items():
        if text is not None:
            make_directory(os.path.dirname(path))
            write_atomically(path, text.encode(), durable=True)
    remove_files([path for path, text in files.items() if text is None])
