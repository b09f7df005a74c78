"""The doctor's playbook from one machine alone: remarks in its table and its JSON, and no password anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ansible.module_utils.seedbed.torrent import bencode
from loopback_trackers import raw_server

ROOT = Path(__file__).resolve().parents[2]
CONTENT = b"hello"
SECRET = "s3cret-word"


def test_what_clients_take_is_remarked_on_and_a_password_is_never_shown(
    tmp_path: Path, run_playbook: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A private tracker with a password, that refuses port 1 and ends with a newline, beside one for browsers.

    It knows nobody; a web seed has it all.
    """
    authorization = b"Authorization: Basic " + base64.b64encode(f"me:{SECRET}".encode())
    ports: list[int] = []

    def serve(client: socket.socket) -> None:
        head = client.recv(65536)
        method, target = head.decode().split(" ")[:2]
        status, body = "404 Not Found", b""
        if "announce" in target and authorization in head:
            ports.append(int(parse_qs(urlsplit(target).query)["port"][0]))
            status, body = "200 OK", b"d14:failure reason14:Illegal port 1e"
            if ports[-1] != 1:
                with socket.create_connection(("127.0.0.1", ports[-1]), 10):
                    body = b"d8:completei0e10:incompletei0e8:intervali1800e5:peers0:e\n"
        elif target == "/web/x":
            status, body = ("206 Partial Content" if b"Range: bytes=0-4" in head else "200 OK"), CONTENT
        sent = b"" if method == "HEAD" else body
        client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + sent)

    with raw_server(serve) as port:
        info = {"length": 5, "name": "x", "piece length": 16384, "pieces": hashlib.sha1(CONTENT).digest()}
        tracker = f"http://me:{SECRET}@127.0.0.1:{port}/announce"
        tiers = [[tracker], [f"wss://me:{SECRET}@127.0.0.1:1/"]]
        metainfo = {
            "announce": tracker,
            "announce-list": tiers,
            "info": info,
            "url-list": f"http://127.0.0.1:{port}/web/",
        }
        torrent, verdicts = tmp_path / "x.torrent", tmp_path / "verdicts.json"
        torrent.write_bytes(bencode.encode(metainfo))
        options = {"torrent_file": str(torrent), "doctor_json": str(verdicts), "doctor_controller_timeout": 60}
        run = run_playbook("doctor.yml", "-vvv", inventory=os.devnull, **options)
    assert run.returncode == 0, run.stdout
    document = json.loads(verdicts.read_text(encoding="utf-8"))
    [verdict] = document["verdicts"]
    assert document["closed_ports"] == []  # nobody could knock
    assert (verdict["verdict"], verdict["severity"]) == ("healthy", "ok")
    assert 8000 <= ports[1] <= 9000
    expected = [
        "wss://127.0.0.1:1 is for browsers (WebTorrent) alone; other clients pass over it",
        "no peer that was met has all of it: a client with its .torrent gets it from the web seed "
        f"http://127.0.0.1:{port}/web/",
        f"http://127.0.0.1:{port}: 1 byte behind the end of its answer; clients pass over them, strict parsers may not",
        f"http://127.0.0.1:{port}: it refuses port 1 (the tracker refuses: Illegal port 1); asked again, it took port "
        f"{ports[1]}",
    ]
    assert sorted(verdict["remarks"]) == sorted(expected)
    for remark in expected:
        assert f"note: {remark}" in run.stdout
    assert f"http://127.0.0.1:{port}/web/  serves ranges, piece 0 is right" in run.stdout
    for text in (run.stdout, run.stderr, json.dumps(verdict)):
        assert SECRET not in text
