"""Deluge as a client: the program that speaks lines of JSON, above a stand-in that speaks Deluge's protocol.

The stand-in lies where the host's Python would find Deluge and its libraries; how rencode packs a list is its own.
"""

from __future__ import annotations

import datetime
import json
import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.clients import roster, unit
from ansible.module_utils.seedbed.clients.contract import ClientError, ClientSettings, ClientSilent, Order, Status
from ansible.module_utils.seedbed.clients.lines import LinesClient
from ansible.module_utils.seedbed.clients.roster import make_client
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

RENCODE = """
import json
dumps = lambda data: json.dumps(data).encode()
loads = lambda data, decode_utf8=False: json.loads(data)
"""
LIBTORRENT = """
default_settings = lambda: {"enable_outgoing_utp": True, "enable_incoming_utp": True}
session = lambda settings, flags=0: settings
"""
DELUGED = """
import argparse, json, os, socket, ssl, struct, sys, zlib
import libtorrent, rencode

def start_daemon():
    read = argparse.ArgumentParser()
    for option in ("--config", "--loglevel"):
        read.add_argument(option)
    read.add_argument("--do-not-daemonize", action="store_true")
    config = read.parse_args().config
    text = open(os.path.join(config, "core.conf")).read()
    _version, end = json.JSONDecoder().raw_decode(text)
    told = {"settings": json.loads(text[end:]), "session": libtorrent.session({"user_agent": "x"}, flags=0)}
    name, password, level = open(os.path.join(config, "auth")).read().strip().split(":")
    if os.path.exists(os.path.join(config, "..", "broken")):
        sys.exit("no room for a session")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.dirname(__file__) + "/pem")
    listener = socket.create_server(("127.0.0.1", told["settings"]["daemon_port"]))
    connection = context.wrap_socket(listener.accept()[0], server_side=True)
    stream = connection.makefile("rb")
    logged_in, torrent = False, {}
    while head := stream.read(5):
        version, length = struct.unpack("!BI", head)
        assert version == 1
        ((number, method, args, kwargs),) = rencode.loads(zlib.decompress(stream.read(length)))
        told.setdefault("calls", []).append([method, args])
        answer = [1, number, None]
        if method == "daemon.login":
            logged_in = args == [name, password] and bool(kwargs["client_version"]) and level == "10"
            answer[2] = 10
        elif not logged_in:
            answer = [2, number, "NotAuthorized", ["no"], {}, ""]
        elif method.startswith("core.add_torrent"):
            torrent = {"state": "Downloading", "message": "", "num_files": 3, "total_done": 42, "num_peers": 1,
                       "num_seeds": 2, "files": [{"path": "tree/a"}, {"path": "tree/b"}, {"path": "tree/c"}]}
            torrent.update(json.loads(os.environ.get("TORRENT", "{}")))
            answer[2] = "ab"
            if args[0].startswith("magnet:?refused"):
                answer = [2, number, "AddTorrentError", ["Torrent already in session (ab)."], {}, ""]
        elif method == "core.get_torrent_status":
            answer[2] = {key: torrent[key] for key in args[1]}
        elif method == "core.remove_torrent":
            json.dump(told, open(os.path.join(config, "told"), "w"))
        event = zlib.compress(rencode.dumps([3, "TorrentStateChangedEvent", ["ab", "Downloading"]]))
        body = zlib.compress(rencode.dumps(answer))
        for each in (event, body):
            connection.sendall(struct.pack("!BI", 1, len(each)) + each)
"""


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Deluge Daemon")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
    pem, raw = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(pem, raw, serialization.NoEncryption())
    return secret + made.sign(key, hashes.SHA256()).public_bytes(pem)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> ClientSettings:
    library = tmp_path / "library"
    (library / "deluge" / "core").mkdir(parents=True)
    (library / "rencode.py").write_text(RENCODE)
    (library / "libtorrent.py").write_text(LIBTORRENT)
    (library / "deluge" / "core" / "daemon_entry.py").write_text(DELUGED)
    (library / "deluge" / "core" / "pem").write_bytes(certificate())
    monkeypatch.setenv("PYTHONPATH", str(library))
    monkeypatch.setattr(roster, "PYTHON", sys.executable)

    def talk(_self: Any, argv: list[str], *, stdout: int, errors: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=stdout, stderr=errors)

    monkeypatch.setattr(unit.ClientUnit, "talk", talk)
    monkeypatch.setattr(unit.ClientUnit, "stop", lambda _self: None)
    directory = tmp_path / "run"
    directory.mkdir()
    return ClientSettings(str(directory), pwd.getpwuid(os.getuid()).pw_name, port, 8085, "192.0.2.7", 16, 60)


@pytest.fixture
def client(settings: ClientSettings) -> Iterator[LinesClient]:
    client = make_client("deluge", settings, {})
    assert isinstance(client, LinesClient)
    with client:
        yield client


