"""The daemon around its settings: RPC, ports, stop, write, start, and back again on failure.

A throw-away HTTP server on loopback plays the daemon, in this very process: it holds the ports that are looked for.
"""

from __future__ import annotations

import base64
import errno
import getpass
import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.base.listeners import holders
from ansible.module_utils.seedbed.base.systemd import STATE, Unit
from ansible.module_utils.seedbed.transmission import daemon
from ansible.module_utils.seedbed.transmission.daemon import (
    DaemonError,
    DaemonReport,
    DaemonSpec,
    apply_daemon,
    plan_daemon,
    wait_for_daemon,
)
from ansible.module_utils.seedbed.transmission.rpc import (
    RpcClient,
    RpcDenied,
    RpcError,
    RpcFailed,
    RpcUnreachable,
    parse_version,
)
from ansible.module_utils.seedbed.transmission.settings import BrokenSettings, password_matches, stored_password

PASSWORD = "correct horse"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeTransmission

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def allowed(self) -> bool:
        token = base64.b64decode(self.headers.get("Authorization", "Basic ")[6:]).decode()
        stored = self.server.settings.get("rpc-password")
        user, _colon, password = token.partition(":")
        return user == self.server.settings.get("rpc-username") and password_matches(stored, password)

    def do_GET(self) -> None:
        self.answer(200 if self.allowed() else 401)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.peers.add(self.client_address)
        if not self.allowed():
            self.answer(401)
        elif self.headers.get("X-Transmission-Session-Id") != self.server.session:
            self.answer(409, X_Transmission_Session_Id=self.server.session)
        else:
            request = json.loads(body)
            self.server.calls.append(request)
            fields = {"version": "4.1.0 (x)", "peer-port": self.server.settings["peer-port"], **self.server.live}
            result = "success" if request["method"] == "session-get" else "method name not recognized"
            self.answer(200, json.dumps({"result": result, "arguments": fields}).encode())

    def log_message(self, *_args: Any) -> None:
        pass


class FakeTransmission(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, settings: dict[str, Any], session: str) -> None:
        super().__init__(("127.0.0.1", settings["rpc-port"]), Handler)
        self.settings, self.session = settings, session
        self.live: dict[str, Any] = {}
        self.calls: list[dict[str, Any]] = []
        self.peers: set[Any] = set()
        self.peer_socket = socket.create_server(("127.0.0.1", settings["peer-port"]))
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        self.peer_socket.close()


class FakeUnit(Unit):
    """systemd as far as the role needs it, over the fake daemon."""

    def __init__(self, path: Path, drop_in: Path) -> None:
        super().__init__("fake.service")
        self.path, self.drop_in = path, str(drop_in)
        self.server: FakeTransmission | None = None
        self.stopped = self.starts = 0
        self.enabled = "disabled"
        self.on_stop: dict[str, Any] = {}
        self.deaf = False

    def properties(self, names: Sequence[str] = STATE) -> dict[str, str]:
        return {
            "LoadState": "loaded",
            "ActiveState": "active" if self.server else "inactive",
            "NeedDaemonReload": "no",
            "UnitFileState": self.enabled,
            "MainPID": str(os.getpid() if self.server and not self.deaf else 0),
        }

    def stop(self) -> None:
        self.stopped += 1
        if self.server:
            self.server.end()
            self.server = None
            self.path.write_text(json.dumps({**json.loads(self.path.read_text()), **self.on_stop}))

    def reload_files(self) -> None:
        pass

    def start(self) -> None:
        self.starts += 1
        self.server = FakeTransmission(json.loads(self.path.read_text()), f"session{self.starts}")

    def enable(self) -> None:
        self.enabled = "enabled"

    def journal(self, lines: int = 5) -> str:
        return "its last words"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[FakeUnit]:
    fake = FakeUnit(tmp_path / "settings.json", tmp_path / "fake.service.d" / "seedbed.conf")
    yield fake
    if fake.server:
        fake.server.end()


@pytest.fixture
def spec(unit: FakeUnit) -> DaemonSpec:
    settings = {"rpc-port": free_port(), "peer-port": free_port(), "rpc-username": "seedbed"}
    return DaemonSpec(
        str(unit.path), unit.name, "/usr/bin/false", getpass.getuser(), settings, PASSWORD, "[Service]\n", 0.5
    )


def test_first_run_writes_starts_and_verifies(unit: FakeUnit, spec: DaemonSpec) -> None:
    plan = plan_daemon(spec, unit, ())
    assert plan.report is None
    assert plan.reasons == ["fake.service is inactive", "fake.service does not start at boot"]
    changes, report = apply_daemon(spec, unit, ())
    assert [change.key for change in changes] == ["peer-port", "rpc-password", "rpc-port", "rpc-username"]
    assert report == DaemonReport("4.1.0", spec.settings["rpc-port"], spec.settings["peer-port"], 200)
    assert Path(unit.drop_in).read_text() == "[Service]\n"
    assert PASSWORD not in unit.path.read_text()


