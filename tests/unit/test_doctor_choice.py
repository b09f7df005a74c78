"""What the doctor is asked to look at: options, catalogue, .torrent files and magnets, whatever stands in them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.doctor.choice import catalogue_subjects, make_case
from ansible.module_utils.seedbed.doctor.host_state import host_state
from ansible.module_utils.seedbed.doctor.options import option_faults
from ansible.module_utils.seedbed.torrent.bencode import encode
from ansible.module_utils.seedbed.torrent.magnet_reader import read_magnet
from ansible.module_utils.seedbed.torrent.model import to_json
from doctor_lab import HASH, lab
from hypothesis import given
from hypothesis import strategies as st

OPTIONS = {
    "doctor_items": "",
    "doctor_torrent_file": "",
    "doctor_magnet": "",
    "doctor_piece": False,
    "doctor_from_controller": True,
    "doctor_every_item": "false",
    "doctor_tracker_timeout": 5,
    "doctor_peer_timeout": "6",
    "doctor_controller_timeout": 2.5,
    "doctor_json": "",
    "doctor_port": 0,
    "lab_port_range": {"first": 8000, "last": 9000},
}
SEEDER = lab()["seeders"]["seeder1"]
TRACKER = lab()["trackers"]["tracker1"]
ITEM = {**lab()["item"], "size": 100, "webseeds": [], "magnet": "magnet:?", "files": [{"path": "a"}]}


def hosts(catalogue: Any = None, **more: Any) -> dict[str, str]:
    """Return what the lab's hosts say; the tracker's has the catalogue."""
    raw = json.dumps({"items": [ITEM] if catalogue is None else catalogue}).encode()
    encoded = base64.b64encode(raw).decode()
    nothing = {"reached": True, "tracker": None, "seeder": None, "scripted": None, "catalogue": None}
    return {
        "tracker1": to_json({**nothing, "tracker": TRACKER, "catalogue": encoded, **more}),
        "seeder1": to_json({**nothing, "seeder": SEEDER}),
        "failed1": "",
    }


def case(**options: Any) -> Any:
    return make_case(hosts(), {**OPTIONS, **options}, "tracker1")


def test_hosts_get_the_few_keys_that_they_need() -> None:
    chosen = case()
    assert chosen["faults"] == []
    assert (
        json.loads(chosen["subjects_json"])
        == json.loads(chosen["asked_json"])
        == [{**lab()["item"], "size": 100, "webseeds": []}]
    )
    assert json.loads(chosen["addresses_json"]) == {"seeder1": {"address": "192.0.2.2", "peer_port": 8082}}
    assert json.loads(chosen["states_json"]) == {
        "seeders": {"seeder1": SEEDER},
        "trackers": {"tracker1": TRACKER},
        "scripted": {},
    }


def test_of_a_seeder_only_the_torrents_that_are_looked_at_are_kept() -> None:
    chosen = case(doctor_magnet=f"magnet:?xt=urn:btih:{'3b' * 20}")
    assert json.loads(chosen["states_json"])["seeders"]["seeder1"]["info"]["torrents"] == []


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"doctor_magnet": "magnet:?dn=x"},
         "magnet is 'magnet:?dn=x', which has no v1 info hash; expected magnet:?xt=urn:btih: and 40 hexadecimal"),
        ({"doctor_items": "item, nosuch"}, "torrent is 'nosuch', which the catalogue does not have; it has item"),
        ({"doctor_torrent_file": "/nonexistent"},
         "torrent_file: /nonexistent cannot be read: No such file or directory"),
        ({"doctor_torrent_file": "a\0b"}, "torrent_file: 'a\\x00b' cannot be read: it is no path"),
        ({"doctor_torrent_file": "/etc/passwd"}, "torrent_file is /etc/passwd, which is no .torrent: unexpected byte"),
    ],
)  # fmt: skip
def test_what_cannot_be_looked_at_is_one_sentence(options: dict[str, Any], fault: str) -> None:
    [sentence] = case(**options)["faults"]
    assert sentence.startswith(fault)


@pytest.mark.parametrize(
    ("seen", "portal", "fault"),
    [
        (hosts(), "", "No host is in group portals, so there is no catalogue; look at one torrent with torrent_file"),
        (hosts(reached=False), "tracker1", "No catalogue: tracker1, the portal, cannot be reached by SSH."),
        (hosts(), "failed1", "No catalogue: failed1, the portal, cannot be reached by SSH."),
        (hosts(catalogue=None) | {"tracker1": to_json({"reached": True, "tracker": None, "seeder": None,
                                                       "scripted": None, "catalogue": None})},
         "tracker1", "No catalogue is on tracker1; run the site playbook."),
        (hosts(catalogue={"a": 1}), "tracker1", "catalogue.json on tracker1 is not a catalogue of the lab; run"),
    ],
)  # fmt: skip
def test_without_a_catalogue_there_is_one_sentence(seen: dict[str, str], portal: str, fault: str) -> None:
    [sentence] = make_case(seen, OPTIONS, portal)["faults"]
    assert sentence.startswith(fault)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b"nonsense", b'{"items": 5}', b'{"items": [5]}', b"\xff", b"[" * 9000]
)
def test_what_is_no_catalogue_is_one_sentence(raw: bytes) -> None:
    with pytest.raises(SeedbedError, match=r"catalogue.json on p is not a catalogue of the lab; run the site playbook"):
        catalogue_subjects(raw, "p")


def test_a_torrent_file_of_version_2_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "content").write_bytes(b"x")
    made = lt.create_torrent([lt.create_file_entry("content", 1)], 16384, lt.create_torrent.v2_only)
    lt.set_piece_hashes(made, str(tmp_path))
    path = tmp_path / "x.torrent"
    path.write_bytes(lt.bencode(made.generate()))
    assert "version 2 alone" in case(doctor_torrent_file=str(path))["faults"][0]


def test_magnets_in_all_spellings() -> None:
    item = read_magnet(f"magnet:?xt=urn:btih:{HASH.upper()}&dn=a%20name&tr=http%3A%2F%2Fx%2Fannounce&tr=udp://y:1")
    assert item["info_hash"] == HASH
    assert (item["name"], item["trackers"]) == ("a name", [["http://x/announce"], ["udp://y:1"]])
    assert read_magnet("magnet:?xt=urn:btih:" + "FIVCUKRKFIVCUKRKFIVCUKRKFIVCUKRK")["info_hash"] == HASH
    live = read_magnet(f"MAGNET:?xt=urn:btih:{HASH}&dn=Live #1&tr.1=http://x/announce")
    assert (live["name"], live["trackers"]) == ("Live #1", [["http://x/announce"]])


X = f"magnet:?xt=urn:btih:{HASH}"
MAGNETS = {
    "numbers behind": f"magnet:?xt.1=urn:btih:{HASH}&dn.1=x&tr.1=http://a/announce&tr.2=udp://b:1",
    "capital letters": f"magnet:?XT=urn:btih:{HASH}&DN=x&TR=http://a/announce&X.PE=192.0.2.1:5",
    "both": f"magnet:?XT.1=urn:btih:{HASH}&TR.9=http://a/announce",
    "a raw # in the name": f"{X}&dn=Live #1 #2&tr=http://a/announce",
    "a raw # in a tracker": f"{X}&tr=http://a/announce#x&dn=y",
    "peers alone": f"{X}&x.pe=192.0.2.1:6881&x.pe=[2001:db8::1]:5",
    "peers of all sorts": f"{X}&x.pe=name.example:9&x.pe=bad&x.pe=192.0.2.1:0&x.pe=192.0.2.1:7",
    "the hash last": f"magnet:?dn=x&tr=http://a/announce&xt=urn%3Abtih%3A{HASH}",
    "two hashes": f"{X}&xt=urn:btih:{'cc' * 20}",
    "two names": f"{X}&dn=a&dn=b",
    "another kind of hash": f"magnet:?xt=urn:sha1:AAAA&xt=urn:btih:{HASH}",
    "of a hybrid": f"magnet:?xt=urn:btmh:1220{'bb' * 32}&xt=urn:btih:{HASH}",
    "plus signs": f"{X}&dn=a+b%20c",
    "an empty tracker": f"{X}&tr=&tr=http://b/announce?x=1",
    "fields that nobody knows": f"{X}&xl=5&so=0,2&tr.x=http://c/a&foo=bar&ws=http://w/x",
}


@pytest.mark.parametrize("name", MAGNETS)
def test_magnets_are_read_as_libtorrent_reads_them(name: str) -> None:
    theirs = lt.parse_magnet_uri(MAGNETS[name])
    ours = read_magnet(MAGNETS[name])
    assert ours["info_hash"] == str(theirs.info_hashes.v1)
    assert ours["name"] == (theirs.name or ours["info_hash"])
    assert ours["trackers"] == [[url] for url in theirs.trackers]
    assert [(peer["address"], peer["port"]) for peer in ours["peers"]] == theirs.peers


@pytest.mark.parametrize(
    ("magnet", "remark"),
    [
        (X, ""),
        (MAGNETS["numbers behind"], "it has 'xt.1' for xt (and 3 more like it); libtorrent and Transmission know"),
        (MAGNETS["a raw # in the name"], "it has an unescaped #; clients read on behind it"),
        (MAGNETS["peers alone"], "it names peers (x.pe); libtorrent meets them, Transmission does not"),
        (MAGNETS["two hashes"], "it names several v1 info hashes; libtorrent takes the last"),
        (f"{X}&amp;tr=http://a/announce", "it has &amp; where & belongs; clients lose the parts behind it"),
        (f"{X}&dn=Tom & Jerry&tr=http://a/announce", "it has a part without =; libtorrent loses the one behind it"),
        (f"MAGNET:?xt=urn:btih:{HASH}", "it begins with MAGNET:; libtorrent takes magnet: in small letters alone"),
        (f"{X}&tr= http://a/announce", "a tracker is empty or has white space around it"),
    ],
)
def test_odd_magnets_are_remarked_on(magnet: str, remark: str) -> None:
    found = read_magnet(magnet)["remarks"]
    assert [one[: len(remark)] for one in found] == [remark] * bool(remark)


@pytest.mark.parametrize(
    ("magnet", "fault"),
    [
        (f"magnet:?xt=urn:btmh:1220{'bb' * 32}", "which is of version 2 alone (btmh); the doctor knows v1 and hybrid"),
        (f"magnet:?xt=urn:btih:{HASH}xx", "which has no v1 info hash"),
        (f"magnet:xt=urn:btih:{HASH}", "which has no v1 info hash"),
        (HASH, "which has no v1 info hash"),
        ("", "which has no v1 info hash"),
    ],
)
def test_magnets_that_cannot_be_looked_at(magnet: str, fault: str) -> None:
    with pytest.raises(SeedbedError) as caught:
        read_magnet(magnet)
    assert fault in str(caught.value)


PARTS = ("xt", "=", "urn:btih:", HASH, "&", "tr", ".1", "#", "%zz", "%", "x.pe", "[::1]:5", ":", "dn", "&amp;", " ",
         "\0", "é", "xt=urn:btih:" + HASH)  # fmt: skip


@given(st.lists(st.sampled_from(PARTS) | st.text(max_size=3)))
def test_any_magnet_ends_in_a_subject_or_a_sentence(parts: list[str]) -> None:
    try:
        subject = read_magnet("magnet:?" + "".join(parts))
    except SeedbedError as error:
        assert str(error).startswith("magnet is ")
    else:
        assert subject["name"]
        assert all("\n" not in remark for remark in subject["remarks"])


def test_the_remarks_on_a_torrent_reach_the_case(tmp_path: Path) -> None:
    path = tmp_path / "x.torrent"
    info = {"name": "x", "length": 5, "piece length": 16384, "pieces": bytes(20)}
    path.write_bytes(encode({"announce": "http://x/announce", "info": info}) + b"\n")
    [subject] = json.loads(case(doctor_torrent_file=str(path))["subjects_json"])
    assert subject["remarks"] == [
        "1 byte behind the end; libtorrent, Transmission and aria2 ignore them, strict parsers may not"
    ]


def test_what_is_wrong_with_a_magnet_is_told_without_passwords() -> None:
    for tracker in ("http://me:secret@x/announce", "http%3A%2F%2Fme%3Asecret%40x%2Fannounce"):
        [fault] = case(doctor_magnet=f"magnet:?dn=x&tr={tracker}")["faults"]
        assert "has no" in fault and "secret" not in fault, fault


def test_the_state_of_a_host() -> None:
    skipped = {"skipped": True, "changed": False}
    answers = {"facts": {}, "tracker": skipped, "seeder": {"active": True, "session": {"peer-port": 51413}},
               "scripted": skipped, "catalogue": skipped}  # fmt: skip
    inventory: dict[str, Any] = {
        "addresses": [],
        "address": "tracker.example",
        "ip": "192.0.2.2",
        "tracker_port": "8888",
        "tracker_interval": "60",
        "peer_port": 8082,
    }
    state = host_state(answers, groups=["seeders"], **inventory)
    assert state == {"reached": True, "tracker": None, "scripted": None, "catalogue": None,
                     "seeder": {"address": "192.0.2.2", "peer_port": 51413, "info": answers["seeder"]}}  # fmt: skip
    gone = {name: {"unreachable": True} for name in answers}
    state = host_state(gone, groups=["seeders", "trackers"], **inventory)
    assert (state["reached"], state["catalogue"]) == (False, None)
    # Announce addresses have the name, trackers hand out the address.
    assert state["tracker"] == {"address": "tracker.example", "port": 8888, "active": None, "interval": 60}
    assert state["seeder"] == {"address": "192.0.2.2", "peer_port": 8082, "info": None}


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        ({}, []),
        ({"doctor_items": None, "doctor_json": None}, []),
        ({"doctor_peer_timeout": "nan", "doctor_tracker_timeout": 0},
         ["doctor_tracker_timeout is 0; expected seconds, more than 0",
          "doctor_peer_timeout is 'nan'; expected seconds, more than 0"]),
        ({"doctor_tracker_timeout": True}, ["doctor_tracker_timeout is True; expected seconds, more than 0"]),
        ({"doctor_json": "/nonexistent/x.json"},
         ["doctor_json is /nonexistent/x.json, and /nonexistent is no directory that can be written to"]),
        ({"doctor_json": "/tmp"}, ["doctor_json is '/tmp'; expected the path of a file"]),
        ({"doctor_json": "a\0b"}, ["doctor_json is 'a\\x00b'; expected the path of a file"]),
        ({"doctor_items": ["a", "b"]},
         ["torrent is ['a', 'b']; expected a text, names separated by commas"]),
        ({"doctor_port": "8990"}, []),
        ({"doctor_port": 80}, ["doctor_port is 80; expected a port of lab_port_range, 8000 to 9000, or 0"]),
        ({"doctor_port": "many"}, ["doctor_port is 'many'; expected a port of lab_port_range, 8000 to 9000, or 0"]),
        ({"doctor_port": 8990.5}, ["doctor_port is 8990.5; expected a port of lab_port_range, 8000 to 9000, or 0"]),
        ({"doctor_port": True}, ["doctor_port is True; expected a port of lab_port_range, 8000 to 9000, or 0"]),
        ({"doctor_port": 70000, "lab_port_range": "any"},
         ["doctor_port is 70000; expected a port of lab_port_range, 1 to 65535, or 0"]),
        ({"doctor_piece": "maybe"}, ["doctor_piece is 'maybe'; expected true or false"]),
        ({"doctor_magnet": "magnet:?xt=urn:btih:" + HASH, "doctor_torrent_file": "x"},
         ["torrent, torrent_file and magnet exclude each other; give one of them"]),
    ],
)  # fmt: skip
def test_options_are_refused_before_any_host_is_asked(options: dict[str, Any], faults: list[str]) -> None:
    assert option_faults({**OPTIONS, **options}) == faults


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
any_yaml = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=2)
)


@given(st.dictionaries(st.sampled_from(sorted(OPTIONS)), any_yaml, max_size=3), st.sampled_from(["tracker1", ""]))
def test_whatever_stands_in_an_option_ends_in_sentences(options: dict[str, Any], portal: str) -> None:
    given_options = {**OPTIONS, **options}
    faults = option_faults(given_options)
    if not faults:
        faults = make_case(hosts(), given_options, portal)["faults"]
    assert all(isinstance(fault, str) and fault and len(fault) < 1000 for fault in faults)


@given(st.lists(any_yaml, max_size=2) | st.builds(lambda key, value: [{**ITEM, key: value}], st.sampled_from(
    ["name", "info_hash", "private", "trackers", "swarm", "size", "webseeds", "promise"]), any_yaml))  # fmt: skip
def test_whatever_a_catalogue_holds_ends_in_a_sentence(items: list[Any]) -> None:
    try:
        raw = json.dumps({"items": items})
    except TypeError:  # dates, and keys that are none in JSON
        return
    faults = make_case(
        {
            "p": to_json(
                {
                    "reached": True,
                    "tracker": None,
                    "seeder": None,
                    "scripted": None,
                    "catalogue": base64.b64encode(raw.encode()).decode(),
                }
            )
        },
        OPTIONS,
        "p",
    )["faults"]
    assert all("catalogue.json on p" in fault for fault in faults)