def told(client: LinesClient, handle: str) -> dict[str, Any]:
    """Remove the download, and return what the stand-in has seen till then."""
    client.remove(handle)
    seen = json.loads(Path(client.settings.directory, "deluge", "told").read_text(encoding="utf-8"))
    assert isinstance(seen, dict)
    return seen


def test_a_torrent_is_downloaded_by_it(client: LinesClient) -> None:
    directory = f"{client.settings.directory}/1"
    handle = client.add(Order(directory, torrent=b"d4:info\xffe"))
    assert client.status(handle) == Status("downloading", 42, 3)
    assert client.files(handle) == [f"{directory}/tree/{name}" for name in "abc"]
    seen = told(client, handle)
    options = {"download_location": directory, "add_paused": False, "auto_managed": False}
    assert ["core.add_torrent_file", ["1.torrent", "ZDQ6aW5mb/9l", options]] in seen["calls"]
    assert seen["calls"][-1] == ["core.remove_torrent", ["ab", False]]


def test_peers_come_from_trackers_alone_and_over_tcp(client: LinesClient) -> None:
    seen = told(client, client.add(Order(f"{client.settings.directory}/1", torrent=b"x")))
    off = {name for name, value in seen["settings"].items() if value is False}
    assert off >= {"dht", "utpex", "lsd", "upnp", "natpmp", "allow_remote", "random_port"}
    assert seen["settings"]["listen_ports"] == [8085, 8085]
    assert seen["settings"]["listen_interface"] == "192.0.2.7"
    # What its libtorrent does not know is not asked of it.
    assert seen["session"] == {"user_agent": "x", "enable_outgoing_utp": False, "enable_incoming_utp": False}


def test_a_bare_magnet_is_told_of_its_trackers(client: LinesClient) -> None:
    trackers = ["http://t/announce", "udp://t/announce"]
    handle = client.add(Order(f"{client.settings.directory}/1", magnet="magnet:?xt=1", trackers=trackers))
    calls = told(client, handle)["calls"]
    assert calls[1][0] == "core.add_torrent_magnet"
    assert calls[2] == [
        "core.set_torrent_trackers",
        ["ab", [{"url": url, "tier": tier} for tier, url in enumerate(trackers)]],
    ]


def test_files_are_chosen_before_it_begins(client: LinesClient) -> None:
    handle = client.add(Order(f"{client.settings.directory}/1", torrent=b"x", files=[0, 2]))
    assert client.status(handle).state == "downloading"
    assert client.status(handle).state == "downloading"
    calls = told(client, handle)["calls"]
    assert calls[1][1][2]["add_paused"] is True
    chosen = [call for call in calls if call[0] in ("core.set_torrent_options", "core.resume_torrent")]
    assert chosen == [
        ["core.set_torrent_options", [["ab"], {"file_priorities": [4, 0, 4]}]],
        ["core.resume_torrent", ["ab"]],
    ]


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        ({"num_files": 0}, Status("metadata", 42, 3)),
        ({"state": "Checking"}, Status("checking", 42, 3)),
        ({"state": "Seeding"}, Status("complete", 42, 3)),
        ({"state": "Queued"}, Status("waiting", 42, 3)),
        ({"state": "Error", "message": "No space left"}, Status("failed", 42, 3, "No space left")),
    ],
)
def test_its_words_become_the_contracts(
    settings: ClientSettings, monkeypatch: pytest.MonkeyPatch, seen: dict[str, Any], status: Status
) -> None:
    monkeypatch.setenv("TORRENT", json.dumps(seen))
    with make_client("deluge", settings, {}) as client:
        assert client.status(client.add(Order(f"{settings.directory}/1", torrent=b"x"))) == status


def test_what_it_refuses_is_a_sentence(client: LinesClient) -> None:
    said = r"^deluge: AddTorrentError: Torrent already in session \(ab\)\.$"
    with pytest.raises(ClientError, match=said):
        client.add(Order(f"{client.settings.directory}/1", magnet="magnet:?refused"))


def test_one_that_does_not_start_is_told_with_its_last_words(settings: ClientSettings) -> None:
    Path(settings.directory, "broken").touch()
    with pytest.raises(ClientSilent, match=r"^deluge has ended: no room for a session; deluged does not answer: "):
        make_client("deluge", settings, {}).__enter__()


@pytest.mark.parametrize(("version", "lacks"), [("1.2.9.0", {"v2"}), ("2.0.8.0", {"v2", "hybrid"})])
def test_it_loses_a_hybrids_magnet_with_libtorrent_2(settings: ClientSettings, version: str, lacks: set[str]) -> None:
    path = Path(os.environ["PYTHONPATH"], "libtorrent.py")
    path.write_text(f"__version__ = {version!r}\n{LIBTORRENT}")
    features = make_client("deluge", settings, {}).features
    assert {"v2", "hybrid"} - features == lacks