def test_second_run_stops_nothing(unit: FakeUnit, spec: DaemonSpec) -> None:
    apply_daemon(spec, unit, ())
    plan = plan_daemon(spec, unit, ())
    assert plan.report is not None
    assert (plan.changes, plan.drop_in, plan.reasons) == ([], False, [])
    assert (unit.stopped, unit.starts) == (1, 1)


def test_keys_changed_over_rpc_survive(unit: FakeUnit, spec: DaemonSpec) -> None:
    apply_daemon(spec, unit, ())
    unit.on_stop = {"alt-speed-up": 66}
    changes, _report = apply_daemon(spec._replace(settings={**spec.settings, "cache-size-mb": 8}), unit, ())
    assert [change.key for change in changes] == ["cache-size-mb"]
    assert json.loads(unit.path.read_text())["alt-speed-up"] == 66


def test_drift_of_a_wanted_key_is_a_change(unit: FakeUnit, spec: DaemonSpec) -> None:
    spec = spec._replace(settings={**spec.settings, "speed-limit-up": 5})
    apply_daemon(spec, unit, ())
    assert unit.server
    unit.server.live = {"speed-limit-up": 77}
    plan = plan_daemon(spec, unit, ())
    assert plan.report is None
    assert [tuple(change) for change in plan.changes] == [("speed-limit-up", 77, 5)]


def test_daemon_that_runs_on_another_password_than_its_file_is_restarted(unit: FakeUnit, spec: DaemonSpec) -> None:
    apply_daemon(spec, unit, ())
    assert unit.server
    unit.server.settings["rpc-password"] = stored_password("other")
    plan = plan_daemon(spec, unit, ())
    assert plan.report is None
    assert "refuses the user name or the password (401)" in plan.reasons[0]


def test_access_to_the_file_is_a_part_of_what_is_wanted(unit: FakeUnit, spec: DaemonSpec) -> None:
    apply_daemon(spec, unit, ())
    unit.path.chmod(0o666)
    plan = plan_daemon(spec, unit, ())
    assert (plan.report, plan.changes) == (None, [])
    assert f"{unit.path} has mode 0666" in plan.reasons[0]
    apply_daemon(spec, unit, ())
    assert unit.path.stat().st_mode & 0o777 == 0o600
    assert plan_daemon(spec, unit, ()).reasons == []


def test_failed_start_puts_file_and_drop_in_back_and_starts_again(unit: FakeUnit, spec: DaemonSpec) -> None:
    apply_daemon(spec, unit, ())
    before = unit.path.read_text()
    unit.deaf = True
    with pytest.raises(DaemonError) as caught:
        apply_daemon(spec._replace(settings={**spec.settings, "rpc-port": free_port()}, drop_in="new"), unit, ())
    assert "The former settings are back, fake.service runs with them again." in str(caught.value)
    assert "its last words" in str(caught.value)
    assert json.loads(unit.path.read_text()) == json.loads(before)
    assert Path(unit.drop_in).read_text() == "[Service]\n"
    assert unit.server is not None


def test_a_unit_that_does_not_start_says_its_last_words(unit: FakeUnit, spec: daemon.DaemonSpec) -> None:
    daemon.apply_daemon(spec, unit, ())
    start = unit.start

    def refuse_once() -> None:
        unit.start = start  # type: ignore[method-assign]
        raise CommandError(["systemctl", "start", unit.name], 1, "Job failed. See systemctl status.")

    unit.start = refuse_once  # type: ignore[method-assign]
    with pytest.raises(daemon.DaemonError, match=r"does not start\. Last words of fake\.service: its last words\. The"):
        daemon.apply_daemon(spec._replace(drop_in="[Service]\n# new\n"), unit, ())
    assert unit.active()


