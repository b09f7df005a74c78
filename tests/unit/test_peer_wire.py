"""peer_info's engine against libtorrent, an independent client, and against peers that misbehave."""

from __future__ import annotations

import hashlib
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest
from ansible.module_utils.seedbed.base.net import Deadline, NetError
from ansible.module_utils.seedbed.probe import peers
from ansible.module_utils.seedbed.probe.peer_encryption import Rc4, call
from ansible.module_utils.seedbed.probe.peer_handshake import PROTOCOL, RESERVED, PeerOptions, Target, client_name
from ansible.module_utils.seedbed.probe.peer_wire import Wire
from ansible.module_utils.seedbed.probe.peers import meet, meet_all
from ansible.module_utils.seedbed.torrent import bencode
from loopback_trackers import raw_server

PATIENT = PeerOptions(timeout=60.0)  # for peers that answer at once
PIECE = 16384
CONTENT = bytes(range(256)) * 64 * 5 + b"the end"
HASH = "2a" * 20
OTHER = "2b" * 20


def torrent(directory: Path, private: bool = False) -> lt.torrent_info:
    (directory / "content").write_bytes(CONTENT)
    entries = [lt.create_file_entry("content", len(CONTENT))]
    made = lt.create_torrent(entries, PIECE, lt.create_torrent.v1_only)
    made.set_priv(private)
    lt.set_piece_hashes(made, str(directory))
    return lt.torrent_info(made.generate())


@contextmanager
def seeder(directory: Path, *, encryption: int = 1, private: bool = False) -> Iterator[Target]:
    """libtorrent seeding a small torrent on loopback; encryption 0 = forced, 1 = allowed, 2 = off."""
    session = lt.session(
        {
            "listen_interfaces": "127.0.0.1:0",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "in_enc_policy": encryption,
            "alert_mask": 0,
        }
    )
    params = lt.add_torrent_params()
    params.ti = torrent(directory, private)
    params.save_path = str(directory)
    params.flags = lt.torrent_flags.seed_mode
    handle = session.add_torrent(params)
    deadline = time.monotonic() + 120
    while not handle.status().is_seeding:  # until then it closes on everybody
        assert time.monotonic() < deadline, "libtorrent does not seed"
        time.sleep(0.01)  # between two looks; the deadline above bounds the wait
    yield Target("127.0.0.1", session.listen_port(), str(params.ti.info_hashes().v1))
    session.pause()


@contextmanager
def fake(serve: Callable[[socket.socket], None]) -> Iterator[Target]:
    """A peer on loopback that does with each connection what it is told."""
    with raw_server(serve) as port:
        yield Target("127.0.0.1", port, HASH)


def greet(client: socket.socket, info_hash: str = HASH) -> None:
    client.recv(68)
    client.sendall(PROTOCOL + RESERVED + bytes.fromhex(info_hash) + b"-TR4100-abcdefghijkl")


def message(kind: int, payload: bytes) -> bytes:
    return (len(payload) + 1).to_bytes(4, "big") + bytes([kind]) + payload


def test_a_plain_seeder_shows_all_that_a_magnet_needs(tmp_path: Path) -> None:
    with seeder(tmp_path, encryption=2) as target:
        result = meet(target, PATIENT)
    assert result["ok"], result
    assert (result["encryption"], result["share"], result["metadata"]) == ("plain", 1.0, "ok"), result
    assert result["client"].startswith("libtorrent")
    assert result["utp"] == "not probed"


def test_a_seeder_that_insists_on_encryption_is_recognised(tmp_path: Path) -> None:
    with seeder(tmp_path, encryption=0) as target:
        result = meet(target, PATIENT)
    assert (result["ok"], result["encryption"], result["metadata"]) == (True, "encrypted", "ok"), result


