"""What of a torrent's content lies on the disk, by its own piece hashes: what a check by the daemon would find.

Check mode asks this of torrents whose content alone decides whether a run changes them.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from typing import BinaryIO, Iterator, Sequence, Tuple

from ansible.module_utils.seedbed.base.files import stat_of
from ansible.module_utils.seedbed.torrent.client_names import path_on_3
from ansible.module_utils.seedbed.torrent.metainfo_reader import ReadTorrent, read_torrent
from ansible.module_utils.seedbed.transmission.compare import is_complete
from ansible.module_utils.seedbed.transmission.torrents import LOCAL_ERROR, DaemonTorrent, WantedTorrent

CHUNK = 2**20

DiskFile = Tuple[str, int]  # path and length


def start_would_seed(want: WantedTorrent, held: DaemonTorrent, modern: bool) -> bool:
    """Return whether a torrent that does not run would seed after a check and a start."""
    torrent = read_torrent(base64.b64decode(want.metainfo))
    files = _disk_files(torrent, want.download_dir, modern)
    if held.error == LOCAL_ERROR and is_complete(want, held):
        # It is started without a check, and the daemon is content with any of its files.
        return any(os.path.lexists(path) or os.path.lexists(path + ".part") for path, _length in files)
    hashes = base64.b64decode(torrent.info["piece_hashes"])
    have = 0
    for length, is_valid in _pieces(files, torrent.info["piece_length"], hashes):
        have += length if is_valid else 0
        if not is_valid and want.available is None:
            return False
    return is_complete(want, held._replace(have=have))


def _disk_files(torrent: ReadTorrent, directory: str, modern: bool) -> list[DiskFile]:
    """Return the files in the order of their bytes, padding among them, under the names that the daemon looks for."""
    files: list[DiskFile] = []
    for file in torrent.stream:
        path = (torrent.info["name"], *file["path"])
        files.append((os.path.join(directory, *(path if modern else path_on_3(path))), file["length"]))
    return files


def _pieces(files: Sequence[DiskFile], piece_length: int, hashes: bytes) -> Iterator[tuple[int, bool]]:
    """Yield length and validity of each piece."""
    digest, filled, number = hashlib.sha1(), 0, 0
    for path, length in files:
        with _opened(path) as file:
            left = length
            while left:
                size = min(left, piece_length - filled, CHUNK)
                # What cannot be read hashes short, and so to something else.
                digest.update(file.read(size) if file else b"")
                left, filled = left - size, filled + size
                if filled == piece_length:
                    yield filled, digest.digest() == hashes[20 * number : 20 * number + 20]
                    digest, filled, number = hashlib.sha1(), 0, number + 1
    if filled:
        yield filled, digest.digest() == hashes[20 * number : 20 * number + 20]


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO | None]:
    """The file under its name, or under the one that the daemon gives an incomplete file; None if there is none."""
    for name in (path, path + ".part"):
        if stat_of(name):
            with open(name, "rb") as file:
                yield file
            return
    yield None
