"""qBittorrent as a client, against a stand-in that speaks its Web API and knows the login from its settings file."""

from __future__ import annotations

import base64
import configparser
import hashlib
import json
import os
import pwd
import threading
import urllib.parse
from collections.abc import Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.clients import qbittorrent, unit
from ansible.module_utils.seedbed.clients.contract import ClientError, ClientSettings, ClientSilent, Order, Status
from ansible.module_utils.seedbed.clients.qbittorrent import Qbittorrent

TORRENT = {"hash": "ab", "state": "stalledDL", "completed": 42, "num_seeds": 1, "num_leechs": 2}


class Played(ThreadingHTTPServer):
    """A qBittorrent with the settings file of a profile."""

    daemon_threads = True

    def __init__(self, profile: Path, version: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.profile, self.version = profile, version
        self.torrents: dict[str, dict[str, Any]] = {}
        self.files = ["tree/a", "tree/sub/b", "tree/sub/c"]
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.takes = True

    def settings(self) -> configparser.RawConfigParser:
        read = configparser.RawConfigParser()
        read.optionxform = str  # type: ignore[method-assign,assignment]
        read.read(self.profile / "qBittorrent" / "config" / "qBittorrent.conf")
        return read

    def logs_in(self, name: str, password: str) -> bool:
        told = self.settings()["Preferences"]
        kept = told["WebUI\\Password_PBKDF2"]
        assert kept.startswith('"@ByteArray(')
        salt, digest = map(base64.b64decode, kept[len('"@ByteArray(') : -len(')"')].split(":"))
        made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 100_000)
        return name == told["WebUI\\Username"] and made == digest

    def answer(self, method: str, fields: dict[str, Any]) -> tuple[int, Any]:
        self.told.append((method, fields))
        if method == ("torrents/start" if self.version == "2.5.1" else "torrents/resume"):
            return 404, "Not Found"
        if method == "torrents/add" and self.takes:
            self.torrents[fields["category"]] = {**TORRENT, "save_path": fields["savepath"]}
        if method == "torrents/delete":
            self.torrents.clear()
        found = self.torrents.get(fields.get("category", ""))
        answers = {
            "torrents/add": "Ok." if self.takes else "Fails.",
            "torrents/info": [found] if found else [],
            "torrents/files": [{"name": name} for name in self.files],
            "torrents/trackers": [{"msg": ""}, {"msg": "unregistered"}],
            "app/webapiVersion": self.version,
        }
        return 200, answers.get(method, "")


class Handler(BaseHTTPRequestHandler):
    server: Played

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        method = self.path[len("/api/v2/") :]
        cookie = ""
        if method == "auth/login":
            fields = dict(urllib.parse.parse_qsl(body.decode()))
            known = self.server.logs_in(fields["username"], fields["password"])
            status, answer, cookie = 200, "Ok." if known else "Fails.", "SID=s3cret; HttpOnly; path=/" * known
        elif self.headers["Cookie"] != "SID=s3cret":
            status, answer = 403, "Forbidden"
        else:
            status, answer = self.server.answer(method, self._fields(body))
        content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _fields(self, body: bytes) -> dict[str, Any]:
        media = self.headers["Content-Type"]
        if not media.startswith("multipart/"):
            return dict(urllib.parse.parse_qsl(body.decode()))
        form = BytesParser().parsebytes(b"Content-Type: " + media.encode() + b"\r\n\r\n" + body)
        parts = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}  # type: ignore[union-attr]
        return {
            str(name): part.get_payload(decode=True) if name == "torrents" else part.get_payload()  # type: ignore[union-attr]
            for name, part in parts.items()
        }

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def played(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Played]:
    server = Played(tmp_path, getattr(request, "param", "2.11.4"))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Qbittorrent]:
    monkeypatch.setattr(unit.ClientUnit, "start", lambda _self, _argv: None)
    monkeypatch.setattr(unit.ClientUnit, "stop", lambda _self: None)
    user = pwd.getpwuid(os.getuid()).pw_name
    port = int(played.server_address[1])
    with Qbittorrent(ClientSettings(str(tmp_path), user, port, 8085, "192.0.2.7", 16, 60)) as client:
        yield client


def test_peers_come_from_trackers_alone(client: Qbittorrent, played: Played) -> None:
    told = played.settings()
    session = told["BitTorrent"]
    assert {session[f"Session\\{name}"] for name in ("DHTEnabled", "PeXEnabled", "LSDEnabled")} == {"false"}
    assert (session["Session\\BTProtocol"], session["Session\\Port"]) == ("TCP", "8085")
    assert session["Session\\InterfaceAddress"] == "192.0.2.7"
    # As 4.2 calls it.
    assert {told["Preferences"][f"Bittorrent\\{name}"] for name in ("DHT", "PeX", "LSD")} == {"false"}
    assert told["Preferences"]["WebUI\\Address"] == "127.0.0.1"
    assert told["Network"]["PortForwardingEnabled"] == "false"


