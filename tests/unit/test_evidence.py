"""Packets of the lab's ports: whose they are, what they tell, and that no secret is in what is made of them."""

from __future__ import annotations

import importlib
import json
import os
import socket
import struct
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.packets import Packet, Place, pcap, read_packet, read_pcap
from ansible.module_utils.seedbed.evidence import aria2_log, on_host
from ansible.module_utils.seedbed.evidence.belonging import HANDSHAKE, of_torrent, redacted
from ansible.module_utils.seedbed.evidence.timeline import timeline
from ansible.module_utils.seedbed.host.capture import WHOLE, Keeper, capture
from ansible.module_utils.seedbed.programs import recorder
from ansible.module_utils.testing import patch_module_args
from hypothesis import given
from hypothesis import strategies as st
from packet_maker import LEECHER, SEEDER, TRACKER, Wire, tcp, udp, unreachable

HASH, OTHER = b"\xaa/?" + bytes(17), bytes(range(20))
PORTS = [8888]
NAMES = {"192.0.2.11": "tracker1", "192.0.2.21": "seeder1", "192.0.2.31": "leecher1"}
SECRET = "s3cret-word"
CONNECT = struct.pack(">QII", 0x41727101980, 0, 7)


def handshake(info_hash: bytes, client: bytes = b"-TR4010-") -> bytes:
    return HANDSHAKE + bytes(8) + info_hash + client + bytes(12)


def announce(info_hash: bytes) -> bytes:
    quoted = "".join(f"%{byte:02x}" for byte in info_hash)
    return f"GET /announce?info_hash={quoted}&peer_id=-TR4010-123456789012&port=8082&left=0 HTTP/1.1\r\n\r\n".encode()


def udp_announce(info_hash: bytes, transaction: int) -> bytes:
    head = struct.pack(">QII", 1, 1, transaction) + info_hash + b"-TR4010-123456789012"
    return head + struct.pack(">QQQIIIiH", 0, 5, 0, 2, 0, 0, -1, 8082)


def told(wire: Wire) -> list[tuple[str, str, str]]:
    return [(line.who, line.text, line.severity) for line in timeline(wire.packets, NAMES, PORTS)]


# -- packets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_packets_are_read_down_to_their_payload(address: str) -> None:
    here, there = Place(address, 5000), Place(address, 8888)
    for raw in (udp(here, there, b"hello"), tcp(here, there, b"hello", sequence=9)):
        segment = read_packet(Packet(1.5, len(raw), raw))
        assert segment
        assert (segment.source, segment.destination, segment.payload, segment.length) == (here, there, b"hello", 5)
        assert segment.flow == read_packet(Packet(2.0, len(raw), udp(there, here, b"") if raw[9] == 17 else raw)).flow
        cut = read_packet(Packet(1.5, len(raw), raw[:-3]))
        assert cut and (cut.payload, cut.length) == (b"he", 5)


@pytest.mark.parametrize("data", [b"", b"\x45", b"\x00" * 40, udp(LEECHER, TRACKER, b"x")[:24], b"\x60" + bytes(39)])
def test_what_is_no_packet_is_passed_over(data: bytes) -> None:
    assert read_packet(Packet(0.0, len(data), data)) is None


def test_a_file_of_packets_is_read_as_it_was_written() -> None:
    raw = udp(LEECHER, TRACKER, b"hello")
    packets = [Packet(1_700_000_000.25, 900, raw), Packet(1_700_000_001.5, len(raw), raw)]
    content = pcap(packets)
    assert list(read_pcap(content)) == packets
    assert content[:4] == bytes.fromhex("d4c3b2a1")  # https://www.tcpdump.org/manpages/pcap-savefile.5.html
    assert list(read_pcap(content[:10])) == []


