"""What tests have left goes: services forget, and directories of the lab's own are empty."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.host import fresh_start as module
from ansible.module_utils.seedbed.host.fresh_start import FreshStart, fresh_start
from ansible.module_utils.testing import patch_module_args


@pytest.fixture
def deeds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What was done to the units, in order; those whose names begin with "down" do not run."""
    done: list[str] = []

    class FakeUnit:
        def __init__(self, name: str) -> None:
            self.name = name

        def active(self) -> bool:
            return not self.name.startswith("down")

        def stop(self) -> None:
            done.append(f"stop {self.name}, with {len(list((tmp_path / 'ours').iterdir()))} files")

        def start(self) -> None:
            done.append(f"start {self.name}, with {len(list((tmp_path / 'ours').iterdir()))} files")

    monkeypatch.setattr(module, "Unit", FakeUnit)
    monkeypatch.setattr(module, "known", lambda: Owned({"leecher": {"trees": [str(tmp_path / "ours")]}}))
    for name in ("ours/one/deep", "theirs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "ours" / "two").write_text("x")
    (tmp_path / "theirs" / "kept").write_text("x")
    (tmp_path / "ours" / "link").symlink_to(tmp_path / "theirs")
    return done


def run(tmp_path: Path, *, check: bool = False) -> FreshStart:
    directories = [str(tmp_path / name) for name in ("ours", "theirs", "nowhere")]
    return fresh_start(["up.service", "down.service"], directories, check=check)


def test_only_what_is_ours_is_emptied_while_the_services_are_down(deeds: list[str], tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.restarted == ["up.service"]
    assert [Path(path).name for path in done.emptied] == ["link", "one", "two"]
    assert done.left == [str(tmp_path / "theirs")]
    assert deeds == ["stop up.service, with 3 files", "start up.service, with 0 files"]
    assert (tmp_path / "theirs" / "kept").read_text() == "x"
    assert run(tmp_path).emptied == []


def test_check_mode_tells_the_same_and_does_nothing(deeds: list[str], tmp_path: Path) -> None:
    foreseen = run(tmp_path, check=True)
    assert deeds == []
    assert run(tmp_path) == foreseen


def test_the_module_says_what_it_did(deeds: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = {"units": ["up.service"], "directories": [str(tmp_path / "ours"), str(tmp_path / "theirs")]}
    for changed in (True, True):  # a service is restarted each time
        with patch_module_args(arguments), pytest.raises(SystemExit):
            importlib.import_module("fresh_start").main()
        result = json.loads(capsys.readouterr().out)
        assert (result["changed"], result["left"]) == (changed, [str(tmp_path / "theirs")])


def test_a_host_without_anything_of_it_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "known", Owned)
    assert fresh_start([], ["/nonexistent"]) == FreshStart([], [], [])
