"""Scripted peers met by the project's own prober, by libtorrent, and by clients that mean no good."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest
from ansible.module_utils.seedbed.base.net import Deadline, NetError
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.probe.peer_handshake import PeerOptions, Target
from ansible.module_utils.seedbed.probe.peer_wire import PIECE as PIECE_MESSAGE
from ansible.module_utils.seedbed.probe.peer_wire import REQUEST, UNCHOKE, Wire
from ansible.module_utils.seedbed.probe.peers import PAUSES, meet, refuses_encryption
from ansible.module_utils.seedbed.scripted import peer_session, stage
from ansible.module_utils.seedbed.scripted.daemon import main
from ansible.module_utils.seedbed.scripted.messages import BLOCK, extended, read_triple
from ansible.module_utils.seedbed.scripted.peer_script import PEERS, REACH, peer_script
from ansible.module_utils.seedbed.scripted.promise import Swarm, promise
from scripted_lab import PATIENCE, PIECE, ScriptedLab, make_torrent, peers, shake, wait_until

PATIENT = PeerOptions(timeout=60.0, piece=True)
QUICK = PeerOptions(timeout=1.0, metadata_timeout=1.0, piece=True, piece_timeout=1.0)
PIECES = 32
MIB = 2**20
TRUTH = content.read(content.file_key("item", ()), 0, PIECES * PIECE)


def played(name: str, **facets: Any) -> dict[str, Any]:
    return {"behaviour": name, **facets}


def probe(lab: ScriptedLab, torrent: dict[str, Any], options: PeerOptions = PATIENT, reach: str = "here") -> Any:
    return meet(Target("127.0.0.1", lab.port + REACH[reach], torrent["info_hash"]), options)


def test_an_honest_peer_has_all_that_a_client_needs(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({})}
    with ScriptedLab(tmp_path, torrent) as lab:
        found = probe(lab, torrent)
        seen = wait_until(lambda: lab.seen(torrent), "the visit")
    assert (found["ok"], found["encryption"], found["share"]) == (True, "plain", 1.0), found
    assert (found["metadata"], found["piece"]) == ("ok", "ok"), found
    assert found["client"] == "Seedbed scripted peer"
    assert (seen["connections"], seen["plain"], seen["blocks"], seen["bytes"]) == (1, 1, 2, PIECE), seen
    assert seen["clients"] == ["SB 0.1.0.0", "seedbed"]


# What the prober sees of each preset: ok, reason, share, metadata, piece.
SEEN: dict[str, tuple[bool, str, float | None, str | None, str | None]] = {
    "corrupt": (True, "", 1.0, "ok", "wrong_hash"),
    "corrupt-block": (True, "", 1.0, "ok", "wrong_hash"),
    "partial": (True, "", 19 / 32, "ok", "ok"),
    "empty": (True, "", 0.0, "ok", "none_held"),
    "never-unchoke": (True, "", 1.0, "ok", "choked"),
    "snub": (True, "", 1.0, "ok", "timeout"),
    "have-all-none": (True, "", 0.0, "ok", "none_held"),
    "encrypted-only": (True, "", 1.0, "ok", "ok"),
    "other-hash": (False, "wrong_hash", None, None, None),
    "other-protocol": (False, "malformed", None, None, None),
    "cut-hello": (False, "not_served", None, None, None),
    "length-2gib": (True, "", 1.0, "malformed", None),
    "metadata-none": (True, "", 1.0, "not_offered", None),
    "metadata-mute": (True, "", 1.0, "timeout", None),
    "metadata-reject": (True, "", 1.0, "rejected", None),
    "metadata-corrupt": (True, "", 1.0, "wrong_hash", None),
    "metadata-random": (True, "", 1.0, "wrong_hash", None),
    "metadata-longer": (True, "", 1.0, "wrong_hash", None),
    "metadata-short": (True, "", 1.0, "wrong_hash", None),
    "metadata-2gib": (True, "", 1.0, "malformed", None),
    "metadata-zero": (True, "", 1.0, "malformed", None),
    "metadata-negative": (True, "", 1.0, "malformed", None),
    "unknown-message": (True, "", 1.0, "ok", "ok"),
    "unknown-extension": (True, "", 1.0, "ok", "ok"),
    "super-seed": (True, "", 1 / 32, "ok", "ok"),
}


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One daemon with a torrent for each preset."""
    directory = tmp_path_factory.mktemp("every")
    torrents = {name: {**make_torrent(directory, name), "peers": peers(played(name))} for name in PEERS.presets}
    with ScriptedLab(directory, *torrents.values()) as lab:
        yield lab, torrents