def test_the_content_of_long_connections_is_left_out_and_what_steers_them_is_kept() -> None:
    keeper = Keeper([8082], most=4 << 20)
    block, request = tcp(SEEDER, LEECHER, bytes(1400)), tcp(LEECHER, SEEDER, bytes(17))
    for _ in range(2 * WHOLE // 1400):
        keeper.take(Packet(0.0, len(block), block))
        keeper.take(Packet(0.0, len(request), request))
    content = sum(packet.size == len(block) for packet in keeper.packets)
    assert 0 < content <= WHOLE // 1400 + 1
    assert keeper.left_out == 2 * WHOLE // 1400 - content
    assert len(keeper.packets) - content == 2 * WHOLE // 1400
    keeper = Keeper([8082], most=100)
    keeper.take(Packet(0.0, len(block), block))
    assert (keeper.packets, keeper.full) == ([], True)


@pytest.mark.skipif(os.geteuid() != 0, reason="packets are taken by root alone")
def test_the_kernel_hands_over_packets_of_the_ports_alone() -> None:
    """Over loopback, IPv4: a port that is asked for, and one that is not; both refuse."""
    sent = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for port in (9, 11):
                sock.sendto(b"marked", ("127.0.0.1", port))
        sent.set()

    def ready() -> None:
        threading.Thread(target=send).start()

    began = time.monotonic()
    seen: list[bool] = []

    def ended() -> bool:
        # Once more than the event: what was sent is read first.
        seen.append(sent.is_set())
        return seen[-20:] == [True] * 20 or time.monotonic() > began + 120

    taken = capture([9], seconds=120, most=1 << 20, ended=ended, ready=ready)
    ours = [segment for segment in map(read_packet, taken.packets) if segment and segment.payload.startswith(b"marked")]
    assert {segment.destination.port for segment in ours} == {9}
    assert [segment.rejected for segment in ours] == [False, True]


# -- whose they are ----------------------------------------------------------------------------------------------------


def kept(wire: Wire) -> list[int]:
    """Return which of the packets are the torrent's, by their numbers."""
    ours = of_torrent(wire.packets, HASH, PORTS)
    return [number for number, packet in enumerate(wire.packets) if packet in ours]


def test_announces_and_peers_of_other_torrents_are_left_out() -> None:
    wire = Wire()
    wire.talk(Place("192.0.2.31", 1), TRACKER, announce(HASH), b"HTTP/1.1 200 OK\r\n\r\nde")
    wire.talk(Place("192.0.2.31", 2), TRACKER, announce(OTHER), b"HTTP/1.1 200 OK\r\n\r\nde")
    wire.talk(Place("192.0.2.31", 3), TRACKER, b"GET /stats HTTP/1.1\r\n\r\n")
    wire.talk(Place("192.0.2.31", 4), SEEDER, handshake(HASH), handshake(HASH))
    wire.talk(Place("192.0.2.31", 5), SEEDER, handshake(OTHER), handshake(OTHER))
    wire.talk(Place("192.0.2.31", 6), SEEDER, bytes(range(96)))  # encrypted
    wire.refuse(Place("192.0.2.31", 7), SEEDER)
    assert kept(wire) == [*range(4), *range(11, 15), *range(19, 24)]
    assert of_torrent(wire.packets, b"", PORTS) == wire.packets


def test_over_udp_answers_go_with_their_questions() -> None:
    wire = Wire()
    answers = [struct.pack(">IIIII", 1, number, 1800, 0, 1) for number in (21, 22)]
    wire.send(udp(LEECHER, TRACKER, CONNECT), udp(TRACKER, LEECHER, struct.pack(">IIQ", 0, 7, 1)))
    wire.send(udp(LEECHER, TRACKER, udp_announce(HASH, 21)), udp(LEECHER, TRACKER, udp_announce(OTHER, 22)))
    wire.send(*(udp(TRACKER, LEECHER, answer) for answer in reversed(answers)))
    assert kept(wire) == [0, 1, 2, 5]


def test_over_utp_connections_between_the_same_ports_are_told_apart() -> None:
    def utp(kind: int, number: int, payload: bytes = b"") -> bytes:
        return struct.pack(">BBH", kind << 4 | 1, 0, number) + bytes(16) + payload

    peer = Place("192.0.2.31", 8085)
    wire = Wire()
    for number, info_hash in ((10, HASH), (30, OTHER)):
        wire.send(udp(peer, SEEDER, utp(4, number)), udp(SEEDER, peer, utp(2, number)))
        wire.send(udp(peer, SEEDER, utp(0, number + 1, handshake(info_hash))))
    assert kept(wire) == [0, 1, 2]


def test_passwords_for_trackers_are_struck_out_of_packets() -> None:
    raw = tcp(LEECHER, TRACKER, b"GET /announce HTTP/1.1\r\nAuthorization: Basic c2VjcmV0\r\nHost: x\r\n\r\n")
    packet = redacted(Packet(0.0, len(raw), raw))
    assert b"c2VjcmV0" not in packet.data
    assert len(packet.data) == len(raw) and packet.data.endswith(b"\r\nHost: x\r\n\r\n")


# -- what they tell ----------------------------------------------------------------------------------------------------


def test_an_announce_and_its_answer_are_told() -> None:
    wire = Wire()
    body = b"d8:completei1e10:incompletei2e8:intervali1800e5:peers6:\xc0\x00\x02\x15\x1f\x92e"
    wire.talk(LEECHER, TRACKER, announce(HASH), b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n" + body)
    assert told(wire) == [
        ("leecher1:40000 → tracker1:8888", "announce: Transmission 4.0.1.0, left 0, port 8082", ""),
        ("tracker1:8888 → leecher1:40000", "1 seeders, 2 leechers, again in 1800 s, peers: 192.0.2.21:8082", ""),
    ]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "answers HTTP/1.1 404 Not Found"),
        (b"HTTP/1.1 200 OK\r\n\r\nd14:failure reason3:no!e", "refuses: the tracker refuses: no!"),
        (b"", "no answer"),
    ],
)
def test_bad_answers_are_faults(answer: bytes, text: str) -> None:
    wire = Wire()
    wire.talk(LEECHER, TRACKER, announce(HASH), answer)
    assert told(wire)[-1][1:] == (text, "fault")


