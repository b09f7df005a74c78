"""Module selinux_policy, before a policy that answers as semanage does.

What semanage prints and refuses was seen with version 3.4 and its reference policy.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import owned as owned_module
import pytest
import selinux_policy
from ansible.module_utils.seedbed.base import ownership
from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.host import selinux
from ansible.module_utils.testing import patch_module_args

POLICY = {("tcp", "80"): "http_port_t", ("tcp", "8000"): "soundd_port_t", ("udp", "7001"): "afs3_callback_port_t"}
SUBSTITUTIONS = """\
# /aliased_path /original_path_as_configured_in_file_contexts
/run /var/run
/run/lock /var/lock

/var/log/private /var/log
"""


class Policy:
    """The part of a host's policy that the module sees."""

    def __init__(self) -> None:
        self.ports: dict[tuple[str, str], str] = {}
        self.contexts: dict[str, str] = {}
        self.on: set[str] = set()
        self.imports: list[str] = []
        self.to_relabel: list[str] = []

    def run(self, argv: list[str], text: str | None = None) -> str:
        if argv == ["semanage", "export"]:
            lines = ["boolean -D", "login -D", "port -D", "fcontext -D"]
            lines += [f"boolean -m -1 {name}" for name in self.on]
            lines += [f"port -a -t {kind} -r 's0' -p {tcp} {port}" for (tcp, port), kind in self.ports.items()]
            lines += [f"fcontext -a -f a -t {kind} -r 's0' '{path}'" for path, kind in self.contexts.items()]
            return "\n".join(lines) + "\n"
        if argv == ["semanage", "port", "-l"]:
            lines = [f"{kind:30} {tcp:8} {port}, 9433" for (tcp, port), kind in (POLICY | self.ports).items()]
            return "\n".join(
                ["SELinux Port Type  Proto  Port Number", "", *lines, "unreserved_port_t  tcp  1024-32767"]
            )
        if argv[0] == "getsebool":
            return f"{argv[1]} --> {'on' if argv[1] in self.on else 'off'}\n"
        if argv[0] == "restorecon":
            found = [
                f"Relabeled {path} from old to new" for path in self.to_relabel if path.startswith(tuple(argv[3:]))
            ]
            if "-n" in argv:
                return "\n".join(line.replace("Relabeled", "Would relabel") for line in found)
            self.to_relabel = []
            return "\n".join(found)
        assert argv == ["semanage", "import"]
        assert text is not None
        before = (dict(self.ports), dict(self.contexts), set(self.on))
        try:
            for line in text.splitlines():
                self._take(argv, shlex.split(line))
        except CommandError:
            self.ports, self.contexts, self.on = before
            raise
        self.imports.append(text)
        return ""

    def _take(self, argv: list[str], words: list[str]) -> None:
        def refuse(why: str) -> None:
            raise CommandError(argv, 1, f"ValueError: {why}")

        name = words[-1]
        options = dict(zip(words[2:-1:2], words[3:-1:2]))
        if words[0] == "boolean":
            assert words[1] == "-m"
            {"-1": self.on.add, "-0": self.on.discard}[words[2]](name)
            return
        if words[0] == "fcontext":
            if " " in name:
                refuse("File specification can not include spaces")
            if name.startswith("/run/"):
                refuse(f"File spec {name} conflicts with equivalency rule '/run /var/run'")
            if words[1] == "-d":
                del self.contexts[name]
            else:
                self.contexts[name] = options["-t"]
            return
        key = (options["-p"], name)
        known = key in POLICY or key in self.ports
        if words[1] == "-d":
            if key not in self.ports:
                refuse(f"Port {key} is defined in policy, cannot be deleted")
            del self.ports[key]
        elif known != (words[1] == "-m"):
            refuse(f"Port {key} {'already defined' if known else 'is not defined'}")
        else:
            self.ports[key] = options["-t"]


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Policy:
    found = Policy()
    (tmp_path / "config").write_text("# SELINUXTYPE= can be\nSELINUX=enforcing\nSELINUXTYPE=targeted\n")
    (tmp_path / "targeted").write_text(SUBSTITUTIONS)
    monkeypatch.setattr(selinux, "CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(selinux, "SUBSTITUTIONS", str(tmp_path / "{}"))
    monkeypatch.setattr(selinux, "run", found.run)
    monkeypatch.setattr(selinux, "is_there", lambda: True)
    monkeypatch.setattr(ownership, "RECORD", str(tmp_path / "lib" / "owned.json"))
    monkeypatch.setattr(ownership, "recognised", Owned)
    return found


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def module(program: Callable[[], None] | None = None, **arguments: Any) -> dict[str, Any]:
        with patch_module_args(arguments), pytest.raises(SystemExit):
            program() if program else selinux_policy.main()
        return dict(json.loads(capsys.readouterr().out))

    return module


PORTAL: dict[str, Any] = {
    "role": "portal",
    "ports": [{"port": 8000, "type": "http_port_t"}],
    "contexts": [
        {"path": "/srv/my site/", "type": "httpd_sys_content_t"},
        {"path": "/run/seedbed-portal", "type": "httpd_var_run_t"},
        {"path": "/var/log/private/x", "type": "httpd_log_t"},
    ],
    "booleans": ["httpd_can_network_connect"],
}


def test_what_a_service_needs_is_set_at_once_and_once(policy: Policy, run: Run) -> None:
    foreseen = run(**PORTAL, _ansible_check_mode=True)
    assert (foreseen["changed"], policy.imports, ownership.known().roles) == (True, [], [])
    first = run(**PORTAL)
    assert first["added"] == foreseen["added"]
    assert policy.imports == [
        "port -m -t http_port_t -p tcp 8000\n"  # the policy has it as another's
        "fcontext -a -t httpd_sys_content_t '/srv/my.site(/.*)?'\n"
        "fcontext -a -t httpd_var_run_t '/var/run/seedbed-portal(/.*)?'\n"
        "fcontext -a -t httpd_log_t '/var/log/x(/.*)?'\n"
        "boolean -m -1 httpd_can_network_connect\n"
    ]
    second = run(**PORTAL)
    assert (second["changed"], second["added"], second["dropped"], len(policy.imports)) == (False, [], [], 1)


def test_a_type_that_the_policy_calls_otherwise_is_no_change(policy: Policy, run: Run) -> None:
    """Reference policies know some types under two names, and tell the other one."""
    run(**PORTAL)
    policy.contexts["/var/run/seedbed-portal(/.*)?"] = "httpd_runtime_t"
    assert not run(**PORTAL)["changed"]


def test_a_port_without_a_type_is_added(policy: Policy, run: Run) -> None:
    run(role="portal", ports=[{"port": 8500, "type": "http_port_t"}])
    assert policy.imports == ["port -a -t http_port_t -p tcp 8500\n"]


def test_what_the_policy_has_anyway_is_not_ours(policy: Policy, run: Run) -> None:
    policy.on.add("httpd_can_network_connect")
    policy.contexts["/srv/site(/.*)?"] = "httpd_sys_content_t"  # an operator's own rule
    mine = {
        "role": "portal",
        "ports": [{"port": 80, "type": "http_port_t"}],
        "contexts": [{"path": "/srv/site", "type": "httpd_sys_content_t"}],
        "booleans": ["httpd_can_network_connect"],
    }
    assert not run(**mine)["changed"]
    assert run(owned_module.main, state="absent")["removed"] == []
    assert policy.on
    assert policy.contexts


@pytest.mark.parametrize(
    ("ports", "contexts", "text"),
    [
        ({("tcp", "8000"): "foo_port_t"}, {}, "SELinux has tcp 8000 as foo_port_t here by somebody's own rule"),
        ({}, {"/srv/my.site(/.*)?": "foo_t"}, "SELinux has /srv/my.site(/.*)? as foo_t here by somebody's own rule"),
    ],
)
def test_somebody_elses_rule_is_never_changed(
    policy: Policy, run: Run, ports: dict[tuple[str, str], str], contexts: dict[str, str], text: str
) -> None:
    policy.ports, policy.contexts = ports, contexts
    result = run(**PORTAL)
    assert result["failed"]
    assert text in result["msg"]
    assert (policy.imports, ownership.known().roles) == ([], [])


def test_another_port_takes_the_place_of_the_former(policy: Policy, run: Run) -> None:
    run(role="portal", ports=[{"port": 8000, "type": "http_port_t"}])
    result = run(role="portal", ports=[{"port": 8001, "type": "http_port_t"}])
    assert (result["added"], result["dropped"]) == (["port tcp 8001 http_port_t"], ["port tcp 8000 http_port_t"])
    assert policy.ports == {("tcp", "8001"): "http_port_t"}
    assert list(ownership.known().of("portal", "selinux")) == ["port tcp 8001 http_port_t"]


def test_another_type_takes_the_place_of_the_former(policy: Policy, run: Run) -> None:
    run(role="portal", contexts=[{"path": "/srv/x", "type": "a_t"}])
    run(role="portal", contexts=[{"path": "/srv/x", "type": "b_t"}])
    assert policy.contexts == {"/srv/x(/.*)?": "b_t"}


def test_what_was_set_goes_and_nothing_else(policy: Policy, run: Run) -> None:
    policy.ports["tcp", "9999"] = "foo_port_t"
    run(**PORTAL)
    removed = run(owned_module.main, state="absent", role="portal")["removed"]
    assert len(removed) == 5
    assert "SELinux: port tcp 8000 http_port_t" in removed
    assert (policy.ports, policy.contexts, policy.on) == ({("tcp", "9999"): "foo_port_t"}, {}, set())
    assert not run(owned_module.main, state="absent")["changed"]


def test_what_somebody_has_taken_back_by_hand_is_no_hindrance(policy: Policy, run: Run) -> None:
    run(**PORTAL)
    policy.contexts.clear()
    policy.ports.clear()
    assert run(owned_module.main, state="absent", role="portal")["changed"]
    run(**PORTAL)
    policy.ports.clear()
    assert run(**PORTAL)["added"] == ["port tcp 8000 http_port_t"]


def test_files_are_labelled_anew(policy: Policy, run: Run, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    context = {"role": "portal", "contexts": [{"path": str(site), "type": "httpd_sys_content_t"}]}
    run(**context)
    policy.to_relabel = [f"{site}/index.html"]
    foreseen = run(**context, _ansible_check_mode=True)
    assert foreseen["relabelled"] == [f"Would relabel {site}/index.html from old to new"]
    assert run(**context)["relabelled"] == [f"Relabeled {site}/index.html from old to new"]
    assert not run(**context)["changed"]


def test_check_mode_works_before_semanage_is_there(policy: Policy, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selinux, "is_there", lambda: False)
    assert run(**PORTAL, _ansible_check_mode=True)["changed"]
    assert policy.imports == []
    # Where it has gone meanwhile, the record can still be closed.
    assert selinux.remove(["port tcp 8000 http_port_t"]) == []


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/srv/a.b+c", r"/srv/a\.b\+c(/.*)?"),
        ("/srv/盲道 1", r"/srv/盲道.1(/.*)?"),
        ("/running", "/running(/.*)?"),
        ("/run", "/var/run(/.*)?"),
    ],
)
def test_a_directory_is_an_expression_of_the_policy(path: str, pattern: str) -> None:
    context = {"path": path, "type": "x_t"}
    assert selinux.rules([], [context], [], [("/run", "/var/run")]) == [f"fcontext {pattern} x_t"]