@pytest.mark.parametrize("name", SEEN)
def test_what_a_prober_sees_of_a_script(every: Any, name: str) -> None:
    lab, torrents = every
    patient = SEEN[name][4] not in ("choked", "timeout") and SEEN[name][3] != "timeout" and SEEN[name][1] != "malformed"
    found = probe(lab, torrents[name], PATIENT if patient else QUICK)
    ok, reason, share, metadata, piece = SEEN[name]
    assert (found["ok"], found["reason"]) == (ok, reason), found
    assert found["share"] == (share if share is None else pytest.approx(share, abs=0.001)), found
    assert (found.get("metadata"), found.get("piece")) == (metadata, piece), found


def test_nobody_gets_more_than_is_promised(every: Any) -> None:
    """Clients without shame: they ask for every block, twice, whatever they were told, and check what comes."""
    lab, torrents = every
    scripts = {name: peer_script(played(name)) for name in PEERS.presets}
    # With the others a correct client never comes to ask; nobody names the one that others are to name.
    met = {name: script for name, script in scripts.items() if script.reach == "here" and script.hello == "right"}
    del met["found-by-pex"]

    def excess(name: str) -> str:
        script = met[name]
        allowed = promise(Swarm(name, PIECES, PIECES * PIECE, peers=[script]))
        right = greedy(lab, torrents[name], encrypted=script.encryption == "rc4")
        share = float(allowed["available"].rstrip("%"))
        fits = not right & set(allowed["never_pieces"]) and len(right) * 100 <= share * PIECES
        return "" if fits else f"{name}: {sorted(right)}"

    with ThreadPoolExecutor(len(met)) as pool:
        assert [found for found in pool.map(excess, met) if found] == []
    assert len(met) > 40


def greedy(lab: ScriptedLab, torrent: dict[str, Any], *, encrypted: bool) -> set[int]:
    """The pieces that came right in the end."""
    name = Path(torrent["torrent"]).stem
    truth = content.read(content.file_key(name, ()), 0, PIECES * PIECE)
    good: set[tuple[int, int]] = set()
    try:
        wire = shake(lab, torrent, encrypted=encrypted)
        with wire.sock:
            wire.deadline = Deadline(2.0)
            wire.send_message(2)
            for _again in range(2):
                for index in range(PIECES):
                    for begin in range(0, PIECE, BLOCK):
                        wire.send_message(REQUEST, struct.pack(">III", index, begin, BLOCK))
            while True:
                kind, payload = wire.message()
                if kind == PIECE_MESSAGE and len(payload) >= 8:
                    index, begin = struct.unpack(">II", payload[:8])
                    at = index * PIECE + begin
                    if payload[8:] == truth[at : at + BLOCK]:
                        good.add((index, begin))
    except NetError:
        pass
    return {index for index in range(PIECES) if {(index, 0), (index, BLOCK)} <= good}


@pytest.mark.parametrize("reach", ["garbage", "http", "close", "reset", "mute"])
def test_who_never_shakes_hands_counts_who_came(tmp_path: Path, reach: str) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({"reach": reach})}
    with ScriptedLab(tmp_path, torrent) as lab:
        found = probe(lab, torrent, QUICK, reach)
        seen = wait_until(lambda: lab.testimony(torrent)["clients"] and lab.seen(torrent), "the visit")
    assert not found["ok"], found
    assert found["reason"] == {"garbage": "malformed", "mute": "timeout"}.get(reach, "not_served")
    assert seen["connections"] >= 1


