"""Payloads on a host: made, found again, repaired, grown, removed; and what is left when the process is killed."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.base import sizes
from ansible.module_utils.seedbed.base.files import stat_of
from ansible.module_utils.seedbed.catalogue.specs import host_specs, resolve_entries
from ansible.module_utils.seedbed.payload import content, store, virtual
from ansible.module_utils.seedbed.payload.manifest import Manifests
from ansible.module_utils.seedbed.payload.placement import STAGE, PayloadHost
from ansible.module_utils.seedbed.payload.store import Store
from ansible.module_utils.seedbed.torrent import metainfo, metainfo_reader
from ansible.module_utils.seedbed.torrent.client_names import name_on_3, path_on_3
from ansible.module_utils.seedbed.torrent.torrent_files import TorrentFiles


class Lab:
    """One host with its directories."""

    def __init__(self, root: Path, client: tuple[int, ...] = (4, 1)) -> None:
        self.payload, self.state, self.client = root / "payload", root / "state", client
        self.owner: tuple[int, int] | None = None

    def store(self, *entries: dict[str, Any], check: bool = False, prune: bool = True, **files: bytes) -> Store:
        host = PayloadHost(str(self.payload), Manifests(str(self.state / "manifests")), self.client, self.owner)
        found = Store(host, check=check)
        resolved = resolve_entries(entries, seeders=["h"], torrents=TorrentFiles(lambda path: files[path]))
        found.inspect(host_specs(resolved, "h"), prune=prune)
        return found

    def run(self, *entries: dict[str, Any], **more: Any) -> tuple[list[dict[str, Any]], Store]:
        made = self.store(*entries, **more)
        return made.run(), made

    def files(self) -> dict[str, int]:
        paths = (path for path in self.payload.rglob("*") if path.is_file() and not path.is_symlink())
        return {str(path.relative_to(self.payload)): path.stat().st_size for path in paths}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


TREE = {"name": "tree", "synthetic": {"sizes": [0, 1, "20KiB", "100KiB"], "layout": "nested"}}
ONE = {"name": "one", "synthetic": {"size": "300KiB"}}


def info_hash(payload: dict[str, Any]) -> str:
    return str(metainfo.torrent_metainfo(payload)["info_hash"])


def test_a_recipe_is_made_once(lab: Lab) -> None:
    first, made = lab.run(TREE, ONE)
    assert sorted(made.changed) == ["one", "tree"]
    assert made.made == 1 + 20480 + 102400 + 307200
    assert len(lab.files()) == 5
    again, second = lab.run(TREE, ONE)
    assert (second.changed, second.made, second.hashed) == ([], 0, 0)
    assert [payload["pieces"] for payload in again] == [payload["pieces"] for payload in first]
    assert [payload["files"] for payload in again] == [payload["files"] for payload in first]


def test_many_files_are_long_work(lab: Lab) -> None:
    assert lab.store(ONE).cost() < 2**21
    many = {"name": "many", "synthetic": {"files": 20_000, "size": 0}}
    assert lab.store(many).cost() > sizes.GIB
    assert lab.store(many, check=True).cost() == 0


def test_check_mode_knows_the_info_hash_and_writes_nothing(lab: Lab, tmp_path: Path) -> None:
    entries = [TREE, ONE, {**TREE, "name": "hybrid", "version": "hybrid"}]
    foreseen, checked = lab.run(*entries, check=True)
    assert list(tmp_path.iterdir()) == []
    assert sorted(checked.changed) == ["hybrid", "one", "tree"]
    done, _made = lab.run(*entries)
    assert [info_hash(one) for one in foreseen] == [info_hash(one) for one in done]
    after, checked = lab.run(*entries, check=True)
    assert checked.changed == []
    assert [info_hash(one) for one in after] == [info_hash(one) for one in done]


def test_the_controller_computes_what_no_host_holds(lab: Lab) -> None:
    (spec,) = host_specs(resolve_entries([ONE], seeders=["h"]), "h")
    (done,), _made = lab.run(ONE)
    assert info_hash(virtual.virtual_payload(spec)) == info_hash(done)


@pytest.mark.parametrize("damage", ["missing", "short", "touched"])
def test_what_was_damaged_is_made_again_and_only_that(lab: Lab, damage: str) -> None:
    lab.run(TREE, ONE)
    victim = next(path for path in (lab.payload / "tree").rglob("*") if path.is_file() and path.stat().st_size == 20480)
    before = victim.read_bytes()
    if damage == "missing":
        victim.unlink()
    elif damage == "short":
        os.truncate(victim, 5)
    else:
        victim.write_bytes(bytes(20480))
    _payloads, made = lab.run(TREE, ONE)
    assert made.changed == ["tree"]
    assert made.made == 20480
    assert victim.read_bytes() == before


def test_a_recipe_that_grows_keeps_what_it_had(lab: Lab) -> None:
    small = {"name": "x", "synthetic": {"sizes": ["64KiB", "64KiB"]}}
    large = {"name": "x", "synthetic": {"sizes": ["64KiB", "96KiB", 5]}}
    lab.run(small)
    before = {path.name: path.read_bytes() for path in (lab.payload / "x").iterdir()}
    _payloads, made = lab.run(large)
    after = {path.name: path.read_bytes() for path in (lab.payload / "x").iterdir()}
    assert made.made == 96 * 1024 + 5
    assert all(after[name].startswith(data) for name, data in before.items())


def test_a_directory_becomes_a_file_and_back(lab: Lab) -> None:
    for recipe in ({"sizes": [5, 6]}, {"size": 7}, {"sizes": [5, 6]}):
        lab.run({"name": "x", "synthetic": recipe})
        assert sum(lab.files().values()) in (7, 11)
        assert len([name for name in lab.files() if name.startswith("x")]) == len(lab.files())


@pytest.mark.parametrize("left", [b"", b"\0" * 300, b'{"format": 0}'])
def test_what_is_left_of_a_manifest_that_was_cut_off_is_no_reason_to_stop(lab: Lab, left: bytes) -> None:
    (first,), _made = lab.run(ONE)
    (manifest,) = (lab.state / "manifests").iterdir()
    manifest.write_bytes(left)
    (again,), made = lab.run(ONE)
    assert (made.failures, made.changed) == ([], ["one"])
    assert info_hash(again) == info_hash(first)


def test_what_is_absent_or_no_longer_listed_goes(lab: Lab) -> None:
    lab.run(TREE, ONE)
    _payloads, made = lab.run({**TREE, "state": "absent"}, ONE)
    assert made.changed == ["tree"]
    assert list(lab.files()) == ["one"]
    lab.run(prune=False)
    assert list(lab.files()) == ["one"]
    lab.run()
    assert lab.files() == {}
    assert Manifests(str(lab.state / "manifests")).others([]) == []


def test_a_folder_that_is_absent_takes_what_lies_in_it_along(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_text(name)
    lab.run({"collection": f"{folder}/*"})
    kept = {"name": "b", "source": f"{folder}/b"}
    _payloads, made = lab.run({"collection": f"{folder}/*", "state": "absent"}, kept, prune=False)
    assert made.gone == ["a", "c"]
    assert (sorted(made.changed), len(list(folder.iterdir()))) == (["a", "c"], 3)


def test_files_of_others_are_never_touched(lab: Lab) -> None:
    (lab.payload / "one").mkdir(parents=True)
    (lab.payload / "one" / "precious").write_text("mine")
    _payloads, made = lab.run(ONE)
    reason = f"{lab.payload}/one is there already and was not made by this lab; move it away"
    assert made.failures == [{"name": "one", "reason": reason, "unfit": False}]
    lab.run(TREE)
    (lab.payload / "tree" / "notes").write_text("mine")
    lab.run()
    assert lab.files() == {"one/precious": 4, "tree/notes": 4}


def test_another_payload_directory_is_filled_and_the_old_one_emptied(lab: Lab, tmp_path: Path) -> None:
    source = tmp_path / "film.mkv"
    source.write_text("film")
    entries = [TREE, ONE, {"name": "Film", "source": str(source)}, {"name": "gone", "synthetic": {"size": 9}}]
    before, _made = lab.run(*entries)
    old, lab.payload = lab.payload, tmp_path / "elsewhere"
    # What is there under the names of the lab's content is not the lab's.
    lab.payload.mkdir()
    for name in ("one", "gone"):
        (lab.payload / name).write_text("mine")
    payloads, made = lab.run(*entries[:3])
    assert [failure["name"] for failure in made.failures] == ["one"]
    assert [info_hash(one) for one in payloads] == [info_hash(one) for one in before if one["name"] in ("tree", "Film")]
    assert {(lab.payload / name).read_text() for name in ("one", "gone")} == {"mine"}
    assert sorted(path.name for path in old.iterdir()) == [".seedbed", "one"]
    (lab.payload / "one").unlink()
    assert (lab.run(*entries[:3])[1].changed, (old / "one").exists()) == (["one"], False)
    assert lab.run(*entries[:3])[1].changed == []


def test_a_partial_seeder_has_just_its_pieces(lab: Lab) -> None:
    partial = {**ONE, "piece_length": "16KiB", "swarm": {"available": "60%"}}
    (payload,), made = lab.run(partial)
    whole = content.read(content.file_key("one", ()), 0, 307200)
    data = (lab.payload / "one").read_bytes()
    pieces = base64.b64decode(payload["pieces"])
    good = [
        hashlib.sha1(data[at : at + 16384]).digest() == pieces[at // 16384 * 20 :][:20]
        for at in range(0, 307200, 16384)
    ]
    assert len(data) == 307200
    assert sum(good) == 19 * 60 // 100 == 11
    assert made.made < 12 * 16384
    assert payload["files"][0]["sha256"] == hashlib.sha256(whole).hexdigest()
    assert lab.run(partial)[1].changed == []
    assert lab.run(ONE)[1].changed == ["one"]
    assert (lab.payload / "one").read_bytes() == whole


def test_seeders_with_complementary_parts_have_all_of_it_together(lab: Lab) -> None:
    def part(held: str) -> bytes:
        lab.run({**ONE, "piece_length": "16KiB", "swarm": {"available": {"h": held}}})
        return (lab.payload / "one").read_bytes()

    whole = content.read(content.file_key("one", ()), 0, 307200)
    first, second = part("0-60%"), part("40-100%")
    starts = range(0, 307200, 16384)
    good = [[data[at : at + 16384] == whole[at : at + 16384] for at in starts] for data in (first, second)]
    assert [sum(each) for each in good] == [11, 12]
    assert sum(map(all, zip(*good))) == 4
    assert all(map(any, zip(*good)))


def test_what_a_daemon_completes_is_left_to_it(lab: Lab) -> None:
    partial = {"name": "x", "synthetic": {"size": "300KiB", "files": 3}, "piece_length": "16KiB"}
    plain, grows = ({**partial, "swarm": {"available": "60%", "fetch_rest": fetch}} for fetch in (False, True))
    lab.run(plain)
    lab.owner = (os.getuid(), os.getgid())
    first, made = lab.run(grows)
    assert (made.changed, made.made) == (["x"], 11 * 16384)
    victim, *others = sorted((lab.payload / "x").iterdir())
    share = victim.read_bytes()
    for path in (victim, *others):
        with path.open("r+b") as file:
            file.write(b"fetched")
    for check in (True, False):
        again, second = lab.run(grows, check=check)
        assert (second.changed, second.made, second.hashed, again) == ([], 0, 0, [{**first[0], "changed": False}])
    assert victim.read_bytes().startswith(b"fetched")
    # What is gone or cut is made again, and nothing beside it.
    for damage in (victim.unlink, lambda: os.truncate(victim, 5)):
        damage()
        assert lab.run(grows)[1].changed == ["x"]
        assert victim.read_bytes() == share
    assert {path.read_bytes()[:7] for path in others} == {b"fetched"}
    # Another owner has to be able to write; without the switch it is the share again.
    lab.owner = None
    assert lab.run(grows)[1].made == 11 * 16384
    assert lab.run(plain)[1].made == 11 * 16384
    assert [path.stat().st_size for path in others] == [102400, 102400]


def test_what_a_daemon_completes_belongs_to_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _descriptor, user, group: given.append((user, group)))
    lab.owner = (1, 2)
    swarm = {"available": "60%", "fetch_rest": True}
    lab.run(TREE, {**ONE, "swarm": {"available": "60%"}}, {**ONE, "name": "grows", "swarm": swarm})
    assert given == [(1, 2)]


def test_there_has_to_be_room_for_what_a_daemon_fetches(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_free_space", lambda path: (path, 250 * 1024))
    plain, grows = ({**ONE, "swarm": {"available": "60%", "fetch_rest": fetch}} for fetch in (False, True))
    assert lab.run(plain)[1].failures == []
    (failure,) = lab.run(grows)[1].failures
    assert failure["reason"] == f"needs 300 KiB on {lab.payload}, 250 KiB free"


def test_padding_of_hybrids_lies_beside_the_files(lab: Lab) -> None:
    (payload,), _made = lab.run({**TREE, "version": "hybrid", "piece_length": "32KiB"})
    pads = {name: size for name, size in lab.files().items() if "/.pad/" in name}
    info = metainfo_reader.torrent_info(base64.b64decode(metainfo.torrent_metainfo(payload)["metainfo"]))
    assert pads == {"tree/" + "/".join(pad["path"]): pad["length"] for pad in info["pad_files"]}
    assert info["version"] == "hybrid"


def test_transmission_3_finds_its_names_and_refuses_hybrids(tmp_path: Path) -> None:
    lab = Lab(tmp_path, client=(3, 0))
    windows = {"name": "a:b ", "synthetic": {"size": 500, "files": 5, "layout": "windows"}}
    (payload,), made = lab.run(windows, {**TREE, "version": "hybrid"})
    assert sorted(lab.files()) == [
        "a_b/CON_/000000.bin",
        "a_b/a_b/c_000003_.bin",
        "a_b/aux_.txt/nul-000001",
        "a_b/back_slash/000004_",
        "a_b/dot/000002",
    ]
    assert payload["files"][0]["path"] == ["CON", "000000.bin"]
    assert [(failure["name"], failure["unfit"]) for failure in made.failures] == [("tree", True)]
    assert "Transmission 3.00 cannot load hybrid torrents" in made.failures[0]["reason"]


def test_transmission_3_takes_two_torrents_for_one(tmp_path: Path) -> None:
    twins = [{"name": name, "synthetic": {"size": 500}} for name in ("a_b", "a:b")]
    (payload,), made = Lab(tmp_path / "old", client=(3, 0)).run(*twins)
    assert payload["name"] == "a_b"
    assert made.failures[0]["reason"].startswith("Transmission 3.00 takes its name for that of 'a_b'; a seeder")
    assert len(Lab(tmp_path / "new").run(*twins)[0]) == 2


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("plain.bin", "plain.bin"),
        (" both ends. ", "both ends"),
        ('a<b>c:d"e|f?g*h\\i', "a_b_c_d_e_f_g_h_i"),
        ("tab\there", "tab_here"),
        ("con", "con_"),
        ("Nul.txt", "Nul_.txt"),
        ("COM1", "COM1_"),
        ("COM0", "COM0"),
        ("console", "console"),
        ("...", ""),
        ("-dash", "-dash"),
        (".dot", ".dot"),
    ],
)
def test_names_as_transmission_3_takes_them(name: str, seen: str) -> None:
    assert name_on_3(name) == seen
    assert path_on_3(("a", name)) == (("a", seen) if seen else ("a",))


# Content that lies there already


def test_a_source_is_hashed_once_and_again_when_it_changed(lab: Lab, tmp_path: Path) -> None:
    source = tmp_path / "media"
    (source / "sub").mkdir(parents=True)
    for name in ("b", "a.bin", "a-b", "sub/.hidden", "sub/empty"):
        (source / name).write_text("" if name.endswith("empty") else name)
    old = time.time() - 3600
    for path in [source, *source.rglob("*")]:
        os.utime(path, (old, old))
    # ctime cannot be set back: the racy rule looks at it, so the first look is remembered as racy.
    item = {"name": "media", "source": str(source)}
    (first,), made = lab.run(item)
    assert ["/".join(file["path"]) for file in first["files"]] == ["a-b", "a.bin", "b", "sub/.hidden", "sub/empty"]
    assert made.changed == []
    assert first["download_dir"] == str(tmp_path)
    (again,), made = lab.run(item)
    assert made.hashed > 0  # racy: looked at again
    (source / "b").write_text("c")
    (changed,), made = lab.run(item)
    assert info_hash(changed) != info_hash(again)


def test_a_settled_source_is_not_read_again(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "film"
    path.write_bytes(bytes(50_000))
    monkeypatch.setattr("ansible.module_utils.seedbed.base.files.RACY_NS", -(10**18))
    lab.run({"name": "film", "source": str(path)})
    assert lab.run({"name": "film", "source": str(path)})[1].hashed == 0
    os.truncate(path, 40_000)
    assert lab.run({"name": "film", "source": str(path)})[1].hashed > 0


def test_a_source_under_another_name_gets_a_link(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    path.write_text("content")
    (payload,), made = lab.run({"name": "Film", "source": str(path)})
    link = Path(payload["download_dir"]) / "Film"
    assert made.changed == ["Film"]
    assert link.read_text() == "content"
    assert lab.run({"name": "Film", "source": str(path)})[1].changed == []
    lab.run()
    assert not link.is_symlink()
    assert path.read_text() == "content"


def test_a_hybrid_of_a_source_has_its_padding_elsewhere(lab: Lab, tmp_path: Path) -> None:
    source = tmp_path / "media"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "x").write_text("x")
    (source / "y").write_text("yy")
    (payload,), _made = lab.run({"name": "media", "source": str(source), "version": "hybrid"})
    seen = Path(payload["download_dir"]) / "media"
    assert sorted(path.name for path in seen.iterdir()) == [".pad", "sub", "y"]
    assert (seen / "sub" / "x").read_text() == "x"
    assert (seen / ".pad" / "16382").stat().st_size == 16382
    assert sorted(path.name for path in source.iterdir()) == ["sub", "y"]


def test_a_source_that_is_missing_is_named_and_others_are_done(lab: Lab) -> None:
    payloads, made = lab.run({"name": "gone", "source": "/nonexistent/film"}, ONE)
    assert [payload["name"] for payload in payloads] == ["one"]
    assert made.failures == [{"name": "gone", "reason": "/nonexistent/film does not exist", "unfit": False}]


def test_a_source_of_too_many_pieces_is_refused(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "film").touch()
    os.truncate(tmp_path / "film", 2**34 + 1)  # a hole
    _payloads, made = lab.run({"name": "film", "source": str(tmp_path / "film"), "piece_length": "16KiB"})
    assert made.failures[0]["reason"] == "piece_length 16 KiB makes 1048577 pieces; at most 1048576 would be right"


def test_odd_sources_are_refused(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "bad").mkdir()
    os.close(os.open(os.fsencode(tmp_path / "bad") + b"/\xff", os.O_CREAT))
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "on").symlink_to(tmp_path / "bad")
    names = ("empty", "pipe", "bad", "linked")
    _payloads, made = lab.run(*({"name": name, "source": str(tmp_path / name)} for name in names))
    assert [failure["reason"].replace(str(tmp_path), "") for failure in made.failures] == [
        "/empty holds no files",
        "/pipe is neither a file nor a directory",
        "b'/bad/\\xff' has a name that is not UTF-8",
        "/linked/on is a link to a directory; links are followed to files alone",
    ]


def test_sources_that_some_client_refuses_fail_with_their_reason(lab: Lab, tmp_path: Path) -> None:
    for path in (
        "tab/a\tb",
        "blank/ ",
        "deep/" + "d/" * 27 + "f",
        "fine/" + "d/" * 26 + "f",
        "deeper/" + "d/" * 100 + "f",
    ):
        where = tmp_path / path
        where.parent.mkdir(parents=True)
        where.write_text("x")
    entries: list[Any] = [{"name": name, "source": str(tmp_path / name)} for name in ("tab", "blank", "deeper")]
    entries += [{"name": name, "source": str(tmp_path / name), "version": "hybrid"} for name in ("deep", "fine")]
    _payloads, made = lab.run(*entries)
    said = {failure["name"]: failure["reason"] for failure in made.failures}
    assert said["tab"] == "'a\\tb' holds a tab, line end or backspace, for which aria2 refuses the torrent"
    assert said["blank"] == "' ' is nothing but spaces and dots, for which Transmission 3.00 refuses the torrent"
    assert said["deep"].endswith(
        "lies 27 directories deep, and Transmission 4 refuses hybrids of more than 26; "
        "fewer directories or version v1 would be right"
    )
    assert said["deeper"].endswith("has 101 parts, and libtorrent refuses torrents with more than 100")
    assert "fine" not in said


def test_a_collection_follows_its_folder(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "a.mkv").write_text("a")
    (folder / "b.mkv").write_text("b")
    (folder / "c.txt").write_text("c")
    item = {"collection": f"{folder}/*.mkv"}
    payloads, _made = lab.run(item)
    assert [(one["name"], one["collection"]) for one in payloads] == [
        ("a.mkv", item["collection"]),
        ("b.mkv", item["collection"]),
    ]
    (folder / "a.mkv").unlink()
    (folder / "d.mkv").write_text("d")
    payloads, _made = lab.run(item)
    assert [one["name"] for one in payloads] == ["b.mkv", "d.mkv"]
    _payloads, made = lab.run(item, {"name": "d.mkv", "synthetic": {"size": 1}})
    assert made.failures[0]["reason"] == f"{folder}/d.mkv: name 'd.mkv' is taken by another entry"
    _payloads, made = lab.run({"collection": "/nonexistent/*/x"})
    assert made.failures == [{"name": "/nonexistent/*/x", "reason": "/nonexistent does not exist", "unfit": False}]


def foreign(payload: dict[str, Any]) -> bytes:
    return base64.b64decode(metainfo.torrent_metainfo(payload, trackers=[["http://theirs/announce"]])["metainfo"])


def test_a_foreign_torrent_is_compared_with_its_content(lab: Lab, tmp_path: Path) -> None:
    (payload,), _made = Lab(tmp_path / "other").run({**TREE, "piece_length": "16KiB"})
    raw, source = foreign(payload), tmp_path / "other" / "payload" / "tree"
    item = {"torrent": "x", "source": str(source)}
    (found,), made = lab.run(item, x=raw)
    assert (found["pieces"], made.failures) == (payload["pieces"], [])
    victim = max(source.rglob("*.bin"), key=lambda path: path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:-1] + b"\0")
    payloads, made = lab.run(item, x=raw)
    assert payloads == []
    assert made.failures[0]["reason"].startswith(f"{source} does not match the torrent: 7 of 8 pieces agree (87 %)")
    victim.unlink()
    _payloads, made = lab.run(item, x=raw)
    assert "1 of 4 files are missing or too short" in made.failures[0]["reason"]


def test_a_foreign_hybrid_gets_its_padding(lab: Lab, tmp_path: Path) -> None:
    (payload,), _made = Lab(tmp_path / "other").run({**TREE, "piece_length": "16KiB", "version": "hybrid"})
    source = tmp_path / "other" / "payload" / "tree"
    for pad in (source / ".pad").iterdir():
        pad.unlink()
    (source / ".pad").rmdir()
    (found,), made = lab.run({"torrent": "x", "source": str(source)}, x=foreign(payload))
    assert made.failures == []
    assert sorted(path.name for path in (Path(found["download_dir"]) / "tree").iterdir())[0] == ".pad"


# Trouble


def test_without_space_nothing_is_begun(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_free_space", lambda path: ("/srv", 1024))
    payloads, made = lab.run(ONE)
    assert payloads == []
    assert made.failures[0]["reason"] == "needs 300 KiB on /srv, 1 KiB free"
    assert not lab.payload.exists()


def test_space_that_the_run_frees_counts(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.run({"name": "old", "synthetic": {"size": "300KiB"}})
    monkeypatch.setattr(store, "_free_space", lambda path: ("/srv", 0))
    assert lab.run(ONE, prune=False)[1].failures
    _payloads, made = lab.run(ONE)
    assert (made.failures, list(lab.files())) == ([], ["one"])
    # What a killed run has begun goes, too: on a tight disk the next one would otherwise never find room.
    (lab.payload / "one").rename(lab.payload / STAGE / "making" / "begun")
    _payloads, made = lab.run(ONE)
    assert (made.failures, list(lab.files())) == ([], ["one"])


def test_what_could_not_be_finished_takes_no_space(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwritev", full)
    assert lab.run(ONE)[1].failures[0]["reason"] == "[Errno 28] No space left on device"
    assert lab.files() == {}


def test_an_entry_whose_file_vanishes_fails_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "stat_of", lambda path: None if path.endswith("/one") else stat_of(path))
    payloads, made = lab.run(TREE, ONE)
    assert [payload["name"] for payload in payloads] == ["tree"]
    assert [failure["reason"] for failure in made.failures] == ["one vanished while it was made"]
    monkeypatch.undo()
    assert lab.run(TREE, ONE)[1].changed == ["one"]


def test_killed_at_any_moment_the_next_run_finishes(lab: Lab, tmp_path: Path) -> None:
    entries = [
        {"name": "big", "synthetic": {"size": "48MiB"}},
        {"name": "many", "synthetic": {"files": 300, "sizes": {"min": 0, "max": "64KiB"}}},
    ]
    wanted, _made = Lab(tmp_path / "undisturbed").run(*entries)
    chance = random.Random(1)
    for _attempt in range(6):
        pid = os.fork()
        if not pid:
            os.setsid()
            lab.run(*entries)
            os._exit(0)
        # Not a wait for something: the moment of the kill is what is tested.
        time.sleep(chance.uniform(0.01, 0.12))
        os.killpg(pid, signal.SIGKILL) if os.getpgid(pid) == pid else os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    found, _made = lab.run(*entries)
    assert [info_hash(one) for one in found] == [info_hash(one) for one in wanted]
    sums = {"/".join(file["path"]) or one["name"]: file["sha256"] for one in wanted for file in one["files"]}
    for path, checksum in sums.items():
        where = lab.payload / path if path == "big" else lab.payload / "many" / path
        assert hashlib.sha256(where.read_bytes()).hexdigest() == checksum
    assert list((lab.payload / STAGE / "making").iterdir()) == []