def test_connections_that_do_not_come_about_are_told_apart() -> None:
    lost, refused, blocked = (Place("192.0.2.31", port) for port in (1, 2, 3))
    wire = Wire()
    syn = tcp(blocked, SEEDER, flags=2)
    wire.send(tcp(lost, SEEDER, flags=2), tcp(lost, SEEDER, flags=2))
    wire.refuse(refused, SEEDER)
    wire.send(syn, unreachable(SEEDER, syn))
    assert told(wire) == [
        ("leecher1:1 → seeder1:8082", "connects, and nobody answers (2 tries)", "fault"),
        ("leecher1:2 → seeder1:8082", "connects, and is refused: nothing listens there", "fault"),
        ("leecher1:3 → seeder1:8082", "connects, and somebody on the way refuses to pass it on (ICMP)", "fault"),
    ]


def test_what_peers_say_is_told_and_what_repeats_is_counted() -> None:
    def message(kind: int, payload: bytes = b"") -> bytes:
        return struct.pack(">IB", len(payload) + 1, kind) + payload

    asked = handshake(HASH, b"-qB5000-") + message(2) + message(6, bytes(12)) * 3
    answered = handshake(HASH) + message(5, b"\xf0\x80") + message(1) + message(7, bytes(100)) * 3
    wire = Wire()
    wire.talk(LEECHER, SEEDER, asked, answered)
    wire.send(tcp(SEEDER, LEECHER, sequence=501 + len(answered), flags=0x14))
    there, back = "leecher1:40000 → seeder1:8082", "seeder1:8082 → leecher1:40000"
    expected = [
        (there, "handshake: qBittorrent 5.0.0.0", ""),
        (there, "is interested", ""),
        (there, "3 × request", ""),
        (back, "handshake: Transmission 4.0.1.0", ""),
        (back, "bitfield: holds 5 pieces", ""),
        (back, "unchokes", ""),
        (back, "3 × block", ""),
    ]
    assert told(wire)[:-1] == expected
    assert told(wire)[-1][1].endswith("; seeder1:8082 resets the connection")


def test_a_connection_without_a_plain_handshake_is_said_to_be_one() -> None:
    wire = Wire()
    wire.talk(LEECHER, SEEDER, bytes(range(96)), bytes(range(100)))
    assert told(wire) == [
        ("leecher1:40000 → seeder1:8082", "connected as peers: 96 B and 100 B, encrypted or not kept", "")
    ]


