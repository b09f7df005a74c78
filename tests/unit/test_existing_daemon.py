"""A Transmission that was there before us: what counts as somebody's, and what it used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.torrent.bencode import encode
from ansible.module_utils.seedbed.transmission import existing
from ansible.module_utils.seedbed.transmission.existing import Place, foreign_daemon

ROLE = Path(__file__).resolve().parents[2] / "roles" / "transmission"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A daemon as its package brings it, with what dpkg knows of it."""
    settings = tmp_path / "etc" / "settings.json"
    for name in ("torrents", "resume"):
        (tmp_path / "home/.config/transmission-daemon" / name).mkdir(parents=True)
    settings.parent.mkdir()
    settings.write_text("{}", encoding="utf-8")
    line = f"\n /etc/default/transmission-daemon abc\n {settings} {hashlib.md5(b'{}').hexdigest()}\n"
    monkeypatch.setattr(existing, "run", lambda argv: line)
    return Place(str(settings), str(tmp_path / "home"))


def test_one_as_its_package_brings_it_is_nobodys(place: Place) -> None:
    assert foreign_daemon(Owned(), [place]) is None


def test_none_is_nobodys(tmp_path: Path) -> None:
    assert foreign_daemon(Owned(), [Place(str(tmp_path / "none"), str(tmp_path))]) is None


def test_settings_and_torrents_are_somebodys(place: Place, tmp_path: Path) -> None:
    films, watched = tmp_path / "films", tmp_path / "watched"
    films.mkdir()
    watched.mkdir()
    config = Path(place.home, ".config/transmission-daemon")
    (config / "torrents" / "a.torrent").touch()
    found = foreign_daemon(Owned(), [place])
    assert found is not None
    assert found.what == "1 torrent and its package's settings"
    (config / "torrents" / "b.magnet").touch()
    (config / "resume" / "a.resume").write_bytes(encode({b"destination": str(films).encode()}))
    (config / "resume" / "b.resume").write_bytes(b"half writ")
    (config / "resume" / "c.resume").write_bytes(b"li1ee")
    own = {
        "download-dir": str(tmp_path / "gone"),
        "incomplete-dir": str(tmp_path),
        "incomplete-dir-enabled": False,
        "watch-dir": str(watched),
        "watch-dir-enabled": True,
    }
    Path(place.settings).write_text(json.dumps(own), encoding="utf-8")
    assert foreign_daemon(Owned(), [place]) == (
        place.settings,
        "2 torrents and settings of its own",
        [str(films), str(watched)],
    )


def test_broken_settings_are_somebodys(place: Place) -> None:
    Path(place.settings).write_text("{", encoding="utf-8")
    assert foreign_daemon(Owned(), [place]) == (place.settings, "0 torrents and settings of its own", [])


def test_settings_that_no_package_manager_knows_are_somebodys(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(argv: list[str]) -> str:
        raise CommandError(argv, 127, "No such file or directory")

    monkeypatch.setattr(existing, "run", missing)
    assert foreign_daemon(Owned(), [place]) is not None


@pytest.mark.parametrize("kind", ["files", "kept", "trees"])
def test_what_the_lab_has_taken_over_is_the_labs(place: Place, kind: str) -> None:
    Path(place.settings).write_text('{"a": 1}', encoding="utf-8")
    name = str(Path(place.settings).parent) if kind == "trees" else place.settings
    things = {kind: {name: "copy"} if kind == "kept" else [name]}
    assert foreign_daemon(Owned({"transmission": things}), [place]) is None
