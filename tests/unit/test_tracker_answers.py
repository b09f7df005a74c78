"""What trackers answer, odd as it may be: read as clients read it, with a remark, and never without an end."""

from __future__ import annotations

import base64
import gzip
import select
import socket
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible.module_utils.seedbed.base.net import NetError
from ansible.module_utils.seedbed.probe.announce import AnnounceOptions
from ansible.module_utils.seedbed.probe.http_answer import HttpAnswer
from ansible.module_utils.seedbed.probe.tracker_answers import announced, decoded, refusal, scraped
from ansible.module_utils.seedbed.torrent import bencode
from ansible.module_utils.seedbed.torrent.credentials import magnet_without_passwords, without_password
from ansible.module_utils.seedbed.torrent.magnet import magnet_link
from hypothesis import given
from hypothesis import strategies as st
from loopback_trackers import PATIENT, PEER, announce_body, http, http_tracker, one, raw_server, udp_reply, udp_tracker


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(body: bytes, trailer: bytes = b"", extension: bytes = b"") -> bytes:
    return CHUNKED + b"%x%b\r\n%b\r\n0\r\n%b\r\n" % (len(body), extension, body, trailer)


def long_peer(ip: Any = b"10.0.0.7", port: Any = 8082) -> dict[bytes, Any]:
    return {b"ip": ip, b"port": port}


def packed(body: bytes, encoding: str) -> bytes:
    return http(body, headers=f"Content-Encoding: {encoding}\r\n")


LONG = [long_peer()]
BODY = announce_body(peers=PEER)


@pytest.mark.parametrize(
    ("answer", "remark"),
    [
        # Tried on libtorrent 2, Transmission 3.00 and aria2 1.36: two of them, or both versions of Transmission, find
        # the peer in each.
        (http(BODY + b"\n"), "1 byte behind the end of its answer"),
        (http(BODY + b"<!-- debug -->"), "14 bytes behind the end of its answer"),
        (http(announce_body(peers=[{b"ip": b"10.0.0.9"}, *LONG])), "1 of the 2 peers that it lists has no usable"),
        (http(announce_body(peers=[*LONG, {b"ip": b"10.0.0.9"}])), "1 of the 2 peers"),
        (http(announce_body(peers=[{b"port": 5}, 5, b"abc", *LONG])), "3 of the 4 peers that it lists have no usable"),
        (http(announce_body(peers=[long_peer(port=70000), long_peer(port=0), *LONG])), "2 of the 3 peers"),
        (http(announce_body(peers=[long_peer(b" 10.0.0.7")])), None),
        (http(announce_body(peers=PEER + b"x")), "its compact peers have 7 bytes, no multiple of 6"),
        (http(announce_body(peers=PEER, peers6=b"1234567")), "its compact peers have 7 bytes, no multiple of 18"),
        (http(announce_body(peers=PEER, peers6=[])), "its peers6 is an empty list and no text"),
        (http(announce_body(peers=PEER, peers6={})), "its peers6 is a dictionary and no text"),
        (http(announce_body(peers=PEER, peers6=0)), "its peers6 is a number and no text"),
        (http(announce_body(peers=0, peers6=bytes(10) + b"\xff\xff" + PEER)), "its peers are a number and no list"),
        (http(announce_body(peers=PEER, interval="1800")), "its interval is a text and no number from 0"),
        (http(announce_body(peers=PEER, interval=-5)), "its interval is -5 and no number from 0"),
        (http(announce_body(peers=PEER, complete=[])), "its complete is a list and no number from 0"),
        (http(BODY[:-1] + b"14:failure reasoni5ee"), "its failure reason is no text"),
        (http(BODY[:-1] + b"15:warning messagei4ee"), "its warning message is no text"),
        (http(b"d5:peers6:" + PEER + b"8:completei1e10:incompletei3e8:intervali1800ee"), None),
        (http(BODY.replace(b"i1800e", b"i01800e")), "its answer has a number with a leading zero"),
        (http(BODY.replace(b"i1800e", b"i+1800e")), "its answer has a number with a plus sign"),
        (http(BODY.replace(b"i1e", b"i-0e")), "its answer has the number -0"),
        (http(BODY.replace(b"8:complete", b"08:complete")), "its answer has the length of a text with a leading zero"),
        (http(BODY[:-1] + b"5:peers0:e"), "its answer has a key twice"),
        (chunked(BODY, b"X-Trailer: 1\r\n"), None),
        (chunked(BODY, extension=b";name=value"), None),
        (chunked(BODY, extension=b"  "), None),
        (chunked(BODY).replace(b"chunked", b"Chunked"), None),
        (chunked(BODY)[:-7], "the connection closes before the end of its answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + BODY, "the connection closes before the end"),
        (b"HTTP/1.1 200 OK\r\ncONTENT-lENGTH: %d\r\n\r\n" % len(BODY) + BODY, None),
        (b"HTTP/1.0 200 OK\r\n\r\n" + BODY, None),
        (b"HTTP/1.1 200 OK\r\n\r\n" + BODY, None),
        (b"HTTP/1.1 200\r\n\r\n" + BODY, None),
        (b"HTTP/2.0 200 OK\r\n\r\n" + BODY, None),
        (http(BODY).replace(b"\r\n", b"\n"), None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + http(BODY), None),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + http(BODY), None),
        (http(BODY, headers="X-A: b\r\n" * 200), None),
        (http(BODY, headers=f"X-A: {'b' * 70000}\r\n"), None),
        (http(BODY, headers="X-A: b\r\n goes on\r\n"), None),
        (http(BODY, headers=f"Content-Length: {len(BODY)}\r\n"), None),
        (http(BODY, headers="Content-Type: text/html\r\n"), None),
        (packed(BODY, "identity"), None),
        (packed(gzip.compress(BODY), "x-gzip"), None),
        (packed(gzip.compress(BODY)[:-6], "GZIP"), None),
        (packed(zlib.compress(BODY), "deflate"), None),
        (packed(zlib.compress(BODY)[2:-4], "deflate"), None),
    ],
)  # fmt: skip
def test_what_clients_read_is_read_with_a_remark(answer: bytes, remark: str | None) -> None:
    with http_tracker(lambda _: answer) as (url, _):
        result = one(url)
    assert result["ok"], result
    assert {peer["address"] for peer in result["peers"]} <= {"10.0.0.7", "::ffff:a00:7"}
    assert result["peers"][0]["port"] == 8082
    assert len(result["remarks"]) == (1 if remark else 0), result["remarks"]
    assert not remark or result["remarks"][0].startswith(remark)


