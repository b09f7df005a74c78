"""Metainfo: magnets, foreign torrents with other trackers, and the filters around them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent.bencode import decode, encode
from ansible.module_utils.seedbed.torrent.magnet import magnet_link
from ansible.module_utils.seedbed.torrent.metainfo import torrent_metainfo
from ansible.module_utils.seedbed.torrent.metainfo_reader import MetainfoError, read_torrent, torrent_info
from ansible.module_utils.seedbed.torrent.retarget import retarget
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from bdecode import bdecode
from bencode import bencode
from hypothesis import given
from hypothesis import strategies as st
from judges import by_libtorrent

PAYLOAD: dict[str, Any] = {
    "name": "hello.txt",
    "single_file": True,
    "piece_length": 16384,
    "pieces": base64.b64encode(hashlib.sha1(b"hello").digest()).decode(),
    "length": 5,
    "files": [{"path": [], "length": 5}],
}


def render(template: str, **variables: Any) -> Any:
    return Templar(loader=DataLoader(), variables=variables).template(trust_as_template(template))


def test_the_smallest_torrent_byte_for_byte() -> None:
    made = torrent_metainfo(PAYLOAD, trackers=[["http://t/announce"]])
    info = b"d6:lengthi5e4:name9:hello.txt12:piece lengthi16384e6:pieces20:" + hashlib.sha1(b"hello").digest() + b"e"
    assert base64.b64decode(made["metainfo"]) == (
        b"d8:announce17:http://t/announce10:created by7:Seedbed4:info" + info + b"e"
    )
    assert made["info_hash"] == hashlib.sha1(info).hexdigest()


def test_options_stand_where_they_belong() -> None:
    made = torrent_metainfo(
        PAYLOAD,
        trackers=[["http://a/announce", "udp://a:1"], ["http://b/announce"]],
        private=True,
        webseeds=["http://w/"],
        comment="c",
        tag="t",
        creation_date=7,
    )
    outer = decode(base64.b64decode(made["metainfo"]))
    assert outer[b"announce-list"] == [[b"http://a/announce", b"udp://a:1"], [b"http://b/announce"]]
    assert (outer[b"url-list"], outer[b"comment"], outer[b"creation date"]) == ([b"http://w/"], b"c", 7)
    assert (outer[b"info"][b"private"], outer[b"info"][b"source"]) == (1, b"t")
    assert made["magnet"] is None
    plain = torrent_metainfo(PAYLOAD)
    assert b"announce" not in decode(base64.b64decode(plain["metainfo"]))


def test_magnets() -> None:
    info_hash = "0123456789abcdef0123456789abcdef01234567"
    assert magnet_link(info_hash) == f"magnet:?xt=urn:btih:{info_hash}"
    assert magnet_link(
        info_hash,
        name="盲 &道",
        size=5,
        trackers=["udp://t:1/announce"],
        webseeds=["http://w/x"],
        peers=["192.0.2.1:8082", "[2001:db8::1]:8082"],
        select="0,2-4",
    ) == (
        f"magnet:?xt=urn:btih:{info_hash}&dn=%E7%9B%B2%20%26%E9%81%93&xl=5&tr=udp%3A%2F%2Ft%3A1%2Fannounce"
        "&ws=http%3A%2F%2Fw%2Fx&x.pe=192.0.2.1:8082&x.pe=[2001:db8::1]:8082&so=0,2-4"
    )


# A foreign torrent as clients really make them: keys out of order, unknown keys, no announce list.
FOREIGN = (
    b"d8:announce16:http://x/announc4:infod4:name1:x6:lengthi5e12:piece lengthi16384e6:pieces20:"
    + bytes(20)
    + b"7:unknown3:abce7:privatei0ee"
)


def test_a_foreign_info_section_is_kept_byte_for_byte() -> None:
    start = FOREIGN.index(b"d4:name")
    info = FOREIGN[start : FOREIGN.index(b"7:privatei0e")]
    told = torrent_info(FOREIGN)
    assert told["info_hash"] == hashlib.sha1(info).hexdigest()
    for keep, tiers in ((True, [["http://x/announc"], ["udp://ours:1"]]), (False, [["udp://ours:1"]])):
        given = [["udp://ours:1", "http://x/announc"] if keep else ["udp://ours:1"]]
        ours, found = retarget(read_torrent(FOREIGN), trackers=given, keep=keep)
        assert info in ours
        assert torrent_info(ours)["info_hash"] == told["info_hash"]
        assert torrent_info(ours)["trackers"] == found == tiers
        assert retarget(read_torrent(ours), trackers=[["udp://ours:1"]], keep=keep) == (ours, tiers)


def test_what_is_published_of_an_odd_file_is_not_odd() -> None:
    outer = {
        "announce": 5,
        "announce-list": ["http://x/announce", [" http://y/announce"]],
        "comment": GBK,
        "created by": ["a"],
        "creation date": "2024",
        "url-list": ["", 5],
        "nodes": 5,
        "unknown": 7,
    }
    info = {"name": "x", "length": 5, "piece length": 16384, "pieces": bytes(20)}
    torrent = read_torrent(encode({**outer, "info": info}) + b"\n")
    assert len(torrent.info["remarks"]) == 9
    ours, tiers = retarget(torrent, trackers=[["udp://ours:1"]])
    told = torrent_info(ours)
    assert (told["remarks"], told["info_hash"]) == ([], torrent.info["info_hash"])
    assert told["trackers"] == tiers == [["http://y/announce"], ["udp://ours:1"]]
    assert decode(ours)[b"unknown"] == 7


def descriptor(**changed: Any) -> dict[str, Any]:
    return {**PAYLOAD, **changed}


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (descriptor(name=".."), "name holds '..'; libtorrent and Transmission 4 write another name, aria2 refuses"),
        (descriptor(name="a/b"), "name holds a slash"),
        (descriptor(name="a\tb"), "name holds a tab, line end or backspace: 'a\\tb'; aria2 refuses the torrent"),
        (descriptor(name="x" * 256), "name has 256 bytes, more than the 255"),
        (descriptor(name=""), "the torrent has no name"),
        (descriptor(piece_length=2**30), "piece length is 1073741824; libtorrent takes none above 512 MiB"),
        (descriptor(pieces=""), "pieces has 0 bytes, but 1 pieces need 20"),
        (descriptor(length=-1, files=[{"path": [], "length": -1}]), "length is not a number from 0"),
        (descriptor(single_file=False, files=[{"path": ["a"] * 101, "length": 5}]), "path of file 0 is 101 levels"),
    ],
)
def test_the_maker_refuses_what_any_client_refuses(payload: Any, fault: str) -> None:
    with pytest.raises(MetainfoError, match=re.escape(fault)):
        torrent_metainfo(payload)


def deep(directories: int) -> Any:
    root = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    # The padding goes into the last piece, too; nobody asks for its right hash here.
    file = {"path": ["d"] * directories + ["f"], "length": 5, "root": root}
    return descriptor(single_file=False, hybrid=True, files=[file])


def test_the_maker_refuses_hybrids_from_the_depth_on_at_which_transmission_4_does() -> None:
    assert torrent_metainfo(deep(26))["info_hash_v2"]
    with pytest.raises(MetainfoError, match="32 lists and dictionaries in each other; Transmission 4 reads 31"):
        torrent_metainfo(deep(27))


NAMES = st.text(max_size=6) | st.sampled_from([".", "..", "a/b", "x" * 256, " ", "\t", "\\", "盲"])


@given(NAMES, st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=3), st.booleans(), st.text(max_size=5))
def test_what_the_maker_makes_is_read_without_a_remark(name: str, paths: Any, private: bool, tag: str) -> None:
    files = [{"path": path, "length": 5} for path in paths] or [{"path": [], "length": 5}]
    payload: Any = descriptor(name=name, files=files, single_file=not paths, length=5 * len(files))
    try:
        made = torrent_metainfo(payload, private=private, tag=tag, trackers=[["http://t/announce"]])
    except (SeedbedError, UnicodeEncodeError):
        return
    raw = base64.b64decode(made["metainfo"])
    told = torrent_info(raw)
    assert told["remarks"] == []
    assert (told["name"], told["info_hash"], told["magnet"]) == (name, made["info_hash"], made["magnet"])
    assert by_libtorrent(raw) == made["info_hash"]


GBK = "盲道".encode("gbk")


def test_names_in_an_older_encoding_are_read_in_utf_8_where_it_stands_beside() -> None:
    file = {"length": 5, "path": [GBK, b"x"], "path.utf-8": ["盲道", "x"]}
    info = {"name": GBK, "piece length": 16384, "pieces": bytes(20), "files": [file]}
    assert torrent_info(encode({"info": info}))["name"] == GBK.decode(errors="replace")
    told = torrent_info(encode({"info": {**info, "name.utf-8": "盲道"}}))
    assert (told["name"], told["files"][0]["path"], told["remarks"]) == ("盲道", ["盲道", "x"], [])
    told = torrent_info(encode({"info": {**info, "name.utf-8": "x", "files": [{**file, "path.utf-8": [".."]}]}}))
    assert told["files"][0]["path"] == ["__"]


def test_a_comment_in_an_older_encoding_is_no_reason_to_refuse() -> None:
    info = {"name": "x", "piece length": 16384, "pieces": b"", "length": 0}
    assert "\ufffd" in torrent_info(encode({"comment": GBK, "info": info}))["comment"]
    assert torrent_info(encode({"comment": GBK, "comment.utf-8": "盲道", "info": info}))["comment"] == "盲道"
    assert torrent_info(encode({"comment": 5, "info": info}))["comment"] == ""


@given(st.data())
def test_damaged_torrents_never_crash_the_reader(data: st.DataObject) -> None:
    raw = bytearray(base64.b64decode(torrent_metainfo(PAYLOAD, trackers=[["http://t/announce"]])["metainfo"]))
    for _change in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        torrent_info(bytes(raw))
    except SeedbedError as error:
        assert str(error)


VALUES = st.recursive(
    st.integers(-5, 2**63) | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_bencode_is_the_inverse_of_bdecode(value: Any) -> None:
    data = base64.b64encode(encode(value)).decode()
    assert render("{{ data | bdecode | bencode }}", data=data) == data


@pytest.mark.parametrize("key", [b"\xff", b"!binary", b"!binary:", b"!binary:/w==", b"!", "盲".encode()])
def test_odd_keys_survive_bdecode(key: bytes) -> None:
    for value in ({key: b"x"}, {key: b"\xff", b"a": 1}, {b"piece layers": {key: bytes(32)}}):
        data = base64.b64encode(encode(value)).decode()
        assert json.loads(json.dumps(bdecode(data))) == bdecode(data), "is not JSON"
        assert bencode(bdecode(data)) == data


KEYS = (b"name", b"piece length", b"pieces", b"length", b"files", b"file tree", b"meta version", b"private", b"source")


@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES), st.dictionaries(st.sampled_from([b"announce", b"url-list"]), VALUES)
)
def test_any_shape_of_a_torrent_ends_in_a_reason(info: Any, outer: Any) -> None:
    info = {b"name": b"x", b"piece length": 16384, **info}
    try:
        torrent_info(encode({**outer, b"info": info}))
    except SeedbedError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        (
            "{{ ((payload | torrent_metainfo(trackers=[['http://t/announce']])).metainfo | torrent_info).name }}",
            "hello.txt",
        ),
        ("{{ ('0' * 40) | magnet_link(name='x') }}", "magnet:?xt=urn:btih:" + "0" * 40 + "&dn=x"),
        (
            "{{ ('0' * 40) | magnet_link(trackers='udp://t:1/announce', peers='192.0.2.1:5') }}",
            "magnet:?xt=urn:btih:" + "0" * 40 + "&tr=udp%3A%2F%2Ft%3A1%2Fannounce&x.pe=192.0.2.1:5",
        ),
        (
            "{{ ('0' * 40) | magnet_link(trackers=[['http://t/a', 'http://u/a'], ['http://v/a']]) }}",
            "magnet:?xt=urn:btih:" + "0" * 40 + "".join(f"&tr=http%3A%2F%2F{host}%2Fa" for host in "tuv"),
        ),
        ("{{ '' | magnet_link(info_hash_v2='0' * 64) }}", "magnet:?xt=urn:btmh:1220" + "0" * 64),
        (
            "{{ ((payload | torrent_metainfo(trackers='http://t/announce')).metainfo | torrent_info).trackers }}",
            [["http://t/announce"]],
        ),
        (
            "{{ ((payload | torrent_metainfo(trackers=['http://t/a', ['http://u/a', 'http://v/a']])).metainfo "
            "| torrent_info).trackers }}",
            [["http://t/a"], ["http://u/a", "http://v/a"]],
        ),
        (
            "{{ ((payload | torrent_metainfo(webseeds='http://w/x')).metainfo | torrent_info).webseeds }}",
            ["http://w/x"],
        ),
        ("{{ ('ff41' * 10) | info_hash_url }}", "%FFA" * 10),
        ("{{ 'http://t:1/x/announce.php?k=1' | scrape_url }}", "http://t:1/x/scrape.php?k=1"),
        ("{{ 'udp://t:1/announce' | scrape_url }}", "udp://t:1/announce"),
        ("{{ '1GiB' | piece_length }}", 2**20),
        ("{{ ([100000] * 50) | piece_length(hybrid=true) }}", 16384),
        (
            "{{ {'b': [1, 'x'], 'a': {'!binary': '/w=='}} | bencode }}",
            base64.b64encode(b"d1:a1:\xff1:bli1e1:xee").decode(),
        ),
        (
            "{{ {'b': [1, 'x'], 'a': {'!binary': '/w=='}} | bencode | bdecode }}",
            {"a": {"!binary": "/w=="}, "b": [1, "x"]},
        ),
    ],
)
def test_filters_through_the_templar(template: str, value: Any) -> None:
    assert render(template, payload=PAYLOAD) == value


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ 5 | torrent_info }}", "torrent_info: expected base64 text, got int"),
        ("{{ 'aTFl' | torrent_info }}", "torrent_info: not a dictionary"),
        ("{{ {} | torrent_metainfo }}", "torrent_metainfo: the payload descriptor lacks 'piece_length'"),
        ("{{ {'name': 5} | torrent_metainfo }}", "torrent_metainfo: the payload descriptor lacks 'piece_length'"),
        (
            "{{ (payload | combine({'files': 5})) | torrent_metainfo }}",
            "torrent_metainfo: the payload descriptor has a",
        ),
        ("{{ (payload | combine({'pieces': '!'})) | torrent_metainfo }}", "torrent_metainfo: "),
        ("{{ payload | torrent_metainfo(trackers=5) }}", "torrent_metainfo: trackers: is 5; a list of tiers"),
        ("{{ payload | torrent_metainfo(trackers=[5]) }}", "torrent_metainfo: trackers: is [5]; a list of tiers"),
        ("{{ payload | torrent_metainfo(trackers='x') }}", "torrent_metainfo: trackers: 'x' is not an http, https or"),
        ("{{ payload | torrent_metainfo(webseeds=[5]) }}", "torrent_metainfo: webseeds is [5]; a list of texts"),
        ("{{ ('0' * 40) | magnet_link(trackers=[[5]]) }}", "magnet_link: trackers: 5 is not a URL"),
        ("{{ ('0' * 40) | magnet_link(peers=5) }}", "magnet_link: peers is 5; a list of texts would be right"),
        ("{{ 'xyz' | magnet_link }}", "magnet_link: expected 40 lower-case hexadecimal digits, got 'xyz'"),
        ("{{ '' | magnet_link }}", "magnet_link: expected 40 lower-case hexadecimal digits, got ''"),
        ("{{ ('0' * 40) | magnet_link(info_hash_v2='0') }}", "magnet_link: expected 64 lower-case hexadecimal digits"),
        ("{{ 'xyz' | info_hash_url }}", "info_hash_url: expected 40 hexadecimal digits, got 'xyz'"),
        ("{{ 'http://t/' | scrape_url }}", "scrape_url: the tracker's path / does not end in /announce"),
        ("{{ '10 bananas' | piece_length }}", "piece_length: '10 bananas' is not a size"),
        ("{{ 1.5 | bencode }}", "bencode: cannot bencode float"),
        ("{{ 'aTE=' | bdecode }}", "bdecode: integer without an end at byte 0"),
        ("{{ 'x' | torrent_info }}", "torrent_info: not base64"),
        ("{{ 'x' | bdecode }}", "bdecode: not base64"),
        ("{{ {'!binary': 'x'} | bencode }}", "bencode: 'x' is marked !binary, but is not base64"),
        ("{{ {'!binary:x': 1} | bencode }}", "bencode: 'x' is marked !binary, but is not base64"),
        ("{{ {'!binary:YQ==': 1, 'a': 2} | bencode }}", "bencode: cannot bencode a dictionary with the key b'a' twice"),
        ("{{ {'!binary': [1]} | bencode }}", "bencode: [1] is marked !binary, but is not base64"),
    ],
)
def test_filters_name_what_is_wrong(template: str, message: str) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        render(template, payload=PAYLOAD)
    texts = []
    error: BaseException | None = caught.value
    while error:
        texts.append(str(error))
        error = error.__cause__
    assert any(message in text for text in texts), texts