def test_questions_over_udp_without_an_answer_are_faults() -> None:
    wire = Wire()
    wire.send(udp(LEECHER, TRACKER, CONNECT), udp(TRACKER, LEECHER, struct.pack(">IIQ", 0, 7, 1)))
    wire.send(udp(LEECHER, TRACKER, udp_announce(HASH, 8)), udp(TRACKER, LEECHER, struct.pack(">II", 3, 8) + b"no!"))
    found = struct.pack(">IIIII", 1, 10, 1800, 2, 1) + bytes([192, 0, 2, 21]) + struct.pack(">H", 8082)
    wire.send(udp(LEECHER, TRACKER, udp_announce(HASH, 10)), udp(TRACKER, LEECHER, found))
    wire.send(udp(LEECHER, TRACKER, udp_announce(HASH, 9)))
    assert [text for _, text, _ in told(wire)] == [
        "over UDP, connect",
        "lets it ask",
        "over UDP, announce: Transmission 4.0.1.0, event started, left 5, port 8082, numwant -1",
        "refuses: no!",
        "over UDP, announce: Transmission 4.0.1.0, event started, left 5, port 8082, numwant -1",
        "1 seeders, 2 leechers, again in 1800 s, peers: 192.0.2.21:8082",
        "over UDP, announce: Transmission 4.0.1.0, event started, left 5, port 8082, numwant -1",
        "no answer over UDP",
    ]
    assert [severity for _, _, severity in told(wire)][3:] == ["fault", "", "", "", "fault"]


PIECES = st.binary(max_size=40) | st.sampled_from(
    [
        handshake(HASH),
        announce(HASH),
        udp_announce(HASH, 1),
        CONNECT,
        struct.pack(">II", 1, 1),
        b"GET / HTTP/1.1\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"d8:intervali9e5:peers7:1234567e",
        struct.pack(">IB", 1, 1),
        struct.pack(">I", 3),
        b"\x41\0",
    ]
)
SENT = st.tuples(
    st.sampled_from([TRACKER, SEEDER]),
    st.booleans(),
    st.booleans(),
    st.lists(PIECES, max_size=4),
    st.integers(0, 63),
)


@given(st.lists(SENT, max_size=12))
def test_no_packet_is_too_odd_to_be_told_of(sent: list[tuple[Place, bool, bool, list[bytes], int]]) -> None:
    wire, sequence = Wire(), 0
    for place, back, over_udp, pieces, flags in sent:
        ends = (place, LEECHER) if back else (LEECHER, place)
        payload = b"".join(pieces)
        wire.send(udp(*ends, payload) if over_udp else tcp(*ends, payload, sequence=sequence, flags=flags))
        sequence += len(payload)
    packets = of_torrent(map(redacted, wire.packets), HASH, PORTS)
    assert list(read_pcap(pcap(packets))) == packets
    assert all(line.text.isprintable() for line in timeline(packets, NAMES, PORTS))


# -- on the host -------------------------------------------------------------------------------------------------------


def run(name: str, capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        importlib.import_module(name).main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("state", "argv", "louder"),
    [
        ("active", "/usr/bin/transmission-daemon -f --log-error", "/usr/bin/transmission-daemon -f --log-debug"),
        ("active", "/usr/bin/transmission-daemon -f --log-level=error", "/usr/bin/transmission-daemon -f --log-debug"),
        ("inactive", "/usr/bin/transmission-daemon -f --log-error", ""),
        ("active", "/usr/bin/transmission-daemon -f", ""),
    ],
)
def test_only_a_daemon_that_runs_is_made_to_tell_more(
    monkeypatch: pytest.MonkeyPatch, state: str, argv: str, louder: str
) -> None:
    start = f"{{ path=/usr/bin/transmission-daemon ; argv[]={argv} ; ignore_errors=no ; pid=7 }}"
    monkeypatch.setattr(on_host.Unit, "properties", lambda *_: {"ActiveState": state, "ExecStart": start})
    expected = f"[Service]\nExecStart=\nExecStart={louder}\n" if louder else ""
    assert on_host.raised_start("transmission-daemon.service") == expected


