"""Peers that are odd and that clients get along with: what they have is counted, and they never hold the doctor up."""

from __future__ import annotations

import hashlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import peer_info
import pytest
from ansible.module_utils.seedbed.base.net import Deadline, NetError, resolve
from ansible.module_utils.seedbed.probe.peer_encryption import KEY_BYTES, PRIME, Rc4, sha1
from ansible.module_utils.seedbed.probe.peer_handshake import PROTOCOL, RESERVED, PeerOptions, Target
from ansible.module_utils.seedbed.probe.peer_haves import Haves
from ansible.module_utils.seedbed.probe.peer_metadata import IN_FLIGHT, Extensions, MetadataFetch
from ansible.module_utils.seedbed.probe.peer_piece import PieceFetch, Pieces
from ansible.module_utils.seedbed.probe.peers import meet, meet_all
from ansible.module_utils.seedbed.torrent import bencode
from ansible.module_utils.testing import patch_module_args
from hypothesis import given
from hypothesis import strategies as st

PATIENT = PeerOptions(timeout=60.0, metadata_timeout=60.0, piece_timeout=60.0)  # for peers that answer at once
BLOCK = 16384
Talk = Callable[["Peer"], None]


def message(kind: int, payload: bytes = b"") -> bytes:
    return (len(payload) + 1).to_bytes(4, "big") + bytes([kind]) + payload


def extended(number: int, fields: Any, more: bytes = b"") -> bytes:
    return message(20, bytes([number]) + bencode.encode(fields) + more)


def info_of(pieces: int, length: int = BLOCK, padding: int = 0) -> bytes:
    content = bytes(pieces * length)
    hashes = b"".join(hashlib.sha1(content[at : at + length]).digest() for at in range(0, len(content), length))
    fields: dict[str, Any] = {"length": len(content), "name": "x", "piece length": length, "pieces": hashes}
    return bencode.encode({**fields, **({"zzz": bytes(padding)} if padding else {})})


class Peer:
    """The other end of a connection, after the handshake."""

    def __init__(self, sock: socket.socket, info: bytes) -> None:
        self.sock, self.info = sock, info
        self.asked_at_once = 0
        self.received: list[tuple[int, bytes]] = []

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def next(self) -> tuple[int, bytes]:
        while True:
            size = int.from_bytes(self.exactly(4), "big")
            if size:
                data = self.exactly(size)
                self.received.append((data[0], data[1:]))
                return data[0], data[1:]

    def waiting(self) -> bool:
        """Return whether more comes soon: a client sends what it has to ask in one go."""
        return bool(select.select([self.sock], [], [], 0.05)[0])

    def hello(self, **more: Any) -> bytes:
        return extended(0, {"m": {"ut_metadata": 3}, "metadata_size": len(self.info), **more})

    def serve_metadata(self, limit: int = 64) -> None:
        """Serve it as Transmission does: what is asked beyond the limit at once is rejected."""
        while True:
            questions = [self.next()]
            while self.waiting():
                questions.append(self.next())
            parts = [bencode.decode(data[1:])[b"piece"] for kind, data in questions if kind == 20 and data[0] == 3]
            self.asked_at_once = max(self.asked_at_once, len(parts))
            for number, index in enumerate(parts):
                if number >= limit:
                    self.sock.sendall(extended(1, {"msg_type": 2, "piece": index}))
                    continue
                part = self.info[index * BLOCK : (index + 1) * BLOCK]
                head = {"msg_type": 1, "piece": index, "total_size": len(self.info)}
                self.sock.sendall(extended(1, head, part))


