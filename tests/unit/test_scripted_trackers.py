"""Scripted trackers, web seeds and the testimony, asked by the project's own prober, by libtorrent, and over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import libtorrent as lt
import pytest
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.probe.announce import AnnounceOptions, Question
from ansible.module_utils.seedbed.probe.announce import ask as probe_all
from ansible.module_utils.seedbed.scripted import testimony as witness
from ansible.module_utils.seedbed.scripted.memory import PeerMemory
from ansible.module_utils.seedbed.scripted.testimony import EVENTS, REPEATED, PeerLog
from ansible.module_utils.seedbed.scripted.tracker_script import TRACKERS
from ansible.module_utils.seedbed.scripted.udp_tracker import answer_packet
from ansible.module_utils.seedbed.torrent.bencode import decode
from hypothesis import given
from hypothesis import strategies as st
from scripted_lab import ADDRESSES, PATIENCE, PIECE, ScriptedLab, make_torrent, peers, wait_until

SIZE = 32 * PIECE
MUTE = ("mute", "udp-mute", "slow")
# What the prober says to each preset over HTTP; those that are not here are good.
HTTP = {
    "mute": "timeout",
    "slow": "timeout",
    "failure": "failure",
    "failure-retry": "failure",
    "failure-control": "failure",
    "forbidden": "http_status",
    "missing": "http_status",
    "broken": "http_status",
    "overloaded": "http_status",
    "broken-once": "http_status",
    "html": "not_bencode",
    "cut": "not_bencode",
    "garbage": "not_bencode",
    "redirect-loop": "redirect",
    "endless": "not_bencode",
}
UDP = {
    "mute": "timeout",
    "slow": "timeout",
    "udp-mute": "timeout",
    "failure": "failure",
    "udp-wrong-transaction": "wrong_transaction",
    "udp-other-address": "timeout",
    "udp-short": "malformed",
    "udp-wrong-action": "malformed",
}


def played(name: str, **facets: Any) -> dict[str, Any]:
    return {"behaviour": name, **facets}


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ScriptedLab, dict[str, dict[str, Any]]]]:
    """One daemon with a torrent for each preset of a tracker."""
    directory = tmp_path_factory.mktemp("every")
    torrents = {
        name: {**make_torrent(directory, name, size=PIECE), "peers": peers({}, {}), "trackers": {"t": played(name)}}
        for name in TRACKERS.presets
    }
    with ScriptedLab(directory, *torrents.values()) as lab:
        yield lab, torrents


def ask(lab: ScriptedLab, url: str, torrent: dict[str, Any], *, patient: bool) -> Any:
    options = AnnounceOptions(timeout=60.0 if patient else 1.0)
    return probe_all([Question(url.format(lab.port), "announce", torrent["info_hash"])], options)[0]


@pytest.mark.parametrize("name", TRACKERS.presets)
def test_what_a_prober_hears_over_http(every: Any, name: str) -> None:
    lab, torrents = every
    heard = ask(lab, "http://127.0.0.1:{}/announce/t/announce", torrents[name], patient=HTTP.get(name) != "timeout")
    assert heard["reason"] == HTTP.get(name, ""), heard
    if name in HTTP:
        return
    told = [(peer["address"], peer["port"]) for peer in heard["peers"]]
    ours = [(address, lab.port) for address in ADDRESSES[:2]]
    if name == "empty":
        assert told == []
    elif name == "names":
        assert told == [(f"{address}.invalid", port) for address, port in ours]
    else:
        ghosts = {"ghosts": 50, "many-ghosts": 1000}.get(name, 0)
        assert told[ghosts:] == ours
        assert len(set(told)) == ghosts + 2
        assert all(address.startswith("127.") for address, _port in told)


@pytest.mark.parametrize("name", UDP)
def test_what_a_prober_hears_over_udp(every: Any, name: str) -> None:
    lab, torrents = every
    patient = UDP[name] not in ("timeout", "wrong_transaction")
    heard = ask(lab, "udp://127.0.0.1:{}/announce", torrents[name], patient=patient)
    assert heard["reason"] == UDP[name], heard


def test_udp_hands_out_the_peers(every: Any) -> None:
    lab, torrents = every
    heard = ask(lab, "udp://127.0.0.3:{}/announce", torrents["healthy"], patient=True)
    assert [(peer["address"], peer["port"]) for peer in heard["peers"]] == [(each, lab.port) for each in ADDRESSES[:2]]


def test_a_tracker_that_nobody_plays(every: Any) -> None:
    lab, torrents = every
    heard = ask(lab, "http://127.0.0.1:{}/announce/other/announce", torrents["healthy"], patient=True)
    assert (heard["reason"], heard["message"]) == ("failure", "the tracker refuses: not played here")


def test_the_second_time_it_is_good(every: Any, tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({}), "trackers": {"t": played("broken-once")}}
    with ScriptedLab(tmp_path, torrent) as lab:
        url = "http://127.0.0.1:{}/announce/t/announce"
        assert [ask(lab, url, torrent, patient=True)["reason"] for _ in range(2)] == ["http_status", ""]


def test_a_scrape_counts_the_seeders(every: Any) -> None:
    lab, torrents = every
    question = Question(f"http://127.0.0.1:{lab.port}/announce/t/announce", "scrape", torrents["healthy"]["info_hash"])
    assert probe_all([question], AnnounceOptions(timeout=60.0))[0]["seeders"] == 2


def test_peers_that_are_not_there_are_handed_out_with_their_ports(tmp_path: Path) -> None:
    scripts = peers(*({"reach": reach} for reach in ("here", "mute", "refused", "dropped", "port-zero")))
    seeders = [{"address": "192.0.2.1", "port": 8082}]
    torrent = {**make_torrent(tmp_path), "peers": scripts, "seeders": seeders, "trackers": {"t": {}}}
    with ScriptedLab(tmp_path, torrent) as lab:
        path = "/announce/t/announce?info_hash=" + "".join(
            f"%{byte:02x}" for byte in bytes.fromhex(torrent["info_hash"])
        )
        raw = decode(lab.get(path)[1])[b"peers"]
        ports = [int.from_bytes(raw[at + 4 : at + 6], "big") for at in range(0, len(raw), 6)]
    assert ports == [lab.port, lab.port + 1, lab.port + 7, lab.port + 8, 0, 8082]


def test_a_utp_client_is_told_to_come_by_tcp(every: Any) -> None:
    lab, _torrents = every
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", lab.port))
        sock.send(struct.pack(">BBHIIIHH", 0x41, 0, 4711, 1, 0, 65536, 99, 0))
        reset = sock.recv(100)
    assert (reset[0], reset[2:4], reset[18:20], len(reset)) == (0x31, b"\x12\x67", b"\0\x63", 20)


@given(st.binary(max_size=120))
def test_any_packet_has_an_answer_or_none(data: bytes) -> None:
    found = answer_packet(data, "127.0.0.1", 8086, lambda _hash, _said: None)
    assert found is None or len(found.data) <= max(len(data), 40)


def redirects(lab: ScriptedLab, path: str, most: int) -> int:
    """Follow redirects over one connection; return how many there were."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", lab.port, timeout=PATIENCE)) as connection:
        for number in range(most):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 302:
                return number
            path = answer.headers["Location"]
    return most


