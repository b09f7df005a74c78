"""Source archives: what is taken over from the host's sources, and that only the pinned bytes count."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.host import source_archives
from ansible.module_utils.seedbed.host.source_archives import (
    ArchiveError,
    deb_src,
    fetch_archives,
    package_fault,
    repositories,
    signed_by,
)

CONTENT = b"sources"
PINNED = hashlib.sha256(CONTENT).hexdigest()


def archive(**more: Any) -> dict[str, Any]:
    return {"name": "x_1.orig.tar.xz", "package": "x", "sha256": PINNED, "pin": "x_sha256", "urls": [], **more}


def test_only_the_distributions_own_archive_is_taken_over() -> None:
    targets = "\n".join(
        [
            "W: some warning",
            "http://mirror.example/debian/|/etc/apt/sources.list:2|main|Debian|Debian",
            "http://mirror.example/debian/|/etc/apt/sources.list:3|main|Debian|Debian",
            "http://mirror.example/debian-security/|/etc/apt/sources.list:4|main|Debian|Debian-Security",
            "http://other.example/|/etc/apt/sources.list.d/o.sources:1|stable|Other|Other CE",
            "http://mirror.example/debian/|/etc/apt/sources.list:2|contrib|Debian|Debian",
            "cdrom:[Debian]/|/etc/apt/sources.list:1|main|Debian|Debian",
        ]
    )
    assert repositories(targets) == [("http://mirror.example/debian/", "/etc/apt/sources.list:2")]


DEB822 = """# comment: of a file
Types: deb
URIs: http://a.example/
# comment inside
Signed-By: /usr/share/keyrings/a.gpg
Suites: x

Types: deb
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----
URIs: http://b.example/

Types: deb
URIs: http://c.example/
"""


@pytest.mark.parametrize(
    ("name", "text", "number", "expected"),
    [
        ("a.sources", DEB822, 1, "/usr/share/keyrings/a.gpg"),
        (
            "a.sources",
            DEB822,
            2,
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----",
        ),
        ("a.sources", DEB822, 3, ""),
        ("a.list", "# one\ndeb [arch=amd64 signed-by=/k.gpg] http://a.example/ x main\n", 2, "/k.gpg"),
        ("a.list", "deb [signed-by=/k.gpg trusted=no] http://a.example/ x main\n", 1, "/k.gpg"),
        ("sources.list", "deb http://a.example/ x main\n", 1, ""),
    ],
)
def test_keys_are_found_in_both_styles(tmp_path: Path, name: str, text: str, number: int, expected: str) -> None:
    (tmp_path / name).write_text(text)
    assert signed_by(f"{tmp_path / name}:{number}") == expected


def test_the_private_source_names_suite_and_keys() -> None:
    assert deb_src([("http://a.example/", ""), ("http://b.example/", "/k.gpg")], "sid") == (
        "Types: deb-src\nURIs: http://a.example/\nSuites: sid\nComponents: main\n\n"
        "Types: deb-src\nURIs: http://b.example/\nSuites: sid\nComponents: main\nSigned-By: /k.gpg\n"
    )


def test_a_whole_key_survives_the_way(tmp_path: Path) -> None:
    (tmp_path / "a.sources").write_text(DEB822)
    (tmp_path / "b.sources").write_text(deb_src([("http://b.example/", signed_by(f"{tmp_path}/a.sources:2"))], "sid"))
    assert signed_by(f"{tmp_path}/b.sources:1") == signed_by(f"{tmp_path}/a.sources:2")


def mirrors(tmp_path: Path, *names: str) -> list[str]:
    """Addresses of files: one that is missing, one with other bytes, one that is right."""
    (tmp_path / "bad").write_bytes(b"other")
    (tmp_path / "good").write_bytes(CONTENT)
    return [f"file://{tmp_path}/{name}" for name in names]


def test_the_first_address_with_the_pinned_bytes_counts(tmp_path: Path) -> None:
    fetch_archives([archive(urls=mirrors(tmp_path, "missing", "bad", "good"))], str(tmp_path), [], 5)
    assert (tmp_path / "x_1.orig.tar.xz").read_bytes() == CONTENT
    with pytest.raises(ArchiveError) as caught:
        fetch_archives([archive(urls=mirrors(tmp_path, "missing", "bad"), name="y")], str(tmp_path), [], 5)
    told = str(caught.value)
    assert f"{tmp_path}/missing: " in told
    assert f"{tmp_path}/bad: SHA-256 is " in told
    assert "pinned is " + PINNED in told
    assert "Nothing was installed or changed; x_sha256 is the SHA-256" in told
    assert not (tmp_path / "y").exists()


class Suites:
    """What apt would deliver from each suite."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **contents: bytes) -> None:
        self.contents, self.asked = contents, []
        monkeypatch.setattr(source_archives, "fetch_from_apt", self.fetch)

    def fetch(self, archives: list[dict[str, Any]], directory: str, suite: str) -> dict[str, str]:
        self.asked.append((suite, [one["name"] for one in archives]))
        if suite not in self.contents:
            return {one["name"]: f"{suite} has x_2.orig.tar.xz instead" for one in archives}
        for one in archives:
            Path(directory, one["name"]).write_bytes(self.contents[suite])
        return {}


def test_places_are_asked_in_their_order_and_only_for_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "from the controller").write_bytes(CONTENT)
    (work / "x_1.orig.tar.xz").write_bytes(b"another one")
    suites = Suites(monkeypatch, testing=CONTENT)
    wanted = [archive(name="from the controller"), archive(urls=mirrors(tmp_path, "good"))]
    fetch_archives(wanted, str(work), ["sid", "testing", "stable"], 5)
    assert suites.asked == [("sid", ["x_1.orig.tar.xz"]), ("testing", ["x_1.orig.tar.xz"])]
    assert (work / "x_1.orig.tar.xz").read_bytes() == CONTENT
    assert sorted(path.name for path in work.iterdir()) == ["from the controller", "x_1.orig.tar.xz"]
    # No suite has it: the addresses come last, and then every place is told.
    fetch_archives([archive(name="y", urls=mirrors(tmp_path, "good"))], str(work), ["sid"], 5)
    with pytest.raises(ArchiveError, match=r"^z: sid has x_2.*instead; stable has x_2.*; file://.*/bad: SHA-256 is"):
        fetch_archives([archive(name="z", urls=mirrors(tmp_path, "bad"))], str(work), ["sid", "stable"], 5)
    with pytest.raises(ArchiveError, match="it is in no place that could be asked"):
        fetch_archives([archive(name="z")], str(work), [], 5)


def test_a_host_without_apt_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fetch_archives([archive(urls=mirrors(tmp_path, "good"))], str(tmp_path), ["sid"], 5)
    with pytest.raises(ArchiveError, match="this host has no apt for sid"):
        fetch_archives([archive(name="y")], str(tmp_path), ["sid"], 5)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"x_1.orig.tar.xz": CONTENT}, ""),
        ({"x_1.orig.tar.xz": b"other"}, "sid: SHA-256 is "),
        ({"x_2.orig.tar.xz": CONTENT}, "sid has x_2.orig.tar.xz instead"),
        ({}, "apt did not deliver it from sid (E: Unable to locate package x)"),
    ],
)
def test_a_source_package_is_judged_by_its_archive(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    fault = package_fault(archive(), str(tmp_path), "sid", "Reading package lists...\nE: Unable to locate package x\n")
    assert fault.startswith(message)
    assert bool(fault) == bool(message)
