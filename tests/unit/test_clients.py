"""Clients beside aria2: those that speak lines of JSON, those that are commands, Transmission, and which there are."""

from __future__ import annotations

import http.server
import json
import os
import pwd
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.net import loopback
from ansible.module_utils.seedbed.clients import aria2_rpc, transmission, unit
from ansible.module_utils.seedbed.clients.aria2 import Aria2
from ansible.module_utils.seedbed.clients.commands import CommandClient
from ansible.module_utils.seedbed.clients.contract import (
    FEATURES,
    ClientError,
    ClientSettings,
    ClientSilent,
    Order,
    Status,
)
from ansible.module_utils.seedbed.clients.lines import LinesClient
from ansible.module_utils.seedbed.clients.roster import KNOWN, make_client, own_faults
from ansible.module_utils.seedbed.clients.transmission import Transmission, daemon_settings
from ansible.module_utils.seedbed.transmission.rpc import RpcFailed

ALL = frozenset(FEATURES)


@pytest.fixture
def settings(tmp_path: Path) -> ClientSettings:
    return ClientSettings(str(tmp_path), pwd.getpwuid(os.getuid()).pw_name, 8084, 8085, "", 16, 60)


@pytest.fixture(autouse=True)
def no_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run programs as they are instead of in a unit of systemd's."""

    def talk(_self: Any, argv: list[str], *, stdout: int, errors: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=stdout, stderr=errors)

    monkeypatch.setattr(unit.ClientUnit, "talk", talk)
    monkeypatch.setattr(unit.ClientUnit, "stop", lambda _self: None)


# -- lines of JSON ----------------------------------------------------------------------------------------------------

PROGRAM = """
import json, sys
told = []
for line in sys.stdin:
    request = json.loads(line)
    told.append(request)
    if request["do"] == "stop":
        break
    answer = {}
    if request["do"] == "status":
        answer = {"state": "downloading", "bytes": 5, "peers": 2, "error": "", "more": [1]}
    if request["do"] == "files":
        answer = {"files": ["/d/a"], "told": told}
    if request["do"] == "remove":
        answer = {"refused": "not that one"}
    print(json.dumps(answer), flush=True)
"""


def program(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(text))
    return [sys.executable, str(path)]


def test_a_program_that_speaks_lines_is_a_client(settings: ClientSettings, tmp_path: Path) -> None:
    client = LinesClient(settings, "acme", program(tmp_path, PROGRAM))
    with client:
        handle = client.add(Order(f"{tmp_path}/1", torrent=b"d4:infodee", trackers=["http://t/"], files=[2]))
        assert (tmp_path / f"{handle}.torrent").read_bytes() == b"d4:infodee"
        assert client.status(handle) == Status("downloading", 5, 2)
        assert client.files(handle) == ["/d/a"]
        told = client._ask("files", id="1")["told"]
        with pytest.raises(ClientError, match=r"^acme: not that one$"):
            client.remove(handle)
    assert told[0] == {
        "do": "start",
        "directory": str(tmp_path),
        "control_port": 8084,
        "peer_port": 8085,
        "address": "",
        "parallel": 16,
        "finds": [],
        "dht_nodes": [],
    }
    assert told[1] == {
        "do": "add",
        "id": "1",
        "directory": f"{tmp_path}/1",
        "torrent": f"{tmp_path}/1.torrent",
        "magnet": "",
        "trackers": ["http://t/"],
        "files": [2],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise SystemExit('no licence')", "acme has ended: no licence"),
        ("print('hello', flush=True); input()", "acme answers .*hello.* to start; a line of JSON would be right"),
        ("print('[]', flush=True); input()", r"acme answers .*\[\].* to start; a line of JSON would be right"),
        ('print(\'{"refused": "busy"}\', flush=True); input()', "acme: busy"),
    ],
)
def test_a_program_that_does_not_start_is_a_sentence(
    settings: ClientSettings, tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ClientError, match=f"^{said}$"):
        LinesClient(settings, "acme", program(tmp_path, text)).__enter__()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"state": "fine"}, "state .*fine.*; one of waiting, metadata, checking, downloading, complete, failed"),
        ({"state": "complete", "bytes": "5"}, "bytes .*5.* and peers 0; whole numbers would be right"),
    ],
)
def test_an_answer_beside_the_contract_is_a_sentence(
    settings: ClientSettings, tmp_path: Path, answer: dict[str, Any], said: str
) -> None:
    text = f"import sys\nfor line in sys.stdin: print({json.dumps(answer)!r}, flush=True)"
    with LinesClient(settings, "acme", program(tmp_path, text)) as client, pytest.raises(ClientError, match=said):
        client.status("1")


def test_a_program_that_ends_in_between_is_told_with_its_last_words(settings: ClientSettings, tmp_path: Path) -> None:
    text = "import sys\ninput()\nprint('{}', flush=True)\ninput()\nsys.exit('out of memory')"
    ended = pytest.raises(ClientSilent, match=r"^acme has ended: out of memory$")
    with LinesClient(settings, "acme", program(tmp_path, text)) as client, ended:
        client.status("1")