def test_plain_only_closes_on_encryption(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers(played("plain-only"))}
    with ScriptedLab(tmp_path, torrent) as lab:
        assert refuses_encryption(Target("127.0.0.1", lab.port, torrent["info_hash"]), PATIENT)
        assert probe(lab, torrent)["piece"] == "ok"
        assert lab.seen(torrent)["refused"] == len(PAUSES)


def test_a_torrent_or_address_without_a_peer(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({})}
    with ScriptedLab(tmp_path, torrent) as lab:
        assert probe(lab, {"info_hash": "2a" * 20})["reason"] == "not_served"
        elsewhere = meet(Target("127.0.0.5", lab.port, torrent["info_hash"]), PATIENT)
    assert elsewhere["reason"] == "not_served"


# libtorrent as a judge


def session() -> Any:
    return lt.session(
        {
            "listen_interfaces": "127.0.0.1:0",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "alert_mask": 0,
        }
    )


def download(judge: Any, source: lt.add_torrent_params, directory: Path, *addresses: tuple[str, int]) -> Any:
    source.save_path = str(directory)
    handle = judge.add_torrent(source)
    for address in addresses:
        handle.connect_peer(address)
    return handle


def expect(path: Path, data: bytes) -> None:
    """Wait for what was downloaded: libtorrent seeds before it has written all."""
    wait_until(lambda: path.exists() and path.read_bytes() == data, "the writing of what was right")


def from_file(path: str) -> lt.add_torrent_params:
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(path)
    return params


@pytest.mark.parametrize("kind", ["v1", "hybrid", "magnet"])
def test_libtorrent_completes_from_an_honest_peer(tmp_path: Path, kind: str) -> None:
    torrent = {**make_torrent(tmp_path, hybrid=kind == "hybrid"), "peers": peers({})}
    with ScriptedLab(tmp_path, torrent) as lab:
        judge = session()
        source = from_file(torrent["torrent"])
        if kind == "magnet":
            source = lt.parse_magnet_uri(f"magnet:?xt=urn:btih:{torrent['info_hash']}")
        handle = download(judge, source, tmp_path / "lt", ("127.0.0.1", lab.port))
        wait_until(lambda: handle.status().is_seeding, "the download")
        judge.pause()
    expect(tmp_path / "lt/item", TRUTH)


@pytest.mark.parametrize("kind", ["file", "magnet"])
def test_libtorrent_completes_what_is_v2_alone(tmp_path: Path, kind: str) -> None:
    """Which no version of Transmission seeds: the piece layers come by hash requests."""
    sizes = [300_000, 16384, 1_000_000, 16385]
    entries = []
    (tmp_path / "v2").mkdir()
    for number, size in enumerate(sizes):
        (tmp_path / f"v2/{number}").write_bytes(content.read(content.file_key("v2", (str(number),)), 0, size))
        entries.append(lt.create_file_entry(f"v2/{number}", size))
    made = lt.create_torrent(entries, PIECE, lt.create_torrent.v2_only)
    lt.set_piece_hashes(made, str(tmp_path))
    path = tmp_path / "v2.torrent"
    path.write_bytes(lt.bencode(made.generate()))
    v2 = str(lt.torrent_info(str(path)).info_hashes().v2)
    torrent = {"info_hash": v2[:40], "info_hash_v2": v2, "torrent": str(path), "seed": "v2", "peers": peers({})}
    with ScriptedLab(tmp_path, torrent) as lab:
        judge = session()
        source = from_file(str(path)) if kind == "file" else lt.parse_magnet_uri(f"magnet:?xt=urn:btmh:1220{v2}")
        handle = download(judge, source, tmp_path / "lt", ("127.0.0.1", lab.port))
        wait_until(lambda: handle.status().is_seeding, "the download")
        judge.pause()
    for number in range(len(sizes)):
        expect(tmp_path / f"lt/v2/{number}", (tmp_path / f"v2/{number}").read_bytes())