@contextmanager
def peer(talk: Talk, info: bytes = info_of(4), reserved: bytes = RESERVED) -> Iterator[tuple[Target, list[Peer]]]:
    """A peer on loopback that says its handshake and then what it is told; yields it, and its ends of connections."""
    ends: list[Peer] = []
    info_hash = hashlib.sha1(info).digest()

    def serve(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            end = Peer(sock, info)
            if end.exactly(20) != PROTOCOL:
                return
            end.exactly(48)
            ends.append(end)
            sock.sendall(PROTOCOL + reserved + info_hash + b"-TR4100-abcdefghijkl")
            talk(end)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield Target("127.0.0.1", server.getsockname()[1], info_hash.hex()), ends
        server.shutdown(socket.SHUT_RDWR)
        thread.join(2)


def have(index: int) -> bytes:
    return message(4, index.to_bytes(4, "big"))


def saying(*words: bytes, then: Callable[[Peer], None] = Peer.serve_metadata) -> Talk:
    """Return what says these words after its extension handshake, and serves the metadata."""

    def talk(end: Peer) -> None:
        end.sock.sendall(end.hello() + b"".join(words))
        then(end)

    return talk


ALL, NONE = message(14), message(15)


@pytest.mark.parametrize(
    ("words", "share", "revealing"),
    [
        ([have(0)], 0.25, True),  # without a bitfield
        ([NONE, have(0), have(3)], 0.5, True),
        ([message(5, b"\x00"), have(2)], 0.25, True),
        ([message(5, b"\xa0"), have(1), have(3)], 1.0, False),  # a lazy bitfield
        ([message(5, b"\xa0"), have(1), have(1), have(2)], 0.75, False),
        ([*map(have, range(4))], 1.0, False),
        ([NONE, *map(have, range(4))], 1.0, False),
        ([ALL, have(1)], 1.0, False),
        ([NONE], 0.0, False),
        ([], 0.0, False),
        ([message(5, b"\xff")], 1.0, False),  # with spare bits set
        ([message(5, b"\xf0" + bytes(9)), have(99)], 1.0, False),
        ([NONE, have(99), message(4, b"\0"), message(4, b"\0" * 9)], 0.0, False),
        ([message(5, b"")], 0.0, False),
    ],
)
def test_what_a_peer_shows_is_counted_however_it_shows_it(words: list[bytes], share: float, revealing: bool) -> None:
    with peer(saying(*words)) as (target, _):
        result = meet(target, PATIENT)
    assert (result["ok"], result["metadata"], result["share"]) == (True, "ok", share), result
    assert result["revealing"] == revealing
    assert any("super-seeder" in remark for remark in result["remarks"]) == revealing


def test_pieces_that_are_shown_a_moment_later_count() -> None:
    def talk(end: Peer) -> None:
        end.sock.sendall(message(15) + extended(0, {"m": {}}))
        select.select([], [], [], 0.2)
        end.sock.sendall(have(0))
        end.exactly(1000)

    with peer(talk) as (target, _):
        result = meet(target, PATIENT)
    assert (result["metadata"], result["share"]) == ("not_offered", None)  # of how many is not known


@given(st.integers(0, 40), st.binary(max_size=6), st.sets(st.integers(0, 50)))
def test_the_share_is_that_of_the_set_of_pieces(pieces: int, bitfield: bytes, more: set[int]) -> None:
    haves = Haves()
    haves.take(5, bitfield)
    for index in more:
        haves.take(4, index.to_bytes(4, "big"))
    held = {index for index in range(pieces) if haves.has(index)}
    assert haves.share(pieces) == (round(len(held) / pieces, 4) if pieces else 1.0)
    assert {index for index in more if index < pieces} <= held
    unknown = haves.share(None)
    assert unknown is None or 0 <= unknown <= 1


# -- metadata ---------------------------------------------------------------------------------------------------------


def test_much_metadata_is_fetched_a_few_parts_at_a_time() -> None:
    """Transmission rejects what goes beyond 64 requests at once: here it is less, and there are more parts."""
    info = info_of(4, padding=100 * BLOCK)
    with peer(saying(ALL, then=lambda end: end.serve_metadata(limit=IN_FLIGHT)), info) as (target, ends):
        result = meet(target, PATIENT)
    assert (result["metadata"], result["share"]) == ("ok", 1.0), result
    assert 0 < ends[0].asked_at_once <= IN_FLIGHT


def test_a_part_that_is_rejected_once_is_asked_for_again_and_one_for_ever_is_not() -> None:
    info = info_of(4, padding=20 * BLOCK)
    with peer(saying(ALL, then=lambda end: end.serve_metadata(limit=IN_FLIGHT - 1)), info) as (target, _):
        assert meet(target, PATIENT)["metadata"] == "ok"
    with peer(saying(ALL, then=lambda end: end.serve_metadata(limit=0))) as (target, _):
        result = meet(target, PATIENT)
    assert (result["metadata"], result["metadata_message"]) == (
        "rejected", "the peer refuses to send the metadata",
    )  # fmt: skip
    assert result["ok"]


def test_a_second_extension_handshake_is_merged() -> None:
    def talk(end: Peer) -> None:
        first = extended(0, {"m": {"ut_pex": 1}, "v": "Client 1", "reqq": 5})
        second = extended(0, {"m": {"ut_metadata": 3}, "metadata_size": len(end.info)})
        end.sock.sendall(ALL + first)
        select.select([], [], [], 0.1)
        end.sock.sendall(second)
        end.serve_metadata()

    with peer(talk) as (target, _):
        result = meet(target, PATIENT)
    assert (result["metadata"], result["client"]) == ("ok", "Client 1"), result


def test_a_later_handshake_takes_back_what_it_names_with_0() -> None:
    extensions = Extensions()
    assert extensions.take(bencode.encode({"m": {"ut_metadata": 3, "ut_pex": 1}, "metadata_size": 5})) == ""
    assert extensions.offer_metadata
    assert extensions.take(bencode.encode({"m": {"ut_metadata": 0}})) == ""
    assert not extensions.offer_metadata
    assert extensions.number(b"metadata_size", 1) == 5


@pytest.mark.parametrize(
    ("handshake", "remark"),
    [
        (b"nonsense", "its extension handshake is not bencode (unexpected byte 0x6e at byte 0); clients pass over it"),
        (b"li1ee", "its extension handshake is no dictionary; clients pass over it"),
        (b"d1:mi5ee", "the m of its extension handshake is no dictionary; clients pass over it"),
        (b"d1:mdee\r\n", "2 bytes behind the end of its extension handshake; clients pass over them"),
        (b"d1:md11:ut_metadatai300eee", None),
        (b"d1:md11:ut_metadatai-1ee13:metadata_sizei5ee", None),
        (b"d1:md11:ut_metadata1:3e13:metadata_sizei5ee", None),
        (b"d1:md11:ut_metadatai3ee13:metadata_size1:5e", None),
        (b"d1:md11:ut_metadatai3eee", None),
        (b"d1:mde4:reqqi-1e1:vi1ee", None),
    ],
)
def test_an_extension_handshake_that_is_none_is_passed_over(handshake: bytes, remark: str | None) -> None:
    def talk(end: Peer) -> None:
        end.sock.sendall(ALL + message(20, b"\0" + handshake))
        while True:
            end.next()

    with peer(talk) as (target, _):
        result = meet(target, PATIENT)
    assert (result["ok"], result["share"], result["metadata"]) == (True, 1.0, "not_offered"), result
    assert result["remarks"] == ([remark] if remark else [])


def test_keep_alives_and_messages_that_nobody_knows_are_passed_over() -> None:
    noise = bytes(4) + message(99, b"x" * 100) + message(9, b"\0\1") + message(20) + extended(200, {}) + message(2)
    with peer(saying(noise, ALL, noise, b"\0\0\0\0" * 50)) as (target, _):
        result = meet(target, PATIENT)
    assert (result["ok"], result["share"], result["metadata"], result["remarks"]) == (True, 1.0, "ok", [])


def test_a_peer_without_the_extension_protocol_is_sent_none_of_its_messages() -> None:
    def talk(end: Peer) -> None:
        end.sock.sendall(message(5, b"\xf0"))
        while True:
            end.next()

    with peer(talk, reserved=bytes(8)) as (target, ends):
        result = meet(target, PATIENT)
    assert (result["ok"], result["metadata"], ends[0].received) == (True, "not_offered", [])
    assert result["share"] == 1.0


def test_what_a_peer_has_shown_before_it_leaves_counts() -> None:
    with peer(lambda end: end.sock.sendall(message(5, b"\xff"))) as (target, _):
        result = meet(target, PATIENT)
    assert (result["ok"], result["share"]) == (True, 1.0), result


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.binary(max_size=40))))
def test_no_message_breaks_extensions_and_metadata(messages: list[tuple[int, bytes]]) -> None:
    extensions, asked = Extensions(), []
    fetch = MetadataFetch(5, asked.append)
    for number, payload in messages:
        if number:
            fetch.take(payload)
        else:
            extensions.take(payload)
    assert 0 <= extensions.metadata_id < 256
    assert fetch.result(bytes(20))[1] in ("rejected", "slow", "timeout", "wrong_hash")