def test_an_answer_is_read_however_it_is_cut() -> None:
    for answer in (chunked(BODY, b"X-Trailer: 1\r\n"), http(BODY), b"HTTP/1.1 103 E\r\n\r\n" + chunked(BODY)):
        reader = HttpAnswer(1000)
        whole = [reader.feed(answer[at : at + 1]) for at in range(len(answer))]
        assert whole == [False] * (len(answer) - 1) + [True]
        assert bytes(reader.body) == BODY


@given(st.lists(st.binary(max_size=60), max_size=5), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", CHUNKED]))
def test_no_bytes_break_the_reader_of_http(parts: list[bytes], start: bytes) -> None:
    reader = HttpAnswer(100)
    try:
        if not any(reader.feed(part) for part in [start, *parts]):
            reader.end()
    except NetError as error:
        assert error.reason in ("not_http", "reset", "too_long")
    else:
        assert reader.whole and reader.status >= 200


VALUE = st.recursive(
    st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=20) | st.sampled_from([PEER, long_peer()]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([b"ip", b"port"]), inner, max_size=2),
    max_leaves=8,
)
KEYS = [b"peers", b"peers6", b"interval", b"min interval", b"complete", b"incomplete", b"downloaded",
        b"warning message", b"failure reason", b"files"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), VALUE), st.binary(max_size=9))
def test_no_answer_breaks_the_reader_of_trackers(body: dict[bytes, Any], more: bytes) -> None:
    """And what the strict reader takes, the liberal one takes without a word about its form."""
    remarks: list[str] = []
    raw = bencode.encode(body)
    assert decoded(raw + more, remarks.append) == bencode.decode(raw)
    assert bool(remarks) == bool(more)
    try:
        refusal(body)
        result = announced(body, remarks.append)
    except NetError as error:
        assert error.reason == "malformed"
    else:
        counts = (result["interval"], result["seeders"], result["leechers"])
        assert all(count is None or count >= 0 for count in counts)
    try:
        scraped({b"files": {b"x": body}}, b"x", remarks.append)
    except NetError as error:
        assert error.reason == "malformed"
    assert all(remarks)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_decoder(raw: bytes) -> None:
    try:
        assert isinstance(decoded(raw, lambda _: None), dict)
    except NetError as error:
        assert error.reason == "not_bencode"


# -- the port of the question -----------------------------------------------------------------------------------------