def test_a_torrent_goes_over_as_it_is(client: Qbittorrent, played: Played, tmp_path: Path) -> None:
    handle = client.add(Order(f"{tmp_path}/1", torrent=b"d4:info\xff\r\n\0e"))
    assert played.told[-2:] == [
        ("app/setPreferences", {"json": '{"add_trackers_enabled": false, "add_trackers": ""}'}),
        (
            "torrents/add",
            {
                "savepath": f"{tmp_path}/1",
                "category": handle,
                "contentLayout": "Original",
                "root_folder": "true",
                "torrents": b"d4:info\xff\r\n\0e",
            },
        ),
    ]
    assert client.status(handle) == Status("downloading", 42, 3)
    assert client.files(handle) == [f"{tmp_path}/1/{name}" for name in played.files]
    assert client.last_words(handle, "") == ["unregistered"]
    client.remove(handle)
    assert played.told[-1] == ("torrents/delete", {"hashes": "ab", "deleteFiles": "false"})
    # It takes what is added into its list a little later.
    assert client.status(handle) == Status("waiting")
    magnet = client.add(Order(f"{tmp_path}/2", magnet="magnet:?"))
    played.torrents.clear()
    assert client.status(magnet) == Status("metadata")
    assert client.last_words(handle, "") == []


def test_a_bare_magnet_gets_its_trackers_as_the_list_for_all(
    client: Qbittorrent, played: Played, tmp_path: Path
) -> None:
    client.add(Order(f"{tmp_path}/1", magnet="magnet:?xt=1&dn=2", trackers=["http://t/announce", "udp://t/announce"]))
    (_, told), (_, added) = played.told[-2:]
    assert json.loads(told["json"]) == {
        "add_trackers_enabled": True,
        "add_trackers": "http://t/announce\nudp://t/announce",
    }
    assert added["urls"] == "magnet:?xt=1&dn=2"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("metaDL", Status("metadata", 42, 3)),
        ("checkingResumeData", Status("checking", 42, 3)),
        ("queuedDL", Status("waiting", 42, 3)),
        ("downloading", Status("downloading", 42, 3)),
        ("stoppedUP", Status("complete", 42, 3)),
        ("stalledUP", Status("complete", 42, 3)),
        ("missingFiles", Status("failed", 42, 3, "unregistered")),
        ("another", Status("waiting", 42, 3)),
    ],
)
def test_its_words_become_the_contracts(
    client: Qbittorrent, played: Played, tmp_path: Path, state: str, status: Status
) -> None:
    handle = client.add(Order(f"{tmp_path}/1", torrent=b"x"))
    played.torrents[handle]["state"] = state
    assert client.status(handle) == status


@pytest.mark.parametrize("played", ["2.5.1", "2.11.4"], indirect=True)
def test_files_are_chosen_by_name_before_it_begins(client: Qbittorrent, played: Played, tmp_path: Path) -> None:
    # It counts no padding, of which there is one behind the first file here.
    handle = client.add(Order(f"{tmp_path}/1", torrent=b"x", files=[0, 3], paths=["a", "sub/c"]))
    assert (played.told[-1][1]["paused"], played.told[-1][1]["stopped"]) == ("true", "true")
    client.add(Order(f"{tmp_path}/2", magnet="magnet:?", files=[0], paths=["a"]))
    assert played.told[-1][1]["stopCondition"] == "MetadataReceived"
    played.torrents[handle]["state"] = "checkingResumeData"
    assert client.status(handle).state == "checking"
    played.torrents[handle]["state"] = "stoppedDL"
    assert client.status(handle).state == "downloading"
    start = "torrents/resume" if played.version == "2.5.1" else "torrents/start"
    assert played.told[-2:] == [
        ("torrents/filePrio", {"hash": "ab", "id": "1", "priority": "0"}),
        (start, {"hashes": "ab"}),
    ]
    played.torrents[handle]["state"] = "stalledUP"
    assert client.status(handle).state == "complete"


def test_what_it_refuses_is_a_sentence(client: Qbittorrent, played: Played, tmp_path: Path) -> None:
    played.takes = False
    with pytest.raises(ClientError, match=r"^qBittorrent refuses it: Fails\.$"):
        client.add(Order(f"{tmp_path}/1", torrent=b"x"))
    with pytest.raises(ClientError, match=r"^qBittorrent does not have the torrent$"):
        client.files("7")
    client._cookie = "SID=another"
    with pytest.raises(ClientError, match=r"^qBittorrent answers torrents/info with 403 Forbidden$"):
        client._seen("7")


def test_another_password_does_not_log_in(played: Played, client: Qbittorrent) -> None:
    client._cookie, client._secret = "", "another"
    with pytest.raises(ClientError, match=r"^qBittorrent refuses the login$"):
        client._log_in()


def test_one_that_is_not_there_does_not_answer(tmp_path: Path) -> None:
    client = Qbittorrent(ClientSettings(str(tmp_path), "nobody", 1, 8085, "", 16, 60))
    with pytest.raises(ClientSilent, match=r"^qBittorrent does not answer on port 1: "):
        client._log_in()


@pytest.mark.parametrize(("version", "v2"), [((4, 2, 5), False), ((4, 5, 2), True), ((5, 1, 0), True), ((), False)])
def test_v2_is_known_from_4_4_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], v2: bool
) -> None:
    monkeypatch.setattr(qbittorrent, "installed_version", lambda _program: version)
    client = Qbittorrent(ClientSettings(str(tmp_path), "nobody", 1, 8085, "", 16, 60))
    assert ("v2" in client.features) == v2
