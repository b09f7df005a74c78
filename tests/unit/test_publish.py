"""Publishing a set of files: all of it, nothing twice, nothing of others."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from ansible.module_utils.seedbed.host.published_files import PublishError, publish


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


FILES = {"catalogue.json": text(b"{}"), "torrents/盲.torrent": text(b"\xff\0")}


def test_a_set_is_written_once_and_stale_ones_go(tmp_path: Path) -> None:
    owned = ["torrents/*.torrent", "payload"]
    assert publish(str(tmp_path), FILES, owned=owned) == (["catalogue.json", "torrents/盲.torrent"], [])
    assert (tmp_path / "torrents" / "盲.torrent").read_bytes() == b"\xff\0"
    assert (tmp_path / "catalogue.json").stat().st_mode & 0o777 == 0o644
    assert publish(str(tmp_path), FILES, owned=owned) == ([], [])
    (tmp_path / "index.html").write_text("page")
    (tmp_path / "torrents" / "notes").write_text("mine")
    (tmp_path / "torrents" / ".hidden.torrent").write_text("old")
    found = publish(str(tmp_path), {"torrents/new.torrent": text(b"")}, owned=owned, links={"payload": "/srv"})
    assert found == (["torrents/new.torrent", "payload"], ["torrents/.hidden.torrent", "torrents/盲.torrent"])
    assert sorted(path.name for path in (tmp_path / "torrents").iterdir()) == ["new.torrent", "notes"]
    assert (tmp_path / "index.html").exists()
    assert (tmp_path / "payload").readlink() == Path("/srv")
    assert publish(str(tmp_path), {}, owned=["payload"])[1] == ["payload"]


def test_what_is_absent_goes_and_nothing_like_it(tmp_path: Path) -> None:
    names = ("[x]", "x", ".x", "y")
    publish(str(tmp_path), {f"torrents/{name}.torrent": text(b"") for name in names})
    kept = {"torrents/y.torrent": text(b"")}
    absent = [f"torrents/{name}.torrent" for name in ("[x]", "x", "y", "never")]
    assert publish(str(tmp_path), kept, absent=absent)[1] == ["torrents/[x].torrent", "torrents/x.torrent"]
    assert sorted(path.name for path in (tmp_path / "torrents").iterdir()) == [".x.torrent", "y.torrent"]


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    assert publish(str(tmp_path / "new"), FILES, links={"payload": "/srv"}, check=True)[0] == [
        *sorted(FILES),
        "payload",
    ]
    assert not (tmp_path / "new").exists()


def test_a_changed_mode_is_put_right(tmp_path: Path) -> None:
    publish(str(tmp_path), FILES)
    (tmp_path / "catalogue.json").chmod(0o600)
    assert publish(str(tmp_path), FILES)[0] == ["catalogue.json"]


def test_the_longest_name_can_be_published(tmp_path: Path) -> None:
    publish(str(tmp_path), {"torrents/" + "x" * 247 + ".torrent": text(b"")})


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a//b", ""])
def test_nothing_is_written_elsewhere(tmp_path: Path, path: str) -> None:
    with pytest.raises(PublishError, match="is not a path below the directory"):
        publish(str(tmp_path), {path: text(b"")})


def test_content_that_is_no_base64(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="content of 'x' is not base64"):
        publish(str(tmp_path), {"x": "***"})
