"""What two clients load, our reader loads as well, under the same info hash, and says in a sentence what is odd."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.torrent.bencode import Encoded, decode, decode_closely, decode_head, encode
from ansible.module_utils.seedbed.torrent.malformed import malformed_torrents
from ansible.module_utils.seedbed.torrent.metainfo_reader import read_torrent, torrent_info
from ansible.module_utils.seedbed.torrent.odd import ODD, odd_sample
from hypothesis import given, settings
from hypothesis import strategies as st
from judges import by_libtorrent, verdicts

A, B = "http://192.0.2.1:8888/announce", "http://192.0.2.2:8888/announce"
INFO: dict[str, Any] = {"length": 20000, "name": "x", "piece length": 16384, "pieces": bytes(range(40))}
ROOT = bytes(range(32))
SMALL = {"x": {"": {"length": 5, "pieces root": ROOT}}}
V1_OF_SMALL: dict[str, Any] = {"length": 5, "pieces": bytes(20)}


def torrent(outer: dict[str, Any] | None = None, **info: Any) -> bytes:
    """A sound torrent with some keys replaced; None takes a key away, _ in a key stands for a space."""
    changed = {**INFO, **{key.replace("_", " "): value for key, value in info.items()}}
    whole = {"announce": A, "info": {key: value for key, value in changed.items() if value is not None}}
    return encode({key: value for key, value in {**whole, **(outer or {})}.items() if value is not None})


def files(*listed: Any, pieces: int = 2, **info: Any) -> bytes:
    """A torrent of several files: paths of files of equal lengths, or whole entries."""
    each = 20000 // len(listed)
    entries = [{"length": each, "path": entry} if isinstance(entry, list) else entry for entry in listed]
    return torrent(**{"length": None, "files": entries, "pieces": bytes(20 * pieces), **info})


SOUND = torrent()


def swap(old: bytes, new: bytes, sound: bytes = SOUND) -> bytes:
    assert old in sound
    return sound.replace(old, new, 1)


def nested(depth: int) -> bytes:
    return swap(b"8:announce", b"4:aaaa" + b"l" * depth + b"e" * depth + b"8:announce")


def hybrid(tree: Any = SMALL, **info: Any) -> bytes:
    return torrent({"piece layers": {}}, **{**V1_OF_SMALL, "file_tree": tree, "meta_version": 2, **info})


DATED = torrent({"creation date": 7})
LINK = {"attr": "l", "path": ["a"], "symlink path": ["b"]}
# Kind of oddity, then the file and the beginning of the remark on it.
ODDITIES: dict[str, tuple[bytes, str]] = {
    "a line end behind": (SOUND + b"\n", "1 byte behind the end"),
    "two bytes behind": (SOUND + b"\r\n", "2 bytes behind the end"),
    "zeros behind": (SOUND + bytes(512), "512 bytes behind the end"),
    "another torrent behind": (SOUND + SOUND, "150 bytes behind the end"),
    "a number with zeros outside": (swap(b"i7e", b"i007e", DATED), "a number with a leading zero at byte 61"),
    "-0 outside": (swap(b"i7e", b"i-0e", DATED), "the number -0 at byte 61"),
    "a plus sign outside": (swap(b"i7e", b"i+7e", DATED), "a number with a plus sign or spaces at byte 61"),
    "a number with zeros inside": (swap(b"i20000e", b"i020000e"), "a number with a leading zero at byte 60, in the"),
    "a plus sign inside": (swap(b"i20000e", b"i+20000e"), "a number with a plus sign or spaces at byte 60, in"),
    "a space inside": (swap(b"i20000e", b"i 20000e"), "a number with a plus sign or spaces at byte 60, in"),
    "a length of text with zeros": (swap(b"4:name", b"004:name"), "the length of a text with a leading zero"),
    "keys of info out of order": (
        swap(b"6:lengthi20000e4:name1:x", b"4:name1:x6:lengthi20000e"),
        f"a key out of order at byte 60, in the info dictionary; Transmission 3.00 and aria2 write it anew: for them "
        f"the info hash is {hashlib.sha1(encode(INFO)).hexdigest()}",
    ),
    "keys outside out of order": (
        b"d4:info" + encode(INFO) + encode({"announce": A})[1:], "a key out of order at byte 106; clients take"),
    "a key twice outside": (swap(b"8:announce", b"3:abci1e3:abci2e8:announce"), "a key that stands there twice at"),
    "a key twice inside": (swap(b"4:name1:x", b"4:name1:x4:name1:y"), "a key that stands there twice at byte 75, in"),
    "info twice": (SOUND[:-1] + b"4:info" + encode({**INFO, "name": "y"}) + b"e", "a key that stands there twice"),
    "32 lists": (nested(31), "32 lists and dictionaries in each other; Transmission 4 reads 31"),
    "60 lists": (nested(59), "60 lists and dictionaries in each other; Transmission 4 reads 31"),
    "99 lists": (nested(98), "99 lists and dictionaries in each other; Transmission 4 reads 31"),
    "announce is a number": (torrent({"announce": 5}), "announce has a number where a URL belongs"),
    "announce is a list": (torrent({"announce": [A]}), "announce has a list where a URL belongs"),
    "announce is empty": (torrent({"announce": ""}), "announce has an empty URL"),
    "announce has spaces": (torrent({"announce": f" {A}\n"}), "announce has a URL with white space around it"),
    "announce is Latin-1": (torrent({"announce": b"http://x/\xe4"}), "announce has a URL that is not UTF-8"),
    "a flat announce list": (torrent({"announce-list": [B, A]}), "announce-list has a text where a tier"),
    "a half flat announce list": (torrent({"announce-list": [[B], A]}), "announce-list has a text where a tier"),
    "an announce list of an empty text": (torrent({"announce-list": [[""]]}), "announce-list has an empty URL"),
    "an empty text for a tier": (torrent({"announce-list": [""]}), "announce-list has a text where a tier"),
    "an announce list of an empty tier": (torrent({"announce-list": [[]]}), "announce-list names no tracker in a tier"),
    "an announce list of dictionaries": (torrent({"announce-list": [{"a": B}]}), "announce-list has a dictionary"),
    "dictionaries in a tier": (torrent({"announce-list": [[{"a": B}]]}), "announce-list has a dictionary where a URL"),
    "numbers in a tier": (torrent({"announce-list": [[B, 5]]}), "announce-list has a number where a URL belongs"),
    "an announce list of numbers": (torrent({"announce-list": [5]}), "announce-list has a number where a tier"),
    "an announce list that is a text": (torrent({"announce-list": B}), "announce-list is a text; clients take"),
    "an announce list that is a dictionary": (torrent({"announce-list": {"a": [B]}}), "announce-list is a dictionary"),
    "a date that is a text": (torrent({"creation date": "2024-01-01"}), "creation date is a text"),
    "a negative date": (torrent({"creation date": -1}), "creation date is -1"),
    "a date that is a list": (torrent({"creation date": [1]}), "creation date is a list"),
    "a comment that is a number": (torrent({"comment": 5}), "comment is a number where a text belongs"),
    "a maker that is a dictionary": (torrent({"created by": {"a": 1}}), "created by is a dictionary where a text"),
    "an encoding that is a number": (torrent({"encoding": 5}), "encoding is a number where a text belongs"),
    "a comment in Latin-1": (torrent({"comment": b"caf\xe9"}), "comment is not UTF-8"),
    "nodes that are a number": (torrent({"nodes": 5}), "nodes is a number where a list belongs"),
    "an empty web seed": (torrent({"url-list": ""}), "url-list has an empty URL"),
    "an empty web seed among others": (torrent({"url-list": [A, ""]}), "url-list has an empty URL"),
    "web seeds that are a number": (torrent({"url-list": 5}), "url-list is a number where a list of URLs belongs"),
    "a number among web seeds": (torrent({"url-list": [5, A]}), "url-list has a number where a URL belongs"),
    "a list among web seeds": (torrent({"url-list": [[A]]}), "url-list has a list where a URL belongs"),
    "private is 2": (torrent(private=2), "private is 2; libtorrent and Transmission take the torrent for a private"),
    "private is -1": (torrent(private=-1), "private is -1"),
    "private is a text": (torrent(private="1"), "private is a text; clients take the torrent for a public one"),
    "private is a list": (torrent(private=[1]), "private is a list"),
    "a source that is a number": (torrent(source=5), "source is a number"),
    "no name": (torrent(name=None), "the torrent has no name"),
    "an empty name": (files(["a"], name=""), "the torrent has no name"),
    "a name that is a number": (files(["a"], name=5), "name is no text"),
    "a name of dots": (files(["a"], name=".."), "name holds '..'"),
    "a name with a slash": (torrent(name="a/b"), "name holds a slash or a null character"),
    "an absolute name": (torrent(name="/etc/passwd"), "name holds a slash or a null character"),
    "a name with a null character": (torrent(name="x\0.txt"), "name holds a slash or a null character"),
    "a name of 300 bytes": (torrent(name="x" * 300), "name has 300 bytes"),
    "a name in Latin-1": (torrent(name=b"\xe4d.bin"), "name is not UTF-8"),
    "half a character": (files(["a"], name=b"\xc3"), "name is not UTF-8"),
    "half a surrogate pair": (torrent(name=b"\xed\xa0\x80x"), "name is not UTF-8"),
    "a line end in a name": (torrent(name="a\nb"), "name holds a tab, line end or backspace"),
    "a name of spaces": (torrent(name=" "), "name is nothing but spaces and dots"),
    "a name.utf-8 that is a number": (torrent(**{"name.utf-8": 5}), "name.utf-8 is of the wrong type"),
    "a piece length of 1 GiB": (torrent(piece_length=2**30, pieces=bytes(20)), "piece length is 1073741824"),
    "length and files": (files(["a"], length=20000), "info has both length and files"),
    "length and files that are no list": (torrent(files=5), "files is no list"),
    "an entry that is no dictionary": (
        files(5, {"length": 20000, "path": ["y"]}), "file 0 is no dictionary"),
    "a path that climbs": (files(["..", "..", "x"]), "path of file 0 holds '..' (and 1 more like it)"),
    "a path with a slash": (files(["/foobar"]), "path of file 0 holds a slash"),
    "a path with empty parts": (files(["a", "", "b"], ["", "c"]), "path of file 0 has an empty part (and 1 more"),
    "a path that is not UTF-8": (files([b"\xc3\x28"], ["b"]), "path of file 0 is not UTF-8"),
    "a path of 300 bytes": (files(["\u00e9" * 150]), "path of file 0 has 300 bytes"),
    "a path with a null character": (files(["a\0b"]), "path of file 0 holds a slash or a null character"),
    "a path of 101 parts": (files(["d"] * 101), "path of file 0 is 101 levels deep"),
    "a path.utf-8 that is a number": (
        files({"length": 20000, "path": ["a"], "path.utf-8": 5}), "path.utf-8 is of the wrong type"),
    "a path twice": (files(["a"], ["a"]), "two files have the path 'a'"),
    "a link without a length": (files(LINK, {"length": 20000, "path": ["b"]}), "file 0 is a symbolic link without"),
    "a negative length": (files({"length": -5, "path": ["a"]}, {"length": 20005, "path": ["b"]}), "length of file 0"),
    "version 2 with another name": (hybrid({"y": SMALL["x"]}), "version 2 of it is broken: the v1 and v2 file lists"),
    "version 2 that is a number": (torrent(file_tree=5, meta_version=2), "version 2 of it is broken: file tree is not"),
    "version 2 without a root": (hybrid({"x": {"": {"length": 5}}}), "version 2 of it is broken: pieces root of x"),
    "version 3": (torrent(meta_version=3), "meta version is 3"),
    "a file tree without a version": (hybrid(meta_version=None), "info has a file tree, but not meta version 2"),
    "version 2 alone": (hybrid(length=None, pieces=None), "the torrent is of version 2 alone"),
}  # fmt: skip
SOUND_FILES = {
    "sound": SOUND,
    "files": files(["a"], ["b", "c"]),
    "private": torrent(private=1),
    "private 0": torrent(private=0),
    "a web seed as a text": torrent({"url-list": A}),
    "announce list": torrent({"announce-list": [[A], [B]]}),
    "name in UTF-8 beside another": torrent(**{"name": b"\xe4", "name.utf-8": "ä"}),
    "a link": files({**LINK, "length": 0}, {"length": 20000, "path": ["b"]}),
    "hybrid": hybrid(),
    "upper limit of libtorrent": torrent(piece_length=2**28, pieces=bytes(20)),
}
EVERY = {
    **{name: data for name, (data, _remark) in ODDITIES.items()},
    **SOUND_FILES,
    **{f"malformed {file.name}": file.data for file in malformed_torrents()},
    **{f"odd {name}": odd_sample(name) for name in ODD},
}


def compare(raw: bytes, directory: Path) -> None:
    """Fail where the reader refuses what two clients load, or finds another info hash than they."""
    judged = verdicts(raw, directory)
    try:
        info_hash = torrent_info(raw)["info_hash"]
    except SeedbedError as error:
        assert len(judged) < 2, f"{sorted(judged)} load it, the reader does not: {error}"
    else:
        assert len(judged) < 2 or info_hash in judged.values()
        # The others may write an odd info dictionary anew.
        assert judged.get("libtorrent", info_hash) == info_hash


@pytest.mark.parametrize("name", EVERY)
def test_the_reader_agrees_with_the_clients(name: str, tmp_path: Path) -> None:
    compare(EVERY[name], tmp_path)


@pytest.mark.parametrize("name", ODDITIES)
def test_oddities_are_remarked_on_in_one_sentence(name: str) -> None:
    raw, beginning = ODDITIES[name]
    remarks = torrent_info(raw)["remarks"]
    assert any(remark.startswith(beginning) for remark in remarks), remarks
    assert all("\n" not in remark and "; " in remark for remark in remarks)


@pytest.mark.parametrize("name", SOUND_FILES)
def test_what_is_sound_has_no_remark(name: str) -> None:
    read = read_torrent(SOUND_FILES[name])
    assert (read.info["remarks"], read.unfit) == ([], [])


@pytest.mark.parametrize(
    ("outer", "tiers"),
    [
        ({"announce-list": [[""]]}, [[A]]),
        ({"announce-list": [[]]}, [[A]]),
        ({"announce-list": [B]}, [[A]]),
        ({"announce-list": [{"a": B}]}, [[A]]),
        ({"announce-list": [[5], [B], [f" {A}\n"]]}, [[B], [A]]),
        ({"announce-list": B, "announce": f" {B}"}, [[B]]),
        ({"announce-list": [[""]], "announce": 5}, []),
        ({"announce": None}, []),
    ],
)
def test_trackers_of_odd_lists_are_those_that_clients_take(outer: dict[str, Any], tiers: list[list[str]]) -> None:
    assert torrent_info(torrent(outer))["trackers"] == tiers


def test_anything_but_0_makes_a_torrent_private_and_what_is_no_number_does_not() -> None:
    for value, private in ((2, True), (-1, True), (0, False), ("1", False), ([1], False)):
        read = torrent_info(torrent(private=value))
        assert (read["private"], read["magnet"] is None) == (private, private)


def test_paths_of_others_cannot_leave_a_directory() -> None:
    raw = files(["..", "..", "etc", "x"], ["/etc/passwd"], ["a\0", "."], ["", "b"], name="../..")
    read = torrent_info(raw)
    assert read["name"] == ".._.."
    assert [file["path"] for file in read["files"]] == [["__", "__", "etc", "x"], ["_etc_passwd"], ["a_", "_"], ["b"]]


def test_a_torrent_without_a_name_goes_by_its_info_hash() -> None:
    read = torrent_info(files(["a"], name=None))
    assert read["name"] == read["info_hash"]


def test_version_2_alone_has_no_made_up_v1_info_hash() -> None:
    file = {"length": 16385, "pieces root": ROOT}
    raw = hybrid({"a": {"": file}, "b": {"": {**file, "length": 5}}}, length=None, pieces=None)
    read = torrent_info(raw)
    section = raw[slice(*decode_head(raw).spans[b"info"])]
    v2 = hashlib.sha256(section).hexdigest()
    assert (by_libtorrent(hybrid(length=None, pieces=None)), read["info_hash"], read["info_hash_v2"]) == ("", "", v2)
    assert read["magnet"] == f"magnet:?xt=urn:btmh:1220{v2}&dn=x&xl=16390&tr=http%3A%2F%2F192.0.2.1%3A8888%2Fannounce"
    assert read["bare_magnet"] == f"magnet:?xt=urn:btmh:1220{v2}"
    assert read["pieces"] == 3  # each file begins a piece of its own


def test_no_sentence_repeats_what_was_seen_a_thousand_times() -> None:
    remarks = torrent_info(files(*([b"\xe4%d" % number] for number in range(1000))))["remarks"]
    assert len(remarks) == 1
    assert "(and 999 more like it)" in remarks[0]


ANY = st.recursive(
    st.sampled_from([0, 1, 2, -1, 5, 2**31, 2**62, 16384, 20000]) | st.binary(max_size=3) | st.sampled_from(
        [b"..", b"a/b", b"\xe4", b"", b"x" * 300, A.encode(), b" ", b"p", b"l", bytes(20), bytes(40)]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([b"a", b"path", b"length"]), inner),
    max_leaves=4,
)  # fmt: skip
OUTER = ("announce", "announce-list", "creation date", "comment", "created by", "encoding", "url-list", "nodes",
         "httpseeds", "piece layers", "publisher")  # fmt: skip
INNER = ("name", "name.utf-8", "length", "files", "pieces", "piece length", "private", "source", "meta version",
         "file tree", "attr", "md5sum")  # fmt: skip
LISTED = ("path", "path.utf-8", "length", "attr", "symlink path", "md5sum")


@given(
    st.dictionaries(st.sampled_from(OUTER), ANY, max_size=2),
    st.dictionaries(st.sampled_from(INNER), ANY, max_size=1),
    st.dictionaries(st.sampled_from(LISTED), ANY, max_size=1),
    st.booleans(),
)
@settings(max_examples=60)
def test_the_reader_agrees_with_the_clients_on_any_value_of_any_key(
    tmp_path_factory: pytest.TempPathFactory, outer: Any, inner: Any, entry: Any, single: bool
) -> None:
    info = {**INFO, **inner} if single else {**INFO, "files": [{"length": 20000, "path": ["a"], **entry}], **inner}
    if not single and "length" not in inner:
        del info["length"]
    compare(encode({"announce": A, **outer, "info": info}), tmp_path_factory.getbasetemp())


@given(st.sampled_from(sorted(ODDITIES)), st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3))
def test_damage_ends_in_a_sentence_or_in_a_torrent(name: str, at: int, new: bytes, length: int) -> None:
    raw = bytearray(ODDITIES[name][0])
    raw[at : at + length] = new
    try:
        read = read_torrent(bytes(raw))
    except SeedbedError as error:
        assert str(error)
    else:
        assert read.info["name"]
        assert all(part not in ("", ".", "..") and "/" not in part for file in read.stream for part in file["path"])


@given(st.dictionaries(st.binary(max_size=5), ANY, max_size=4) | ANY, st.binary(max_size=4))
def test_the_liberal_decoder_takes_all_that_the_strict_one_takes(value: Any, behind: bytes) -> None:
    raw = encode(value)
    reading = decode_closely(raw + behind)
    assert reading.head.value == decode(raw)
    assert (reading.head.end, reading.oddities) == (len(raw), {})
    assert encode(Encoded(raw)) == raw