@pytest.mark.parametrize(
    ("answers", "refuses"),
    [
        (["closed", "closed", "closed", ""], True),
        (["closed", "reset", "not_encrypted", ""], True),
        ([""], False),
        (["closed", ""], False),  # it was shaking hands with whom we had been
        (["closed", "closed", ""], False),
        (["timeout"], None),
        (["closed", "closed", "closed", "closed"], None),
    ],
)
def test_only_who_closes_each_time_refuses_encryption(
    monkeypatch: pytest.MonkeyPatch, answers: list[str], refuses: bool | None
) -> None:
    left = list(answers)
    monkeypatch.setattr(peers, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(peers, "_greeting", lambda *_arguments: left.pop(0))
    assert peers.refuses_encryption(Target("192.0.2.1", 1, "0" * 40), PeerOptions()) is refuses
    assert left == []


@pytest.mark.parametrize(("encryption", "plain_only"), [(2, True), (1, False), (0, None)])
def test_what_a_client_takes_beside_plain_connections(tmp_path: Path, encryption: int, plain_only: bool | None) -> None:
    with seeder(tmp_path, encryption=encryption) as target:
        deadline = time.monotonic() + 120
        while True:  # it closes on one who comes again before it has seen that he went
            [result] = meet_all([target], PATIENT)
            if result["plain_only"] == plain_only or time.monotonic() > deadline:
                break
    assert (result["ok"], result["plain_only"]) == (True, plain_only), result


def test_a_peer_that_keeps_silent_when_asked_encrypted_is_not_called_plain() -> None:
    def serve(client: socket.socket) -> None:
        hello = client.recv(68)
        if hello.startswith(PROTOCOL):
            client.sendall(PROTOCOL + RESERVED + bytes.fromhex(HASH) + b"-TR4100-abcdefghijkl" + message(15, b""))
        client.recv(1000)
        client.recv(1000)

    with fake(serve) as target:
        [result] = meet_all([target], PeerOptions(timeout=0.5))
    assert (result["ok"], result["share"], result["plain_only"]) == (True, 0.0, None), result


def test_who_is_turned_away_in_a_crowd_comes_again_alone() -> None:
    """As Transmission 3.00 does: it closes on whoever comes from an address that is still shaking hands."""
    greeting = threading.Lock()

    def greet_one(client: socket.socket) -> None:
        with client, suppress(OSError):
            if greeting.acquire(blocking=False):
                hello = client.recv(68)
                time.sleep(0.05)  # its handshake takes a while
                greeting.release()
                if hello.startswith(PROTOCOL):
                    client.sendall(hello[:48] + b"-TR3000-abcdefghijkl" + message(14, b"") + message(20, b"\0d1:mdee"))
                    while client.recv(1000):
                        pass

    with fake(lambda client: threading.Thread(target=greet_one, args=(client.dup(),), daemon=True).start()) as target:
        results = meet_all([target._replace(info_hash=f"{number:040x}") for number in range(10)], PATIENT)
    assert [result["ok"] for result in results] == [True] * 10, results


def test_the_address_to_look_from(tmp_path: Path) -> None:
    seen: list[str] = []

    def serve(client: socket.socket) -> None:
        seen.append(client.getpeername()[0])
        greet(client)

    with fake(serve) as target:
        meet(target, PATIENT._replace(source="127.0.0.9"))
        away = meet(target, PATIENT._replace(source="192.0.2.1"))
    assert seen == ["127.0.0.9"]
    assert (away["reason"], away["message"]) == ("unreachable", "this host has no address of that family")


def test_a_good_piece(tmp_path: Path) -> None:
    with seeder(tmp_path) as target:
        assert meet(target, PATIENT._replace(piece=True))["piece"] == "ok"


def test_a_damaged_piece(tmp_path: Path) -> None:
    info = torrent(tmp_path).info_section()

    def serve(client: socket.socket) -> None:
        greet(client, hashlib.sha1(info).hexdigest())
        hello = bencode.encode({"m": {"ut_metadata": 3}, "metadata_size": len(info)})
        head = bencode.encode({"msg_type": 1, "piece": 0, "total_size": len(info)})
        client.sendall(message(14, b"") + message(20, b"\0" + hello) + message(20, b"\x01" + head + info))
        client.sendall(message(1, b""))
        requests = b""
        while b"\0\0\0\x0d\x06" not in requests:
            requests += client.recv(1000)
        at = requests.index(b"\0\0\0\x0d\x06") + 5
        size = int.from_bytes(requests[at + 8 : at + 12], "big")
        client.sendall(message(7, requests[at : at + 8] + bytes(size)))
        client.recv(1000)

    with fake(serve) as target:
        result = meet(target._replace(info_hash=hashlib.sha1(info).hexdigest()), PATIENT._replace(piece=True))
    assert (result["metadata"], result["piece"], result["ok"]) == ("ok", "wrong_hash", True), result


@pytest.mark.parametrize(
    "info",
    [
        b"nonsense",
        b"li1ee",
        b"d6:pieces3:abce",
        b"d6:piecesi1ee",
        b"d6:lengthi5e12:piece length2:xx6:pieces20:" + bytes(20) + b"e",
        b"d5:filesli1ee12:piece lengthi16384e6:pieces20:" + bytes(20) + b"e",
    ],
)
def test_metadata_that_is_no_torrent_is_a_result(info: bytes) -> None:
    """A magnet may name anything: the bytes have the right hash, and mean nothing."""

    def serve(client: socket.socket) -> None:
        greet(client, hashlib.sha1(info).hexdigest())
        hello = bencode.encode({"m": {"ut_metadata": 3}, "metadata_size": len(info)})
        head = bencode.encode({"msg_type": 1, "piece": 0, "total_size": len(info)})
        client.sendall(message(14, b"") + message(20, b"\0" + hello) + message(20, b"\x01" + head + info))
        client.recv(1000)

    with fake(serve) as target:
        result = meet(target._replace(info_hash=hashlib.sha1(info).hexdigest()), PATIENT._replace(piece=True))
    assert (result["ok"], result["metadata"], result.get("piece")) == (True, "malformed", None), result


def test_the_metadata_of_a_private_torrent_is_not_served(tmp_path: Path) -> None:
    with seeder(tmp_path, private=True) as target:
        result = meet(target, PATIENT)
    assert (result["ok"], result["metadata"], result["share"]) == (True, "not_offered", 1.0), result


def test_a_client_without_the_torrent_is_told_from_one_that_is_not_there(tmp_path: Path) -> None:
    with seeder(tmp_path) as target, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        absent = Target("127.0.0.1", closed.getsockname()[1], HASH)
        closed.close()
        results = meet_all([target._replace(info_hash=HASH), absent], PATIENT)
    assert [result["reason"] for result in results] == ["not_served", "refused"]


def test_a_silent_peer_costs_no_more_than_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        result = meet(Target("127.0.0.1", server.getsockname()[1], HASH), PeerOptions(timeout=0.5))
    assert result["reason"] == "timeout"
    assert result["seconds"] < 10


def test_the_share_of_a_partial_seed() -> None:
    def serve(client: socket.socket) -> None:
        greet(client)
        client.sendall(message(5, b"\xff\x00") + message(20, b"\0" + bencode.encode({"m": {}})))
        client.recv(1000)

    with fake(serve) as target:
        result = meet(target, PATIENT)
    assert (result["ok"], result["metadata"], result["client"]) == (True, "not_offered", "Transmission 4.1.0.0")
    assert result["share"] == pytest.approx(8 / 9, abs=0.01)  # of 9 to 16 pieces


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (lambda client: greet(client, OTHER), "wrong_hash"),
        (lambda client: client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(100)), "malformed"),
        (lambda client: client.recv(68), "not_served"),
    ],
)
def test_peers_that_are_none(serve: Callable[[socket.socket], None], reason: str) -> None:
    with fake(serve) as target:
        result = meet(target, PeerOptions(timeout=1.0))
    assert (result["ok"], result["reason"]) == (False, reason), result


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\xff\xff\xff\xff", "malformed"),
        (message(20, b"\0" + bencode.encode({"m": {"ut_metadata": 3}, "metadata_size": 10**12})), ""),
    ],
)
def test_nonsense_after_the_handshake(sent: bytes, reason: str) -> None:
    def serve(client: socket.socket) -> None:
        greet(client)
        client.sendall(message(14, b"") + sent)
        client.recv(1000)

    with fake(serve) as target:
        result = meet(target, PeerOptions(timeout=1.0))
    assert result["reason"] == reason, result
    assert result.get("metadata", "malformed") == "malformed"


