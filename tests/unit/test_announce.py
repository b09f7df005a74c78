"""tracker_info's engine against throw-away trackers on loopback."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

import pytest
from ansible.module_utils.seedbed.base.net import NetError
from ansible.module_utils.seedbed.probe.announce import (
    PROBE_PORT,
    AnnounceOptions,
    Question,
    ask,
)
from ansible.module_utils.seedbed.probe.tracker_answers import announced, compact_peers
from ansible.module_utils.seedbed.probe.tracker_urls import scrape_path
from ansible.module_utils.seedbed.torrent import bencode
from loopback_trackers import HASH, PATIENT, PEER, PROBE, announce_body, http, http_tracker, one, udp_reply, udp_tracker


def test_http_announce_leaves_out_those_who_only_ask() -> None:
    with http_tracker(lambda _: http(announce_body(downloaded=5))) as (url, asked):
        result = one(url)
    assert result["ok"], result
    assert result["peers"] == [{"address": "10.0.0.7", "port": 8082}]
    assert (result["seeders"], result["leechers"], result["downloaded"]) == (1, 2, 5)
    assert result["seen_as"] == "127.0.0.1"
    assert result["deregistered"]
    first, last = (parse_qs(urlsplit(target).query) for target in asked)
    assert unquote_to_bytes(asked[0].split("info_hash=")[1].split("&")[0]) == bytes.fromhex(HASH)
    assert first["left"] != ["0"]
    assert "event" not in first
    assert last["event"] == ["stopped"]


def test_a_scrape_counts_no_other_host_that_asks_meanwhile() -> None:
    """Another host is announced all the time: to a scrape it is a leecher, and only the list says that it is none."""
    other = bytes([192, 0, 2, 9]) + struct.pack(">H", PROBE_PORT)

    def reply(target: str) -> bytes:
        if target.startswith("/scrape"):
            counts = {"complete": 1, "incomplete": 1, "downloaded": 0}
            return http(bencode.encode({"files": {bytes.fromhex(HASH): counts}}))
        return http(announce_body(incomplete=2, peers=PEER + PROBE + other))

    with http_tracker(reply) as (url, _):
        scrape, announce = ask([Question(url, kind, HASH) for kind in ("scrape", "announce")], PATIENT)
    assert (scrape["seeders"], scrape["leechers"]) == (1, 0)
    assert (announce["leechers"], announce["probes"], announce["seen_as"]) == (0, 2, "127.0.0.1")


def test_an_answer_without_interval() -> None:
    with http_tracker(lambda _: http(bencode.encode({"complete": 1, "incomplete": 0, "peers": PEER}))) as (url, _):
        result = one(url)
    assert (result["ok"], result["interval"], len(result["peers"])) == (True, None, 1)


@pytest.mark.parametrize(
    "bad", [{b"ip": b"127.0.0.8"}, {b"port": 1}, {b"ip": b"x", b"port": 65536}, {b"ip": b"x", b"port": -1}, 5, b"x"]
)
def test_a_peer_without_address_and_port_is_passed_over(bad: Any) -> None:
    good = {b"ip": b"10.0.0.7", b"port": 8082}
    assert announced({b"peers": [bad, good]})["peers"] == [{"address": "10.0.0.7", "port": 8082}]
    with pytest.raises(NetError, match="peers without address and port"):
        announced({b"peers": [bad]})


def test_http_scrape_says_whether_the_torrent_is_known() -> None:
    counts = {"complete": 2, "incomplete": 1, "downloaded": 7}
    with http_tracker(lambda _: http(bencode.encode({"files": {bytes.fromhex(HASH): counts}}))) as (url, asked):
        known = one(url, "scrape")
    with http_tracker(lambda _: http(b"d5:filesdee")) as (url, _):
        unknown = one(url, "scrape")
    assert asked[0].startswith("/scrape?info_hash=%2A%2A")
    assert (known["known"], known["seeders"], known["leechers"], known["downloaded"]) == (True, 2, 1, 7)
    assert (unknown["ok"], unknown["known"], unknown["seeders"]) == (True, False, 0)


def test_non_compact_and_ipv6_peers_are_read() -> None:
    body = {b"peers": [{b"ip": b"10.0.0.7", b"port": 1, b"peer id": b"x"}], b"peers6": b"\0" * 15 + b"\x01\x1f\x92"}
    assert announced(body)["peers"] == [{"address": "10.0.0.7", "port": 1}, {"address": "::1", "port": 8082}]


def test_peers_are_asked_for_in_the_long_form() -> None:
    body = bencode.encode({"interval": 9, "peers": [{"ip": "10.0.0.7", "port": 8082, "peer id": "x" * 20}]})
    with http_tracker(lambda _: http(body)) as (url, asked):
        result = one(url, options=PATIENT._replace(compact=False))
    assert "&compact=0&" in asked[0]
    assert result["peers"] == [{"address": "10.0.0.7", "port": 8082}]


@pytest.mark.parametrize("counts", [1, b"many", [1, 2]])
def test_a_scrape_with_nonsense_for_counts_is_a_result(counts: Any) -> None:
    with http_tracker(lambda _: http(bencode.encode({"files": {bytes.fromhex(HASH): counts}}))) as (url, _):
        result = one(url, "scrape")
    assert (result["ok"], result["reason"]) == (False, "malformed")


def test_both_protocols_over_ipv6() -> None:
    peer = ipaddress.ip_address("2001:db8::7").packed + struct.pack(">H", 8082)

    def reply(packet: bytes, count: int) -> list[bytes]:
        [answer] = udp_reply(packet, count)
        return [answer if packet[8:12] == bytes(4) else answer[:20] + peer]

    with http_tracker(lambda _: http(announce_body(peers=b"", peers6=peer)), "::1") as (url, _):
        over_http = one(url)
        other_family = one(url, options=PATIENT._replace(family="ipv4"))
    with udp_tracker(reply, "::1") as (url, _):
        over_udp = one(url)
    for result in (over_http, over_udp):
        assert (result["ok"], result["address"], result["own_address"]) == (True, "::1", "::1"), result
        assert result["peers"] == [{"address": "2001:db8::7", "port": 8082}]
    assert other_family["reason"] == "dns"


@pytest.mark.parametrize(
    ("answer", "reason", "message"),
    [
        (http(b"d14:failure reason5:no wye"), "failure", "the tracker refuses: no wy"),
        (
            http(b"d14:failure reason63:Requested download is not authorized for use with this tracker.e"),
            "not_authorized",
            "the tracker refuses: Requested download is not authorized for use with this tracker.",
        ),
        (http(b"<title>Invalid Request</title>\n", "400 Bad"), "http_status", "HTTP status 400 (Invalid Request)"),
        (http(b"hello"), "not_bencode", "the answer is not bencode: unexpected byte 0x68 at byte 0"),
        (http(b"i1e"), "not_bencode", "the answer is bencode, but no dictionary"),
        (http(b"d5:peers5:12345e"), "malformed", "5 bytes of peers, no multiple of 6"),
        (b"SSH-2.0-OpenSSH\r\n", "not_http", "the answer is no HTTP: it begins with 'SSH-2.0-OpenSSH'"),
        (b"HTTP/1.1", "not_http", "the answer is no HTTP: it is 'HTTP/1.1' and ends there"),
        (http(b"\xef\xbb\xbfd5:peers0:e"), "not_bencode",
         "the answer is not bencode: unexpected byte 0xef at byte 0; clients do not pass over what comes before the "
         "dictionary"),
        (http(b"d14:failure reason0:e"), "failure", "the tracker refuses, without a reason"),
        (http(gzip.compress(b"d5:peers0:e")), "not_gzip",
         "the answer is gzip, and no Content-Encoding says so: clients do not unpack it"),
        (http(b"", headers="no colon\r\n"), "not_http", "the answer has a header without a colon, 'no colon'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "not_http", "the answer's Content-Length is '-1'"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd5:p\r\n", "not_http",
         "the answer is chunked, and 'd5:p' is no size of a chunk"),
        (b"", "reset", "the connection was closed without an answer"),
        (
            http(b"\x1f\x8bnonsense"),
            "not_gzip",
            "a gzip answer that cannot be unpacked (Error -3 while decompressing data: unknown compression method)",
        ),
    ],
)  # fmt: skip
def test_http_failures_have_a_reason(answer: bytes, reason: str, message: str) -> None:
    with http_tracker(lambda _: answer) as (url, _):
        result = one(url)
    assert (result["ok"], result["reason"], result["message"]) == (False, reason, message)


def test_a_server_without_tls_is_asked_for_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(65536)
                client.sendall(http(b"this is plain"))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert one(f"https://127.0.0.1:{server.getsockname()[1]}/announce")["reason"] == "tls"
        thread.join(2)


def test_silent_trackers_cost_one_time_out_a_round() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        trackers = [
            f"http://127.0.0.1:{tcp.getsockname()[1]}/announce",
            f"udp://127.0.0.1:{udp.getsockname()[1]}/announce",
        ]
        started = time.monotonic()
        questions = [Question(tracker, kind, HASH) for tracker in trackers for kind in ("scrape", "announce")]
        results = ask(questions, AnnounceOptions(timeout=1.5))
    assert {result["reason"] for result in results} == {"timeout"}
    assert time.monotonic() - started < 5.5  # one after another, they would take 6 s


def test_a_path_without_a_scrape_address() -> None:
    with http_tracker(lambda _: http(announce_body())) as (url, asked):
        result = one(url.replace("/announce", "/a"), "scrape")
    assert (result["reason"], asked) == ("no_scrape", [])


def test_a_gzip_answer_is_unpacked_and_a_bomb_is_not() -> None:
    with http_tracker(lambda _: http(gzip.compress(announce_body()), headers="Content-Encoding: gzip\r\n")) as (url, _):
        assert one(url)["ok"]
    bomb = gzip.compress(bytes(32 * 1024 * 1024))
    with http_tracker(lambda _: http(bomb)) as (url, _):
        assert one(url)["reason"] == "too_long"


def test_chunked_answers_of_a_server_that_stays_connected() -> None:
    body = announce_body()
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with http_tracker(lambda _: chunked) as (url, _):
        assert one(url)["seeders"] == 1


def test_redirects_are_followed_but_not_for_ever() -> None:
    def reply(target: str) -> bytes:
        if target.startswith("/announce"):
            return http(b"", "302 Found", f"Location: /there?{target.split('?')[1]}\r\n")
        return http(announce_body())

    with http_tracker(reply) as (url, _):
        result = one(url)
        assert result["ok"], result
        assert "/there?" in result["redirects"][0]
    with http_tracker(lambda _: http(b"", "302 Found", "Location: /announce\r\n")) as (url, _):
        assert one(url)["reason"] == "redirect"


@pytest.mark.parametrize("location", ["http://[::1", "http://tracker.example:99999/", "//[x]/", "ftp://x/", "http://"])
def test_a_redirect_to_no_address_is_a_result(location: str) -> None:
    with http_tracker(lambda _: http(b"", "302 Found", f"Location: {location}\r\n")) as (url, _):
        assert one(url)["reason"] == "redirect"


def test_a_length_of_too_many_digits_is_a_result() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nd5:filesdee"
    with http_tracker(lambda _: answer) as (url, _):
        assert one(url, "scrape")["ok"], "what came until it closed was whole"


def test_each_question_has_its_own_deadline() -> None:
    questions = [Question("", "announce", f"{number:040x}") for number in range(20)]
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/announce"
        results = ask([question._replace(tracker=url) for question in questions], AnnounceOptions(timeout=0.3))
    assert {result["reason"] for result in results} == {"timeout"}
    assert max(result["seconds"] for result in results) < 5  # of 6 s for all one after another


def test_udp_announce_and_scrape() -> None:
    with udp_tracker(udp_reply) as (url, asked):
        announce, scrape = one(url), one(url, "scrape")
    assert announce["ok"], announce
    assert announce["peers"] == [{"address": "10.0.0.7", "port": 8082}]
    assert (announce["seeders"], announce["leechers"], announce["interval"]) == (1, 2, 1800)
    assert announce["deregistered"]
    assert (scrape["seeders"], scrape["leechers"], scrape["downloaded"]) == (1, 2, 9)
    announces = [packet for packet in asked if packet[8:12] == b"\0\0\0\1"]
    assert [packet[80:84] for packet in announces] == [b"\0\0\0\0", b"\0\0\0\3"]  # none, then stopped
    assert {packet[98:] for packet in announces} == {b"\x02\x09/announce\x00"}  # BEP 41


def test_a_lost_packet_is_sent_again() -> None:
    with udp_tracker(lambda packet, count: udp_reply(packet, count) if count % 2 == 0 else []) as (url, asked):
        assert one(url, "scrape", PATIENT._replace(timeout=7))["ok"]
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (lambda packet: b"\0\0\0\3" + packet[12:16] + b"Connection ID missmatch.\0", "failure"),
        (lambda packet: packet[8:12] + b"evil" + bytes(12), "wrong_transaction"),
        (lambda packet: packet[8:12] + packet[12:16], "not_authorized"),
        (lambda packet: packet[8:12] + packet[12:16] + bytes(4), "malformed"),
        (lambda packet: b"\0\0\0\2" + packet[12:16] + bytes(12), "malformed"),
        (lambda _: b"", "timeout"),
    ],
)
def test_udp_failures_have_a_reason(reply: Callable[[bytes], bytes], reason: str) -> None:
    def tracker(packet: bytes, count: int) -> list[bytes]:
        return udp_reply(packet, count) if packet[8:12] == bytes(4) else list(filter(None, [reply(packet)]))

    with udp_tracker(tracker) as (url, _):
        result = one(url, options=AnnounceOptions(timeout=0.5))
    assert (result["ok"], result["reason"]) == (False, reason)


def test_nothing_listening_is_refused_over_both() -> None:
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        ports = tcp.getsockname()[1], udp.getsockname()[1]
        tcp.close()
        udp.close()
    assert one(f"http://127.0.0.1:{ports[0]}/announce")["reason"] == "refused"
    assert one(f"udp://127.0.0.1:{ports[1]}/announce")["reason"] == "refused"


@pytest.mark.parametrize(
    ("tracker", "message"),
    [
        ("gopher://tracker.example/", "'gopher://tracker.example/' is no http, https or udp address"),
        ("http://me:se/cret@tracker.example/", "'http://(hidden)@tracker.example/' is no tracker address: its port is "
         "none"),
        ("http://:80/announce", "'http://:80/announce' lacks a host"),
        ("udp://tracker.example/announce", "'udp://tracker.example/announce' lacks a port"),
    ],
)  # fmt: skip
def test_bad_addresses_are_results(tracker: str, message: str) -> None:
    result = one(tracker)
    assert (result["reason"], result["message"]) == ("bad_url", message)


def test_a_name_that_does_not_resolve() -> None:
    assert one("http://tracker.invalid/announce")["reason"] == "dns"


def test_scrapes_are_asked_before_any_announce() -> None:
    with http_tracker(lambda target: http(announce_body() if "announce" in target else b"d5:filesdee")) as (url, asked):
        results = ask([Question(url, kind, HASH) for kind in ("announce", "scrape")], PATIENT)
    assert [result["kind"] for result in results] == ["announce", "scrape"]
    assert asked[0].startswith("/scrape")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/announce", "/scrape"),
        ("/x/announce", "/x/scrape"),
        ("/announce.php", "/scrape.php"),
        ("/a", None),
        ("/announce/x", None),
        ("", None),
    ],
)
def test_scrape_path(path: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(NetError, match="does not end in /announce"):
            scrape_path(path)
    else:
        assert scrape_path(path) == expected


def test_compact_peers_of_both_families() -> None:
    assert compact_peers(PEER * 2, 4) == [{"address": "10.0.0.7", "port": 8082}] * 2
    assert compact_peers(b"", 16) == []
