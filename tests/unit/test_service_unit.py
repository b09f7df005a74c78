"""A unit with its files: compared, written, started, proven, and put back when it does not serve.

A fake systemd runs a throw-away HTTP server on loopback, whose port and whose answers are what its file says, as a
daemon's would be.
"""

from __future__ import annotations

import base64
import errno
import http.server
import importlib.util
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import service_unit as module
from ansible.module_utils.seedbed.base import ownership
from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.base.systemd import STATE, Unit
from ansible.module_utils.seedbed.host import service_unit, services_in_force
from ansible.module_utils.seedbed.host.service_unit import (
    Former,
    Port,
    Service,
    ServiceError,
    ServiceFile,
    apply_service,
    difference_texts,
    plan_service,
    read_former,
)
from ansible.module_utils.testing import patch_module_args

ACTION = Path(__file__).resolve().parents[2] / "action_plugins" / "service_unit.py"


class Handler(http.server.BaseHTTPRequestHandler):
    server: FakeServer

    def do_GET(self) -> None:
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        pass


class FakeServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, status: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.status = status
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class FakeUnit(Unit):
    """systemd as far as the module needs it; the "daemon" reads {"port": ..., "status": ...} from its file."""

    def __init__(self, root: Path, config: Path) -> None:
        super().__init__("fake.service")
        self.path, self.config = str(root / "units" / "fake.service"), config
        self.server: FakeServer | None = None
        self.child: subprocess.Popen[bytes] | None = None
        self.log: list[str] = []
        self.words: list[str] = []
        self.enabled, self.loaded, self.failed = "disabled", True, False
        self.started = self.changed = 0.0
        # What a reload does that systemd is content with: take the file over, or nothing.
        self.reloads = True

    def properties(self, names: Sequence[str] = STATE) -> dict[str, str]:
        return {
            "LoadState": "loaded" if self.loaded else "not-found",
            "ActiveState": "active" if self.server else "failed" if self.failed else "inactive",
            "SubState": "running" if self.server else "dead",
            "NeedDaemonReload": "no",
            "UnitFileState": self.enabled,
            "MainPID": str(os.getpid() if self.server else 0),
            "NRestarts": "0",
            "InvocationID": "abc" if self.server else "",
            "ExecMainStartTimestampMonotonic": str(int(self.started * 1e6)),
            "StateChangeTimestampMonotonic": str(int(self.changed * 1e6)),
        }

    def said(self, invocation: str) -> list[str]:
        return self.words

    def reload_files(self) -> None:
        self.log.append("daemon-reload")

    def stop(self) -> None:
        self.log.append("stop")
        self._end()

    def restart(self) -> None:
        self.log.append("restart")
        self._end()
        self._begin()
        self.started = self.changed = time.monotonic()

    def reload(self) -> None:
        self.log.append("reload")
        if self.reloads:
            self._end()
            self._begin()
        self.changed = time.monotonic()

    def enable(self) -> None:
        self.enabled = "enabled"

    def disable(self, *, stop: bool = True) -> None:
        self.enabled = "disabled"
        if stop:
            self.stop()

    def journal(self, lines: int = 5) -> str:
        return "bind() failed"

    def _begin(self) -> None:
        settings = json.loads(self.config.read_text())
        self.words = settings.get("says", [])
        if settings.get("dies"):
            self.failed = True
            raise CommandError(["systemctl", "restart", self.name], 1, "Job failed")
        self.server = FakeServer(settings["port"], settings.get("status", 200))
        self.child = subprocess.Popen(["sleep", "600"])

    def _end(self) -> None:
        if self.server:
            self.server.end()
            self.server = None
        if self.child:
            self.child.kill()
            self.child.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[FakeUnit]:
    fake = FakeUnit(tmp_path, tmp_path / "etc" / "fake.conf")
    yield fake
    fake._end()


@pytest.fixture
def port(unit: FakeUnit, monkeypatch: pytest.MonkeyPatch) -> int:
    real = service_unit.listening_sockets

    def sockets(first: int, last: int) -> list[Any]:
        """The sockets of this process are the unit's, when it runs."""
        ours = unit.server.server_address[1] if unit.server else 0
        return [
            {**found, "unit": unit.name if found["port"] == ours else "other.service"} for found in real(first, last)
        ]

    monkeypatch.setattr(service_unit, "listening_sockets", sockets)
    return free_port()