# -- a piece ----------------------------------------------------------------------------------------------------------


def serving_pieces(most: int, *, choke_after: int = 0) -> Callable[[Peer], None]:
    """Return what serves metadata and pieces, drops what goes beyond some requests at once, and may choke once."""

    def serve(end: Peer) -> None:
        choked = False
        served = 0
        while True:
            batch = [end.next()]
            while end.waiting():
                batch.append(end.next())
            if any(kind == 2 for kind, _ in batch):
                end.sock.sendall(message(1))
            for kind, data in batch:
                if kind == 20 and data[0] == 3:
                    index = bencode.decode(data[1:])[b"piece"]
                    part = end.info[index * BLOCK : (index + 1) * BLOCK]
                    end.sock.sendall(extended(1, {"msg_type": 1, "piece": index}, part))
            requests = [data for kind, data in batch if kind == 6]
            end.asked_at_once = max(end.asked_at_once, len(requests))
            for data in requests[:most]:
                index, begin, size = struct.unpack(">III", data)
                end.sock.sendall(message(7, struct.pack(">II", index, begin) + bytes(size)))
                served += 1
                if choke_after and served >= choke_after and not choked:
                    choked = True
                    end.sock.sendall(message(0) + message(1))
                    break

    return serve


def test_a_large_piece_is_asked_for_within_what_a_peer_takes() -> None:
    """Transmission 3.00 drops what goes beyond 512 requests at once; 10 MiB are 640."""
    info = info_of(1, 10 << 20)
    with peer(saying(ALL, then=serving_pieces(512)), info) as (target, ends):
        result = meet(target, PATIENT._replace(piece=True))
    assert (result["piece"], result["piece_message"]) == ("ok", ""), result
    assert 0 < ends[0].asked_at_once <= 512


