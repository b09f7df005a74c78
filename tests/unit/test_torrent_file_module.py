"""Module torrent_file as Ansible runs it: arguments in, files and JSON out."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import torrent_file
from ansible.module_utils.testing import patch_module_args


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        torrent_file.main()
    return dict(json.loads(capsys.readouterr().out))


def test_files_are_written_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = [{"path": "a.torrent", "content": base64.b64encode(b"de").decode()}]
    arguments = {"directory": str(tmp_path), "files": files}
    assert run(capsys, **arguments, _ansible_check_mode=True)["written"] == ["a.torrent"]
    assert not (tmp_path / "a.torrent").exists()
    assert run(capsys, **arguments)["changed"] is True
    assert (tmp_path / "a.torrent").read_bytes() == b"de"
    assert run(capsys, **arguments)["changed"] is False


def test_several_sets_are_one_call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def part(name: str, **more: Any) -> dict[str, Any]:
        content = base64.b64encode(name.encode()).decode()
        return {"directory": str(tmp_path / name), "files": [{"path": name, "content": content}], **more}

    beside = [part("page", mode="0600"), part("more")]
    assert run(capsys, **part("catalogue"), beside=beside)["written"] == ["catalogue", "page", "more"]
    assert (tmp_path / "page" / "page").stat().st_mode & 0o777 == 0o600
    (tmp_path / "more" / "more").unlink()
    assert run(capsys, **part("catalogue"), beside=beside)["written"] == ["more"]
    assert run(capsys, **part("catalogue"), beside=beside)["changed"] is False
    wrong = run(capsys, **part("other"), beside=[part("page", mode="rw")])
    assert wrong["msg"] == "mode: expected octal digits such as 0644, got 'rw'"
    assert not (tmp_path / "other").exists()
