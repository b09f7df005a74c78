"""A client of libtorrent for bench/scripted.py.

leecher.py TORRENT PORT DIRECTORY      downloads, and prints the bytes a second from the first byte to the last
leecher.py crowd TORRENT PORT COUNT    connects to all the peers that a tracker tells of, until its input ends
"""

from __future__ import annotations

import sys
import time

import libtorrent as lt

SETTINGS = {
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    # Plain TCP, as all that is compared.
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "out_enc_policy": int(lt.enc_policy.disabled),
    "alert_mask": 0,
}


def download(torrent: str, port: str, directory: str) -> None:
    session = lt.session(SETTINGS)
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.trackers, params.save_path = [], directory
    handle = session.add_torrent(params)
    handle.connect_peer(("127.0.0.1", int(port)))
    status, began = handle.status(), 0.0
    while not status.is_seeding:
        session.wait_for_alert(10)
        session.pop_alerts()
        status = handle.status()
        if not began and status.total_done:
            began, first = time.monotonic(), status.total_done
    print((status.total_done - first) / (time.monotonic() - began), flush=True)


def crowd(torrent: str, port: str, count: str) -> None:
    many = int(count)
    session = lt.session({**SETTINGS, "connections_limit": 2 * many, "connection_speed": many})
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.trackers, params.save_path = [f"http://127.0.0.1:{port}/announce/t/announce"], "/nonexistent"
    params.max_connections = 2 * many
    session.add_torrent(params)
    sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1] == "crowd":
        crowd(*sys.argv[2:])
    else:
        download(*sys.argv[1:])
