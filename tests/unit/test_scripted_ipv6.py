"""Scripted peers, trackers, web seeds and testimony over IPv6, met by the prober and by libtorrent."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.probe.announce import AnnounceOptions, Question
from ansible.module_utils.seedbed.probe.announce import ask as probe_all
from ansible.module_utils.seedbed.probe.peer_handshake import PeerOptions, Target
from ansible.module_utils.seedbed.probe.peers import meet
from ansible.module_utils.seedbed.torrent.bencode import decode
from scripted_lab import PIECE, SIX, ScriptedLab, make_torrent, wait_until

TRUTH = content.read(content.file_key("item", ()), 0, 32 * PIECE)


@pytest.fixture(params=SIX)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[ScriptedLab, dict[str, Any]]]:
    """A torrent with a peer of each family; the addresses of IPv6 are written in both ways."""
    scripts = [
        {"address": request.param, "script": {"calls": True}},
        {"address": "127.0.0.1", "script": {}},
    ]
    torrent = {
        **make_torrent(tmp_path),
        "peers": scripts,
        "trackers": {"t": {}, "e": {"behaviour": "empty"}},
        "webseed": {},
    }
    with ScriptedLab(tmp_path, torrent) as running:
        yield running, torrent


def heard(url: str, torrent: dict[str, Any]) -> list[tuple[str, int]]:
    found = probe_all([Question(url, "announce", torrent["info_hash"])], AnnounceOptions(timeout=60.0))[0]
    assert found["ok"], found
    return [(peer["address"], peer["port"]) for peer in found["peers"]]


def test_a_tracker_over_http_hands_out_both_families(lab: Any) -> None:
    running, torrent = lab
    ours = {("::1", running.port), ("127.0.0.1", running.port)}
    for host in ("[::1]", "127.0.0.1"):
        assert set(heard(f"http://{host}:{running.port}/announce/t/announce", torrent)) == ours


def test_peers6_has_eighteen_bytes_a_peer(lab: Any) -> None:
    running, torrent = lab
    quoted = "".join(f"%{byte:02x}" for byte in bytes.fromhex(torrent["info_hash"]))
    said = decode(running.get(f"/announce/t/announce?info_hash={quoted}", "[::1]")[1])
    assert said[b"peers6"] == bytes(15) + b"\1" + struct.pack(">H", running.port)
    assert said[b"peers"] == b"\x7f\0\0\1" + struct.pack(">H", running.port)


def test_a_tracker_over_udp_hands_out_the_family_of_who_asks(lab: Any) -> None:
    running, torrent = lab
    assert heard(f"udp://[::1]:{running.port}/announce", torrent) == [("::1", running.port)]
    assert heard(f"udp://127.0.0.1:{running.port}/announce", torrent) == [("127.0.0.1", running.port)]


def test_a_peer_is_met_and_testified_of(lab: Any) -> None:
    running, torrent = lab
    found = meet(Target("::1", running.port, torrent["info_hash"]), PeerOptions(timeout=60.0, piece=True))
    assert (found["metadata"], found["piece"]) == ("ok", "ok"), found
    seen = wait_until(lambda: running.seen(torrent)["blocks"], "the visit")
    assert seen == 2
    for name in ("::1", "0:0:0:0:0:0:0:1"):
        [client] = running.testimony(torrent, f"?client={name}&words=en")["clients"]
        assert client["client"] == "::1"
        assert client["visits"][0]["words"][0]["about"] == "peer 0: healthy (calls yes), ::1"
    assert running.testimony(torrent, "?client=127.0.0.1")["clients"] == []
    status, body, _headers = running.get(f"/testimony/{torrent['info_hash']}.json", "[::1]")
    assert (status, b'"you":"::1"' in body) == (200, True)


def test_a_web_seed_serves(lab: Any) -> None:
    running, torrent = lab
    assert running.get(f"/webseed/{torrent['info_hash']}/item", "[::1]")[1] == TRUTH


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_libtorrent_completes_over_ipv6_alone(lab: Any, tmp_path: Path, scheme: str, encrypted: bool) -> None:
    running, torrent = lab
    policy = int(lt.enc_policy.forced if encrypted else lt.enc_policy.disabled)
    judge = lt.session(
        {
            "listen_interfaces": "[::1]:0",
            "enable_dht": False,
            "enable_lsd": False,
            # Both: the peer that calls does so in plain.
            "out_enc_policy": policy,
            "in_enc_policy": policy,
        }
    )
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent["torrent"])
    params.save_path = str(tmp_path / "lt")
    path = "/announce/t/announce" if scheme == "http" else "/announce"
    params.trackers = [f"{scheme}://[::1]:{running.port}{path}"]
    handle = judge.add_torrent(params)
    wait_until(lambda: handle.status().is_seeding, "the download")
    judge.pause()
    item = tmp_path / "lt/item"
    wait_until(lambda: item.exists() and item.read_bytes() == TRUTH, "the writing of what was right")
    [client] = running.testimony(torrent)["clients"]
    assert client["client"] == "::1"
    assert set(client["visits"][-1]["peers"]) == {"0"}
    assert client["visits"][-1]["announces"] >= 1
    seen = client["visits"][-1]["peers"]["0"]
    assert seen["encrypted" if encrypted else "plain"] >= 1


def test_a_peer_calls_over_ipv6(lab: Any, tmp_path: Path) -> None:
    running, torrent = lab
    judge = lt.session({"listen_interfaces": "[::1]:0", "enable_dht": False, "enable_lsd": False})
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent["torrent"])
    params.save_path = str(tmp_path / "lt")
    # Which tells it of nobody.
    params.trackers = [f"http://[::1]:{running.port}/announce/e/announce"]
    handle = judge.add_torrent(params)
    wait_until(lambda: handle.status().is_seeding, "the download")
    judge.pause()
    [client] = running.testimony(torrent)["clients"]
    assert "calls" in {event["what"] for event in client["visits"][-1]["events"]}
