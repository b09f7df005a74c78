"""The .torrent files that lie beside the inventory."""

from __future__ import annotations

import os
from typing import Callable

from ansible.module_utils.seedbed.bencode import MAX_SIZE
from ansible.module_utils.seedbed.catalogue import UnreadableTorrent


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
