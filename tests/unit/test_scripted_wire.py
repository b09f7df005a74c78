"""What the scripted peers read and write, byte by byte, without a socket."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.payload.virtual import virtual_payload
from ansible.module_utils.seedbed.probe.peer_encryption import Rc4, call
from ansible.module_utils.seedbed.scripted import encryption, rc4
from ansible.module_utils.seedbed.scripted.hashes import (
    FileTree,
    HashRequest,
    answer_hashes,
    read_hash_request,
    zero_root,
)
from ansible.module_utils.seedbed.scripted.messages import (
    KEEP_ALIVE,
    MessageReader,
    WireError,
    bitfield,
    message,
    read_index,
    read_triple,
    triple_message,
)
from ansible.module_utils.seedbed.scripted.served import check_hash, serve_torrent
from ansible.module_utils.seedbed.scripted.streams import Part, Stream, StreamError
from ansible.module_utils.seedbed.torrent.metainfo import torrent_metainfo
from hypothesis import given
from hypothesis import strategies as st

HASH = bytes(range(20))


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """The data in parts of these sizes, the rest whole."""
    parts = []
    for size in sizes:
        parts.append(data[:size])
        data = data[size:]
    return [*parts, data]


@given(
    st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=60)) | st.just((KEEP_ALIVE, b""))),
    st.lists(st.integers(0, 40)),
)
def test_messages_are_the_same_however_they_come(sent: list[tuple[int, bytes]], sizes: list[int]) -> None:
    stream = b"".join(bytes(4) if kind == KEEP_ALIVE else message(kind, payload) for kind, payload in sent)
    reader = MessageReader()
    assert [found for part in cut(stream, sizes) for found in reader.feed(part)] == sent


@given(st.binary(max_size=2000), st.lists(st.integers(0, 100)))
def test_garbage_ends_in_messages_or_in_a_reason(data: bytes, sizes: list[int]) -> None:
    reader = MessageReader(limit=500)
    try:
        for part in cut(data, sizes):
            for kind, payload in reader.feed(part):
                assert -1 <= kind <= 255
                assert len(payload) < 500
    except WireError as error:
        assert "a message of" in str(error)


def test_a_message_of_two_gibibytes_is_refused_at_its_length() -> None:
    with pytest.raises(WireError, match="a message of 2147483647 bytes"):
        MessageReader().feed(b"\x7f\xff\xff\xff")


@pytest.mark.parametrize(("read", "payload"), [(read_triple, bytes(11)), (read_index, bytes(5))])
def test_a_payload_of_the_wrong_size(read: Callable[[bytes], object], payload: bytes) -> None:
    with pytest.raises(WireError, match="instead of"):
        read(payload)


def test_a_block_that_is_named_is_read_back() -> None:
    [(kind, payload)] = MessageReader().feed(triple_message(6, 7, 16384, 99))
    assert (kind, read_triple(payload)) == (6, (7, 16384, 99))


@given(st.lists(st.booleans(), max_size=40))
def test_a_bitfield_has_its_first_piece_in_the_highest_bit(held: list[bool]) -> None:
    raw = bitfield(held)
    assert len(raw) == -(-len(held) // 8)
    assert [bool(raw[n // 8] & 0x80 >> n % 8) for n in range(8 * len(raw))] == held + [False] * (-len(held) % 8)


@given(st.binary(min_size=1, max_size=64), st.lists(st.binary(max_size=300), max_size=5))
def test_both_ciphers_are_one(key: bytes, parts: list[bytes]) -> None:
    library, python = rc4.cipher(key), Rc4(key)
    assert [library.crypt(part) for part in parts] == [python.crypt(part) for part in parts]


def drive(steps: Generator[int, bytes, Any], data: bytes) -> tuple[Any, bytes]:
    """Feed a conversation; return what it ends with, and what of the data it left."""
    need = next(steps)
    while len(data) >= need:
        try:
            part, data = data[:need], data[need:]
            need = steps.send(part)
        except StopIteration as end:
            return end.value, data
    return None, data


class Called:
    """Our called side, as the caller's send and receive; it answers as soon as it has been told enough."""

    def __init__(self, method: Callable[[bytes, int], int]) -> None:
        self.sent = self.held = b""
        self.agreed: encryption.Agreed | None = None
        self.steps = encryption.answer(b"", self.say, {encryption.torrent_mark(HASH): HASH}.get, method)
        self.need = next(self.steps)

    def say(self, data: bytes) -> None:
        self.sent += data

    def send(self, data: bytes) -> None:
        self.held += data
        while self.agreed is None and len(self.held) >= self.need:
            part, self.held = self.held[: self.need], self.held[self.need :]
            try:
                self.need = self.steps.send(part)
            except StopIteration as end:
                self.agreed = end.value

    def receive(self, size: int) -> bytes:
        data, self.sent = self.sent[:size], self.sent[size:]
        assert len(data) == size
        return data


def test_the_probe_and_the_scripted_peer_agree_on_keys() -> None:
    called = Called(lambda _hash, offered: offered & encryption.RC4)
    outgoing, incoming = call(called.send, called.receive, HASH, b"the first words")
    assert called.agreed
    assert called.agreed.first == b"the first words"
    assert called.agreed.incoming and called.agreed.outgoing
    assert called.agreed.incoming.crypt(outgoing.crypt(b"to the peer")) == b"to the peer"
    assert incoming.crypt(called.agreed.outgoing.crypt(b"to the client")) == b"to the client"


def test_a_torrent_that_nobody_plays_has_no_encrypted_handshake() -> None:
    called = Called(lambda _hash, offered: offered)
    with pytest.raises(WireError, match="not played here"):
        call(called.send, called.receive, HASH[::-1], b"")