def service(unit: FakeUnit, port: int, *, reload: bool = False, seconds: float = 0.5, **settings: Any) -> Service:
    config = ServiceFile(str(unit.config), json.dumps({"port": port, **settings}).encode(), reload=reload)
    return Service(
        unit.name,
        [config, ServiceFile(unit.path, b"[Service]\n")],
        enabled=True,
        ports=[Port(port, "tcp")],
        url=f"http://127.0.0.1:{port}/",
        seconds=seconds,
    )


def converge(wanted: Service, unit: FakeUnit) -> str:
    plan = plan_service(wanted, unit)
    apply_service(wanted, unit, plan)
    return plan.action


def age(path: Path | str, seconds: float) -> None:
    """Have the file changed that many seconds ago."""
    os.utime(path, (time.time() - seconds,) * 2, follow_symlinks=False)


def test_the_first_run_writes_starts_and_enables(unit: FakeUnit, port: int) -> None:
    assert converge(service(unit, port), unit) == "start"
    assert unit.log == ["daemon-reload", "restart"]
    assert (unit.enabled, Path(unit.path).read_text()) == ("enabled", "[Service]\n")


def test_the_second_run_changes_nothing(unit: FakeUnit, port: int) -> None:
    converge(service(unit, port), unit)
    plan = plan_service(service(unit, port), unit)
    assert (plan.changed, plan.reasons, difference_texts(plan)) == (False, [], [])


@pytest.mark.parametrize(("reload", "action"), [(True, "reload"), (False, "restart")])
def test_a_file_says_whether_a_reload_is_enough(unit: FakeUnit, port: int, reload: bool, action: str) -> None:
    converge(service(unit, port, reload=reload), unit)
    assert converge(service(unit, port, reload=reload, status=404), unit) == action
    assert unit.log[-1] == action


@pytest.mark.parametrize(("reload", "action"), [(True, "reload"), (False, "restart")])
def test_a_run_that_was_killed_before_the_restart_is_made_up_for(
    unit: FakeUnit, port: int, reload: bool, action: str
) -> None:
    converge(service(unit, port, reload=reload), unit)
    wanted = service(unit, port, reload=reload, status=404)
    unit.started = unit.changed = time.monotonic() - 60
    unit.config.write_bytes(wanted.files[0].content or b"")
    age(unit.path, 120)
    plan = plan_service(wanted, unit)
    assert (plan.action, len(plan.differences)) == (action, 0)
    assert str(unit.config) in plan.reasons[0]
    apply_service(wanted, unit, plan)
    assert unit.log[-1] == action
    assert not plan_service(wanted, unit).changed


def test_a_unit_that_is_older_than_its_files_is_not_waited_for(unit: FakeUnit, port: int) -> None:
    """However young it is: what it has not read it will not read by itself."""
    converge(service(unit, port), unit)
    unit.started = unit.changed = time.monotonic() - 60
    wanted = service(unit, port, seconds=3600)
    assert plan_service(wanted, unit).action == "restart"


def test_a_unit_that_has_just_been_started_may_come_up_first(unit: FakeUnit, port: int) -> None:
    converge(service(unit, port), unit)
    assert unit.server
    unit.server.status = 503
    threading.Timer(0.5, setattr, (unit.server, "status", 200)).start()
    assert not plan_service(service(unit, port, seconds=120), unit).changed


def test_files_from_the_future_do_not_restart_it_each_time(unit: FakeUnit, port: int) -> None:
    converge(service(unit, port), unit)
    age(unit.config, -3600)
    assert not plan_service(service(unit, port), unit).changed


def test_a_unit_that_is_not_enabled_is_not_restarted_for_it(unit: FakeUnit, port: int) -> None:
    converge(service(unit, port), unit)
    unit.enabled = "disabled"
    assert converge(service(unit, port), unit) == ""
    assert (unit.enabled, unit.log.count("restart")) == ("enabled", 1)


