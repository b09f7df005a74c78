"""The operating system's side: files written whole, commands in their own words, units where there are none."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from ansible.module_utils.seedbed.base import files
from ansible.module_utils.seedbed.base.commands import CommandError, run
from ansible.module_utils.seedbed.base.errors import OperatingSystemError, os_errors_reported
from ansible.module_utils.seedbed.base.files import link_atomically, read_file, remove_files, write_atomically
from ansible.module_utils.seedbed.base.systemd import Unit, notify
from ansible.module_utils.seedbed.base.users import UserError, give_directory, user_ids


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


def test_two_writers_into_one_directory_do_not_remove_each_others_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second comes by while the first has begun: what is locked is no leftover."""
    replace = os.replace

    def replace_after_another_write(part: str, path: str) -> None:
        monkeypatch.setattr(os, "replace", replace)
        files._tidied.clear()  # as in another process
        write_atomically(str(tmp_path / "second"), b"second")
        replace(part, path)

    monkeypatch.setattr(os, "replace", replace_after_another_write)
    write_atomically(str(tmp_path / "first"), b"first")
    assert sorted(child.name for child in tmp_path.iterdir()) == ["first", "second"]


@pytest.mark.parametrize("name", ["link", "x" * 255])
def test_a_link_is_replaced_in_one_step(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for target in ("/nonexistent/old", "/nonexistent/new"):
        link_atomically(str(path), target)
        assert str(path.readlink()) == target
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_that_a_kill_left_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = os.fork()
    if not child:
        os.replace = lambda *_: os.kill(os.getpid(), 9)  # type: ignore[assignment,return-value]
        link_atomically(str(tmp_path / "link"), "/nonexistent")
        os._exit(1)
    os.waitpid(child, 0)
    assert len(list(tmp_path.iterdir())) == 1
    link_atomically(str(tmp_path / "link"), "/nonexistent")
    assert [child.name for child in tmp_path.iterdir()] == ["link"]


def test_what_the_system_refuses_is_a_sentence() -> None:
    @os_errors_reported()
    def refused() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OperatingSystemError, match=r"^\[Errno 28\] No space left on device$"):
        refused()


def test_a_directory_is_given_away_and_never_what_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").symlink_to(tmp_path / "theirs")
    give_directory(str(tmp_path / "theirs"), (os.getuid(), os.getgid()))
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        give_directory(str(tmp_path / "ours"), (os.getuid(), os.getgid()))


def test_a_user_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"^this host has no user 'seedbed-nobody'$"):
        user_ids("seedbed-nobody")


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


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(CommandError, match=r"^/nonexistent/nft list failed \(127\): No such file or directory$"):
        run(["/nonexistent/nft", "list"])


def test_a_unit_that_is_not_there_is_not_active() -> None:
    unit = Unit("seedbed-never-there.service")
    assert unit.active() is False
    assert unit.user() is None


@pytest.mark.parametrize("abstract", [False, True])
def test_a_service_tells_systemd_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    path = f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + path[1:] if abstract else path)
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + path[1:] if abstract else path)
        notify("READY=1")
        assert manager.recv(100) == b"READY=1"
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")  # nobody has asked
