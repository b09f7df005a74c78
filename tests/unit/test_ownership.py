"""What is ours: what was not there before, and nothing that comes to lie beside it."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from ansible.module_utils.seedbed.base import earlier_versions, ownership
from ansible.module_utils.seedbed.base.earlier_versions import Mark, recognised
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.owned_record import KINDS, NOTED, BrokenRecord, Owned, parse, render
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.text(min_size=1, max_size=8)
ROLES = st.dictionaries(
    NAMES,
    st.fixed_dictionaries(
        {},
        optional={
            kind: st.dictionaries(NAMES, NAMES) if kind in NOTED else st.lists(NAMES, unique=True) for kind in KINDS
        },
    ),
)


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict]:
    """Put the record below tmp_path, on a host without an earlier version; returns what stands in it."""
    path = tmp_path / "lib" / "owned.json"
    monkeypatch.setattr(ownership, "RECORD", str(path))
    monkeypatch.setattr(ownership, "recognised", Owned)
    return lambda: json.loads(path.read_text(encoding="utf-8"))["made_for"] if path.exists() else {}


# --- the record


@given(ROLES)
def test_a_record_is_read_as_it_was_written(roles: dict) -> None:
    owned = Owned(roles)
    assert parse(render(owned)) == owned
    assert render(parse(render(owned))) == render(owned)


@given(ROLES, ROLES)
def test_nothing_that_is_written_down_is_lost_by_writing_more(first: dict, second: dict) -> None:
    owned = Owned(first)
    for role, things in second.items():
        owned.add(role, things)
    for role, things in first.items():
        for kind, names in things.items():
            found = owned.of(role, kind)
            assert set(names) <= set(found)
            if kind in NOTED:  # what was first is what was there before us
                assert {name: found[name] for name in names} == names


@given(ROLES)
def test_a_record_without_anything_has_no_role(roles: dict) -> None:
    owned = Owned(roles)
    for role in owned.roles:
        for kind in KINDS:
            owned.forget(role, kind, owned.of(role, kind))
    assert owned.roles == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"made_for": {}}',
        b'{"format": 2, "made_for": {}}',
        b'{"format": 1, "made_for": []}',
        b'{"format": 1, "made_for": {"portal": []}}',
        b'{"format": 1, "made_for": {"portal": {"files": "/etc"}}}',
        b'{"format": 1, "made_for": {"portal": {"files": [1]}}}',
        b'{"format": 1, "made_for": {"portal": {"houses": []}}}',
        b'{"format": 1, "made_for": {"portal": {"kept": ["/etc/x"]}}}',
    ],
)
def test_a_broken_record_is_told_and_nothing_else_is_taken_for_one(content: bytes) -> None:
    with pytest.raises(BrokenRecord, match=r"is no record of what Seedbed made: .+ Put back a copy"):
        parse(content, "/x/owned.json")


def test_what_lies_in_a_tree_is_ours_and_what_lies_in_a_directory_is_not() -> None:
    owned = Owned({"portal": {"trees": ["/a/tree"], "directories": ["/a/shelf"]}})
    covered = ["/a/tree", "/a/tree/x", "/a/shelf"]
    assert [path for path in [*covered, "/a", "/a/trees", "/a/shelf/x"] if owned.covers(path)] == covered


# --- claiming


def test_what_is_not_there_is_written_down_with_the_directories_above_it(record: Callable, tmp_path: Path) -> None:
    ownership.claim(
        "portal", {"files": [f"{tmp_path}/a/b/file"], "directories": [f"{tmp_path}/a/c"], "users": ["no-such"]}
    )
    assert record() == {
        "portal": {
            "files": [f"{tmp_path}/a/b/file"],
            "directories": [f"{tmp_path}/a", f"{tmp_path}/a/b", f"{tmp_path}/a/c"],
            "users": ["no-such"],
        }
    }


def test_what_is_there_never_becomes_ours(record: Callable, tmp_path: Path) -> None:
    somebody = pwd.getpwuid(os.getuid()).pw_name
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "tree").mkdir()
    (tmp_path / "site" / "page").write_text("theirs", encoding="utf-8")
    for _ in range(2):
        ownership.claim(
            "portal",
            {
                "files": [f"{tmp_path}/site/page"],
                "trees": [f"{tmp_path}/site/tree"],
                "directories": [f"{tmp_path}/site"],
                "users": [somebody],
            },
        )
    found = record()["portal"]
    (copy,) = found["kept"].values()
    assert found == {"kept": {f"{tmp_path}/site/page": copy}, "used": [f"{tmp_path}/site", f"{tmp_path}/site/tree"]}
    assert Path(copy).read_text(encoding="utf-8") == "theirs"
    assert len(list((tmp_path / "site").glob("page.before-seedbed-*"))) == 1


def test_a_copy_has_the_mode_and_times_of_what_was_there(record: Callable, tmp_path: Path) -> None:
    file, link = tmp_path / "secret", tmp_path / "link"
    file.write_bytes(b"x")
    file.chmod(0o640)
    os.utime(file, ns=(1, 1))
    link.symlink_to("elsewhere")
    ownership.claim("portal", {"files": [str(file), str(link)]})
    kept = record()["portal"]["kept"]
    found = Path(kept[str(file)]).stat()
    assert (found.st_mode & 0o7777, found.st_mtime_ns) == (0o640, 1)
    assert Path(kept[str(link)]).readlink() == Path("elsewhere")


def test_a_copy_is_made_before_it_is_written_down_and_no_part_of_one_stays(
    record: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: IO[bytes], target: IO[bytes]) -> None:
        target.write(source.read()[:3])
        raise OSError(28, "No space left on device")

    (tmp_path / "page").write_bytes(b"theirs")
    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(SeedbedError, match="No space left"):
        ownership.claim("portal", {"files": [f"{tmp_path}/page"]})
    assert record() == {}
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["page"]


def test_nothing_is_written_down_without_a_role_or_a_thing(record: Callable, tmp_path: Path) -> None:
    ownership.claim("", {"files": [f"{tmp_path}/x"]})
    ownership.claim("portal", {"files": [], "users": []})
    assert record() == {}
    assert not (tmp_path / "lib").exists()


def test_a_unit_that_was_there_is_written_down_as_it_was(
    record: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ownership, "UNIT_PATHS", (str(tmp_path),))
    monkeypatch.setattr(ownership, "state_of", lambda unit: f"active enabled {unit.name}")
    (tmp_path / "theirs.service").touch()
    for _ in range(2):
        ownership.claim("portal", {"units": ["theirs.service", "ours.service"]})
        (tmp_path / "ours.service").touch()
    assert record() == {
        "portal": {"states": {"theirs.service": "active enabled theirs.service"}, "units": ["ours.service"]}
    }


def test_a_record_that_is_empty_leaves_no_directory(record: Callable, tmp_path: Path) -> None:
    ownership.claim("portal", {"files": [f"{tmp_path}/x"]})
    with ownership.opened() as owned:
        owned.forget("portal", "files", [f"{tmp_path}/x"])
    assert not (tmp_path / "lib").exists()


# --- what others have


def test_what_others_have_is_told(record: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "UNIT_PATHS", (str(tmp_path),))
    (tmp_path / "theirs.service").touch()
    for name in ("full/a", "full/b", "empty", "disk/lost+found"):
        (tmp_path / name).mkdir(parents=True)
    somebody = pwd.getpwuid(os.getuid())
    claims = [
        {"kind": "unit", "name": "theirs.service"},
        {"kind": "unit", "name": "no-such.service"},
        {"kind": "user", "name": somebody.pw_name, "variable": "opentracker_user"},
        {"kind": "user", "name": "no-such-user"},
        *({"kind": "directory", "name": f"{tmp_path}/{name}"} for name in ("full", "empty", "disk", "none")),
        {"kind": "directory", "name": f"{tmp_path}/theirs.service"},
    ]
    assert [(each["name"], each["what"]) for each in ownership.foreign(Owned(), claims)] == [
        ("theirs.service", f"{tmp_path}/theirs.service"),
        (somebody.pw_name, f"number {somebody.pw_uid}, at home in {somebody.pw_dir}"),
        (f"{tmp_path}/full", "a and 1 more"),
        (f"{tmp_path}/theirs.service", "a file"),
    ]
    ours = Owned(
        {
            "x": {
                "units": ["theirs.service"],
                "users": [somebody.pw_name],
                "trees": [f"{tmp_path}/full"],
                "files": [f"{tmp_path}/theirs.service"],
            }
        }
    )
    assert ownership.foreign(ours, claims) == []


def test_a_directory_with_our_things_alone_is_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / "torrents").mkdir()
    claim = {"kind": "directory", "name": str(tmp_path)}
    assert ownership.foreign(Owned({"x": {"directories": [f"{tmp_path}/torrents"]}}), [claim]) == []
    (tmp_path / "photos").mkdir()
    (found,) = ownership.foreign(Owned({"x": {"directories": [f"{tmp_path}/torrents"]}}), [claim])
    assert found["what"] == "photos"


# --- earlier versions


def test_only_what_carries_our_mark_is_recognised(tmp_path: Path) -> None:
    unit = tmp_path / "unit"
    mark = Mark(
        "portal",
        str(unit),
        [b"Ansible managed", b"Description=Portal"],
        {
            "units": ["seedbed-portal.service"],
            "files": [str(unit), f"{tmp_path}/*.html", f"{tmp_path}/none"],
            "directories": [f"{tmp_path}/none"],
        },
    )
    (tmp_path / "a.html").touch()
    assert recognised([mark]).roles == []
    unit.write_text("# Ansible managed\nDescription=Somebody's portal\n", encoding="utf-8")
    assert recognised([mark]).roles == []
    unit.write_text("# Ansible managed\nDescription=Portal of the lab\n", encoding="utf-8")
    assert recognised([mark]).plain() == {
        "portal": {"units": ["seedbed-portal.service"], "files": [f"{tmp_path}/a.html", str(unit)]}
    }


def test_a_user_of_our_name_with_a_home_is_somebody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def user(uid: int, home: str, shell: str) -> Callable[[str], pwd.struct_passwd]:
        return lambda name: pwd.struct_passwd((name, "x", uid, uid, "", home, shell))

    mark = Mark("opentracker", str(tmp_path / "unit"), [b""], {}, ["opentracker"])
    ours = (999, "/nonexistent", "/usr/sbin/nologin")
    for found in (ours, (1000, *ours[1:]), (999, "/home/tracker", ours[2]), (*ours[:2], "/bin/bash")):
        monkeypatch.setattr(earlier_versions.pwd, "getpwnam", user(*found))
        assert recognised([mark]).of("opentracker", "users") == ({"opentracker": ""} if found == ours else {})


def test_the_first_record_of_a_host_begins_with_what_an_earlier_version_left(
    record: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "recognised", lambda: Owned({"flood": {"units": ["seedbed-flood.service"]}}))
    ownership.claim("portal", {"files": [f"{tmp_path}/x"]})
    assert record() == {"flood": {"units": ["seedbed-flood.service"]}, "portal": {"files": [f"{tmp_path}/x"]}}