def test_a_corrupt_peer_is_seen_through_and_an_honest_one_completes(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers(played("corrupt"), {"after": "1s"})}
    with ScriptedLab(tmp_path, torrent) as lab:
        judge = session()
        handle = download(
            judge, from_file(torrent["torrent"]), tmp_path / "lt", ("127.0.0.1", lab.port), ("127.0.0.2", lab.port)
        )
        wait_until(lambda: handle.status().is_seeding, "the download")
        bad, good = lab.seen(torrent, 0), lab.seen(torrent, 1)
        judge.pause()
    assert sum(bad["corrupt_sent"].values()) == bad["blocks"]
    assert good["corrupt_sent"] == {}
    assert good["bytes"] >= PIECES * PIECE - bad["bytes"]


def test_aria2_completes_encrypted(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers(played("encrypted-only")), "trackers": {"t": {}}}
    with ScriptedLab(tmp_path, torrent) as lab:
        tracker = f"http://127.0.0.1:{lab.port}/announce/t/announce"
        options = ["--no-conf", "--seed-time=0", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false"]
        done = subprocess.run(
            ["aria2c", *options, f"--bt-tracker={tracker}", "-d", str(tmp_path / "a"), torrent["torrent"]],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        seen = lab.seen(torrent)
    assert (tmp_path / "a/item").read_bytes() == TRUTH
    assert (seen["encrypted"], seen["plain"], seen["bytes"]) == (1, 0, PIECES * PIECE)


def test_a_peer_calls_a_client_that_announced_itself(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({"calls": True}), "trackers": {"t": played("empty")}}
    with ScriptedLab(tmp_path, torrent) as lab:
        judge = session()
        source = from_file(torrent["torrent"])
        source.trackers = [f"http://127.0.0.1:{lab.port}/announce/t/announce"]
        handle = download(judge, source, tmp_path / "lt")
        wait_until(lambda: handle.status().is_seeding, "the download")
        judge.pause()


# Clients that mean no good


def closed(wire: Wire) -> bool:
    """Read to the end."""
    try:
        while True:
            wire.message()
    except NetError as error:
        return error.reason in ("closed", "reset")


@pytest.mark.parametrize("sent", [b"\x7f\xff\xff\xff\x07", b"\0\0\0\x06\x06abcde", b"\0\0\0\x02\x04a"])
def test_a_message_that_no_client_sends_ends_the_connection(tmp_path: Path, sent: bytes) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({})}
    with ScriptedLab(tmp_path, torrent) as lab:
        wire = shake(lab, torrent)
        with wire.sock:
            wire.send(sent)
            assert closed(wire)
        closes = wait_until(lambda: lab.seen(torrent)["closes"], "the end")
        assert "message of 2147483647" in closes[0]["why"] or "instead of" in closes[0]["why"]


@pytest.mark.parametrize("noise", [bytes(2000), b"GET " + bytes(20_000), b"\x13BitTorrent protocol" + bytes(100)])
def test_noise_ends_the_connection(tmp_path: Path, noise: bytes) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({})}
    with ScriptedLab(tmp_path, torrent) as lab:
        wire = Wire(socket.create_connection(("127.0.0.1", lab.port)), Deadline(PATIENCE))
        with wire.sock:
            wire.send(noise)
            assert closed(wire)
        wait_until(lambda: json.loads(lab.get("/status.json")[1])["connections"] == 1, "the end")


def test_connections_are_bounded(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({})}
    with ScriptedLab(tmp_path, torrent) as lab:
        lab.daemon.stage.room = 20
        crowd = [
            socket.create_connection(("127.0.0.1", lab.port), source_address=(f"127.0.0.{1 + number % 10}", 0))
            for number in range(100)
        ]
        wait_until(lambda: lab.daemon.stage.turned_away == 80, "the crowd's turning away")
        for sock in crowd:
            sock.close()
        status = wait_until(lambda: lab.get("/status.json"), "an answer")
    assert status[0] == 200