def test_a_peer_that_says_how_many_requests_it_takes_gets_no_more() -> None:
    def talk(end: Peer) -> None:
        end.sock.sendall(end.hello(reqq=3) + ALL)
        serving_pieces(3)(end)

    with peer(talk, info_of(1, 1 << 20)) as (target, ends):
        assert meet(target, PATIENT._replace(piece=True))["piece"] == "ok"
    assert ends[0].asked_at_once <= 3


def test_what_a_choke_has_cut_off_is_asked_for_again() -> None:
    with peer(saying(ALL, then=serving_pieces(99, choke_after=5)), info_of(1, 1 << 20)) as (target, _):
        assert meet(target, PATIENT._replace(piece=True))["piece"] == "ok"


def test_a_peer_that_rejects_every_request_is_not_asked_for_ever() -> None:
    def serve(end: Peer) -> None:
        while True:
            kind, data = end.next()
            if kind == 20 and data[0] == 3:
                end.sock.sendall(extended(1, {"msg_type": 1, "piece": 0}, end.info))
            elif kind == 2:
                end.sock.sendall(message(1))
            elif kind == 6:
                end.sock.sendall(message(16, data))

    with peer(saying(ALL, then=serve)) as (target, _):
        result = meet(target, PATIENT._replace(piece=True))
    assert result["piece"] == "rejected", result


@given(st.lists(st.tuples(st.sampled_from([0, 1, 7, 16]), st.binary(max_size=12) | st.just(bytes(8 + 5)))))
def test_no_message_breaks_a_piece(messages: list[tuple[int, bytes]]) -> None:
    sent: list[tuple[int, bytes]] = []
    fetch = PieceFetch(0, Pieces(bytes(20), 5, 5), lambda *words: sent.append(words), in_flight=2, unchoked=False)
    for kind, payload in messages:
        fetch.take(kind, payload)
    assert fetch.result(1)[0] in ("choked", "rejected", "timeout", "wrong_hash")
    assert len(sent) <= len(messages)


# -- encryption -------------------------------------------------------------------------------------------------------