def test_aria2_tells_more_without_a_restart_and_then_as_little_as_before(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "aria2.conf"
    options = {
        "enable-rpc": "true",
        "rpc-listen-port": port,
        "rpc-secret": SECRET,
        "disable-ipv6": "true",
        "show-console-readout": "false",
        "log-level": "warn",
        "dir": tmp_path,
    }
    config.write_text("".join(f"{key}={value}\n" for key, value in options.items()), encoding="utf-8")
    with subprocess.Popen(
        ["aria2c", f"--conf-path={config}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as daemon:
        try:
            assert daemon.stdout
            heard = next(line for line in daemon.stdout if "listening on TCP port" in line)
            assert str(port) in heard
            before = aria2_log.options_now(str(config))
            assert before == {"log": "", "log-level": "warn"}
            aria2_log.change(str(config), aria2_log.LOUD)
            assert "[INFO]" in next(line for line in daemon.stdout if "[INFO]" in line)
            assert recorder.main(["quiet", str(config), json.dumps(before)]) == 0
            assert aria2_log.options_now(str(config)) == before
        finally:
            daemon.terminate()
            rest = daemon.communicate(timeout=120)[0]
    assert rest.count("getGlobalOption") == 0  # at the end it told of no more questions
    assert on_host._aria2_now(str(config)) == {}
    assert on_host._aria2_now(str(tmp_path / "none")) == {}


def test_what_was_not_begun_is_not_collected(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(on_host, "DIRECTORY", str(tmp_path / "none"))
    assert "no recording was begun" in run("evidence", capsys, state="collected")["msg"]
    assert run("evidence", capsys, state="started", _ansible_check_mode=True)["files"] == []


# -- the archive -------------------------------------------------------------------------------------------------------


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """What was fetched from a seeder whose every text has the secret in it, and from a host that told nothing."""
    torrent = {
        "info_hash": HASH.hex(),
        "name": f"<b>{SECRET}",
        "state": "downloading",
        "error": "",
        "done": 0.5,
        "have": 1,
        "size": 2,
        "up": 0,
        "down": 0,
        "uploaded": 0,
        "downloaded": 0,
        "corrupt": 0,
        "ratio": 0.0,
        "connected": 1,
        "sending": 0,
        "getting": 1,
        "active": 0,
        "started": 0,
        "piece_count": 12,
        "piece_size": 1,
        "pieces": "8BA=",
        "peers": [
            {"address": "192.0.2.31", "port": 1, "client": "x", "flags": "U", "progress": 0.25, "up": 1, "down": 0}
        ],
        "trackers": [
            {
                "announce": f"http://me:{SECRET}@192.0.2.11/",
                "state": "waiting",
                "last": 5,
                "succeeded": True,
                "result": "Success",
                "peers": 1,
                "next": 6,
                "seeders": 1,
                "leechers": 1,
                "downloads": 0,
            }
        ],
        "files": [{"name": "a", "size": 2, "have": 1}],
    }
    evidence = {
        "began": 1.0,
        "clock": 2.0,
        "packets": {"packets": 4, "others": 7},
        "before": [torrent],
        "seeder": [],
        "seeder_error": "",
        "logs": {
            "x.service": f"a line with {SECRET}\nAuthorization: Basic abcdefgh\nGET /jsonrpc?params=abcdefgh HTTP/1.1"
        },
        "facts": {"uname -a": "<script>"},
        "raised": ["aria2"],
    }
    wire = Wire()
    wire.talk(LEECHER, TRACKER, announce(HASH) + SECRET.encode(), b"HTTP/1.1 200 OK\r\n\r\nde")
    (tmp_path / "seeder1").mkdir()
    (tmp_path / "away").mkdir()
    (tmp_path / "seeder1" / "host.json").write_text(json.dumps(evidence), encoding="utf-8")
    (tmp_path / "seeder1" / "packets.pcap").write_bytes(pcap(wire.packets))
    return tmp_path


def test_the_archive_tells_all_and_no_secret(fetched: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    verdict = {
        "severity": "fault",
        "verdict": "no_way",
        "item": "x",
        "from": "leecher1",
        "cause": SECRET,
        "remedy": "r",
    }
    answer = {
        "tracker": "http://192.0.2.11/announce",
        "kind": "announce",
        "ok": False,
        "reason": "refused",
        "message": "m",
    }
    done = run(
        "evidence_archive",
        capsys,
        fetched=str(fetched),
        destination=str(tmp_path / "out" / "x"),
        title="<i>x",
        when=5.0,
        verdicts=[verdict],
        answers={"leecher1": {"trackers": [answer]}},
        names=NAMES,
        tracker_ports=PORTS,
        secrets=[SECRET],
        info_hash=HASH.hex(),
    )
    assert done["silent"] == ["away"]
    with zipfile.ZipFile(done["archive"]) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert sorted(members) == ["doctor.json", "index.html", "seeder1.json", "seeder1.pcap"]
    assert not [name for name, content in members.items() if SECRET.encode() in content or b"abcdefgh" in content]
    page = Path(done["page"]).read_text(encoding="utf-8")
    assert page == members["index.html"].decode()
    assert "<script" not in page and "<b>" not in page.replace('<b class="fault">', "") and "&lt;script&gt;" in page
    for text in (
        "no_way",
        "refused: m",
        "announce: Transmission",
        "pieces: 5 of 12",
        "7 of other torrents left out",
        "aria2 of seeder1 had the",
    ):
        assert text in page, text
    assert len(list(read_pcap(members["seeder1.pcap"]))) == 4
    assert Path(done["archive"]).stat().st_mode & 0o77 == 0


# -- the role's filters ------------------------------------------------------------------------------------------------

HOSTS = [
    {
        "inventory_hostname": "tracker1",
        "lab_address": "192.0.2.11",
        "transmission_rpc_password": SECRET,
        "lab_services": {"tracker": {"port": 8888}, "scripted_peer": {"port": 8086, "addresses": ["192.0.2.12"]}},
    },
    {
        "inventory_hostname": "seeder1",
        "lab_address": "192.0.2.21",
        "flood_password": "",
        "a_token": "t",
        "lab_services": {"seeder": {"peer_port": "8082"}},
    },
    {"inventory_hostname": "away"},
]


def test_the_role_knows_ports_names_and_secrets_of_the_lab(render: Callable[..., Any]) -> None:
    assert render("{{ hosts | evidence_ports }}", hosts=HOSTS) == {
        "tracker": [8888],
        "peer": [8082, *range(8086, 8095)],
    }
    names = {"192.0.2.11": "tracker1", "192.0.2.12": "tracker1", "192.0.2.21": "seeder1"}
    assert render("{{ hosts | evidence_names }}", hosts=HOSTS) == names
    assert render("{{ hosts | evidence_secrets }}", hosts=HOSTS) == ["", SECRET, "t"]


def test_archives_are_named_after_their_item(render: Callable[..., Any]) -> None:
    stem = "{{ name | evidence_stem(began=1700000000) }}"
    assert render(stem, name="../a b/盲道.mp4") == "_a_b_盲道.mp4-20231114-221320"
    assert render(stem, name="") == "lab-20231114-221320"
    lines = render("{{ made | evidence_lines }}", made={"page": "p", "archive": "z", "silent": ["away"]})
    assert [line["text"].split()[-1] for line in lines] == ["p", "z", "nothing"]


@pytest.mark.parametrize(
    ("torrent", "seconds", "mebibytes", "faults"),
    [
        ("film", 30, 16, []),
        ("", "600", 1, []),
        ("a,b", 30, 16, ["torrent is 'a,b'; expected the name of one item, or none for all that the lab does"]),
        ("film", 4, 16, ["seconds is 4; expected a number from 5 to 600"]),
        ("film", "x", 0, ["seconds is 'x'; expected", "evidence_mebibytes is 0; expected a number from 1 to 256"]),
    ],
)
def test_what_cannot_be_recorded_is_refused(
    render: Callable[..., Any], torrent: str, seconds: Any, mebibytes: Any, faults: list[str]
) -> None:
    template = "{{ torrent | evidence_faults(seconds=seconds, mebibytes=mebibytes) }}"
    found = render(template, torrent=torrent, seconds=seconds, mebibytes=mebibytes)
    assert len(found) == len(faults)
    assert all(sentence.startswith(fault) for sentence, fault in zip(found, faults, strict=True))