def test_a_loop_of_redirects_has_no_end(tmp_path: Path) -> None:
    """Transmission 3.00 follows as many as there are."""
    torrent = {
        **make_torrent(tmp_path, size=PIECE),
        "trackers": {"loop": played("redirect-loop"), "four": played("redirect")},
        "webseed": played("redirect-loop"),
    }
    info_hash = quote(bytes.fromhex(torrent["info_hash"]))
    question = f"info_hash={info_hash}&peer_id={20 * 'a'}&port=1"
    with ScriptedLab(tmp_path, torrent) as lab:
        assert redirects(lab, f"/announce/four/announce?{question}", 1100) == 4
        assert redirects(lab, f"/announce/loop/announce?{question}", 1100) == 1100
        assert redirects(lab, f"/webseed/{torrent['info_hash']}/item", 1100) == 1100


# Web seeds


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ScriptedLab, dict[str, dict[str, Any]]]]:
    directory = tmp_path_factory.mktemp("seeds")
    scripts: dict[str, dict[str, Any]] = {
        **{name: played(name) for name in ("healthy", "missing", "no-ranges", "wrong-range", "corrupt", "html")},
        **{name: played(name) for name in ("redirect", "overloaded", "broken-once")},
        "truncates": {"close_after": "10KiB"},
        "slow": {"upload_limit": "8MiB/s"},
    }
    torrents = {name: {**make_torrent(directory, name), "webseed": script} for name, script in scripts.items()}
    with ScriptedLab(directory, *torrents.values()) as lab:
        yield lab, torrents


def truth(name: str, offset: int = 0, length: int = SIZE) -> bytes:
    return content.read(content.file_key(name, ()), offset, length)


