"""Publishing a set of files: all of it, nothing twice, nothing of others."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torrent_file
from ansible.module_utils.seedbed.base import files, ownership
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.host.published_files import PublishError, publish_files
from ansible.module_utils.testing import patch_module_args


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


FILES = {"catalogue.json": text(b"{}"), "torrents/盲.torrent": text(b"\xff\0")}


def test_a_set_is_written_once_and_stale_ones_go(tmp_path: Path) -> None:
    owned = ["torrents/*.torrent", "payload"]
    assert publish_files(str(tmp_path), FILES, owned=owned) == (["torrents/盲.torrent", "catalogue.json"], [])
    assert (tmp_path / "torrents" / "盲.torrent").read_bytes() == b"\xff\0"
    assert (tmp_path / "catalogue.json").stat().st_mode & 0o777 == 0o644
    assert publish_files(str(tmp_path), FILES, owned=owned) == ([], [])
    (tmp_path / "index.html").write_text("page")
    (tmp_path / "torrents" / "notes").write_text("mine")
    (tmp_path / "torrents" / ".hidden.torrent").write_text("old")
    found = publish_files(str(tmp_path), {"torrents/new.torrent": text(b"")}, owned=owned, links={"payload": "/srv"})
    assert found == (["payload", "torrents/new.torrent"], ["torrents/.hidden.torrent", "torrents/盲.torrent"])
    assert sorted(path.name for path in (tmp_path / "torrents").iterdir()) == ["new.torrent", "notes"]
    assert (tmp_path / "index.html").exists()
    assert (tmp_path / "payload").readlink() == Path("/srv")
    assert publish_files(str(tmp_path), {}, owned=["payload"])[1] == ["payload"]


def test_what_is_absent_goes_and_nothing_like_it(tmp_path: Path) -> None:
    names = ("[x]", "x", ".x", "y")
    publish_files(str(tmp_path), {f"torrents/{name}.torrent": text(b"") for name in names})
    kept = {"torrents/y.torrent": text(b"")}
    absent = [f"torrents/{name}.torrent" for name in ("[x]", "x", "y", "never")]
    assert publish_files(str(tmp_path), kept, absent=absent)[1] == ["torrents/[x].torrent", "torrents/x.torrent"]
    assert sorted(path.name for path in (tmp_path / "torrents").iterdir()) == [".x.torrent", "y.torrent"]


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    assert publish_files(str(tmp_path / "new"), FILES, links={"payload": "/srv"}, check=True)[0] == [
        "payload",
        "torrents/盲.torrent",
        "catalogue.json",
    ]
    assert not (tmp_path / "new").exists()


def test_a_changed_mode_is_put_right(tmp_path: Path) -> None:
    publish_files(str(tmp_path), FILES)
    (tmp_path / "catalogue.json").chmod(0o600)
    assert publish_files(str(tmp_path), FILES)[0] == ["catalogue.json"]


def test_the_longest_name_can_be_published(tmp_path: Path) -> None:
    publish_files(str(tmp_path), {"torrents/" + "x" * 247 + ".torrent": text(b"")})


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a//b", ""])
def test_nothing_is_written_elsewhere(tmp_path: Path, path: str) -> None:
    with pytest.raises(PublishError, match="is not a path below the directory"):
        publish_files(str(tmp_path), {path: text(b"")})


def test_content_that_is_no_base64(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="content of 'x' is not base64"):
        publish_files(str(tmp_path), {"x": "***"})


def test_at_no_moment_does_the_catalogue_name_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads catalogue.json between any two steps finds all that it names."""

    def release(*names: str) -> dict[str, str]:
        paths = [f"torrents/{name}" for name in names] + [f"malformed/{name}" for name in names]
        return {"catalogue.json": text(json.dumps(paths).encode()), **{path: text(path.encode()) for path in paths}}

    steps = 0

    def checked(function: Any) -> Any:
        def step(*arguments: Any, **more: Any) -> Any:
            nonlocal steps
            done = function(*arguments, **more)
            if (tmp_path / "catalogue.json").exists():
                steps += 1
                named = json.loads((tmp_path / "catalogue.json").read_bytes())
                assert [path for path in named if not (tmp_path / path).exists()] == []
            return done

        return step

    monkeypatch.setattr(os, "replace", checked(os.replace))
    monkeypatch.setattr(os, "unlink", checked(os.unlink))
    for names in (("a", "b"), ("b", "c"), ("d",)):
        publish_files(str(tmp_path), release(*names), owned=["torrents/*", "malformed/*"])
    assert steps > 10


def test_what_a_killed_run_left_goes_with_the_next_write(tmp_path: Path) -> None:
    publish_files(str(tmp_path), FILES)
    child = os.fork()
    if not child:
        os.fsync = lambda _descriptor: os.kill(os.getpid(), 9)
        files.write_atomically(str(tmp_path / "torrents" / "x"), b"half", durable=True)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    assert len(list((tmp_path / "torrents").iterdir())) == 2
    (tmp_path / "torrents" / ".part-mine").write_text("somebody else's")
    files._tidied.clear()  # as in another process
    publish_files(str(tmp_path), {"torrents/new": text(b"")})
    assert sorted(path.name for path in (tmp_path / "torrents").iterdir()) == [".part-mine", "new", "盲.torrent"]


def run_module(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args({"files": [], **arguments}), pytest.raises(SystemExit):
        torrent_file.main()
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "rw"}, "mode: expected octal digits such as 0644, got 'rw'"),
        ({"files": [{"path": "a\0b", "content": ""}]}, "'a\\x00b' is not a path below the directory"),
        ({"files": [{"path": "a", "content": "ä"}]}, "content of 'a' is not base64"),
        ({"files": [{"path": "folder", "content": ""}]}, "Is a directory"),
        ({"files": [{"path": "file/below", "content": ""}]}, "Not a directory"),
        ({"links": {"folder": "/srv"}}, "Is a directory"),
        ({"absent": ["folder"]}, "Is a directory"),
    ],
)
def test_what_cannot_be_published_is_a_sentence_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: dict[str, Any], message: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    told = run_module(capsys, directory=str(tmp_path), **arguments)
    assert told["failed"] is True
    assert message in told["msg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_for_a_role_only_what_it_published_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "RECORD", str(tmp_path / "lib" / "owned.json"))
    monkeypatch.setattr(ownership, "recognised", Owned)
    portal, theirs = tmp_path / "portal", tmp_path / "portal" / "torrents" / "theirs.torrent"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    wanted = {"owned": ["torrents/*.torrent"], "role": "catalogue"}
    publish_files(str(portal), FILES, **wanted)
    found = ownership.known()
    assert set(found.of("catalogue", "files")) == {f"{portal}/{name}" for name in FILES}
    assert set(found.of("catalogue", "used")) == {str(portal)}
    assert publish_files(str(portal), {}, **wanted, absent=["torrents/theirs.torrent"])[1] == ["torrents/盲.torrent"]
    assert [path.name for path in theirs.parent.iterdir()] == ["theirs.torrent"]
