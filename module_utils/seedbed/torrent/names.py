"""Names that every file system and client can hold."""

from __future__ import annotations

from typing import Any, Sequence

from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.torrent.client_names import path_on_3

MAX_NAME = 255 - len(".torrent")  # a torrent's name: the published file carries it
MAX_COMPONENT = 255  # bytes, on every file system that a lab uses
ARIA2_REFUSES = "\b\t\n\f\r"  # a torrent with one of these in a name
MAX_PATH = 100  # parts; libtorrent refuses a torrent with more
MAX_HYBRID_DIRECTORIES = 26  # in each other: the file tree nests once for each, and Transmission 4 reads 31 levels


def component_fault(name: str) -> str:
    """Return why a text cannot be one component of a path, or an empty text."""
    if name in ("", ".", ".."):
        return f"{name!r} is not a name"
    if "/" in name or "\0" in name:
        return f"{quoted(name)} holds a slash or a null character"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return f"{quoted(name)} is not Unicode text"
    if size > MAX_COMPONENT:
        return f"{name[:40]!r}... has {size} bytes, more than {MAX_COMPONENT}"
    return ""


def path_fault(path: Sequence[str], *, hybrid: bool = False) -> str:
    """Return why some client would refuse a torrent with a file of this path, whose parts are names."""
    where = quoted("/".join(path))
    if any(char in ARIA2_REFUSES for part in path for char in part):
        return f"{where} holds a tab, line end or backspace, for which aria2 refuses the torrent"
    if not path_on_3(tuple(path)):
        return f"{where} is nothing but spaces and dots, for which Transmission 3.00 refuses the torrent"
    if hybrid and len(path) > MAX_HYBRID_DIRECTORIES + 1:
        return (
            f"{where} lies {len(path) - 1} directories deep, and Transmission 4 refuses hybrids of more than "
            f"{MAX_HYBRID_DIRECTORIES}; fewer directories or version v1 would be right"
        )
    if len(path) > MAX_PATH:
        return f"{where} has {len(path)} parts, and libtorrent refuses torrents with more than {MAX_PATH}"
    return ""


def name_faults(name: Any) -> list[str]:
    """Return why a value cannot name a torrent."""
    if not isinstance(name, str):
        return [f"name is {quoted(name)}; a text would be right"]
    fault = component_fault(name)
    if fault:
        return [f"name {fault}; a single file name without slashes would be right"]
    fault = path_fault((name,))
    if fault or name == "\\":
        return [f"name {fault or 'is a backslash alone, for which libtorrent refuses the torrent'}"]
    if len(name.encode()) > MAX_NAME:
        return [f"name has {len(name.encode())} bytes; at most {MAX_NAME} leave room for .torrent"]
    return ["name .seedbed is taken by the lab itself"] if name == ".seedbed" else []
