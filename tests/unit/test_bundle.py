"""What a closed network needs: archives from wherever the right bytes are, and the variables that name them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bundle_archives
import pytest
import yaml
from ansible.module_utils.seedbed.host import bundle
from ansible.module_utils.seedbed.host.source_archives import ArchiveError
from ansible.module_utils.testing import patch_module_args

Render = Callable[..., Any]
CONTENT = b"an archive"
RIGHT = hashlib.sha256(CONTENT).hexdigest()


def archive(name: str, *urls: object, **more: Any) -> Any:
    return {
        "name": name,
        "sha256": RIGHT,
        "pin": "x_sha256",
        "package": None,
        "urls": [str(url) for url in urls],
        **more,
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source.tgz"
    file.write_bytes(CONTENT)
    return file


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("npm:flood@4.11.0", "flood-4.11.0.tgz"),
        ("npm:@scope/ui@1.0.0-rc.1", "scope-ui-1.0.0-rc.1.tgz"),
        ("https://example.com/a/ui.zip?x=1", "ui.zip"),
        ("files/ui.zip", "ui.zip"),
    ],
)
def test_archives_have_their_usual_names(render: Render, given: str, name: str) -> None:
    assert render("{{ given | bundle_name }}", given=given) == name


def test_the_first_place_with_the_right_bytes_counts(tmp_path: Path, source: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"something else")
    places = [tmp_path / "missing", other, source]
    assert bundle.collect([archive("a.tgz", *places)], str(tmp_path), suite="sid") == ["a.tgz"]
    assert (tmp_path / "a.tgz").read_bytes() == CONTENT
    assert (tmp_path / "SHA256SUMS").read_text(encoding="utf-8") == f"{RIGHT}  a.tgz\n"
    assert not list(tmp_path.glob(".bundle-*"))


def test_what_is_there_is_left_alone_and_what_is_damaged_is_mended(tmp_path: Path, source: Path) -> None:
    wanted = [archive("a.tgz", source), archive("b.tgz", source)]
    bundle.collect(wanted, str(tmp_path), suite="sid")
    assert bundle.collect(wanted, str(tmp_path), suite="sid") == []
    (tmp_path / "b.tgz").write_bytes(b"torn")
    assert bundle.collect(wanted, str(tmp_path), suite="sid") == ["b.tgz"]


def test_every_place_that_failed_is_named(tmp_path: Path, source: Path) -> None:
    source.write_bytes(b"torn")
    with pytest.raises(ArchiveError) as error:
        bundle.collect([archive("a.tgz", tmp_path / "missing", source)], str(tmp_path), suite="sid")
    for part in (f"{tmp_path}/missing: ", f"{source}: SHA-256 is ", "x_sha256 is the SHA-256 that it must have"):
        assert part in str(error.value)
    with pytest.raises(ArchiveError, match="nobody says where it is"):
        bundle.collect([archive("a.tgz")], str(tmp_path), suite="sid")


def test_the_variables_name_the_files(render: Render, tmp_path: Path) -> None:
    wanted = [{**archive("a.tgz"), "variable": "x_archive", "also": {"x_source": "controller"}}]
    text = render("{{ wanted | bundle_variables(directory) }}", wanted=wanted, directory=str(tmp_path))
    assert yaml.safe_load(text) == {"x_archive": str(tmp_path / "a.tgz"), "x_source": "controller"}
    assert render("{{ wanted[0] | bundle_archive }}", wanted=wanted) == archive("a.tgz")


def test_the_module_says_what_it_fetched(capsys: pytest.CaptureFixture[str], tmp_path: Path, source: Path) -> None:
    def run(*archives: Any) -> dict[str, Any]:
        with patch_module_args({"directory": str(tmp_path), "archives": archives}), pytest.raises(SystemExit):
            bundle_archives.main()
        return dict(json.loads(capsys.readouterr().out))

    wanted = archive("a.tgz", source)
    first, second = run(wanted), run(wanted)
    assert (first["changed"], first["fetched"]) == (True, ["a.tgz"])
    assert (second["changed"], second["fetched"]) == (False, [])
    assert "nobody says where it is" in run(archive("b.tgz"))["msg"]