def test_wrong_metadata_is_not_taken() -> None:
    def serve(client: socket.socket) -> None:
        greet(client)
        size = 20
        hello = bencode.encode({"m": {"ut_metadata": 3}, "metadata_size": size})
        client.sendall(message(14, b"") + message(20, b"\0" + hello))
        piece = bencode.encode({"msg_type": 1, "piece": 0, "total_size": size}) + bytes(size)
        client.sendall(message(20, b"\x01" + piece))
        client.recv(1000)

    with fake(serve) as target:
        assert meet(target, PATIENT)["metadata"] == "wrong_hash"


def test_metadata_that_is_long_in_coming_is_no_refusal() -> None:
    def serve(client: socket.socket) -> None:
        greet(client)
        size = 500 * 16384
        hello = bencode.encode({"m": {"ut_metadata": 3}, "metadata_size": size})
        client.sendall(message(14, b"") + message(20, b"\0" + hello))
        with suppress(OSError):  # the other side ends it
            for number in range(500):
                piece = bencode.encode({"msg_type": 1, "piece": number, "total_size": size}) + bytes(16384)
                client.sendall(message(20, b"\x01" + piece))
                select.select([], [], [], 0.05)

    with fake(serve) as target:
        result = meet(target, PATIENT._replace(metadata_timeout=0.5))
    assert (result["ok"], result["metadata"]) == (True, "slow"), result
    assert re.fullmatch(r"\d+ of 500 parts of the metadata came", result["metadata_message"])


