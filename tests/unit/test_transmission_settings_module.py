"""Module transmission_settings as Ansible runs it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import transmission_settings
from ansible.module_utils.seedbed.transmission.existing import ExistingDaemon
from ansible.module_utils.testing import patch_module_args


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args({**arguments, "_ansible_check_mode": True}), pytest.raises(SystemExit):
        transmission_settings.main()
    return json.loads(capsys.readouterr().out)


def test_check_mode_says_what_would_change_and_hides_the_password(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    path = tmp_path / "settings.json"
    path.write_text('{"peer-port": 51413, "utp-enabled": true}', encoding="utf-8")
    wanted = {"peer-port": 8082, "utp-enabled": True}
    unit = "no-such-unit.service"
    result = run(capsys, path=str(path), password="a secret", settings=wanted, program="/nonexistent", unit=unit)
    assert result["changed"]
    assert result["changed_keys"] == ["peer-port", "rpc-password"]
    assert (result["diff"]["before"]["peer-port"], result["diff"]["after"]["peer-port"]) == (51413, 8082)
    assert "a secret" not in json.dumps(result)
    assert json.loads(path.read_text(encoding="utf-8")) == {"peer-port": 51413, "utp-enabled": True}


def test_a_daemon_of_somebody_else_is_refused_unless_it_is_handed_over(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    path = str(tmp_path / "settings.json")
    theirs = ExistingDaemon(path, "2 torrents and settings of its own", [])
    monkeypatch.setattr(transmission_settings, "foreign_daemon", lambda owned: theirs)
    arguments = {"path": path, "password": "x", "program": "/nonexistent", "unit": "no-such-unit.service"}
    refused = run(capsys, role="transmission", **arguments)
    assert refused["failed"]
    assert refused["msg"] == (
        f"{path} belongs to a Transmission that Seedbed did not set up, with 2 torrents and settings of its own. "
        "Nothing was changed; set transmission_adopt: true to hand it to the lab"
    )
    assert run(capsys, role="transmission", adopt=True, **arguments)["changed"]
    # Another daemon than the one that is configured here.
    arguments["path"] = str(tmp_path / "other.json")
    assert run(capsys, role="transmission", **arguments)["changed"]