def fetch(seeds: Any, name: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    lab, torrents = seeds
    found: tuple[int, bytes, dict[str, str]] = lab.get(f"/webseed/{torrents[name]['info_hash']}/{name}", **headers)
    return found


@pytest.mark.parametrize("name", ["healthy", "slow", "redirect"])
def test_a_web_seed_serves_every_range(seeds: Any, name: str) -> None:
    assert fetch(seeds, name)[:2] == (200, truth(name))
    status, body, headers = fetch(seeds, name, Range="bytes=100-70000")
    assert (status, body) == (206, truth(name, 100, 69_901))
    assert headers["Content-Range"] == f"bytes 100-70000/{SIZE}"
    assert fetch(seeds, name, Range=f"bytes={SIZE - 5}-")[1] == truth(name, SIZE - 5, 5)
    assert fetch(seeds, name, Range=f"bytes={SIZE}-")[0] == 416


def test_a_web_seed_of_several_files(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "webseed": {}}
    with ScriptedLab(tmp_path, torrent) as lab:
        assert lab.get(f"/webseed/{torrent['info_hash']}/other")[0] == 404
        assert lab.get(f"/webseed/{'2a' * 20}/item")[0] == 404


def test_a_web_seed_without_ranges(seeds: Any) -> None:
    assert fetch(seeds, "no-ranges", Range="bytes=5-9")[:2] == (200, truth("no-ranges"))


def test_a_web_seed_with_a_wrong_range(seeds: Any) -> None:
    status, body, headers = fetch(seeds, "wrong-range", Range="bytes=0-9")
    assert (status, body, headers["Content-Range"]) == (206, truth("wrong-range", 0, 10), f"bytes 16384-16393/{SIZE}")


def test_a_web_seed_with_wrong_pieces(seeds: Any) -> None:
    got = fetch(seeds, "corrupt")[1]
    right = truth("corrupt")
    wrong = {at // PIECE for at in range(SIZE) if got[at] != right[at]}
    assert wrong == set(range(1, 32, 4))


@pytest.mark.parametrize(("name", "statuses"), [("missing", [404]), ("overloaded", [503]), ("broken-once", [500, 200])])
def test_web_seeds_that_fail(seeds: Any, name: str, statuses: list[int]) -> None:
    answers = [fetch(seeds, name) for _ in statuses]
    assert [status for status, _body, _headers in answers] == statuses
    assert name != "overloaded" or answers[0][2]["Retry-After"] == "60"


def test_a_web_seed_that_closes_early(seeds: Any) -> None:
    lab, torrents = seeds
    with socket.create_connection(("127.0.0.1", lab.port)) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(
            f"GET /webseed/{torrents['truncates']['info_hash']}/truncates HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        got = b""
        while part := sock.recv(65536):
            got += part
    head, _blank, body = got.partition(b"\r\n\r\n")
    assert f"Content-Length: {SIZE}".encode() in head
    assert body == truth("truncates", 0, 10240)


def test_libtorrent_completes_from_a_web_seed(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "webseed": {}}
    with ScriptedLab(tmp_path, torrent) as lab:
        judge = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False})
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(torrent["torrent"])
        params.save_path = str(tmp_path / "lt")
        params.url_seeds = [f"http://127.0.0.1:{lab.port}/webseed/{torrent['info_hash']}/item"]
        handle = judge.add_torrent(params)
        wait_until(lambda: handle.status().is_seeding, "the download")
        [client] = lab.testimony(torrent)["clients"]
        judge.pause()
    written = tmp_path / "lt/item"
    wait_until(lambda: written.read_bytes() == truth("item"), "the writing of what was right")
    assert client["visits"][0]["web_requests"] >= 1


# The testimony


def announce(lab: ScriptedLab, torrent: dict[str, Any], client: str, event: str = "started") -> None:
    quoted = "".join(f"%{byte:02x}" for byte in bytes.fromhex(torrent["info_hash"]))
    lab.get(
        f"/announce/t/announce?info_hash={quoted}&peer_id={client:20}&port=1&left=9&event={event}".replace(" ", "x")
    )


def test_another_start_is_another_visit(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({}), "trackers": {"t": {}}}
    with ScriptedLab(tmp_path, torrent) as lab:
        for client in ("-XX0001-", "-XX0001-", "-XX0002-"):
            announce(lab, torrent, client)
        announce(lab, torrent, "-XX0002-", "completed")
        [client] = lab.testimony(torrent)["clients"]
    assert [visit["announces"] for visit in client["visits"]] == [2, 2]
    assert [event["event"] for event in client["visits"][1]["events"]] == ["started", "completed"]
    assert client["visits"][1]["events"][0]["left"] == 9


def test_the_testimony_of_one_client_from_a_time_on(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({}), "trackers": {"t": {}}}
    with ScriptedLab(tmp_path, torrent) as lab:
        announce(lab, torrent, "-XX0001-")
        told = lab.testimony(torrent)
        assert [client["client"] for client in told["clients"]] == ["127.0.0.1"]
        assert lab.testimony(torrent, "?client=127.0.0.9")["clients"] == []
        [client] = lab.testimony(torrent, f"?since={told['now'] + 1}")["clients"]
        assert client["visits"] == []
        status, body, _headers = lab.get(f"/testimony/{torrent['info_hash']}.json?since=never")
        assert (status, json.loads(body)["error"]) == (400, "since is no number of seconds since 1970")
        assert lab.get(f"/testimony/{'2a' * 20}.json")[0] == 404
        assert told["peers"] == [{"number": 0, "address": "127.0.0.1", "script": {}}]


def test_who_is_in_no_network_sees_nothing(tmp_path: Path) -> None:
    torrent = {**make_torrent(tmp_path), "peers": peers({})}
    with ScriptedLab(tmp_path, torrent) as lab:
        assert lab.daemon.stage.questions.may_see("127.0.0.1")
        assert not lab.daemon.stage.questions.may_see("192.0.2.7")
        config = json.loads(lab.config.read_text(encoding="utf-8"))
        lab.config.write_text(json.dumps({**config, "networks": ["192.0.2.0/24"]}), encoding="utf-8")
        lab.reload()
        assert lab.daemon.stage.questions.may_see("192.0.2.7")
        assert not lab.daemon.stage.questions.may_see("192.0.3.7")


def test_the_memory_of_a_visit_is_bounded() -> None:
    testimony = witness.Testimony()
    visit = testimony.visit(b"torrent", "192.0.2.1")
    visit.event("pex", peer=1)
    for number in range(10 * EVENTS):
        visit.event("have", piece=number)
    visit.event("closed", peer=1)
    facts = visit.facts(0.0)
    # However many pieces a client gets, what happens once is not displaced by them.
    assert [event["what"] for event in facts["events"]] == ["pex", *["have"] * EVENTS, "closed"]
    assert facts["events_lost"] == 9 * EVENTS
    for _time in range(10 * EVENTS):
        visit.event("calls", peer=1)
    assert len(visit.facts(0.0)["events"]) == 2 * EVENTS
    log = PeerLog(time.monotonic(), PeerMemory())
    for number in range(20_000):
        log.asked(number, 0, 1)
        log.asked(number % 5000, 0, 1)
    assert len(log.asks) == 4096
    assert len(log.repeated) <= REPEATED


def test_the_most_repeated_block_is_found_among_many() -> None:
    log = PeerLog(time.monotonic(), PeerMemory())
    for number in range(10_000):
        log.asked(number % 1000, 0, 1)
        log.asked(7, 16384, 1)
    most = log.facts()["most_repeated"]
    assert (most["piece"], most["begin"]) == (7, 16384)


def test_clients_beyond_the_number_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "RECORDS", 10)
    testimony = witness.Testimony()
    for number in range(100):
        testimony.visit(b"torrent", f"192.0.2.{number}")
    assert [each["client"] for each in testimony.facts(b"torrent")] == [
        f"192.0.2.{number}" for number in range(90, 100)
    ]