def test_a_full_disk_leaves_the_daemon_running_with_what_it_had(
    unit: FakeUnit, spec: DaemonSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_daemon(spec, unit, ())
    before = json.loads(unit.path.read_text())

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    wanted = spec._replace(settings={**spec.settings, "rpc-port": free_port()}, drop_in="new")
    with pytest.raises(DaemonError) as caught:
        apply_daemon(wanted, unit, ())
    assert f"No space left on device: '{unit.path}'. The former settings are back, fake.service runs" in str(
        caught.value
    )
    assert unit.server is not None
    assert json.loads(unit.path.read_text()) == before
    assert [path.name for path in unit.path.parent.iterdir() if path.name.startswith(".")] == []


def test_what_cannot_be_put_back_is_named_and_the_daemon_runs(
    unit: FakeUnit, spec: DaemonSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_daemon(spec, unit, ())
    start = unit.start

    def fill_the_disk() -> None:
        unit.start = start  # type: ignore[method-assign]
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        raise CommandError(["systemctl", "start", unit.name], 1, "Job failed. See systemctl status.")

    unit.start = fill_the_disk  # type: ignore[method-assign]
    with pytest.raises(
        DaemonError, match=r"seedbed\.conf \(No space left\) could not be put back, fake\.service runs again\."
    ):
        apply_daemon(spec._replace(drop_in="[Service]\n# new\n"), unit, ())
    assert unit.active()


def test_daemon_that_never_ran_is_not_started_on_its_old_file(unit: FakeUnit, spec: DaemonSpec) -> None:
    unit.path.write_text('{"rpc-password": "transmission"}')
    unit.deaf = True
    with pytest.raises(DaemonError, match="stays stopped, as it was"):
        apply_daemon(spec, unit, ())
    assert unit.server is None
    assert json.loads(unit.path.read_text()) == {"rpc-password": "transmission"}
    assert not Path(unit.drop_in).exists()


def test_broken_file_is_refused_before_anything_stops(unit: FakeUnit, spec: DaemonSpec) -> None:
    apply_daemon(spec, unit, ())
    unit.path.write_text("{,}")
    with pytest.raises(BrokenSettings, match="line 1"):
        plan_daemon(spec, unit, ())
    assert unit.server is not None


@pytest.mark.parametrize("left", [b"", b'{\n    "rpc-port": 1,\n    "rpc-us', b'{"a": 1}'[:7], b"\0" * 40])
def test_file_that_was_cut_off_is_kept_beside_and_written_anew(unit: FakeUnit, spec: DaemonSpec, left: bytes) -> None:
    apply_daemon(spec, unit, ())
    whole = json.loads(unit.path.read_text())
    assert unit.server is not None
    unit.server.end()
    unit.server = None  # the daemon was killed, and wrote nothing
    unit.path.write_bytes(left)
    plan = plan_daemon(spec, unit, ())
    assert plan.reasons[-1].startswith(f"{unit.path} ends before it is whole, in line ")
    assert unit.path.read_bytes() == left
    apply_daemon(spec, unit, ())
    (copy,) = unit.path.parent.glob("*.broken-*")
    assert copy.read_bytes() == left
    written = json.loads(unit.path.read_text())
    assert {**written, "rpc-password": ""} == {**whole, "rpc-password": ""}
    assert plan_daemon(spec, unit, ()).report is not None


def test_interruption_leaves_the_daemon_running(
    unit: FakeUnit, spec: DaemonSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_daemon(spec, unit, ())

    def cut(*_arguments: Any) -> None:
        raise SystemExit(143)

    monkeypatch.setattr(daemon, "wait_for_daemon", cut)
    with pytest.raises(SystemExit):
        apply_daemon(spec._replace(settings={**spec.settings, "cache-size-mb": 8}), unit, ())
    assert unit.server is not None
    assert "cache-size-mb" not in unit.path.read_text()


def test_port_in_foreign_hands_is_named(unit: FakeUnit, spec: DaemonSpec) -> None:
    apply_daemon(spec, unit, ())
    unit.deaf = True
    with pytest.raises(DaemonError, match=rf"rpc-port {spec.settings['rpc-port']}; .* \(process {os.getpid()}"):
        wait_for_daemon(spec, unit, spec.settings)


def test_listeners_are_found_by_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert os.getpid() in holders(server.getsockname()[1])
        port = server.getsockname()[1]
    assert holders(port) == {}


# --- RPC


@pytest.fixture
def server() -> Iterator[FakeTransmission]:
    settings = {"rpc-port": free_port(), "peer-port": free_port(), "rpc-username": "me"}
    fake = FakeTransmission({**settings, "rpc-password": stored_password("sösame:1")}, "first")
    yield fake
    fake.end()


def test_one_connection_carries_all_calls_across_a_new_session(server: FakeTransmission) -> None:
    rpc = RpcClient("127.0.0.1", server.server_port, ("me", "sösame:1"))
    rpc.call("session-get")
    server.session = "second"
    assert rpc.call("session-get", {"fields": ["version"]})["version"] == "4.1.0 (x)"
    rpc.close()
    assert len(server.peers) == 1
    assert server.calls[-1] == {"method": "session-get", "arguments": {"fields": ["version"]}}


def test_what_is_wrong_is_told_apart(server: FakeTransmission) -> None:
    rpc = RpcClient("127.0.0.1", server.server_port, ("me", "wrong"))
    with pytest.raises(RpcDenied, match=r"refuses the user name or the password \(401\)"):
        rpc.call("session-get")
    rpc.close()
    rpc = RpcClient("127.0.0.1", server.server_port, ("me", "sösame:1"))
    with pytest.raises(RpcFailed, match="answers session-fly with: method name not recognized"):
        rpc.call("session-fly")
    rpc.close()
    rpc = RpcClient("127.0.0.1", free_port(), ("me", "x"))
    with pytest.raises(RpcUnreachable, match="does not answer"):
        rpc.call("session-get")


def test_foreign_service_is_not_taken_for_the_daemon(tmp_path: Path) -> None:
    class Foreign(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, *_args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as foreign:
        threading.Thread(target=foreign.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        rpc = RpcClient("127.0.0.1", foreign.server_port, ("me", "x"))
        with pytest.raises(RpcError, match="answers 200 OK without Transmission's JSON"):
            rpc.call("session-get")
        rpc.close()
        foreign.shutdown()


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("4.1.0-beta.2 (b11bfd9712)", (4, 1, 0)),
        ("transmission-daemon 3.00 (bb6b5a062e)", (3, 0)),
        ("none", ()),
    ],
)
def test_version_is_read_from_the_daemons_text(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version
