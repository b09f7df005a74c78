"""Names in torrents of others, as a reader can show and hold them."""

from __future__ import annotations

import re
from typing import Any, Mapping, NoReturn, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.torrent.names import ARIA2_REFUSES, MAX_COMPONENT, MAX_PATH
from ansible.module_utils.seedbed.torrent.notes import Notes

_ODD_CHARACTER = re.compile(f"[/\0{ARIA2_REFUSES}]")


class MetainfoError(SeedbedError):
    """A metainfo file that breaks the rules; the text says which."""


def utf8_value(dictionary: Mapping[bytes, Any], key: bytes, kind: type, notes: Notes) -> Any:
    """Return the value of a key, or of the one that has it in UTF-8 beside an older encoding, as clients prefer it."""
    preferred = dictionary.get(key + b".utf-8")
    if isinstance(preferred, kind):
        return preferred
    if preferred is not None:
        notes.add(
            f"{key.decode()}.utf-8 is of the wrong type",
            f"clients take {key.decode()} instead, aria2 may refuse the torrent",
            kind=f"{key.decode()}.utf-8",
            harm=True,
        )
    return dictionary.get(key)


def text_of(value: bytes, what: str, notes: Notes, kind: str = "") -> str:
    """Return a text whatever its encoding."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        notes.add(
            f"{what} is not UTF-8: {value[:40]!r}",
            "clients load it, and each writes it in a way of its own",
            kind=kind,
            harm=bool(kind),
        )
        return value.decode(errors="replace")


def _component(value: bytes, what: str, notes: Notes) -> str:
    """Return a part of a path that is safe to hold, empty where nothing of it is left."""
    text = text_of(value, what, notes, "not UTF-8")
    # Nearly all names: there may be a hundred thousand.
    if len(value) <= MAX_COMPONENT and text not in (".", "..") and not _ODD_CHARACTER.search(text):
        return text
    if text in (".", ".."):
        notes.add(
            f"{what} holds {text!r}",
            "libtorrent and Transmission 4 write another name, aria2 refuses the torrent",
            kind="dots",
            harm=True,
        )
        return "_" * len(text)
    if "/" in text or "\0" in text:
        notes.add(
            f"{what} holds a slash or a null character: {quoted(text)}",
            "each client writes it under another name, aria2 refuses what leaves the directory",
            kind="slash",
            harm=True,
        )
        text = text.replace("/", "_").replace("\0", "_")
    if len(text.encode()) > MAX_COMPONENT:
        notes.add(
            f"{what} has {len(text.encode())} bytes, more than the {MAX_COMPONENT} that file systems take",
            "clients load it, and each cuts it in a way of its own",
            kind="long",
            harm=True,
        )
    if _ODD_CHARACTER.search(text):
        notes.add(
            f"{what} holds a tab, line end or backspace: {quoted(text)}",
            "aria2 refuses the torrent",
            kind="control",
            harm=True,
        )
    return text


def name_of(info: Mapping[bytes, Any], notes: Notes) -> str:
    """Return the name of a torrent, empty where it has none."""
    value = utf8_value(info, b"name", bytes, notes)
    if not isinstance(value, bytes) or not value:
        notes.add(
            "the torrent has no name" if value in (None, b"") else "name is no text",
            "libtorrent refuses the torrent where it is a single file, Transmission 3.00 and aria2 invent a name",
            harm=True,
        )
        return ""
    name = _component(value, "name", notes)
    _check_on_3((name,), "name", notes)
    if name == "\\":
        notes.add("name is a backslash alone", "libtorrent refuses the torrent where it is a single file", harm=True)
    return name


def path_of(value: Any, what: str, notes: Notes) -> list[str]:
    """Return the path of a file, or raise what no two clients read."""
    if not isinstance(value, list) or not value:
        no_path(what)
    parts = []
    for part in value:
        if not isinstance(part, bytes):
            raise MetainfoError(f"path of {what} is not a text")
        parts.append(_component(part, f"path of {what}", notes))
    path = [part for part in parts if part]
    if not path:
        no_path(what)
    if len(path) < len(parts):
        notes.add(
            f"path of {what} has an empty part",
            "clients leave it out or write another name",
            kind="empty part",
            harm=True,
        )
    if len(path) > MAX_PATH:
        notes.add(
            f"path of {what} is {len(path)} levels deep", "libtorrent refuses the torrent", kind="deep", harm=True
        )
    _check_on_3(path, f"path of {what}", notes)
    return path


def no_path(what: str) -> NoReturn:
    raise MetainfoError(f"{what} has no path")


def tree_name(value: bytes, notes: Notes) -> str:
    """Return a name of a BEP 52 file tree."""
    name = _component(value, "name in the file tree", notes)
    if not name:
        raise MetainfoError("the file tree has a name without characters")
    return name


def _check_on_3(path: Sequence[str], what: str, notes: Notes) -> None:
    if not any(part.strip(" .") for part in path):
        notes.add(
            f"{what} is nothing but spaces and dots", "Transmission 3.00 refuses the torrent", kind="blank", harm=True
        )