def test_no_method_is_a_reason() -> None:
    called = Called(lambda _hash, _offered: 0)
    with pytest.raises(WireError, match="no method"):
        call(called.send, called.receive, HASH, b"")


def test_noise_is_no_encrypted_handshake() -> None:
    with pytest.raises(WireError, match="neither a handshake nor HTTP"):
        drive(encryption.answer(b"SSH-", lambda _data: None, {}.get, lambda *_: 0), bytes(2000))


SPANS = [Part(0), Part(20_000, content.file_key("s", ("a",))), Part(5), Part(70_000, content.file_key("s", ("b",)))]


@given(st.integers(0, 90_100), st.integers(0, 90_100))
def test_any_range_of_a_stream(offset: int, length: int) -> None:
    parts = (content.read(part.key, 0, part.length) if part.key else bytes(part.length) for part in SPANS)
    assert Stream(SPANS).read(offset, length) == b"".join(parts)[offset : offset + length]


@given(st.integers(0, 200_000), st.integers(0, 70_000))
def test_a_period_goes_through_all_files(offset: int, length: int) -> None:
    key = content.file_key("s", ())
    stream = Stream([Part(100_000, key), Part(50_000, key), Part(50_000, key)], period=32768)
    once = content.read(key, 0, 32768)
    assert stream.read(offset, length) == (once * 7)[:200_000][offset : offset + length]


def test_content_that_lies_on_a_disk(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    stream = Stream([Part(10, path=str(tmp_path / "file")), Part(2)])
    assert stream.read(7, 5) == b"789\0\0"
    (tmp_path / "file").write_bytes(b"short")
    with pytest.raises(StreamError, match="shorter than the torrent says"):
        stream.read(0, 10)
    (tmp_path / "file").unlink()
    with pytest.raises(StreamError, match="No such file"):
        stream.read(0, 10)


@pytest.mark.parametrize("hybrid", [False, True])
def test_every_piece_of_a_recipe_has_its_hash(hybrid: bool) -> None:
    sizes: list[int | str] = [50_000, 0, 16384, 1, 100_001]
    recipe: Any = {"sizes": sizes, "seed": "two", "layout": "unicode"}
    payload = virtual_payload(
        {
            "kind": "synthetic",
            "name": "x",
            "state": "present",
            "piece_length": 32768,
            "hybrid": hybrid,
            "hash": True,
            "recipe": recipe,
        },
        processes=1,
    )
    made = torrent_metainfo(payload)
    torrent = serve_torrent(base64.b64decode(made["metainfo"]), seed="two")
    assert check_hash(torrent, bytes.fromhex(made["info_hash"]))
    pieces = b"".join(
        hashlib.sha1(torrent.read(index, 0, torrent.piece_size(index))).digest() for index in range(torrent.count)
    )
    assert base64.b64encode(pieces).decode() == payload["pieces"]
    assert not torrent.is_block(torrent.count, 0, 1)
    assert not torrent.is_block(0, 16385, 16384)


def v2_torrent(directory: Path, sizes: list[int], piece_length: int) -> bytes:
    """A torrent of v2 alone, by libtorrent, of content that we compute."""
    entries = []
    (directory / "v2").mkdir()
    for number, size in enumerate(sizes):
        path = directory / "v2" / f"{number}"
        path.write_bytes(content.read(content.file_key("v2", (str(number),)), 0, size))
        entries.append(lt.create_file_entry(f"v2/{number}", size))
    made = lt.create_torrent(entries, piece_length, lt.create_torrent.v2_only)
    lt.set_piece_hashes(made, str(directory))
    return bytes(lt.bencode(made.generate()))


SIZES = [40_000, 16384, 1_000_000, 16385]


def test_hashes_prove_themselves_up_to_the_root(tmp_path: Path) -> None:
    raw = v2_torrent(tmp_path, SIZES, 32768)
    torrent = serve_torrent(raw, seed="v2")
    assert check_hash(torrent, bytes.fromhex(str(lt.torrent_info(lt.bdecode(raw)).info_hashes().v2))[:20])
    for file in torrent.files:
        height = FileTree(torrent, file).height
        for base in range(height):
            for count in (1 << power for power in range(1, height - base + 1)):
                for index in range(0, 1 << (height - base), count):
                    hashes = answer_hashes(torrent, HashRequest(file.root, base, index, count, height - base - 1))
                    assert hashes
                    assert proven(hashes, index, count) == file.root, (file, base, index, count)


def proven(hashes: bytes, index: int, count: int) -> bytes:
    """The root that follows from nodes and the siblings of their ancestors."""
    nodes = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    row, proof = nodes[:count], nodes[count:]
    while len(row) > 1:
        row = [hashlib.sha256(row[n] + row[n + 1]).digest() for n in range(0, len(row), 2)]
        index //= 2
        count //= 2
    for sibling in proof:
        pair = sibling + row[0] if index % 2 else row[0] + sibling
        row, index = [hashlib.sha256(pair).digest()], index // 2
    return row[0]


def test_hashes_that_no_file_has(tmp_path: Path) -> None:
    torrent = serve_torrent(v2_torrent(tmp_path, SIZES, 32768), seed="v2")
    root = torrent.files[2].root
    assert answer_hashes(torrent, HashRequest(bytes(32), 0, 0, 2, 0)) is None
    assert answer_hashes(torrent, HashRequest(root, 0, 64, 2, 0)) is None
    assert answer_hashes(torrent, HashRequest(root, 40, 0, 2, 0)) is None
    assert read_hash_request(bytes(48)) is None
    assert read_hash_request(bytes(47)) is None
    assert zero_root(1) == hashlib.sha256(bytes(64)).digest()