def test_who_talks_without_end_is_not_listened_to_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_session, "BUSY", 100)
    torrent = {**make_torrent(tmp_path), "peers": peers(played("reject-all"))}
    rests: list[int] = []
    with ScriptedLab(tmp_path, torrent) as lab:
        rest = stage.Link.rest
        monkeypatch.setattr(stage.Link, "rest", lambda link: (rests.append(1), rest(link, 0.05)))
        wire = shake(lab, torrent)
        with wire.sock:
            wire.send_message(2)
            while wire.message()[0] != UNCHOKE:
                pass
            for _time in range(1000):
                wire.send_message(REQUEST, struct.pack(">III", 0, 0, BLOCK))
            rejects = 0
            while rejects < 1000:
                kind, payload = wire.message()
                if kind == 16:
                    assert read_triple(payload) == (0, 0, BLOCK)
                    rejects += 1
        assert rests
        most = lab.seen(torrent)["most_repeated"]
    assert most["times"] == 1000 - 2  # of which the first two are the two blocks of the piece


def test_who_asks_and_does_not_read_fills_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_session, "CROWDED", MIB)
    torrent = {**make_torrent(tmp_path, size=8 * MIB, piece=MIB), "peers": peers({})}
    blocks = [(at // MIB, at % MIB, BLOCK) for at in range(0, 8 * MIB, BLOCK)]
    asks = b"".join(struct.pack(">IBIII", 13, REQUEST, *block) for block in blocks[:400])
    part = extended(3, {"msg_type": 0, "piece": 0}) * 400
    with ScriptedLab(tmp_path, torrent) as lab:
        before = stage.Link.waiting
        crowd = [shake(lab, torrent) for _ in range(30)]
        for wire in crowd:
            wire.send(struct.pack(">IB", 1, 2) + extended(0, {"m": {"ut_metadata": 3}}) + asks + part)
        wait_until(lambda: lab.seen(torrent).get("requests") == len(crowd) * 400, "all that they ask")
        # One run each before it is crowded, a block each afterwards, and what little is said besides.
        assert stage.Link.waiting - before < 2 * MIB + len(crowd) * 3 * BLOCK
        assert lab.get("/status.json")[0] == 200
        for wire in crowd:
            wire.sock.close()
        wait_until(lambda: stage.Link.waiting <= before, "its going")


def test_pipelined_questions_are_answered_in_turn(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "webseed": {}}
    with ScriptedLab(tmp_path, torrent) as lab:
        ask = f"GET /webseed/{torrent['info_hash']}/item HTTP/1.1\r\nRange: bytes={{0}}-{{0}}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", lab.port)) as sock:
            sock.settimeout(PATIENCE)
            sock.sendall("".join(ask.format(at) for at in range(120)).encode())
            got = b""
            while got.count(b"Content-Range") < 120 or not got.endswith(TRUTH[119:120]):
                got += sock.recv(65536)
    assert bytes(part[-1] for part in got.split(b"HTTP/1.1 206")[1:]) == TRUTH[:120]


def test_requests_beyond_the_queue_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_session, "QUEUE", 3)
    torrent = {**make_torrent(tmp_path), "peers": peers({"upload_limit": "100MiB/s"})}
    with ScriptedLab(tmp_path, torrent) as lab:
        wire = shake(lab, torrent)
        with wire.sock:
            wire.send_message(2)
            wire.send(b"".join(b"\0\0\0\x0d\x06" + struct.pack(">III", index, 0, BLOCK) for index in range(30)))
            answered = {7: 0, 16: 0}
            while sum(answered.values()) < 30:
                kind, _payload = wire.message()
                if kind in answered:
                    answered[kind] += 1
    assert answered[7] >= 3 and answered[16] > 0, answered


