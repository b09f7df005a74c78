"""Module owned as Ansible runs it, on files below a directory of its own."""

from __future__ import annotations

import json
from pathlib import Path

import owned
import pytest
from ansible.module_utils.seedbed.base import ownership
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.testing import patch_module_args


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(ownership, "RECORD", str(tmp_path / "lib" / "owned.json"))
    monkeypatch.setattr(ownership, "recognised", Owned)
    commands: list[list[str]] = []
    monkeypatch.setattr(owned, "run", commands.append)

    def module(**arguments: object) -> dict:
        with patch_module_args(arguments), pytest.raises(SystemExit):
            owned.main()
        return {**json.loads(capsys.readouterr().out), "commands": commands}

    return module


def test_what_is_made_is_written_down_and_goes_again(run, tmp_path: Path) -> None:
    made = {
        "role": "opentracker",
        "directories": [f"{tmp_path}/prefix/releases"],
        "trees": [f"{tmp_path}/prefix/releases/1"],
    }
    foreseen = run(**made, _ansible_check_mode=True)
    assert (foreseen["changed"], foreseen["made"], list(tmp_path.iterdir())) == (True, made["directories"], [])
    assert run(**made)["made"] == made["directories"]
    assert not run(**made)["changed"]
    build = tmp_path / "prefix" / "releases" / "1"
    build.mkdir()
    (build / "opentracker").touch()
    foreseen = run(state="absent", role="opentracker", _ansible_check_mode=True)
    assert (foreseen["changed"], (build / "opentracker").exists()) == (True, True)
    assert run(state="absent", role="flood")["changed"] is False
    assert run(state="absent")["removed"] == [str(build), str(build.parent), str(build.parent.parent)]
    assert not run(state="absent")["changed"]
    assert list(tmp_path.iterdir()) == []


def test_content_stays_when_it_is_to_be_kept(run, tmp_path: Path) -> None:
    run(role="leecher", trees=[f"{tmp_path}/downloads"], content=[f"{tmp_path}/downloads"])
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "film").touch()
    kept = run(state="absent", keep_content=True)
    assert (kept["changed"], kept["left"]) == (False, [f"{tmp_path}/downloads"])
    assert run(state="absent")["removed"] == [f"{tmp_path}/downloads"]


def test_a_user_is_made_once_without_home_and_shell(run) -> None:
    words = ["--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    result = run(role="opentracker", users=[{"name": "no-such-user"}, {"name": "root"}])
    assert (result["made"], result["commands"]) == (["user no-such-user"], [["useradd", *words, "no-such-user"]])


def test_a_broken_record_stops_everything(run, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "owned.json").write_text("{", encoding="utf-8")
    for state in ("present", "absent"):
        result = run(state=state, role="x", directories=[f"{tmp_path}/x"])
        assert result["failed"]
        assert "is no record of what Seedbed made" in result["msg"]
    assert not (tmp_path / "x").exists()
