"""Torrent libraries for Python, each as a process of its own: torf|libtorrent PATH PIECE_LENGTH v1|hybrid."""

from __future__ import annotations

import os
import sys


def use_torf(path: str, piece_length: int) -> None:
    import torf  # noqa: PLC0415 - only the library that is measured is loaded

    torrent = torf.Torrent(path=path, piece_size=piece_length, piece_size_max=2**26)
    torrent.generate(threads=len(os.sched_getaffinity(0)))
    print(torrent.infohash)


def use_libtorrent(path: str, piece_length: int, version: str) -> None:
    import libtorrent  # noqa: PLC0415

    flags = libtorrent.create_torrent.v1_only if version == "v1" else 0
    files = libtorrent.list_files(path)
    torrent = libtorrent.create_torrent(files, piece_length, flags)
    libtorrent.set_piece_hashes(torrent, os.path.dirname(path))
    libtorrent.bencode(torrent.generate())


if __name__ == "__main__":
    if sys.argv[1] == "torf":
        use_torf(sys.argv[2], int(sys.argv[3]))
    else:
        use_libtorrent(sys.argv[2], int(sys.argv[3]), sys.argv[4])
