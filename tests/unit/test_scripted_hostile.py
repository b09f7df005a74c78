"""What the most hostile clients cost a scripted daemon: bounded memory, and a pause instead of a burnt core."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.net import NetError
from ansible.module_utils.seedbed.probe.peer_wire import REQUEST, UNCHOKE
from ansible.module_utils.seedbed.probe.tracker_udp import CONNECT, PROTOCOL_ID
from ansible.module_utils.seedbed.scripted import http_talk, link, sockets, stage
from ansible.module_utils.seedbed.scripted.link import Link
from ansible.module_utils.seedbed.scripted.messages import BLOCK, MessageReader, WireError
from ansible.module_utils.seedbed.scripted.pace import Pace
from ansible.module_utils.seedbed.scripted.testimony import EVENTS, WEIGHT, Testimony
from scripted_lab import PATIENCE, PIECE, ScriptedLab, make_torrent, peers, shake, wait_until

ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20
Testimony.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[tuple[ScriptedLab, dict[str, Any]]]:
    scripts = peers({}, {"upload_limit": "1KiB/s"}, {"metadata_delay": "60s"})
    torrent = {**make_torrent(tmp_path), "peers": scripts, "trackers": {"udp": {"delay": "60s"}}}
    with ScriptedLab(tmp_path, torrent) as running:
        yield running, torrent


def status(lab: ScriptedLab) -> Any:
    return json.loads(lab.get("/status.json")[1])


# Memory


def test_long_messages_that_never_end_have_little_room(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running, torrent = lab
    monkeypatch.setattr(MessageReader, "room", MIB)
    wires = [shake(running, torrent) for _ in range(40)]
    for wire in wires:
        with contextlib.suppress(NetError):
            wire.send(struct.pack(">I", 60_000) + bytes(30_000))
    closes = wait_until(lambda: running.seen(torrent)["closes"], "that some are sent away")
    assert "while too many others wait for theirs" in closes[0]["why"]
    wait_until(lambda: running.seen(torrent)["open"] == MIB // 60_000, "that the others stay")
    for wire in wires:
        wire.sock.close()
    wait_until(lambda: MessageReader.room == MIB, "that the room is given back")


def test_a_message_that_comes_whole_gives_its_room_back() -> None:
    reader, before = MessageReader(), MessageReader.room
    whole = struct.pack(">IB", 50_000, 20) + bytes(49_999)
    reader.feed(whole[:20_000])
    assert MessageReader.room == before - 50_000
    assert [len(payload) for _kind, payload in reader.feed(whole[20_000:] + whole[:9])] == [49_999]
    assert MessageReader.room == before - 50_000
    reader.close()
    assert MessageReader.room == before


@pytest.mark.parametrize("length", [65 * 1024, 2**31 - 1])
def test_a_message_that_no_client_has_to_send_is_refused(length: int) -> None:
    with pytest.raises(WireError, match=f"a message of {length} bytes"):
        MessageReader().feed(struct.pack(">I", length))


def test_a_bitfield_of_a_giant_is_taken(tmp_path: Path) -> None:
    """One of a million pieces is longer than all else that a client says."""
    reader = MessageReader(64 * 1024 + 2**20 // 8)
    assert reader.feed(struct.pack(">IB", 1 + 2**17, 5) + bytes(2**17)) == [(5, bytes(2**17))]


def test_who_talks_while_it_has_to_wait_leaves_no_timers(lab: Any) -> None:
    running, torrent = lab
    wire = shake(running, torrent, address="127.0.0.2")
    with wire.sock:
        wire.send_message(2)
        while wire.message()[0] != UNCHOKE:
            pass
        for begin in (0, BLOCK):
            wire.send_message(REQUEST, struct.pack(">III", 0, begin, BLOCK))
        for _time in range(300):
            wire.send(bytes(4))
        wait_until(lambda: running.seen(torrent, 1)["keep_alives"] == 300, "that all is heard")
        [met] = [each for each in running.daemon.stage._links if each.own == "127.0.0.2"]
        assert len(met._timers) < 10


def test_metadata_that_comes_late_is_promised_a_few_times(lab: Any) -> None:
    running, torrent = lab
    wire = shake(running, torrent, address="127.0.0.3")
    with wire.sock:
        wire.send_message(20, b"\0d1:md11:ut_metadatai7eee")
        for _time in range(300):
            wire.send_message(20, b"\3d8:msg_typei0e5:piecei0ee")
        wait_until(lambda: running.seen(torrent, 2)["metadata_requests"] == 300, "that all is heard")
        [met] = [each for each in running.daemon.stage._links if each.own == "127.0.0.3"]
        assert len(met._timers) < 80


def test_requests_that_come_without_end_are_answered_as_they_are_read(lab: Any) -> None:
    running, _torrent = lab
    with socket.create_connection(("127.0.0.1", running.port)) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(300 * b"GET /status.json HTTP/1.1\r\n\r\n")
        got = b""
        while got.count(b"HTTP/1.1 200") < 300:
            got += sock.recv(65536)
    wait_until(lambda: Link.buffers == 0, "that nothing waits")
    with socket.create_connection(("127.0.0.1", running.port)) as sock:
        sock.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            sock.sendall(5000 * b"GET /status.json HTTP/1.1\r\n\r\n")
            while sock.recv(65536):
                assert Link.buffers < 100
    wait_until(lambda: Link.buffers == 0, "that nothing is left")


def test_one_client_does_not_keep_all_others_out(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running, _torrent = lab
    monkeypatch.setattr(running.daemon.stage, "room", 40)
    crowd = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(60)]
    wait_until(lambda: running.daemon.stage.turned_away >= 40, "the crowd's turning away")
    with socket.socket() as other:
        other.bind(("127.0.0.77", 0))
        other.settimeout(PATIENCE)
        other.connect(("127.0.0.1", running.port))
        other.sendall(b"GET /status.json HTTP/1.1\r\n\r\n")
        assert other.recv(100).startswith(b"HTTP/1.1 200")
    for sock in crowd:
        sock.close()
    wait_until(lambda: running.daemon.stage.connections == 0, "the end of all")
    assert not running.daemon.stage._of_client


def test_the_more_connections_the_less_the_system_keeps_for_each(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running, _torrent = lab
    monkeypatch.setattr(link, "NARROW", ((8, 8192), (4, 65536)))
    crowd = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(10)]
    wait_until(lambda: running.daemon.stage.connections == 10, "all connections")
    kept = [each._sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) for each in running.daemon.stage._links]
    for sock in crowd:
        sock.close()
    assert [size // 1024 for size in kept[3:]] == [128, 128, 128, 128, 16, 16, 16]
    assert kept[0] > 256 * 1024


def test_udp_answers_that_wait_are_few(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running, torrent = lab
    monkeypatch.setattr(sockets, "DELAYED", 5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", running.port))
        sock.send(struct.pack(">QII", PROTOCOL_ID, CONNECT, 1))
        connection = sock.recv(100)[8:16]
        for number in range(50):
            announce = connection + struct.pack(">II", 1, number) + bytes.fromhex(torrent["info_hash"])
            sock.send(announce + b"-XX0000-abcdefghijkl" + bytes(24) + struct.pack(">IIIiH", 2, 0, 0, -1, 0))
        wait_until(lambda: running.testimony(torrent)["clients"][0]["visits"][-1]["announces"] == 50, "the announces")
    assert running.daemon.sockets._delayed == 5


def test_calls_that_are_under_way_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "CALLING", 2)
    over = asyncio.Event()

    async def calls(*_arguments: Any) -> None:
        await over.wait()

    monkeypatch.setattr(stage.Stage, "_call", calls)
    torrent = {**make_torrent(tmp_path), "peers": peers({"calls": True}), "trackers": {"t": {}}}
    quoted = "".join(f"%{byte:02x}" for byte in bytes.fromhex(torrent["info_hash"]))
    with ScriptedLab(tmp_path, torrent) as running:
        for number in range(10):
            asked = f"info_hash={quoted}&peer_id=-XX0000-abcdefghijk{number}&port=9&left=1&event=started"
            assert running.get(f"/announce/t/announce?{asked}")[0] == 200
        assert len(running.daemon.stage._tasks) == 2
        running.do(over.set)


def test_events_weigh_in_what_is_remembered() -> None:
    testimony = Testimony()
    for number in range(1500):
        visit = testimony.visit(b"torrent", f"192.0.2.{number}")
        for _time in range(EVENTS):
            visit.event("web", path=200 * "x", range="", status=200)
    testimony.trim()
    # Of those that are forgotten nothing is told.
    known = [number for number in range(1500) if testimony.facts(b"torrent", f"192.0.2.{number}")]
    assert known == list(range(1500 - WEIGHT // (10 + 5 * EVENTS), 1500))


def test_of_many_clients_the_last_are_told_of() -> None:
    testimony = Testimony()
    for number in range(1000):
        testimony.visit(b"torrent", f"192.0.2.{number}")
    told = [each["client"] for each in testimony.facts(b"torrent")]
    assert told == [f"192.0.2.{number}" for number in range(744, 1000)]
    assert [each["client"] for each in testimony.facts(b"torrent", "192.0.2.3")] == ["192.0.2.3"]


# Cores


def test_arrivals_without_end_have_to_wait(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running, _torrent = lab
    monkeypatch.setattr(running.daemon.sockets, "_arrivals", Pace(20))
    before = Pace.rests
    for _time in range(50):
        assert running.get("/status.json")[0] == 200
    assert Pace.rests > before
    assert status(running)["rests"] == Pace.rests


def test_packets_without_end_have_to_wait(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running, _torrent = lab
    monkeypatch.setattr(running.daemon.sockets, "_packets_pace", Pace(50))
    before = Pace.rests
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", running.port))
        for number in range(200):
            sock.send(struct.pack(">QII", PROTOCOL_ID, CONNECT, number))
        heard = {int.from_bytes(sock.recv(100)[4:8], "big") for _ in range(100)}
    assert len(heard) == 100
    assert Pace.rests > before


def test_requests_without_end_have_to_wait(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running, _torrent = lab
    monkeypatch.setattr(http_talk, "BUSY", 20)
    before = Pace.rests
    with socket.create_connection(("127.0.0.1", running.port)) as sock:
        sock.settimeout(PATIENCE)
        for _time in range(30):
            sock.sendall(b"GET /nothing HTTP/1.1\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 404")
    assert Pace.rests > before


# All at once, against a process of its own, whose memory is looked at from outside


def resident(pid: int) -> int:
    """The bytes of a process that are in memory."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_hundreds_of_hostile_connections_fit_into_little_memory(tmp_path: Path) -> None:
    """A quarter each: half of a long message, requests without reading, HTTP without reading, half of an MSE."""
    torrent = {**make_torrent(tmp_path, size=64 * PIECE), "peers": peers({"behaviour": "piece-2mib"}, {})}
    config = tmp_path / "scripted.json"
    config.write_text(json.dumps({"port": 0, "addresses": ["127.0.0.1", "127.0.0.2"], "torrents": [torrent]}))
    command = [sys.executable, str(ROOT / "bench/own.py"), "scripted", str(config)]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with daemon, contextlib.ExitStack() as opened:
        try:
            assert daemon.stdout
            at: Any = SimpleNamespace(port=int(daemon.stdout.readline().split()[-1]))
            before = resident(daemon.pid)
            for number in range(400):
                if number % 4 < 2:
                    wire = shake(at, torrent, address=f"127.0.0.{1 + number % 2}")
                    sock = opened.enter_context(wire.sock)
                else:
                    sock = opened.enter_context(socket.create_connection(("127.0.0.1", at.port)))
                sock.settimeout(0.05)
                flood = {
                    0: struct.pack(">I", 60_000) + bytes(59_000),
                    1: struct.pack(">IB", 1, 2) + 2000 * struct.pack(">IBIII", 13, 6, 0, 0, BLOCK),
                    2: 500 * b"GET /nothing HTTP/1.1\r\n\r\n",
                    3: os.urandom(96 + 500),
                }[number % 4]
                with contextlib.suppress(OSError):
                    sock.sendall(flood)
            with socket.create_connection(("127.0.0.2", at.port)) as polite:
                polite.settimeout(PATIENCE)
                polite.sendall(b"GET /status.json HTTP/1.1\r\nConnection: close\r\n\r\n")
                assert polite.recv(100).startswith(b"HTTP/1.1 200")
            grown = resident(daemon.pid) - before
            assert grown < 64 * MIB, f"{grown / MIB:.0f} MiB"
        finally:
            daemon.terminate()