def private_tracker(refused: Callable[[int], bool]) -> Callable[[str], bytes]:
    """A tracker that refuses some ports, and lists who asked from another, if somebody listens there."""

    def reply(target: str) -> bytes:
        query = parse_qs(urlsplit(target).query)
        port = int(query["port"][0])
        if refused(port):
            return http(bencode.encode({"failure reason": f"Illegal port {port}"}))
        with socket.create_connection(("127.0.0.1", port), 5):
            own = bytes([127, 0, 0, 1]) + struct.pack(">H", port)
            return http(announce_body(peers=PEER + own))

    return reply


def test_a_tracker_that_refuses_the_probes_port_is_asked_from_one_that_is_bound() -> None:
    with http_tracker(private_tracker(lambda port: port < 1024)) as (url, asked):
        result = one(url)
    assert (result["ok"], result["peers"]) == (True, [{"address": "10.0.0.7", "port": 8082}]), result
    port = int(parse_qs(urlsplit(asked[1]).query)["port"][0])
    assert 8000 <= port <= 9000
    assert result["remarks"] == [
        f"it refuses port 1 (the tracker refuses: Illegal port 1); asked again, it took port {port}"
    ]
    assert (result["probes"], result["leechers"], result["seen_as"]) == (1, 2, "127.0.0.1")
    assert "event=stopped" in asked[-1] and result["deregistered"]
    with socket.create_server(("127.0.0.1", port)):
        pass  # it is free again


def test_the_port_to_ask_from_can_be_named_and_others_there_are_no_probes(free_port: int) -> None:
    own, other = (bytes(address) + struct.pack(">H", free_port) for address in ((127, 0, 0, 1), (10, 0, 0, 9)))

    def reply(target: str) -> bytes:
        if "port=1&" in target:
            return http(b"port is blacklisted", "403 Forbidden")
        return http(announce_body(peers=PEER + own + other))

    named = PATIENT._replace(ports=(free_port, free_port))
    with http_tracker(reply) as (url, asked):
        result = one(url, options=named)
        assert f"&port={free_port}&" in asked[1]
        assert [peer["address"] for peer in result["peers"]] == ["10.0.0.7", "10.0.0.9"]
        with socket.create_server(("127.0.0.1", free_port)):
            taken = one(url, options=named)
    assert (taken["ok"], taken["reason"]) == (False, "http_status")
    assert taken["message"] == (
        f"HTTP status 403 (port {free_port} is taken on this host, so it could not be asked again)"
    )


def test_a_tracker_that_refuses_every_port_refuses() -> None:
    with http_tracker(private_tracker(lambda port: True)) as (url, asked):
        result = one(url)
    assert (result["ok"], result["reason"], len(asked)) == (False, "failure", 2)


def test_a_refusal_over_udp_is_asked_again_too() -> None:
    def reply(packet: bytes, count: int) -> list[bytes]:
        if packet[8:12] == b"\0\0\0\1" and packet[96:98] == b"\0\1":
            return [b"\0\0\0\3" + packet[12:16] + b"port 1 is not allowed"]
        return udp_reply(packet, count)

    with udp_tracker(reply) as (url, _):
        result = one(url)
    assert result["ok"] and "it refuses port 1" in result["remarks"][0], result


# -- addresses --------------------------------------------------------------------------------------------------------


def test_user_and_password_are_sent_and_never_shown() -> None:
    seen: list[bytes] = []

    def serve(client: socket.socket) -> None:
        request = client.recv(65536)
        seen.append(request)
        if b"GET /there" in request or b"event=stopped" in request:
            client.sendall(http(BODY))
        else:
            client.sendall(http(b"", "302 Found", "Location: /there\r\n"))

    with raw_server(serve) as port:
        result = one(f"http://us%40er:s%C3%A4cret@127.0.0.1:{port}/announce")
    assert result["ok"], result
    header = b"Authorization: Basic " + base64.b64encode("us@er:s\u00e4cret".encode())
    assert [header in request and b"@" not in request for request in seen] == [True] * 3
    assert result["tracker"] == f"http://(hidden)@127.0.0.1:{port}/announce"
    assert result["redirects"] == [f"http://(hidden)@127.0.0.1:{port}/there"]
    assert "cret" not in repr(result)


def test_a_password_does_not_go_to_another_host() -> None:
    seen: list[bytes] = []

    def elsewhere(client: socket.socket) -> None:
        seen.append(client.recv(65536))
        client.sendall(http(BODY))

    with raw_server(elsewhere) as other:
        answer = http(b"", "302 Found", f"Location: http://127.0.0.1:{other}/x\r\n")
        with http_tracker(lambda _: answer) as (url, _):
            assert one(url.replace("//", "//user:secret@"))["ok"]
    assert seen and not any(b"Authorization" in request for request in seen)