@pytest.mark.parametrize("broken", [{"dies": True}, {"status": 500}, {"says": ["Unhandled line: x"]}])
@pytest.mark.parametrize("reload", [True, False])
def test_what_does_not_serve_is_put_back(unit: FakeUnit, port: int, broken: dict[str, Any], reload: bool) -> None:
    good = service(unit, port, reload=reload)._replace(journal_faults=["Unhandled line"])
    converge(good, unit)
    bad = service(unit, port, reload=reload, **broken)._replace(journal_faults=["Unhandled line"])
    with pytest.raises(ServiceError, match=r"The former files are back, fake.service runs with them again") as raised:
        converge(bad, unit)
    assert str(raised.value).endswith("The last lines of its journal:\nbind() failed")
    assert unit.config.read_bytes() == good.files[0].content
    assert not plan_service(good, unit).changed


def test_a_full_disk_leaves_the_unit_running_with_what_it_had(
    unit: FakeUnit, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = service(unit, port)
    converge(good, unit)
    write, written = service_unit.write_atomically, []

    def full_after_one(path: str, data: bytes, **options: Any) -> None:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device", path)
        written.append(path)
        write(path, data, **options)

    monkeypatch.setattr(service_unit, "write_atomically", full_after_one)
    # One file still finds room, the next one none, and then there is none to put the former one back.
    config, own = service(unit, port, other=1).files
    more = good._replace(files=[config, own._replace(content=b"[Service]\n# more\n")])
    with pytest.raises(ServiceError, match=r"No space left on device: .*The former .* could not be put back") as raised:
        converge(more, unit)
    assert "fake.service runs again" in str(raised.value)
    assert unit.active()


def test_a_first_start_that_fails_leaves_nothing_behind(unit: FakeUnit, port: int) -> None:
    with pytest.raises(ServiceError, match=r"The former files are back, fake.service stays stopped, as it was"):
        converge(service(unit, port, dies=True), unit)
    assert not unit.config.exists()
    assert not Path(unit.path).exists()
    assert unit.enabled == "disabled"


def test_a_reload_that_was_not_carried_out_is_noticed(unit: FakeUnit, port: int) -> None:
    """nginx -s reload exits 0 and the old configuration serves on, with the old workers."""
    good = service(unit, port, reload=True, seconds=0.5)._replace(renews_workers=True)
    converge(good, unit)
    for path in (unit.config, unit.path):
        age(path, 60)
    unit.reloads = False
    # The kernel counts the start of a process in hundredths of a second: the worker has to be older than that.
    deadline = time.monotonic() + 120
    while service_unit._youngest_child(os.getpid()) + 2 * service_unit.CLOCK_TICK > time.time():
        assert time.monotonic() < deadline
    bad = service(unit, port, reload=True, seconds=0.5, other=1)._replace(renews_workers=True)
    with pytest.raises(ServiceError, match=r"has not read .*fake.conf since it changed. The former files are back"):
        converge(bad, unit)
    assert unit.log[-2:] == ["reload", "reload"]
    unit.reloads = True
    assert converge(bad, unit) == "reload"
    assert not plan_service(bad, unit).changed


def test_a_port_that_another_holds_is_refused_before_anything_is_touched(unit: FakeUnit, port: int) -> None:
    good = service(unit, port)
    converge(good, unit)
    log = list(unit.log)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = service(unit, taken.getsockname()[1])
        with pytest.raises(ServiceError, match=r"TCP port \d+ is held by other.service, and fake.service needs it"):
            converge(wanted, unit)
    assert unit.log == log
    assert not plan_service(good, unit).changed


def test_a_unit_without_its_port_is_restarted(unit: FakeUnit, port: int) -> None:
    converge(service(unit, port), unit)
    unit._end()
    other = free_port()
    unit.server = FakeServer(other, 200)
    unit.started = unit.changed = time.monotonic() - 60
    for path in (unit.config, unit.path):
        age(path, 120)
    plan = plan_service(service(unit, port), unit)
    assert (plan.action, plan.reasons) == ("restart", [f"fake.service does not listen on TCP port {port}"])


def test_a_content_that_is_not_valid_replaces_nothing(unit: FakeUnit, port: int) -> None:
    good = service(unit, port)
    converge(good, unit)
    log = list(unit.log)
    bad = ServiceFile(str(unit.config), b"{}", validate=["grep", "-q", "port", "{file}"])
    with pytest.raises(ServiceError, match=r"fake.conf would not be valid, nothing was changed"):
        converge(good._replace(files=[bad]), unit)
    assert unit.log == log
    assert unit.config.read_bytes() == good.files[0].content


def test_the_validating_program_gets_a_directory_that_is_gone_afterwards(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    command = f'touch "$1/left" && cp "$2" {witness} && echo "$1" >> {witness}'
    file = ServiceFile("/x/y.conf", b"new\n", validate=["sh", "-c", command, "sh", "{directory}", "{file}"])
    service_unit.validate(file)
    content, directory = witness.read_text().splitlines()
    assert content == "new"
    assert not Path(directory).exists()


def test_links_and_drop_ins_come_back_with_the_files(unit: FakeUnit, port: int, tmp_path: Path) -> None:
    link = tmp_path / "current"
    good = service(unit, port)
    good = good._replace(files=[ServiceFile(str(link), link="releases/1"), *good.files])
    converge(good, unit)
    bad = service(unit, port, dies=True)
    drop_in = ServiceFile(f"{unit.path}.d/web.conf", b"[Service]\n")
    with pytest.raises(ServiceError):
        converge(bad._replace(files=[ServiceFile(str(link), link="releases/2"), drop_in, *bad.files]), unit)
    assert os.readlink(link) == "releases/1"
    assert not Path(drop_in.path).exists()
    assert not plan_service(good, unit).changed
    age(link, -1)
    unit.started = unit.changed = time.monotonic() - 60
    assert plan_service(good, unit).action == "restart"


def test_a_file_that_shall_not_be_there_is_removed(unit: FakeUnit, port: int, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("old")
    users.chmod(0o600)
    wanted = service(unit, port)
    wanted = wanted._replace(files=[*wanted.files, ServiceFile(str(users))])
    converge(wanted, unit)
    assert not users.exists()
    assert not plan_service(wanted, unit).changed


def test_another_mode_is_a_difference(unit: FakeUnit, port: int) -> None:
    converge(service(unit, port), unit)
    unit.config.chmod(0o600)
    assert converge(service(unit, port), unit) == "restart"
    assert read_former(str(unit.config)).mode == 0o644


def test_absent_takes_everything_away(unit: FakeUnit, port: int) -> None:
    converge(service(unit, port), unit)
    parameters = {
        **{name: option.get("default") for name, option in module.ARGUMENTS.items()},
        "name": unit.name,
        "drop_ins": {"web": "x"},
        "files": [{"path": str(unit.config), "content": "x", "secret_base64": None, "mode": "0644", "link": None}],
        "state": "absent",
    }
    parameters["files"][0].update({"content_base64": None, "validate": [], "reload": False})
    gone = module.service_of(parameters, unit, "")
    converge(gone, unit)
    assert (unit.enabled, unit.server, unit.config.exists(), Path(unit.path).exists()) == (
        "disabled",
        None,
        False,
        False,
    )
    assert not plan_service(gone, unit).changed


def test_units_beside_the_first_are_brought_in_the_same_call_for_the_same_role(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    record: Callable[[], Owned],
) -> None:
    units = {name: FakeUnit(tmp_path / name, tmp_path / name / "fake.conf") for name in ("portal", "collector")}
    for name, fake in units.items():
        (tmp_path / name).mkdir()
        fake.name = name

    def run(*, check_mode: bool = False, **secrets: str) -> dict[str, Any]:
        wanted = [
            {
                "name": name,
                "unit": f"[Unit]\nDescription={name}\n",
                "files": [{"path": str(units[name].config), "secret_base64": base64.b64encode(text.encode()).decode()}],
                "state": "present",
            }
            for name, text in secrets.items()
        ]
        arguments = {**wanted[0], "role": "portal", "beside": wanted[1:], "_ansible_check_mode": check_mode}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    monkeypatch.setattr(module, "Unit", units.__getitem__)
    foreseen = run(portal="nobody knows", collector="hush", check_mode=True)
    assert (foreseen["changed"], units["collector"].config.exists()) == (True, False)
    done = run(portal="nobody knows", collector="hush")
    assert units["collector"].config.read_text(encoding="utf-8") == "hush"
    assert len(done["diff"]) == len(foreseen["diff"]) == 4
    shown = json.dumps({key: value for key, value in done.items() if key != "invocation"})
    assert "hush" not in shown
    assert not run(portal="nobody knows", collector="hush")["changed"]
    again = run(portal="nobody knows", collector="another")
    assert (again["changed"], [reason for reason in again["reasons"] if "portal" in reason]) == (True, [])
    assert {str(fake.config) for fake in units.values()} <= set(record().of("portal", "files"))


def test_present_leaves_alone_what_does_not_run(unit: FakeUnit, port: int) -> None:
    wanted = service(unit, port)._replace(state="present", enabled=None)
    assert converge(wanted, unit) == ""
    assert (unit.log, unit.server, unit.config.exists()) == (["daemon-reload"], None, True)
    assert not plan_service(wanted, unit).changed
    unit.restart()
    assert converge(service(unit, port, status=404)._replace(state="present"), unit) == "restart"


def test_a_package_that_is_not_installed_is_named(unit: FakeUnit) -> None:
    unit.loaded = False
    wanted = Service(unit.name, [ServiceFile(f"{unit.path}.d/web.conf", b"[Service]\n")], "started")
    assert plan_service(wanted, unit).changed  # what check mode says on a bare host
    with pytest.raises(ServiceError, match=r"fake.service is not found on this host; install its package first"):
        converge(wanted, unit)


def test_secrets_are_in_no_difference(unit: FakeUnit, port: int, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("alice:hush-hush\n")
    wanted = service(unit, port)
    secret = ServiceFile(str(users), b"alice:hush\n", mode=0o600, secret=True)
    shown = difference_texts(plan_service(wanted._replace(files=[*wanted.files, secret]), unit))
    assert "hush" not in json.dumps(shown)
    assert [part["before_header"] for part in shown] == [str(unit.config), unit.path, str(users), "unit"]


def test_a_cut_connection_leaves_the_former_state(unit: FakeUnit, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    good = service(unit, port)
    converge(good, unit)
    real = unit.restart

    def cut() -> None:
        monkeypatch.setattr(unit, "restart", real)
        raise SystemExit(129)

    monkeypatch.setattr(unit, "restart", cut)
    with pytest.raises(SystemExit):
        converge(service(unit, port, status=404), unit)
    assert unit.config.read_bytes() == good.files[0].content
    assert not plan_service(good, unit).changed


def test_what_was_there_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("nowhere")
    assert read_former(str(tmp_path / "file")) == Former(b"x", "", 0o640)
    assert read_former(str(tmp_path / "link")) == Former(None, "nowhere", 0o777)
    assert not read_former(str(tmp_path / "nothing")).exists()


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Owned]:
    """Put the record of what is ours below tmp_path; returns what stands in it."""
    monkeypatch.setattr(ownership, "RECORD", str(tmp_path / "lib" / "owned.json"))
    monkeypatch.setattr(ownership, "recognised", Owned)
    monkeypatch.setattr(ownership, "UNIT_PATHS", (str(tmp_path / "units"),))
    return ownership.known


def test_what_is_written_for_a_role_is_noted_with_a_copy_of_what_was_there(
    unit: FakeUnit, port: int, record: Callable[[], Owned], tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.conf"
    theirs.write_text("theirs", encoding="utf-8")
    wanted = service(unit, port)._replace(role="portal", trees=[f"{tmp_path}/log"])
    wanted = wanted._replace(files=[*wanted.files, ServiceFile(str(theirs), b"ours")])
    converge(wanted, unit)
    found = record()
    assert found.of("portal", "units") == {"fake.service": ""}
    assert set(found.of("portal", "files")) == {str(unit.config), unit.path}
    assert Path(found.of("portal", "kept")[str(theirs)]).read_text(encoding="utf-8") == "theirs"
    assert f"{tmp_path}/log" in found.of("portal", "trees")


def test_what_is_not_noted_is_not_removed_for_a_role(
    unit: FakeUnit, port: int, record: Callable[[], Owned], tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.conf"
    theirs.write_text("theirs", encoding="utf-8")
    unit.enabled = "enabled"
    gone = service(unit, port)._replace(files=[ServiceFile(str(theirs))], state="absent", role="portal")
    assert not plan_service(gone, unit).changed
    ownership.claim("portal", {"files": [f"{tmp_path}/new"], "units": ["fake.service"]})
    (tmp_path / "new").touch()
    ours = gone._replace(files=[ServiceFile(str(theirs)), ServiceFile(f"{tmp_path}/new")])
    apply_service(ours, unit, plan_service(ours, unit))
    assert (theirs.exists(), (tmp_path / "new").exists(), unit.enabled) == (True, False, "disabled")


@pytest.fixture
def remembered(unit: FakeUnit, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """A service in force, and a look at what of it still is."""
    monkeypatch.setattr(services_in_force, "Unit", lambda _name: unit)
    converge(service(unit, port), unit)
    services_in_force.remember("abc", [service(unit, port)], {"status": 404}, directory=str(tmp_path / "notes"))
    return lambda: services_in_force.services_in_force(str(tmp_path / "notes"))


def test_what_is_as_it_was_remembered_is_in_force(remembered: Any, tmp_path: Path) -> None:
    assert remembered() == {"fake.service": {"fingerprint": "abc", "result": {"status": 200}}}
    note = tmp_path / "notes" / "fake.service.json"
    assert note.stat().st_mode & 0o777 == 0o600


def stop(unit: FakeUnit) -> None:
    unit.stop()


def disable(unit: FakeUnit) -> None:
    unit.disable(stop=False)


def change_a_file(unit: FakeUnit) -> None:
    was = unit.config.stat()
    unit.config.write_text(unit.config.read_text().replace("{", "{ "))
    os.utime(unit.config, ns=(was.st_atime_ns, was.st_mtime_ns))


def change_a_mode(unit: FakeUnit) -> None:
    unit.config.chmod(0o600)


def delete_a_file(unit: FakeUnit) -> None:
    Path(unit.path).unlink()


def have_it_answer_with_faults(unit: FakeUnit) -> None:
    assert unit.server
    unit.server.status = 500


def write_a_file_anew(unit: FakeUnit) -> None:
    """The process has not read it since, whatever it says."""
    unit.started = unit.changed = time.monotonic() - 60


@pytest.mark.parametrize(
    "harm",
    [stop, disable, change_a_file, change_a_mode, delete_a_file, have_it_answer_with_faults, write_a_file_anew],
)
def test_what_is_not_as_it_was_remembered_is_not_in_force(
    remembered: Any, unit: FakeUnit, harm: Callable[[FakeUnit], None]
) -> None:
    assert remembered()
    harm(unit)
    assert remembered() == {}


def test_an_address_that_has_gone_is_not_in_force(
    remembered: Any, unit: FakeUnit, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have = {"192.0.2.41": "eth0"}
    monkeypatch.setattr(services_in_force, "devices", lambda: have)
    wanted = [service(unit, port)]
    services_in_force.remember("abc", wanted, {}, ["192.0.2.41"], directory=str(tmp_path / "notes"))
    assert remembered()
    have["192.0.2.41"] = "eth1"
    assert remembered() == {}
    have.clear()
    assert remembered() == {}


def test_a_port_that_another_took_is_not_in_force(
    remembered: Any, unit: FakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"port": 1, "protocol": "tcp", "unit": "other.service", "process": ""}
    monkeypatch.setattr(service_unit, "listening_sockets", lambda _first, _last: [other])
    assert remembered() == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"services": [{"files": []}]}', '{"services": []}'])
def test_a_note_that_cannot_be_read_is_none(remembered: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "notes" / "fake.service.json").write_text(text)
    assert remembered() == {}


def test_of_what_shall_be_gone_nothing_is_remembered(remembered: Any, unit: FakeUnit, tmp_path: Path) -> None:
    gone = Service(unit.name, [ServiceFile(unit.path)], "absent")
    services_in_force.remember("def", [gone], {}, directory=str(tmp_path / "notes"))
    assert (remembered(), list((tmp_path / "notes").iterdir())) == ({}, [])


def test_the_module_remembers_but_not_in_check_mode(
    unit: FakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Unit", lambda _name: unit)
    asked: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(
        services_in_force, "remember", lambda mark, services, _: asked.append((mark, [each.unit for each in services]))
    )
    absent = {"name": "fake.service", "state": "absent", "fingerprint": "abc"}
    for check_mode in (True, False):
        with patch_module_args({**absent, "_ansible_check_mode": check_mode}), pytest.raises(SystemExit):
            module.main()
    assert asked == [("abc", ["fake.service"])]


@pytest.fixture
def action(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The action plugin, with the calls of the module in `action.calls`."""
    spec = importlib.util.spec_from_file_location("service_unit_action", ACTION)
    plugin = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(plugin)  # type: ignore[union-attr]
    made = plugin.ActionModule.__new__(plugin.ActionModule)
    made._connection = made._shared_loader_obj = None
    made._templar = SimpleNamespace(template=lambda value: value)
    made._task = SimpleNamespace(args={"name": "fake.service", "unit": "[Service]"}, check_mode=False)
    made.calls = []
    monkeypatch.setattr(plugin.ActionBase, "run", lambda *_: {})

    def execute(module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        made.calls.append(module_args.get("fingerprint"))
        return {"changed": True}

    made._execute_module = execute
    return made


def test_no_call_is_made_for_what_is_in_force(action: Any, tmp_path: Path) -> None:
    lab = {"lab_directory": str(tmp_path / "lab")}
    assert action.run(task_vars=lab)["changed"]
    (fingerprint,) = action.calls
    key = tmp_path / "lab" / "fingerprint.key"
    assert (len(key.read_bytes()), key.stat().st_mode & 0o777, [*key.parent.iterdir()]) == (32, 0o600, [key])
    found = {
        **lab,
        "__lab_host": {"services": {"fake.service": {"fingerprint": fingerprint, "result": {"status": 404}}}},
    }
    result = action.run(task_vars=found)
    assert (result["changed"], result["status"], len(action.calls)) == (False, 404, 1)
    # So does one that this run has touched.
    action._task.args["touched"] = True
    assert action.run(task_vars=found)["changed"]
    assert action.calls.pop() == fingerprint
    action._task.args["touched"] = False
    # Whatever else is asked for takes a call, as does the same for another lab.
    action._task.args["unit"] = "[Service]\n"
    assert action.run(task_vars=found)["changed"]
    action._task.args["unit"] = "[Service]"
    assert action.run(task_vars={**found, "lab_directory": str(tmp_path / "other")})["changed"]
    assert len(set(action.calls)) == 3


def test_check_mode_makes_no_key(action: Any, tmp_path: Path) -> None:
    """Not even where the host remembers what another controller has asked for."""
    action._task.check_mode = True
    services = {"fake.service": {"fingerprint": "abc", "result": {}}}
    assert action.run(task_vars={"lab_directory": str(tmp_path / "lab"), "__lab_host": {"services": services}})[
        "changed"
    ]
    assert (action.calls, (tmp_path / "lab").exists()) == ([""], False)


def test_torrents_to_play_are_always_compared(action: Any, tmp_path: Path) -> None:
    lab = {"lab_directory": str(tmp_path / "lab")}
    action._task.args = {"port": 8086}
    action.run(task_vars=lab)
    services = {"seedbed-scripted.service": {"fingerprint": action.calls[0], "result": {"torrents": 0}}}
    found = {**lab, "__lab_host": {"services": services}}
    assert action.run(task_vars=found) == {"changed": False, "diff": [], "torrents": 0}
    action._task.args["torrents_json"] = "[]"
    assert action.run(task_vars=found)["changed"]