@pytest.mark.parametrize(
    ("peer_id", "name"),
    [(b"-TR3000-abcdefghijkl", "Transmission 3.0.0.0"), (b"-ZZ1a00-abcdefghijkl", "ZZ 1.a.0.0"), (b"M7-4-3--", "")],
)
def test_client_names(peer_id: bytes, name: str) -> None:
    assert client_name(peer_id) == name


def test_rc4_as_published() -> None:
    # RFC 6229, key 0102030405, keystream at offset 1024: what is left after the first 1024 bytes are thrown away.
    assert Rc4(bytes([1, 2, 3, 4, 5])).crypt(bytes(16)).hex() == "30abbcc7c20b01609f23ee2d5f6bb7df"


def test_an_answer_without_the_constant_is_no_encryption() -> None:
    def receive(size: int) -> bytes:
        return bytes([7]) * size

    sent: list[bytes] = []
    with pytest.raises(NetError) as caught:
        call(sent.append, receive, bytes(20), b"")
    assert caught.value.reason == "not_encrypted"


def test_the_result_is_plain_data(tmp_path: Path) -> None:
    with seeder(tmp_path) as target:
        result: dict[str, Any] = meet(target, PATIENT)
    assert result.pop("remarks") == []
    assert all(isinstance(value, (str, int, float, bool, type(None))) for value in result.values())


def test_a_message_that_is_cut_by_a_deadline_is_whole_at_the_next() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(ours, Deadline(0.05))
        for begun in (b"\0\0", b"\0\x05\x04", b"\0\0"):
            theirs.sendall(begun)
            wire.deadline = Deadline(0.05)
            with pytest.raises(NetError, match="no answer"):
                wire.message()
        theirs.sendall(b"\0\x09")
        wire.deadline = Deadline(1)
        assert wire.message() == (4, b"\0\0\0\x09")