def answer_encrypted(sock: socket.socket, info_hash: bytes, choose: Callable[[int], int]) -> bytes:
    """Speak the answering side of the encrypted handshake as clients do; return the first words, decrypted."""
    end = Peer(sock, b"")
    theirs = int.from_bytes(end.exactly(KEY_BYTES), "big")
    sock.sendall(pow(2, 12345, PRIME).to_bytes(KEY_BYTES, "big") + b"padding")
    secret = pow(theirs, 12345, PRIME).to_bytes(KEY_BYTES, "big")
    incoming, outgoing = Rc4(sha1(b"keyA", secret, info_hash)), Rc4(sha1(b"keyB", secret, info_hash))
    seen = end.exactly(20)
    while not seen.endswith(sha1(b"req1", secret)):
        seen += end.exactly(1)
    end.exactly(20)
    head = incoming.crypt(end.exactly(8 + 4 + 2))
    provide = int.from_bytes(head[8:12], "big")
    incoming.crypt(end.exactly(int.from_bytes(head[12:14], "big")))
    first = incoming.crypt(end.exactly(int.from_bytes(incoming.crypt(end.exactly(2)), "big")))
    select_one = choose(provide)
    if not select_one:
        raise ConnectionError
    sock.sendall(outgoing.crypt(bytes(8) + select_one.to_bytes(4, "big") + bytes(2)))
    return first


@pytest.mark.parametrize(("choice", "well"), [(1, True), (2, False), (3, False), (4, False), (0, False)])
def test_an_encrypted_handshake_with_a_plain_stream(choice: int, well: bool) -> None:
    """As Deluge's level "handshake" wants it: plain handshakes are closed on, and so are those that offer RC4 alone."""
    info = info_of(4)
    info_hash = hashlib.sha1(info).digest()

    def serve(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            if sock.recv(1, socket.MSG_PEEK) == PROTOCOL[:1]:
                return
            first = answer_encrypted(sock, info_hash, lambda provide: choice if provide & 1 else 0)
            assert first.startswith(PROTOCOL)
            end = Peer(sock, info)
            sock.sendall(PROTOCOL + RESERVED + info_hash + b"-DE13F0-abcdefghijkl" + ALL + end.hello())
            end.serve_metadata()

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        target = Target("127.0.0.1", server.getsockname()[1], info_hash.hex())
        [result] = meet_all([target], PATIENT._replace(timeout=1.0))
        server.shutdown(socket.SHUT_RDWR)
        thread.join(2)
    assert result["ok"] == well, result
    if well:
        assert (result["encryption"], result["metadata"], result["share"]) == ("encrypted", "ok", 1.0)
        assert result["remarks"] == ["it wants an encrypted handshake, and what follows plain"]


# -- without an end ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [b"\0\0\0\0", have(1), extended(0, {"m": {}}), message(7, bytes(8 + BLOCK)), b"\x00\x00\x40\x00",
     message(0) + message(1)],
    ids=["keep-alives", "haves", "handshakes", "blocks", "a message in drops", "chokes"],
)  # fmt: skip
def test_a_peer_that_never_ends_is_left_by_the_deadline(words: bytes) -> None:
    def talk(end: Peer) -> None:
        end.sock.sendall(end.hello() + NONE)
        while True:
            end.sock.sendall(words)
            select.select([], [], [], 0.001)

    with peer(talk) as (target, _):
        result = meet(target, PeerOptions(timeout=2.0, metadata_timeout=0.5, piece=True, piece_timeout=0.5))
    assert (result["ok"], result["metadata"]) == (True, "timeout"), result
    assert result["seconds"] < 20


def test_addresses_that_are_none_are_results(capsys: pytest.CaptureFixture[str]) -> None:
    for address in ("a\0b", "x" * 300, "", "a b"):
        with pytest.raises(NetError) as caught:
            resolve(address + ".invalid", 80, "any", Deadline(30))
        assert caught.value.reason == "dns"
    for port in (0, 65536, -1):
        arguments = {"targets": [{"address": "127.0.0.1", "port": port, "info_hash": "2a" * 20}]}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            peer_info.main()
        assert f"targets has port {port}; expected 1 to 65535" in capsys.readouterr().out
