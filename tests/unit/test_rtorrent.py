"""rtorrent as a client, against a stand-in that speaks XML-RPC over SCGI as rtorrent does."""

from __future__ import annotations

import os
import pwd
import socketserver
import tempfile
import threading
import xmlrpc.client
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.seedbed.clients import rtorrent, unit
from ansible.module_utils.seedbed.clients.contract import ClientError, ClientSettings, ClientSilent, Order, Status
from ansible.module_utils.seedbed.clients.rtorrent import SOCKET, Rtorrent
from ansible.module_utils.seedbed.clients.scgi import ScgiClient

HASH = "AB" * 20
TORRENT = {
    "is_meta": 0,
    "hashing": 0,
    "is_hash_checked": 1,
    "complete": 0,
    "wanted_chunks": 3,
    "bytes_done": 42,
    "is_active": 1,
    "peers_connected": 2,
    "message": "",
}


class Played:
    """What the stand-in knows: torrents by info hash, each with its values and files."""

    def __init__(self) -> None:
        self.torrents: dict[str, dict[str, Any]] = {}
        self.files = ["a", "sub/b", "sub/c"]
        self.told: list[tuple[Any, ...]] = []

    def answer(self, method: str, *params: Any) -> Any:
        self.told.append((method, *params))
        if method.startswith("load."):
            marks = dict(mark.split(".set=") for mark in params[2:])
            self.torrents[HASH] = {**TORRENT, "mark": marks["d.custom1"], "directory": marks["d.directory"].strip('"')}
            return 0
        known = {
            "system.multicall": lambda calls: [self._one(call["methodName"], call["params"]) for call in calls],
            "system.client_version": lambda: "0.9.8",
            "d.multicall2": lambda *_: [[torrent["mark"], info_hash] for info_hash, torrent in self.torrents.items()],
            "f.multicall": lambda *_: [[path] for path in self.files],
            "f.priority.set": lambda *_: 0,
            "d.size_files": lambda _hash: len(self.files),
            "d.update_priorities": lambda _hash: 0,
            "d.start": lambda _hash: 0,
            "d.erase": lambda info_hash: self.torrents.pop(info_hash) and 0,
        }
        if method in known:
            return known[method](*params)
        if params[0] not in self.torrents:
            raise xmlrpc.client.Fault(-501, "Could not find info-hash.")
        return self.torrents[params[0]][method.partition(".")[2]]

    def _one(self, method: str, params: list[Any]) -> Any:
        try:
            return [self.answer(method, *params)]
        except xmlrpc.client.Fault as fault:
            return {"faultCode": fault.faultCode, "faultString": fault.faultString}


class Handler(socketserver.StreamRequestHandler):
    """One connection, one call: a netstring of headers, CONTENT_LENGTH the first, then the body."""

    def handle(self) -> None:
        size = b""
        while (digit := self.rfile.read(1)) != b":":
            size += digit
        words = self.rfile.read(int(size)).split(b"\0")
        assert self.rfile.read(1) == b","
        assert (words[0], words[2:4]) == (b"CONTENT_LENGTH", [b"SCGI", b"1"])
        params, method = xmlrpc.client.loads(self.rfile.read(int(words[1])))
        try:
            body = xmlrpc.client.dumps((self.server.played.answer(method, *params),), methodresponse=True)  # type: ignore[attr-defined]
        except xmlrpc.client.Fault as fault:
            body = xmlrpc.client.dumps(fault, methodresponse=True)
        head = f"Status: 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write((head + body).encode())


@pytest.fixture
def played() -> Played:
    return Played()


@pytest.fixture
def client(played: Played, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rtorrent]:
    with tempfile.TemporaryDirectory() as directory:  # a socket's path must be short

        class Server(socketserver.ThreadingUnixStreamServer):
            pass

        server = Server(os.path.join(directory, SOCKET), Handler)
        server.played = played  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setattr(unit.ClientUnit, "start", lambda _self, _argv: None)
        monkeypatch.setattr(unit.ClientUnit, "stop", lambda _self: None)
        user = pwd.getpwuid(os.getuid()).pw_name
        with Rtorrent(ClientSettings(directory, user, 8084, 8085, "192.0.2.7", 16, 60)) as client:
            yield client
        server.shutdown()
        server.server_close()


def order(client: Rtorrent, **more: Any) -> Order:
    return Order(os.path.join(client.settings.directory, "1"), **more)


def settings_of(client: Rtorrent) -> dict[str, str]:
    with open(os.path.join(client.settings.directory, "rtorrent.rc"), encoding="utf-8") as file:
        return dict(line.split(" = ") for line in file.read().splitlines())


def test_peers_come_from_trackers_alone(client: Rtorrent) -> None:
    told = settings_of(client)
    assert (told["dht.mode.set"], told["protocol.pex.set"]) == ("disable", "no")
    assert (told["network.port_range.set"], told["network.bind_address.set"]) == ("8085-8085", "192.0.2.7")


