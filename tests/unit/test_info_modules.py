"""The read-only modules as Ansible runs them: arguments in, JSON out, nothing changed, bad news as results."""

from __future__ import annotations

import importlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.base import packages
from ansible.module_utils.seedbed.base.commands import NOT_RUN, CommandError
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.transmission.existing import ExistingDaemon
from ansible.module_utils.testing import patch_module_args

HASH = "2a" * 20


def run(name: str, capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        importlib.import_module(name).main()
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_tracker_info(capsys: pytest.CaptureFixture[str], closed_port: int) -> None:
    tracker = f"http://127.0.0.1:{closed_port}/announce"
    result = run("tracker_info", capsys, trackers=[tracker], info_hashes=[HASH.upper()], timeout=1)
    assert [(answer["kind"], answer["reason"]) for answer in result["results"]] == [
        ("scrape", "refused"),
        ("announce", "refused"),
    ]
    result = run("tracker_info", capsys, torrents=[{"info_hash": HASH, "trackers": [tracker]}], kinds=["scrape"])
    assert (result["changed"], result["results"][0]["info_hash"]) == (False, HASH)
    assert "expected 40 hexadecimal digits" in run("tracker_info", capsys, trackers=["x"], info_hashes=["y"])["msg"]
    assert "port is 65536; expected 0 to 65535" in run("tracker_info", capsys, port=65536)["msg"]


def test_no_module_shows_a_password(capsys: pytest.CaptureFixture[str], closed_port: int) -> None:
    tracker = f"http://me:secret@127.0.0.1:{closed_port}/announce"
    subjects = [{"info_hash": HASH, "trackers": [[tracker]]}]
    for name, arguments in (
        ("tracker_info", {"trackers": [tracker], "info_hashes": [HASH]}),
        ("tracker_info", {"torrents": [{"info_hash": HASH, "trackers": [tracker]}]}),
        ("tracker_info", {"trackers": [tracker], "info_hashes": ["x"]}),
        ("swarm_info", {"subjects": subjects}),
        ("swarm_info", {"subjects": json.dumps(subjects)}),
        ("swarm_info", {"subjects": [*subjects, {"info_hash": "x", "trackers": []}]}),
    ):
        result = run(name, capsys, **arguments)
        assert "invocation" in result and "secret" not in json.dumps(result), result
    for name, arguments in (("tracker_info", {}), ("swarm_info", {"subjects": []})):
        message = run(name, capsys, ports=[9000, 8000], **arguments)["msg"]
        assert message == "ports is [9000, 8000]; expected the first and the last of some, such as [8000, 9000]"


def test_peer_info(capsys: pytest.CaptureFixture[str], closed_port: int) -> None:
    target = {"address": "127.0.0.1", "port": closed_port, "info_hash": HASH}
    result = run("peer_info", capsys, targets=[target])
    assert (result["changed"], result["results"][0]["reason"]) == (False, "refused")
    assert run("peer_info", capsys, targets=[])["results"] == []
    assert "expected 40" in run("peer_info", capsys, targets=[{**target, "info_hash": "x"}])["msg"]


def test_seeder_info(capsys: pytest.CaptureFixture[str], closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.module_utils.seedbed.base.systemd.Unit.active", lambda _: False)
    result = run("seeder_info", capsys, port=closed_port, password="secret", timeout=1)
    assert (result["changed"], result["active"], result["reason"]) == (False, False, "unreachable")
    assert "secret" not in json.dumps({key: value for key, value in result.items() if key != "invocation"})


def test_opentracker_info(capsys: pytest.CaptureFixture[str], closed_port: int, tmp_path: Path) -> None:
    result = run(
        "opentracker_info", capsys, cc="/nonexistent/cc", prefix=str(tmp_path), user="no-such-user", port=closed_port,
        unit="no-such.service",
    )  # fmt: skip
    assert (result["changed"], result["compiler"], result["builds"], result["holders"]) == (False, "", [], [])


def test_host_info(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the facts of module setup, under the names of facts, and what the roles ask beside them."""
    monkeypatch.setattr("host_info.installed_packages", lambda: ["adduser"])
    # Not every machine lets its tests see its packet filter.
    monkeypatch.setattr("host_info.find_firewalls", lambda listeners, *_: {"backend": "ufw", "closing": listeners})
    result = run("host_info", capsys, first=1, last=65535, gather_subset=["!all", "!min", "distribution"])
    assert (result["changed"], result["packages"]) == (False, ["adduser"])
    names = ("distribution", "distribution_major_version", "os_family", "arrival_address")
    assert {f"ansible_{name}" for name in names} <= set(result["ansible_facts"])
    known = {"protocol", "port", "loopback", "pid", "process", "unit"}
    assert all(set(entry) == known for entry in result["sockets"])
    assert (result["firewall"]["backend"], result["tracker"]) == ("ufw", {})


def test_host_info_inspects_the_tracker_in_the_same_call(
    tmp_path: Path, closed_port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host_info.installed_packages", list)
    monkeypatch.setattr("host_info.find_firewalls", lambda *_: {})
    tracker = {"cc": "/nonexistent/cc", "prefix": str(tmp_path), "user": "no-such-user", "port": closed_port}
    result = run("host_info", capsys, first=1, last=65535, gather_subset=["!all", "!min"], tracker=tracker)
    alone = run("opentracker_info", capsys, **tracker)
    assert result["tracker"] == {key: alone[key] for key in result["tracker"]}
    assert (result["tracker"]["compiler"], result["tracker"]["user"]) == ("", False)


def test_host_info_tells_what_is_ours_and_what_others_have(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "theirs").touch()
    ours = Owned({"opentracker": {"units": ["opentracker.service"]}, "transmission": {"folders": ["/srv/media"]}})
    daemon = ExistingDaemon("/etc/settings.json", "2 torrents", ["/srv/films"])
    monkeypatch.setattr("host_info.installed_packages", list)
    monkeypatch.setattr("host_info.os.geteuid", lambda: 0)
    monkeypatch.setattr("host_info.known", lambda: ours)
    monkeypatch.setattr("host_info.foreign_daemon", lambda owned: daemon)
    directory = {"kind": "directory", "name": str(tmp_path), "variable": "portal_dir"}
    claims = [directory, {"kind": "daemon", "name": "transmission-daemon.service", "adopted": False}]
    arguments = {"first": 1, "last": 1, "gather_subset": ["!all", "!min"]}
    result = run("host_info", capsys, claims=claims, **arguments)
    assert result["made_for"] == {"opentracker": ["units"], "transmission": ["folders"]}
    assert result["folders"] == ["/srv/films"]
    assert result["foreign"] == [
        {**directory, "what": "theirs"},
        {"kind": "daemon", "name": "/etc/settings.json", "adopted": False, "what": "2 torrents"},
    ]
    # A host that runs no seeder is not asked for its daemon; once it is ours, its folders are in the record.
    result = run("host_info", capsys, **arguments)
    assert (result["foreign"], result["folders"]) == ([], ["/srv/media"])


def test_installed_packages_are_those_that_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def dpkg(argv: list[str]) -> str:
        assert argv[0] == "dpkg-query"
        return "installed nginx\nconfig-files apache2\ninstalled apt\n"

    def rpm(argv: list[str]) -> str:
        if argv[0] != "rpm":
            raise CommandError(argv, NOT_RUN, "No such file or directory")
        return "installed nginx\n"

    monkeypatch.setattr(packages, "run", dpkg)
    assert packages.installed_packages() == ["apt", "nginx"]
    monkeypatch.setattr(packages, "run", rpm)
    assert packages.installed_packages() == ["nginx"]


def test_source_archives(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    archive = {"name": "x.tar.xz", "sha256": "0" * 64, "pin": "x_sha256", "urls": [f"file://{tmp_path}/missing"]}
    result = run("source_archives", capsys, directory=str(tmp_path), archives=[archive])
    assert result["failed"]
    assert result["msg"].startswith(f"x.tar.xz: file://{tmp_path}/missing: ")
