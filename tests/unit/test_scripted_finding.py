"""Peers that no tracker names: by the lab's own DHT and by peer exchange, met and asked for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest
from ansible.module_utils.seedbed.scripted.dht import REMEMBERED, DhtNode
from ansible.module_utils.seedbed.scripted.swarm_script import Size, peers_faults, scripted_promise
from ansible.module_utils.seedbed.torrent.bencode import decode, encode
from scripted_lab import ADDRESSES, PATIENCE, ScriptedLab, make_torrent, peers, wait_until

HASH = b"h" * 20
ME = ("192.0.2.7", 6881)
SWARMS: dict[str, list[dict[str, Any]]] = {
    "dht": [{"behaviour": "found-by-dht"}],
    "pex": [{"behaviour": "go-between"}, {"behaviour": "found-by-pex"}],
}


@pytest.fixture(params=SWARMS)
def found(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, ScriptedLab, dict[str, Any]]]:
    """A swarm whose one peer with content is found one way alone."""
    torrent = make_torrent(tmp_path)
    played = {**torrent, "peers": peers(*SWARMS[request.param]), "trackers": {"1-1": {}}}
    with ScriptedLab(tmp_path, played) as lab:
        yield request.param, lab, torrent


def test_a_client_that_may_look_that_way_completes(
    found: tuple[str, ScriptedLab, dict[str, Any]], tmp_path: Path
) -> None:
    way, lab, torrent = found
    quiet = {f"enable_{what}": False for what in ("lsd", "upnp", "natpmp")}
    nodes = {"enable_dht": way == "dht", "dht_bootstrap_nodes": f"127.0.0.1:{lab.port}"}
    session = lt.session({**quiet, **nodes, "listen_interfaces": "127.0.0.1:0", "ssrf_mitigation": False})
    wanted = lt.load_torrent_buffer(Path(torrent["torrent"]).read_bytes())
    wanted.save_path, wanted.trackers = str(tmp_path / "got"), [f"http://127.0.0.1:{lab.port}/announce/1-1/announce"]
    handle = session.add_torrent(wanted)
    wait_until(lambda: handle.status().is_seeding, f"a download by {way}")
    events = [
        event["what"]
        for client in lab.testimony(torrent)["clients"]
        for visit in client["visits"]
        for event in visit["events"]
    ]
    assert way in events


def test_the_tracker_names_nobody_who_is_found_another_way(found: tuple[str, ScriptedLab, dict[str, Any]]) -> None:
    way, lab, torrent = found
    info_hash = "".join(f"%{byte:02x}" for byte in bytes.fromhex(torrent["info_hash"]))
    _status, body, _headers = lab.get(f"/announce/1-1/announce?info_hash={info_hash}&port=7000&compact=1")
    named = decode(body)[b"peers"]
    assert named == (b"" if way == "dht" else socket.inet_aton(ADDRESSES[0]) + lab.port.to_bytes(2, "big"))


def ask(lab: ScriptedLab, question: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", lab.port))
        sock.send(question)
        return sock.recv(2048)


def test_the_daemon_answers_in_the_dht_where_a_script_is_found_by_it(
    found: tuple[str, ScriptedLab, dict[str, Any]],
) -> None:
    way, lab, torrent = found
    query = {"a": {"id": b"i" * 20, "info_hash": bytes.fromhex(torrent["info_hash"])}, "q": "get_peers", "y": "q"}
    if way == "pex":  # nothing is said to a question; the tracker on the same port goes on
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(("127.0.0.1", lab.port))
            sock.send(encode({**query, "t": "1"}))
            sock.send((0x41727101980).to_bytes(8, "big") + bytes(4) + b"next")
            assert sock.recv(2048)[4:8] == b"next"
        return
    answer = decode(ask(lab, encode({**query, "t": "1"})))
    assert answer[b"t"] == b"1"
    assert answer[b"r"][b"values"] == [socket.inet_aton(ADDRESSES[0]) + lab.port.to_bytes(2, "big")]


def told(node: DhtNode, query: object, sender: tuple[str, int] = ME, **said: object) -> dict[bytes, Any]:
    question = decode(encode({"a": {"id": b"i" * 20, **said}, "q": query, "t": "xy", "y": "q"}))
    answer = node.answer(question, sender, [])
    assert answer is not None
    decoded: dict[bytes, Any] = decode(answer)
    assert decoded[b"t"] == b"xy"
    return decoded


def test_who_announces_himself_is_named_to_the_others() -> None:
    node = DhtNode()
    first = told(node, "get_peers", info_hash=HASH)[b"r"]
    assert b"values" not in first
    told(node, "announce_peer", info_hash=HASH, port=7000, token=first[b"token"])
    told(node, "announce_peer", info_hash=HASH, port=1, implied_port=1, token=first[b"token"])
    named = told(node, "get_peers", ("192.0.2.8", 1), info_hash=HASH)[b"r"][b"values"]
    assert named == [socket.inet_aton(ME[0]) + port.to_bytes(2, "big") for port in (7000, ME[1])]
    # To IPv6 those of IPv6, of whom there is none.
    assert b"values" not in told(node, "get_peers", ("fd00::8", 1), info_hash=HASH)[b"r"]


@pytest.mark.parametrize(
    ("query", "said", "code"),
    [
        ("announce_peer", {"info_hash": HASH, "port": 7000, "token": "forged"}, 203),
        ("announce_peer", {"info_hash": b"short", "port": 7000}, 203),
        ("get_peers", {}, 203),
        ("vote", {}, 204),
    ],
)
def test_what_has_no_answer_is_an_error(query: str, said: dict[str, Any], code: int) -> None:
    assert told(DhtNode(), query, **said)[b"e"][0] == code


def test_a_node_names_no_other_and_answers_no_answer() -> None:
    node = DhtNode()
    assert told(node, "find_node", target=HASH)[b"r"][b"nodes"] == b""
    assert set(told(node, "ping")[b"r"]) == {b"id"}
    for strange in ({b"y": b"r", b"t": b"1"}, {b"y": b"q"}, {b"y": b"q", b"t": b"1", b"a": 5}):
        assert node.answer(strange, ME, []) is None


def test_what_clients_announce_has_bounds() -> None:
    node = DhtNode()
    token = told(node, "get_peers", info_hash=HASH)[b"r"][b"token"]
    for port in range(1, 2 * REMEMBERED):
        told(node, "announce_peer", info_hash=HASH, port=port, token=token)
    values = told(node, "get_peers", info_hash=HASH)[b"r"][b"values"]
    assert len(values) == REMEMBERED
    for number in range(REMEMBERED):
        told(node, "announce_peer", info_hash=number.to_bytes(20, "big"), port=1, token=token)
    assert b"values" not in told(node, "get_peers", info_hash=HASH)[b"r"]


@pytest.mark.parametrize(
    ("scripts", "private", "outcome", "available"),
    [
        (SWARMS["dht"], False, "completes", "100%"),
        (SWARMS["pex"], False, "completes", "100%"),
        (SWARMS["dht"], True, "stalls", "0%"),
        (SWARMS["pex"], True, "stalls", "0%"),
        (SWARMS["pex"][1:], False, "stalls", "0%"),
    ],
)
def test_what_such_a_swarm_promises(scripts: list[dict[str, Any]], private: bool, outcome: str, available: str) -> None:
    promise = scripted_promise(Size("item", 16, 2**20, private), peers=scripts, tiers=[[{}]])
    assert (promise["outcome"], promise["available"]) == (outcome, available)
    grades = {rule["rule"]: rule["grade"] for rule in promise["rules"]}
    # Which client looks that way is the client's affair.
    assert grades.get("completes-within", "tell") == "tell"


def test_peer_exchange_needs_somebody_who_names_the_peer() -> None:
    room: Any = [{"any": 3, "ipv6": 0, "all": 3}]
    assert peers_faults(SWARMS["pex"], room) == []
    assert peers_faults(SWARMS["pex"][1:], room) == [
        "peers: found_by: pex needs a peer beside it that names it, such as {behaviour: go-between}"
    ]
    assert peers_faults([{"found_by": "dht", "calls": True}], room) == [
        "peers: number 1: a peer that calls is found by nobody's word; leave found_by out"
    ]