def test_peers_are_called_unencrypted_first(client: Rtorrent) -> None:
    """One encrypted handshake in 256 of its own cannot succeed."""
    assert settings_of(client)["protocol.encryption.set"].split(",") == ["allow_incoming", "enable_retry"]


def test_a_torrent_is_loaded_as_it_is_and_found_again_by_its_mark(client: Rtorrent, played: Played) -> None:
    handle = client.add(order(client, torrent=b"d4:info\xffe"))
    method, target, content, *_marks = played.told[-1]
    assert (method, target, content.data) == ("load.raw_start", "", b"d4:info\xffe")
    assert client.status(handle) == Status("downloading", 42, 2)
    assert client.files(handle) == [f"{client.settings.directory}/1/{path}" for path in ("a", "sub/b", "sub/c")]
    client.remove(handle)
    assert played.torrents == {}


def test_a_bare_magnet_gets_its_trackers_into_it(client: Rtorrent, played: Played) -> None:
    client.add(order(client, magnet="magnet:?xt=urn:btih:ab", trackers=["http://t:1/announce", "udp://t:1/announce"]))
    told = "magnet:?xt=urn:btih:ab&tr=http%3A%2F%2Ft%3A1%2Fannounce&tr=udp%3A%2F%2Ft%3A1%2Fannounce"
    assert played.told[-1][:3] == ("load.start", "", told)


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        ({"is_meta": 1}, Status("metadata", 0, 2)),
        ({"hashing": 1}, Status("checking", 42, 2)),
        ({"is_hash_checked": 0, "wanted_chunks": 0}, Status("checking", 42, 2)),
        ({"complete": 1, "wanted_chunks": 0}, Status("complete", 42, 2)),
        ({"complete": 1, "hashing": 2}, Status("checking", 42, 2)),
        ({"message": 'Tracker: [Failure reason "no"]', "is_active": 0}, Status("downloading", 42, 2)),
        ({"message": "Storage error: [full]"}, Status("downloading", 42, 2)),
        ({"message": "Storage error: [full]", "is_active": 0}, Status("failed", 42, 2, "Storage error: [full]")),
    ],
)
def test_its_words_become_the_contracts(client: Rtorrent, played: Played, seen: dict[str, Any], status: Status) -> None:
    handle = client.add(order(client, torrent=b"x"))
    played.torrents[HASH].update(seen)
    assert client.status(handle) == status


def test_a_magnets_torrent_that_is_taken_out_for_a_moment_is_no_failure(client: Rtorrent, played: Played) -> None:
    handle = client.add(order(client, magnet="magnet:?xt=urn:btih:ab"))
    assert client.status(handle).state == "downloading"
    torrent = played.torrents.pop(HASH)
    assert client.status(handle) == Status("metadata")
    played.torrents[HASH] = torrent
    assert client.status(handle).state == "downloading"


def test_a_torrent_that_it_never_took_has_failed(
    client: Rtorrent, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = client.add(order(client, torrent=b"x"))
    played.torrents.clear()
    assert client.status(handle) == Status("waiting")
    monkeypatch.setattr(rtorrent, "TAKEN_SECONDS", 0)
    assert client.status(handle) == Status("failed", 0, 0, "rtorrent did not take the torrent")


def test_files_are_chosen_before_it_begins(client: Rtorrent, played: Played) -> None:
    handle = client.add(order(client, torrent=b"x", files=[0, 2], paths=["a", "sub/c"]))
    assert played.told[-1][0] == "load.raw"
    assert client.status(handle).state == "downloading"
    assert [told for told in played.told if told[0] in ("f.priority.set", "d.update_priorities", "d.start")] == [
        ("f.priority.set", f"{HASH}:f0", 1),
        ("f.priority.set", f"{HASH}:f1", 0),
        ("f.priority.set", f"{HASH}:f2", 1),
        ("d.update_priorities", HASH),
        ("d.start", HASH),
    ]
    played.torrents[HASH]["wanted_chunks"] = 0
    assert client.status(handle).state == "complete"


def test_what_a_tracker_says_is_told_of_a_failure(client: Rtorrent, played: Played) -> None:
    handle = client.add(order(client, torrent=b"x"))
    assert client.last_words(handle, "") == []
    played.torrents[HASH]["message"] = "Tracker: [not registered]"
    assert client.last_words(handle, "") == ["Tracker: [not registered]"]
    played.torrents.clear()
    assert client.last_words(handle, "") == []


def test_what_it_refuses_is_a_sentence(client: Rtorrent) -> None:
    with pytest.raises(ClientError, match=r"^rtorrent answers d\.directory with: Could not find info-hash\.$"):
        client._rpc.call("d.directory", "CD" * 20)
    with pytest.raises(ClientSilent, match=r"^rtorrent does not answer at /nonexistent: "):
        ScgiClient("/nonexistent").call("system.client_version")
