"""Flood's file of accounts: what is read, what counts as ours, what stays, who may read it; and the module on files."""

from __future__ import annotations

import base64
import json
import os
import pwd
import stat
from pathlib import Path
from typing import Any

import flood_user
import pytest
from ansible.module_utils.seedbed.host import flood
from ansible.module_utils.testing import patch_module_args

ACCOUNT = flood.Account("op", "päss:wörd", "http://127.0.0.1:8081/transmission/rpc", "seedbed", "rpc secret")
OTHER = {"username": "tester", "password": "$argon2id$…", "level": 5, "client": {}, "_id": "Xy12"}


def stands(password: str, stored: str) -> bool:
    return stored == f"hash of {password}"


def ours(**more: Any) -> dict[str, Any]:
    record = flood.with_account([], ACCOUNT, "hash of päss:wörd", 1700000000)[0]
    return {**record, **more}


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ("", []),
        ('{"_id":"a","username":"x"}\n', [{"_id": "a", "username": "x"}]),
        # the later line counts
        ('{"_id":"a","level":5}\n{"_id":"b"}\n{"_id":"a","level":10}\n', [{"_id": "a", "level": 10}, {"_id": "b"}]),
        ('{"_id":"a"}\n{"$$deleted":true,"_id":"a"}\n', []),
        ('{"$$indexCreated":{"fieldName":"username","unique":true}}\n{"_id":"a"}\n', [{"_id": "a"}]),
    ],
)
def test_the_file_is_read(text: str, records: list[dict[str, Any]]) -> None:
    assert flood.parse_records(text) == records


@pytest.mark.parametrize("line", ["{", "7", "[]", '{"username":"x"}', '{"$$deleted":true}'])
def test_a_broken_file_is_told_with_its_line(line: str) -> None:
    with pytest.raises(flood.FloodFileError, match=r"^line 2 is no account of Flood's; mend or delete the file$"):
        flood.parse_records('{"_id":"a"}\n' + line + "\n")


@pytest.mark.parametrize(
    ("records", "there"),
    [
        ([], False),
        ([OTHER], False),
        ([OTHER, ours()], True),
        ([ours(timestamp=1)], True),
        ([ours(password="hash of another")], False),
        ([ours(username="renamed")], False),
        ([ours(level=5)], False),
        ([ours(client={**ACCOUNT.connection(), "password": "an older one"})], False),
        # somebody took the name in Flood itself
        ([ours(_id="Zz9")], False),
        ([ours(), ours(_id="Zz9")], False),
    ],
)
def test_ours_is_known(records: list[dict[str, Any]], there: bool) -> None:
    assert flood.is_there(records, ACCOUNT, stands) is there


@pytest.mark.parametrize("records", [[], [OTHER], [OTHER, ours(username="renamed")], [ours(_id="Zz9"), OTHER]])
def test_ours_is_made_and_those_of_others_stay(records: list[dict[str, Any]]) -> None:
    made = flood.parse_records(flood.dump_records(flood.with_account(records, ACCOUNT, "hash of päss:wörd", 7)))
    assert flood.is_there(made, ACCOUNT, stands)
    assert [record for record in made if record["_id"] != flood.OUR_ID] == [one for one in records if one == OTHER]


def test_a_stored_password_of_another_make_is_no_match() -> None:
    random_salt = base64.b64encode(bytes(range(16))).decode().rstrip("=")
    for stored in (
        "",
        "plain",
        "$argon2id$v=19$m=512,t=256,p=1$!$x",
        f"$argon2id$v=19$m=512,t=256,p=1${random_salt}$x",
    ):
        assert not flood.verify("x", stored)


@pytest.fixture
def argon2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that shows what it was told and how: its hash is the password's length."""
    program = tmp_path / "bin" / "argon2"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/told\n'
        'printf \'$argon2id$v=19$m=512,t=256,p=1$%s$%s\\n\' "$(printf %s "$1" | base64 | tr -d =)" "$(wc -c)"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return tmp_path / "told"


def run(path: Path, capsys: pytest.CaptureFixture[str], **more: Any) -> dict[str, Any]:
    told = {
        "path": str(path),
        "owner": pwd.getpwuid(os.getuid()).pw_name,
        "unit": "seedbed-never-there.service",
        **ACCOUNT._asdict(),
        **more,
    }
    with patch_module_args(told), pytest.raises(SystemExit):
        flood_user.main()
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def no_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood_user.Unit, "active", lambda self: False)


@pytest.mark.usefixtures("no_unit")
def test_the_module_writes_once_for_the_owner_alone(
    tmp_path: Path, argon2: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "state" / "db" / "users.db"
    assert run(path, capsys, _ansible_check_mode=True)["changed"] is True
    assert not path.exists()
    assert run(path, capsys)["changed"] is True
    assert run(path, capsys)["changed"] is False
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert ACCOUNT.password not in argon2.read_text(encoding="utf-8")
    assert run(path, capsys, password="longer than before")["changed"] is True
    assert run(path, capsys, rpc_password="another")["changed"] is True
    assert len(flood.parse_records(path.read_text(encoding="utf-8"))) == 1


@pytest.mark.usefixtures("no_unit", "argon2")
def test_the_module_follows_no_link_of_the_owners(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The directory is Flood's: who broke into it must not have root write elsewhere."""
    foreign, path = tmp_path / "foreign", tmp_path / "db" / "users.db"
    foreign.write_text("root's", encoding="utf-8")
    path.parent.mkdir()
    (path.parent / "users.db.seedbed").symlink_to(foreign)
    assert run(path, capsys)["changed"] is True
    assert foreign.read_text(encoding="utf-8") == "root's"
    assert path.is_file()
    assert not path.is_symlink()


def test_the_module_names_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "users.db"
    path.write_text("{\n", encoding="utf-8")
    assert run(path, capsys)["msg"] == f"{path}: line 1 is no account of Flood's; mend or delete the file"


def test_the_module_says_what_is_wrong_with_file_or_owner(
    tmp_path: Path, argon2: Path, no_unit: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "users.db"
    assert run(path, capsys, owner="seedbed-nobody")["msg"] == f"{path}: this host has no user 'seedbed-nobody'"
    path.write_bytes(b"\xff")
    assert run(path, capsys)["msg"] == f"{path}: it is not UTF-8 text; mend or delete the file"
    path.unlink()
    path.mkdir()
    assert "Is a directory" in run(path, capsys)["msg"]
