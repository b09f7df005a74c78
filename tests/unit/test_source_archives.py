"""Source archives: what is taken over from the host's sources, and that only the pinned bytes count."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.host.source_archives import (
    ArchiveError,
    check_package,
    deb_src,
    fetch_from_mirrors,
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


def test_the_first_mirror_with_the_pinned_bytes_counts(tmp_path: Path) -> None:
    for name, content in (("bad", b"other"), ("good", CONTENT)):
        (tmp_path / name).write_bytes(content)
    urls = [f"file://{tmp_path}/{name}" for name in ("missing", "bad", "good")]
    fetch_from_mirrors([archive(urls=urls)], str(tmp_path), 5)
    assert (tmp_path / "x_1.orig.tar.xz").read_bytes() == CONTENT
    with pytest.raises(ArchiveError) as caught:
        fetch_from_mirrors([archive(urls=urls[:2], name="y")], str(tmp_path), 5)
    assert "pinned is " + PINNED in str(caught.value)
    assert "x_sha256 is the SHA-256" in str(caught.value)
    assert not (tmp_path / "y").exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"x_1.orig.tar.xz": CONTENT}, None),
        ({"x_1.orig.tar.xz": b"other"}, "SHA-256 is "),
        ({"x_2.orig.tar.xz": CONTENT}, "sid has x_2.orig.tar.xz instead"),
        ({}, "apt did not deliver it (E: Unable to locate package x)"),
    ],
)
def test_a_source_package_is_judged_by_its_archive(
    tmp_path: Path, files: dict[str, bytes], message: str | None
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    output = "Reading package lists...\nE: Unable to locate package x\n"
    if message is None:
        check_package(archive(), str(tmp_path), "sid", output)
        return
    with pytest.raises(ArchiveError) as caught:
        check_package(archive(), str(tmp_path), "sid", output)
    assert str(caught.value).startswith(f"x_1.orig.tar.xz: {message}")
    assert "Nothing was installed or changed" in str(caught.value)
