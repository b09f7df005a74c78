"""The .torrent files of this machine."""

from __future__ import annotations

import os
from typing import Callable

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent.bencode import MAX_SIZE
from ansible.module_utils.seedbed.torrent.metainfo_reader import ReadTorrent, read_torrent

Read = Callable[[str], bytes]  # the bytes of a .torrent file that lies on the controller


class UnreadableTorrent(SeedbedError):
    """A .torrent file that is not there."""


def torrent_reader(directory: str) -> Read:
    """Return what reads .torrent files, relative paths from a directory on."""

    def read(path: str) -> bytes:
        where = os.path.join(directory, os.path.expanduser(path))
        try:
            with open(where, "rb") as file:
                return file.read(MAX_SIZE + 1)
        except OSError as error:
            raise UnreadableTorrent(f"{where} cannot be read: {error.strerror}") from None
        except ValueError:  # a null character, or half of a surrogate pair
            raise UnreadableTorrent(f"{where!r} cannot be read: it is no path") from None

    return read


class TorrentFiles:
    """Reads and decodes each .torrent file once, however many ask for it."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._known: dict[str, ReadTorrent] = {}

    def get(self, path: str) -> ReadTorrent:
        if path not in self._known:
            self._known[path] = read_torrent(self._read(path))
        return self._known[path]
