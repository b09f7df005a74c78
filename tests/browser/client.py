"""A client for the example suite: client.py URL-OR-MAGNET DIRECTORY, built on libtorrent."""

from __future__ import annotations

import sys

import libtorrent
from chromium import fetch


def wanted(torrent: str, directory: str) -> libtorrent.add_torrent_params:
    """Return what libtorrent wants to know of a torrent, from its URL or magnet."""
    if torrent.startswith("magnet:"):
        wish = libtorrent.parse_magnet_uri(torrent)
    else:
        wish = libtorrent.add_torrent_params()
        wish.ti = libtorrent.torrent_info(libtorrent.bdecode(fetch(torrent)))
    wish.save_path = directory
    return wish


def session() -> libtorrent.session:
    """Return a client that speaks with the lab alone."""
    return libtorrent.session({"enable_dht": False, "enable_lsd": False, "listen_interfaces": "0.0.0.0:0"})


def main(torrent: str, directory: str) -> None:
    """Download, and end when all bytes are there; a deadline is the caller's affair."""
    client = session()
    handle = client.add_torrent(wanted(torrent, directory))
    while not handle.status().is_seeding:
        client.wait_for_alert(100)
        client.pop_alerts()


if __name__ == "__main__":
    main(*sys.argv[1:])