# -- commands ---------------------------------------------------------------------------------------------------------


def until_ended(client: CommandClient, handle: str) -> Status:
    deadline = time.monotonic() + 60
    while (status := client.status(handle)).state not in ("complete", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two questions; the deadline above bounds the wait
    return status


def test_a_command_is_a_client(settings: ClientSettings, tmp_path: Path) -> None:
    text = "import sys; open(sys.argv[1] + '/content', 'w').write(' '.join(sys.argv[2:]))"
    commands = {
        "torrent": [*program(tmp_path, text), "{directory}", "{torrent}", "{peer_port}"],
        "magnet": [*program(tmp_path, text), "{directory}", "{magnet}", "--tracker={trackers}"],
    }
    client = CommandClient(settings, "acme", commands, features=ALL)
    assert client.features == ALL - {"file_choice"}
    with client:
        by_torrent = client.add(Order(f"{tmp_path}/1", torrent=b"d4:infodee"))
        assert until_ended(client, by_torrent).state == "complete"
        by_magnet = client.add(Order(f"{tmp_path}/2", magnet="magnet:?{peer_port}", trackers=["http://a", "udp://b"]))
        assert until_ended(client, by_magnet) == Status("complete", 39)
        assert client.files(by_magnet) == [f"{tmp_path}/2/content"]
    assert (tmp_path / "1" / "content").read_text() == f"{tmp_path}/1.torrent 8085"
    assert (tmp_path / "2" / "content").read_text() == "magnet:?8085 --tracker=http://a,udp://b"


def test_a_command_that_fails_is_told_with_its_last_words(settings: ClientSettings, tmp_path: Path) -> None:
    text = "import sys; print('x' * 200_000); sys.exit('tracker says no')"
    client = CommandClient(settings, "acme", {"torrent": program(tmp_path, text)}, features=ALL)
    assert "magnet" not in client.features
    with client:
        handle = client.add(Order(f"{tmp_path}/1", torrent=b"d4:infodee"))
        assert until_ended(client, handle) == Status("failed", 0, 0, "tracker says no")


def test_a_file_that_goes_while_it_is_counted_counts_nothing(
    settings: ClientSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = CommandClient(settings, "acme", {"torrent": program(tmp_path, "input()")}, features=ALL)
    with client:
        handle = client.add(Order(f"{tmp_path}/1", torrent=b"d4:infodee"))
        monkeypatch.setattr(client, "files", lambda _handle: [f"{tmp_path}/gone"])
        assert client.status(handle) == Status("downloading", 0)


# -- Transmission -----------------------------------------------------------------------------------------------------


class Daemon:
    """A daemon that answers from a script, and remembers what it was told."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.told: list[tuple[str, dict[str, Any]]] = []

    def call(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.told.append((method, arguments))
        answer = self.answers.get(method.replace("-", "_"), {})
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def torrent(**more: Any) -> dict[str, Any]:
    told = {"status": 4, "haveValid": 40, "haveUnchecked": 2, "leftUntilDone": 8, "peersConnected": 1}
    return {"torrents": [{**told, "error": 0, "errorString": "", "metadataPercentComplete": 1, **more}]}


@pytest.fixture
def daemon(settings: ClientSettings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Transmission, Daemon]]:
    monkeypatch.setattr(transmission, "installed_version", lambda _program: (3, 0))

    def make(**answers: Any) -> tuple[Transmission, Daemon]:  # as 3.00, unless a test says otherwise
        played = Daemon(torrent_add={"torrent-added": {"hashString": "ab"}}, **answers)
        monkeypatch.setattr(transmission, "RpcClient", lambda *_: played)
        return Transmission(settings), played

    return make


def test_a_magnets_trackers_are_told_before_it_starts(daemon: Any) -> None:
    client, played = daemon()
    assert client.add(Order("/d/1", magnet="magnet:?xt=1", trackers=["http://t/announce"])) == "ab"
    assert [method for method, _ in played.told] == ["torrent-add", "torrent-set", "torrent-start"]
    assert played.told[0][1] == {"filename": "magnet:?xt=1", "download-dir": "/d/1", "paused": True}
    assert played.told[1][1] == {"ids": ["ab"], "trackerAdd": ["http://t/announce"]}


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        ({}, Status("downloading", 42, 1)),
        ({"metadataPercentComplete": 0.5}, Status("metadata", 0, 1)),
        ({"status": 2, "leftUntilDone": 0}, Status("checking", 42, 1)),
        ({"status": 6, "leftUntilDone": 0}, Status("complete", 42, 1)),
        ({"status": 0, "leftUntilDone": 0}, Status("complete", 42, 1)),
        ({"error": 2, "errorString": "not registered"}, Status("downloading", 42, 1)),
        ({"error": 3, "errorString": "No space left"}, Status("failed", 40, 1, "No space left")),
    ],
)
def test_a_daemons_words_become_the_contracts(daemon: Any, seen: dict[str, Any], status: Status) -> None:
    client, _ = daemon(torrent_get=torrent(**seen))
    assert client.status(client.add(Order("/d", torrent=b"x"))) == status


def test_files_are_chosen_once_there_is_metadata(daemon: Any) -> None:
    client, played = daemon(torrent_get=torrent(metadataPercentComplete=0))
    handle = client.add(Order("/d", magnet="magnet:?", files=[1, 3]))
    assert client.status(handle).state == "metadata"
    played.answers["torrent_get"] = torrent()
    assert [client.status(handle).state for _ in range(2)] == ["downloading"] * 2
    chosen = [arguments for method, arguments in played.told if method == "torrent-set"]
    assert chosen == [{"ids": [handle], "files-unwanted": [], "files-wanted": [1, 3]}]


def test_the_fourth_version_gets_them_as_default_trackers(daemon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transmission, "installed_version", lambda _program: (4, 1, 0))
    client, played = daemon()
    client.add(Order("/d/1", magnet="magnet:?xt=1", trackers=["http://t/announce", "udp://t/announce"]))
    assert [method for method, _ in played.told] == ["session-set", "torrent-add", "torrent-start"]
    assert played.told[0][1] == {"default-trackers": "http://t/announce\n\nudp://t/announce"}


@pytest.mark.parametrize(
    ("version", "more"),
    [((), set()), ((3, 0), set()), ((4, 0, 5), {"hybrid"}), ((4, 1, 0), {"hybrid", "udp_tracker_ipv6"})],
)
def test_transmission_learns_more_with_its_versions(
    settings: ClientSettings, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], more: set[str]
) -> None:
    monkeypatch.setattr(transmission, "installed_version", lambda _program: version)
    assert Transmission(settings).features & {"hybrid", "udp_tracker_ipv6"} == more


def test_what_a_daemon_refuses_is_a_sentence(daemon: Any) -> None:
    client, _ = daemon(torrent_get=RpcFailed("127.0.0.1:8084", "torrent-get", "no"), torrent_start={})
    with pytest.raises(ClientError, match="answers torrent-get with: no"):
        client.status(client.add(Order("/d", torrent=b"x")))
    assert client.last_words("ab", "") == []


def test_peers_come_from_trackers_alone(settings: ClientSettings) -> None:
    told = daemon_settings(settings, "s3cret")
    assert {name for name, value in told.items() if value is False} >= {"dht-enabled", "pex-enabled", "lpd-enabled"}
    assert (told["rpc-bind-address"], told["rpc-password"]) == ("127.0.0.1", "s3cret")
    assert told["cache-size-mb"] == 0  # what is not on the disk could not be compared


# -- the roster -------------------------------------------------------------------------------------------------------


def test_every_client_says_what_it_can_do(settings: ClientSettings) -> None:
    clients = [make_client(name, settings, {}) for name in KNOWN]
    assert [client.name for client in clients] == list(KNOWN)
    assert all(client.features <= ALL and "torrent" in client.features for client in clients)
    assert "hybrid" not in Aria2.features, "1.36 gives hybrid torrents a wrong info hash"
    assert "udp_tracker_ipv6" not in Aria2.features


def test_own_clients_are_made_from_what_the_inventory_says(settings: ClientSettings) -> None:
    own = {"lines": {"program": ["/a"], "features": ["torrent"]}, "once": {"commands": {"magnet": ["/b"]}}}
    assert own_faults(own) == []
    assert make_client("lines", settings, own).features == {"torrent"}
    assert "magnet" in make_client("once", settings, own).features


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ([], "a mapping from names to commands would be right"),
        ({"a": 1}, "a mapping with program or commands would be right"),
        ({"a": {"program": ["/a"], "commands": {"torrent": ["/a"]}}}, "needs either program or commands"),
        ({"a": {"commands": {"ftp": ["/a"]}}}, "commands has the keys torrent and magnet, or one of them"),
        ({"a": {"commands": {"torrent": "/a"}}}, "commands.torrent: a list such as"),
        ({"a": {"program": ["a"]}}, "a list such as"),
        ({"a": {"program": ["/a"], "speed": 1}}, "is not known"),
    ],
)
def test_a_faulty_client_of_ones_own_is_a_sentence(own: Any, said: str) -> None:
    assert said in " ".join(own_faults(own))


class AnsweringInIPv6(http.server.HTTPServer):
    address_family = socket.AF_INET6


class Yes(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"result": "yes"}')

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_without_another_ipv4_address_clients_listen_at_ipv6(
    settings: ClientSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert loopback() == daemon_settings(settings, "s3cret")["rpc-bind-address"] == "127.0.0.1"

    def unknown(*_words: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert loopback() == daemon_settings(settings, "s3cret")["rpc-bind-address"] == "::1"


def test_aria2_is_asked_where_it_listens(settings: ClientSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aria2_rpc, "loopback", lambda: "::1")
    with AnsweringInIPv6(("::1", 0), Yes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            client = Aria2(settings._replace(control_port=server.server_address[1]))
            assert client.call("aria2.getVersion") == "yes"
        finally:
            server.shutdown()
    with pytest.raises(ClientSilent, match="refused"):
        client.call("aria2.getVersion")
