"""The operating system's side: files written whole, commands in their own words, units where there are none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible.module_utils.seedbed.base.commands import CommandError, run
from ansible.module_utils.seedbed.base.files import read_file, remove_files, write_atomically
from ansible.module_utils.seedbed.base.systemd import Unit


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_with_its_mode(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file"
    write_atomically(str(path), b"old")
    write_atomically(str(path), b"new", mode=0o600, durable=durable)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [child.name for child in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(str(path), b"new", durable=True)
    assert path.read_bytes() == b"old"
    assert [child.name for child in tmp_path.iterdir()] == ["file"]


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_atomically(str(path), b"here")
    assert read_file(str(path)) == b"here"


def test_a_file_that_is_not_there_has_no_content(tmp_path: Path) -> None:
    assert read_file(str(tmp_path / "nothing")) is None
    assert read_file(str(tmp_path / "nothing" / "below")) is None


def test_removing_returns_whether_there_was_anything(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("one", "two")]
    write_atomically(paths[0], b"x")
    assert remove_files(paths) is True
    assert remove_files(paths) is False


def test_a_command_that_fails_is_named_with_its_own_words() -> None:
    with pytest.raises(CommandError, match=r"sh -c echo no room >&2; exit 3 failed \(3\): no room"):
        run(["sh", "-c", "echo no room >&2; exit 3"])


def test_a_unit_that_is_not_there_is_not_active() -> None:
    unit = Unit("seedbed-never-there.service")
    assert unit.active() is False
    assert unit.user() is None
