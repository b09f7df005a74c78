"""Files on the controller: the .torrent files beside the inventory, and what was computed there before."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Callable, Mapping

from ansible.module_utils.seedbed import content
from ansible.module_utils.seedbed.bencode import MAX_SIZE
from ansible.module_utils.seedbed.catalogue import UnreadableTorrent
from ansible.module_utils.seedbed.manifest import digest, make_directory
from ansible.module_utils.seedbed.sizes import MIB
from ansible.module_utils.seedbed.virtual import virtual_payload

SLOW = 64 * MIB  # less than this is computed in a tenth of a second
FORMAT = 1


def torrent_reader(directory: str) -> Callable[[str], bytes]:
    """Reads .torrent files, relative paths from a directory on."""

    def read(path: str) -> bytes:
        where = os.path.join(directory, os.path.expanduser(path))
        try:
            with open(where, "rb") as file:
                return file.read(MAX_SIZE + 1)
        except OSError as error:
            raise UnreadableTorrent(f"{where} cannot be read: {error.strerror}") from None

    return read


class Remembered:
    """The descriptors of recipes that no host has hashed, computed once: a recipe and its format tell all of it."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def __call__(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        path = os.path.join(self.directory, digest(FORMAT, content.FORMAT, spec) + ".json")
        try:
            with open(path, encoding="utf-8") as file:
                known: dict[str, Any] = json.load(file)
                return known
        except (OSError, ValueError):  # not there, or cut off by a full disk
            payload = virtual_payload(spec)
        if payload["length"] >= SLOW:
            with contextlib.suppress(OSError):  # what cannot be kept is computed again
                make_directory(self.directory)
                with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as file:
                    json.dump(payload, file)
                os.rename(file.name, path)
        return payload
