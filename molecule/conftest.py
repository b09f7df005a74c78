"""What every scenario's tests share: the hosts by name, waiting with a deadline, the journals of a failed test."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any, Callable, Generator, Iterator, NamedTuple, TypeVar

import ansible.module_utils
import pytest
import testinfra

ROOT = Path(__file__).resolve().parent.parent
# This machine asks the hosts with seedbed's own engine, and looks at web interfaces with a browser.
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))
sys.path += [str(ROOT / "tests" / "browser"), str(ROOT / "molecule")]
UNITS = (
    "opentracker",
    "transmission-daemon",
    "seedbed-portal",
    "seedbed-tracker-tls",
    "seedbed-collector",
    "seedbed-flood",
    "seedbed-firewall",
    "seedbed-scripted",
)
# Seconds that every event may take: no test depends on how fast a machine is.
PATIENCE = 120
Result = TypeVar("Result")


class Answer(NamedTuple):
    status: int
    headers: Message
    body: bytes


class Lab:
    """The scenario's hosts: ``lab["seeder1"]`` is a testinfra host, reached as Ansible reaches it."""

    def __init__(self, name: str) -> None:
        self.directory = ROOT / ".lab" / name
        self._hosts: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._hosts:
            self._hosts[name] = testinfra.get_host(f"ssh://{name}", ssh_config=str(self.directory / "ssh_config"))
        return self._hosts[name]

    def __iter__(self) -> Iterator[str]:
        for line in (self.directory / "ssh_config").read_text(encoding="utf-8").splitlines():
            if line.startswith("Host ") and line != "Host *":
                yield line.split()[1]

    def python(self, name: str, code: str, *arguments: object) -> Any:
        """What the code prints on that host, read as JSON: Python is the one tool that every host has."""
        words = " ".join(shlex.quote(str(argument)) for argument in arguments)
        return json.loads(self[name].check_output(f"python3 -c {shlex.quote(code)} {words}"))

    def command(self, *arguments: str) -> list[str]:
        """The words that run ansible-playbook on the scenario's hosts."""
        lab = f"--extra-vars=lab_name={self.directory.name} lab_directory={self.directory}"
        return ["ansible-playbook", lab, *arguments]

    def playbook(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs ansible-playbook on the scenario's hosts, as Molecule itself does."""
        return subprocess.run(
            self.command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False, timeout=1800
        )

    @staticmethod
    def get(url: str, **headers: str) -> Answer:
        """Return what this machine, which is none of the hosts, is answered; never by way of a proxy."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            answer = opener.open(urllib.request.Request(url, headers=headers), timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return Answer(answer.status, answer.headers, answer.read())

    @staticmethod
    def answers(address: str, port: int) -> bool:
        """Return whether this machine can connect to a port."""
        try:
            socket.create_connection((address, port), timeout=120).close()
        except OSError:
            return False
        return True

    def snapshot(self, name: str) -> list[str]:
        """What that host is, in lines that can be compared."""
        code = (ROOT / "molecule" / "snapshot.py").read_text(encoding="utf-8")
        lines: list[str] = self[name].check_output("python3 -c %s", code).splitlines()
        return lines

    @staticmethod
    def differences(before: list[str], after: list[str]) -> list[str]:
        """What two snapshots do not share."""
        gone, new = sorted(set(before) - set(after)), sorted(set(after) - set(before))
        return [f"- {line}" for line in gone] + [f"+ {line}" for line in new]

    def address(self, name: str) -> str:
        return str(self[name].check_output("hostname -I").split()[0])

    @property
    def rpc_password(self) -> str:
        return (self.directory / "transmission_rpc_password").read_text(encoding="utf-8").split()[0]


@pytest.fixture(scope="session")
def lab() -> Lab:
    # As .config/molecule/config.yml names it.
    return Lab(f"{os.environ.get('SEEDBED_TEST_LABS') or 'seedbed'}-{os.environ['MOLECULE_SCENARIO_NAME']}")


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    def wait(ask: Callable[[], Result], *, seconds: float = PATIENCE, what: str = "") -> Result:
        """The first answer of ``ask`` that is true; fails with the last one when the deadline passes."""
        assert seconds >= PATIENCE, "a busy machine takes its time"
        deadline = time.monotonic() + seconds
        while not (answer := ask()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what or ask.__name__} (last: {answer!r})"
            time.sleep(0.2)  # between two questions; the deadline above bounds the wait
        return answer

    return wait


def services(host: Any) -> list[str]:
    """Return the services of the lab that a host has, running or not."""
    ours = "'seedbed-*.service' opentracker.service transmission-daemon.service"
    shown = host.check_output(f"systemctl list-units --all --type=service --plain --no-legend {ours}")
    return [line.split()[0] for line in shown.splitlines() if line.split()[1] == "loaded"]


@pytest.fixture(scope="session")
def shut_in() -> Callable[..., list[str]]:
    def check(host: Any, *units: str) -> list[str]:
        """Ask systemd about units, or all of the lab: exposure, limits, that none is root's. Return them."""
        units = units or tuple(services(host))
        for unit in units:
            exposure = host.check_output(f"systemd-analyze security --no-pager {unit} | tail -n 1")
            assert float(re.findall(r"\d+\.\d+", exposure)[0]) <= 1.3, exposure
            names = ("User", "DynamicUser", "MemoryMax", "TasksMax", "MainPID")
            asked = " ".join(f"--property={name}" for name in names)
            shown = dict(line.split("=") for line in host.check_output(f"systemctl show {asked} {unit}").splitlines())
            assert shown["MemoryMax"].isdigit(), unit
            assert int(shown["TasksMax"]) <= 1024, unit
            assert shown["DynamicUser"] == "yes" or shown["User"] not in ("", "root"), unit
            if shown["MainPID"] != "0":
                assert host.check_output(f"ps -o user= -p {shown['MainPID']}") != "root", unit
        return list(units)

    return check


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    if report.when == "call" and report.failed and "lab" in getattr(item, "funcargs", {}):
        units = " ".join(f"--unit {unit}" for unit in UNITS)
        hosts = item.funcargs["lab"]
        for name in hosts:
            try:
                journal = hosts[name].run(f"journalctl --no-pager --lines 40 {units}").stdout
            except RuntimeError:  # a host that the test has stopped
                journal = "cannot be reached"
            report.sections.append((f"journal of {name}", journal))
        report.sections.append(("evidence", evidence(hosts)))
    return report


def evidence(lab: Lab) -> str:
    """Return where what the hosts of a failed test do now is kept; whatever becomes of that, the test has failed."""
    scenario = ROOT / "molecule" / os.environ["MOLECULE_SCENARIO_NAME"] / "inventory.yml"
    inventory = scenario if scenario.exists() else ROOT / "inventories" / "local"
    told = {"evidence_seconds": 10, "evidence_raise_logs": False}
    try:
        run = lab.playbook(f"--inventory={inventory}", "playbooks/evidence.yml", f"--extra-vars={json.dumps(told)}")
    except subprocess.TimeoutExpired as error:
        return str(error)
    return "\n".join(re.findall(r"artifacts/evidence/\S+", run.stdout)) or run.stdout[-3000:]