def test_a_script_goes_on_where_it_was_though_what_was_seen_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that comes back to a peer that has given its 60 % gets no more of it, whoever was there meanwhile."""
    testimony, client = witness.Testimony(), "192.0.2.1"
    visit = testimony.start(b"torrent", client, "-AA-")
    visit.peer(0).sent(64, 2**20)
    visit.asked_web()
    visit.asked_tracker("t")
    monkeypatch.setattr(witness, "WEIGHT", 0)
    testimony.trim()
    assert testimony.facts(b"torrent") == []
    again = testimony.visit(b"torrent", client)
    assert (again.peer(0).bytes, again.peer(0).memory.given) == (0, 2**20)
    assert (again.asked_web(), again.asked_tracker("t"), again.announces) == (2, 2, 1)
    # It is still the same client, until it begins anew.
    assert testimony.start(b"torrent", client, "-AA-") is again
    assert testimony.start(b"torrent", client, "-BB-").peer(0).memory.given == 0


def test_what_scripts_remember_is_bounded_and_gone_with_its_torrent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "WEIGHT", 0)
    testimony = witness.Testimony()

    def come(torrent: bytes, client: str) -> int:
        memory = testimony.visit(torrent, client).peer(0).memory
        before = memory.given
        memory.given += 1
        memory.kept = {(piece, 0): 1 for piece in range(1000)}
        testimony.trim()
        return before

    for number in range(200):
        assert come(b"torrent", f"192.0.2.{number}") == 0
    assert come(b"torrent", "192.0.2.0") == 0
    assert come(b"torrent", "192.0.2.199") == 1
    testimony.forget({b"another"})
    assert come(b"torrent", "192.0.2.199") == 0