@pytest.mark.parametrize("reason", ["bad_url", "dns", "redirect", "refused", "for_browsers"])
def test_no_failure_shows_a_password(reason: str, free_port: int) -> None:
    with http_tracker(lambda _: http(b"", "302 Found", "Location: ftp://me:secret@x/\r\n")) as (url, _):
        trackers = {
            "bad_url": "http://user:se/cret@x/announce",
            "dns": "http://user:secret@tracker.invalid/announce",
            "redirect": url.replace("//", "//user:secret@"),
            "refused": f"http://user:secret@127.0.0.1:{free_port}/announce",
            "for_browsers": "wss://user:secret@x/announce",
        }
        result = one(trackers[reason])
    assert result["reason"] == reason
    assert "cret" not in repr(result), result


def test_a_password_that_the_catalogue_hides_is_not_sent_as_one() -> None:
    seen: list[bytes] = []

    def serve(client: socket.socket) -> None:
        seen.append(client.recv(65536))
        client.sendall(http(BODY))

    with raw_server(serve) as port:
        result = one(f"http://(hidden)@127.0.0.1:{port}/announce")
    assert result["ok"] and result["remarks"] == ["catalogue.json does not tell its password, so it was asked without"]
    assert not any(b"Authorization" in request for request in seen)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:p@h/announce", "http://(hidden)@h/announce"),
        ("http://u:p@p@h:80/a?x=http://a:b@c", "http://(hidden)@h:80/a?x=http://(hidden)@c"),
        ("see http://u:p@h/, or udp://token@h:1", "see http://(hidden)@h/, or udp://(hidden)@h:1"),
        ("http://u:p/q@h/announce", "http://(hidden)@h/announce"),
        ("http://h/@x", "http://h/@x"),
        ("a@b", "a@b"),
    ],
)
def test_passwords_are_hidden_in_urls_and_texts(text: str, shown: str) -> None:
    assert without_password(text) == shown


def test_magnets_are_shown_without_passwords() -> None:
    trackers = ["http://u:s%40cret@h:80/announce?a=b&c", "udp://h:1/announce"]
    magnet = magnet_link("2a" * 20, name="a&b", trackers=trackers, webseeds=["http://u:secret@w/"])
    shown = magnet_without_passwords(magnet)
    assert shown == magnet_link(
        "2a" * 20, name="a&b", trackers=["http://h:80/announce?a=b&c", trackers[1]], webseeds=["http://w/"]
    )
    assert magnet_without_passwords(shown) == shown


def test_a_tracker_for_browsers_is_not_asked() -> None:
    result = one("wss://tracker.example/announce")
    assert (result["ok"], result["reason"]) == (False, "for_browsers")
    assert "for browsers (WebTorrent) alone" in result["message"]


def test_blanks_around_an_address_and_letters_in_it_that_are_not_ascii() -> None:
    with http_tracker(lambda _: http(BODY)) as (url, asked):
        result = one(f" {url}?f=\u00e4 ö\n")
    assert result["ok"], result
    assert asked[0].startswith("/announce?f=%C3%A4%20%C3%B6&info_hash=")
    assert result["remarks"] == ["there are blanks around its address; not every client passes over them"]


def test_what_an_udp_address_has_behind_the_port_is_told() -> None:
    with udp_tracker(udp_reply) as (url, asked):
        assert one(url.replace("/announce", f"/{'x' * 300}?key=1"))["ok"]
        assert one(url.replace("/announce", ""))["ok"]
    sent = [packet[98:] for packet in asked if packet[8:12] == b"\0\0\0\1"]
    path = b"/" + b"x" * 300 + b"?key=1"
    assert sent == [b"\x02\xff" + path[:255] + b"\x02%c" % len(path[255:]) + path[255:] + b"\0"] * 2 + [b""] * 2


# -- without an end ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n", CHUNKED + b"0\r\n"])
def test_an_answer_without_end_ends_by_the_deadline_or_its_size(head: bytes) -> None:
    def drip(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(head)
        with suppress(OSError):  # the other side ends it
            while True:
                client.sendall(b"x")
                select.select([], [], [], 0.01)

    def flood(client: socket.socket) -> None:
        client.recv(65536)
        with suppress(OSError):
            client.sendall(head)
            while True:
                client.sendall(b"x" * 65536)

    with raw_server(drip) as port:
        slow = one(f"http://127.0.0.1:{port}/announce", options=AnnounceOptions(timeout=0.5))
    assert (slow["reason"], slow["message"]) == ("timeout", "its answer does not end within 0.5 s")
    with raw_server(flood) as port:
        assert one(f"http://127.0.0.1:{port}/announce")["reason"] == "too_long"
