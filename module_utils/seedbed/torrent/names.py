"""Names that every file system and client can hold."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.seedbed.base.text import quoted

MAX_NAME = 255 - len(".torrent")  # a torrent's name: the published file carries it
MAX_COMPONENT = 255  # bytes, on every file system that a lab uses


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


def name_faults(name: Any) -> list[str]:
    """Return why a value cannot name a torrent."""
    if not isinstance(name, str):
        return [f"name is {quoted(name)}; a text would be right"]
    fault = component_fault(name)
    if fault:
        return [f"name {fault}; a single file name without slashes would be right"]
    if len(name.encode()) > MAX_NAME:
        return [f"name has {len(name.encode())} bytes; at most {MAX_NAME} leave room for .torrent"]
    return ["name .seedbed is taken by the lab itself"] if name == ".seedbed" else []
