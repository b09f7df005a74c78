"""What scripted peers testify, against a count in between; giants; and the daemon as a host runs it."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest
from ansible.module_utils.seedbed.host.program_archive import program_archive
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.probe.peer_handshake import PeerOptions, Target
from ansible.module_utils.seedbed.probe.peers import meet
from ansible.module_utils.seedbed.scripted.messages import MessageReader, read_triple
from ansible.module_utils.seedbed.torrent.bencode import encode
from scripted_lab import PATIENCE, ScriptedLab, make_torrent, peers, wait_until

PACKAGE = Path(content.__file__).parents[1]
MIB = 2**20
GIB = 2**30


class Count:
    """What went over the wire, by whoever stands between."""

    def __init__(self) -> None:
        self.said: dict[str, Counter[int]] = {"client": Counter(), "peer": Counter()}
        self.asked: Counter[str] = Counter()
        self.bytes = 0

    def pump(self, source: socket.socket, target: socket.socket, who: str) -> None:
        """Hand on what one side says, and count it."""
        reader, hello = MessageReader(limit=2**20), 68
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
                hello, data = max(0, hello - len(data)), data[hello:]
                for kind, payload in reader.feed(data):
                    self.said[who][kind] += 1
                    if who == "client" and kind == 6:
                        self.asked[str(read_triple(payload)[0])] += 1
                    elif who == "peer" and kind == 7:
                        self.bytes += len(payload) - 8
        for sock in (source, target):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def between(port: int) -> Iterator[tuple[int, Count]]:
    """A port that leads to the peer, and counts."""
    count = Count()
    threads: list[threading.Thread] = []
    ends: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _address = server.accept()
                except OSError:
                    return
                peer = socket.create_connection(("127.0.0.1", port))
                ends.extend((client, peer))
                for source, target, who in ((client, peer, "client"), (peer, client, "peer")):
                    threads.append(threading.Thread(target=count.pump, args=(source, target, who), daemon=True))
                    threads[-1].start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], count
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for thread in threads:
        thread.join(60)
    for sock in ends:
        sock.close()


def judge(**settings: Any) -> Any:
    quiet = {"enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False, "alert_mask": 0}
    return lt.session({"listen_interfaces": "127.0.0.1:0", **quiet, **settings})


@pytest.mark.parametrize(
    ("script", "enough"),
    [
        ({"behaviour": "healthy"}, 64),
        ({"behaviour": "partial"}, 38),
        ({"behaviour": "reject-some"}, 64),
        ({"behaviour": "stall"}, 38),
    ],
)
def test_the_testimony_is_what_went_over_the_wire(tmp_path: Path, script: dict[str, Any], enough: int) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers(script)}
    with ScriptedLab(tmp_path, torrent) as lab, between(lab.port) as (port, count):
        client = judge(out_enc_policy=2, in_enc_policy=2, enable_outgoing_utp=False)
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(torrent["torrent"])
        params.save_path = str(tmp_path / "lt")
        handle = client.add_torrent(params)
        handle.connect_peer(("127.0.0.1", port))
        wait_until(
            lambda: lab.testimony(torrent)["clients"] and lab.seen(torrent)["blocks"] >= enough,
            "the download",
        )
        # Before the client leaves: what it does not read any more was sent all the same.
        wait_until(lambda: count.bytes >= lab.seen(torrent)["bytes"], "the last bytes")
        client.remove_torrent(handle)
        wait_until(lambda: lab.seen(torrent)["closes"], "the end")
        seen = lab.seen(torrent)
        client.pause()
    assert seen["requests_by_piece"] == dict(count.asked)
    assert seen["requests"] == count.said["client"][6]
    assert (seen["blocks"], seen["bytes"]) == (count.said["peer"][7], count.bytes)
    assert (seen["haves"], seen["cancels"]) == (count.said["client"][4], count.said["client"][8])


def test_a_file_of_a_torrent_that_no_disk_holds(tmp_path: Path) -> None:
    """One TiB of content that repeats is hashed in a moment, and a file in its middle downloaded as any other."""
    period, piece = 64 * MIB, 16 * MIB
    key = content.file_key("giant", ())
    once = b"".join(hashlib.sha1(content.read(key, at, piece)).digest() for at in range(0, period, piece))
    sizes = [511 * GIB, 3 * MIB, 513 * GIB - 3 * MIB]
    info = {
        "name": "giant",
        "piece length": piece,
        "pieces": once * (1024 * GIB // period),
        "files": [{"path": [str(number)], "length": size} for number, size in enumerate(sizes)],
    }
    path = tmp_path / "giant.torrent"
    path.write_bytes(encode({"info": info}))
    known = hashlib.sha1(encode(info)).hexdigest()
    torrent = {"info_hash": known, "torrent": str(path), "seed": "giant", "period": period, "peers": peers({})}
    with ScriptedLab(tmp_path, torrent) as lab:
        client = judge()
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(str(path))
        params.save_path = str(tmp_path / "lt")
        params.file_priorities = [0, 4, 0]
        handle = client.add_torrent(params)
        handle.connect_peer(("127.0.0.1", lab.port))
        chosen = tmp_path / "lt/giant/1"
        right = content.read(key, 511 * GIB % period, 3 * MIB)
        wait_until(lambda: chosen.exists() and chosen.read_bytes() == right, "the download")
        client.pause()
        assert lab.seen(torrent)["bytes"] < 4 * piece


def test_the_daemon_is_one_file_that_runs_alone(tmp_path: Path) -> None:
    """As a unit of systemd runs it: it says when it is ready, reads its file again, and ends when it is told."""
    archive = tmp_path / "seedbed-scripted"
    archive.write_bytes(program_archive(str(PACKAGE), "scripted"))
    torrent = {**make_torrent(tmp_path), "peers": peers({})}
    config = {"port": 0, "addresses": ["127.0.0.1"], "torrents": [torrent]}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        daemon = subprocess.Popen(
            ["/usr/bin/python3", "-I", "-S", str(archive), str(path)],
            env={"NOTIFY_SOCKET": str(tmp_path / "notify")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with daemon:
            try:
                assert manager.recv(100) == b"READY=1"
                assert daemon.stdout
                port = int(daemon.stdout.readline().split()[-1])
                found = meet(Target("127.0.0.1", port, torrent["info_hash"]), PeerOptions(timeout=60.0, piece=True))
                assert (found["metadata"], found["piece"]) == ("ok", "ok"), found
                path.write_text("no json", encoding="utf-8")
                daemon.send_signal(signal.SIGHUP)
                assert [manager.recv(100) for _ in range(2)] == [b"RELOADING=1", b"READY=1"]
                daemon.terminate()
                assert manager.recv(100) == b"STOPPING=1"
                assert daemon.wait(PATIENCE) == 0
            finally:
                daemon.kill()
            assert daemon.stderr
            assert "the former configuration stays" in daemon.stderr.read()