def test_who_cannot_be_told_of_a_rejection_gets_all_that_it_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rtorrent knows no BEP 6, asks for thousands of blocks at once, and never twice."""
    monkeypatch.setattr(peer_session, "QUEUE", 3)
    torrent = {**make_torrent(tmp_path), "peers": peers({"fast": False, "upload_limit": "100MiB/s"})}
    with ScriptedLab(tmp_path, torrent) as lab:
        wire = shake(lab, torrent)
        with wire.sock:
            wire.send_message(2)
            asked = [index % (len(TRUTH) // PIECE) for index in range(300)]
            for half in (asked[:150], asked[150:]):
                wire.send(b"".join(b"\0\0\0\x0d\x06" + struct.pack(">III", index, 0, BLOCK) for index in half))
            got = []
            while len(got) < len(asked):
                kind, payload = wire.message()
                if kind == 7:
                    got.append(struct.unpack(">I", payload[:4])[0])
            # It is still listened to.
            wire.send_message(REQUEST, struct.pack(">III", 1, 0, BLOCK))
            while wire.message()[0] != 7:
                pass
    assert got == asked


@pytest.mark.parametrize("request_", [(99, 0, BLOCK), (0, 0, 0), (0, PIECE, 1), (0, 0, 2**30), (2**32 - 1, 0, 1)])
def test_a_block_that_is_not_there_is_rejected(tmp_path: Path, request_: tuple[int, int, int]) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({})}
    with ScriptedLab(tmp_path, torrent) as lab:
        wire = shake(lab, torrent)
        with wire.sock:
            wire.send_message(REQUEST, struct.pack(">III", *request_))
            while True:
                kind, payload = wire.message()
                if kind == 16:
                    break
        assert read_triple(payload) == request_
        assert lab.seen(torrent)["bad_messages"] == 1


# The daemon


def test_a_reload_drops_what_has_changed_alone(tmp_path: Path) -> None:
    kept = {**make_torrent(tmp_path, "kept"), "peers": peers({})}
    changed = {**make_torrent(tmp_path, "changed"), "peers": peers({})}
    with ScriptedLab(tmp_path, kept, changed) as lab:
        stays, goes = shake(lab, kept), shake(lab, changed)
        with stays.sock, goes.sock:
            lab.write(kept, {**changed, "peers": peers(played("snub"))}, make_torrent(tmp_path, "new"))
            lab.reload()
            assert closed(goes)
            stays.send_message(REQUEST, struct.pack(">III", 0, 0, BLOCK))
            while True:
                kind, payload = stays.message()
                if kind == PIECE_MESSAGE:
                    break
        assert payload[8:] == content.read(content.file_key("kept", ()), 0, BLOCK)
        assert json.loads(lab.get("/status.json")[1])["torrents"] == 3


def test_a_faulty_file_changes_nothing_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({})}
    with ScriptedLab(tmp_path, torrent) as lab:
        lab.write({**torrent, "peers": peers(played("evil"))})
        lab.reload()
        assert probe(lab, torrent)["piece"] == "ok"
        fault = json.loads(lab.get("/status.json")[1])["fault"]
        assert "peer 0: behaviour 'evil' is not known" in fault
        lab.write(torrent)
        lab.reload()
        assert json.loads(lab.get("/status.json")[1])["fault"] == ""
    assert "the former configuration stays" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ("no json", "is no JSON"),
        ("[]", "is no mapping"),
        ('{"port": 70000, "addresses": ["127.0.0.1"], "torrents": []}', "port is 70000"),
        ('{"port": 0, "addresses": ["here"], "torrents": []}', "addresses is ['here']"),
        ('{"port": 0, "addresses": ["127.0.0.1"], "torrents": [{"info_hash": "x"}]}', "info_hash is 'x'"),
        ('{"port": 0, "addresses": ["127.0.0.1"], "torrents": [], "networks": ["all"]}', "networks is ['all']"),
    ],
)
def test_a_daemon_does_not_start_with_a_faulty_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: str, fault: str
) -> None:
    (tmp_path / "config").write_text(config, encoding="utf-8")
    assert main([str(tmp_path / "config")]) == 1
    assert fault in capsys.readouterr().err


def test_two_peers_at_one_address_are_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torrent = {**make_torrent(tmp_path), "peers": 2 * peers({})}
    config = {"port": 0, "addresses": ["127.0.0.1"], "torrents": [torrent, torrent]}
    (tmp_path / "config").write_text(json.dumps(config), encoding="utf-8")
    assert main([str(tmp_path / "config")]) == 1
    told = capsys.readouterr().err
    assert "127.0.0.1 is taken by another peer" in told
    assert "stands there twice" in told
