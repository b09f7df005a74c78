"""Installing packages: while others are at work, from a mirror that fails, and after a kill."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible.module_utils.seedbed.base import ownership
from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.base.packages import package_lock_holder
from ansible.module_utils.seedbed.host import package_manager
from ansible.module_utils.seedbed.host.package_manager import PackageError, begun, finish, install

HELD = (
    "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (unattended-upgr)\n"
    "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?"
)
HELD_FROM_DPKG = "dpkg: error: dpkg frontend lock was locked by another process with pid 4711"
OLD_LISTS = "E: Failed to fetch http://mirror.test/nginx_1_amd64.deb  404  Not Found"


class Apt:
    """apt, dpkg and systemctl: what they were asked, and what they fail with first."""

    def __init__(self, directory: Path) -> None:
        self.policy = directory / "policy-rc.d"
        self.asked: list[str] = []
        self.failures: dict[str, list[str]] = {}
        self.policy_there: list[bool] = []
        self.installed: list[str] = []

    def run(self, argv: Sequence[str], text: str | None = None) -> str:
        words = list(argv)
        words = words[[word in ("apt-get", "dpkg", "systemctl") for word in words].index(True) :]
        known = ("update", "-s", "install", "--fix-broken", "--configure", "disable", "show")
        what = " ".join(word for word in [words[0], *words] if word in known)
        self.asked += [what] * (what != "show")
        if what in ("install", "--configure", "--fix-broken install"):
            self.policy_there.append(self.policy.exists())
        for key, messages in self.failures.items():
            if key == what and messages:
                raise CommandError(argv, 100, messages.pop(0))
        if what == "install":
            self.installed.append("nginx")
        if what == "show":
            return f"LoadState={'loaded' if self.installed else 'not-found'}\n"
        return (
            "Inst nginx (1 Debian:13 [amd64])\nInst theirs [1] (2 Debian:13 [amd64])\n" if what == "-s install" else ""
        )


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    found = Apt(tmp_path)
    monkeypatch.setattr(ownership, "RECORD", str(tmp_path / "lib" / "owned.json"))
    monkeypatch.setattr(ownership, "recognised", Owned)
    monkeypatch.setattr(package_manager, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(package_manager, "POLICY", str(found.policy))
    monkeypatch.setattr(package_manager, "POLL", 0.0)
    monkeypatch.setattr(package_manager, "has_apt", lambda: True)
    monkeypatch.setattr(package_manager, "installed_packages", lambda: found.installed)
    monkeypatch.setattr(package_manager, "_lists_are_old", lambda: False)
    monkeypatch.setattr(package_manager, "run", found.run)
    monkeypatch.setattr("ansible.module_utils.seedbed.base.systemd.run", found.run)
    return found


def record(apt: Apt) -> dict:
    file = apt.policy.parent / "lib" / "owned.json"
    return json.loads(file.read_text(encoding="utf-8"))["made_for"] if file.exists() else {}


def test_nothing_starts_meanwhile_nor_at_the_next_boot(apt: Apt) -> None:
    assert install("portal", ["nginx"], ["nginx.service"]) == ["nginx"]
    assert apt.asked == ["-s install", "install", "disable"]
    assert (apt.policy_there, apt.policy.exists()) == ([True], False)
    assert record(apt) == {"portal": {"packages": ["nginx"]}}


def test_what_was_there_before_keeps_its_start_at_boot(apt: Apt) -> None:
    apt.installed.append("nginx-core")
    install("portal", ["nginx"], ["nginx.service"])
    assert "disable" not in apt.asked


def test_a_killed_installation_is_finished_by_the_next_run(apt: Apt, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:  # nothing of ours runs after a kill
        patch.setattr(package_manager, "_end_installation", lambda: None)
        install("portal", ["nginx"], ["nginx.service"])
    assert begun()
    assert apt.policy.exists()
    apt.asked.clear()
    finish()
    assert apt.asked == ["--configure", "--fix-broken install", "disable"]
    assert (apt.policy_there, apt.policy.exists(), begun()) == ([True] * 3, False, False)
    assert record(apt) == {"portal": {"packages": ["nginx"]}}
    apt.asked.clear()
    finish()
    assert apt.asked == []


def test_a_killed_installation_lets_nothing_start_when_its_policy_is_gone(
    apt: Apt, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(package_manager, "_end_installation", lambda: None)
        install("portal", ["nginx"])
    apt.policy.unlink()
    finish()
    assert apt.policy_there == [True] * 3


@pytest.mark.parametrize("message", [HELD, HELD_FROM_DPKG])
def test_another_package_manager_is_waited_for(apt: Apt, message: str) -> None:
    apt.failures = {"install": [message] * 3}
    assert install("portal", ["nginx"]) == ["nginx"]
    assert apt.asked == ["-s install", *["install"] * 4]


@pytest.mark.parametrize(
    ("message", "who"), [(HELD, r"process 4711 \(unattended-upgr\)"), (HELD_FROM_DPKG, "process 4711")]
)
def test_one_that_does_not_end_is_named_in_a_sentence(
    apt: Apt, monkeypatch: pytest.MonkeyPatch, message: str, who: str
) -> None:
    monkeypatch.setattr(package_manager, "LOCK_SECONDS", -60)
    apt.failures = {"install": [message] * 2}
    with pytest.raises(PackageError, match=f"^{who} has had the package manager of this host for itself"):
        install("portal", ["nginx"])
    # What somebody installs later is not ours.
    assert (record(apt), apt.policy.exists()) == ({}, False)


def test_lists_older_than_the_mirror_are_fetched_anew_once(apt: Apt) -> None:
    apt.failures = {"install": [OLD_LISTS]}
    assert install("portal", ["nginx"]) == ["nginx"]
    assert apt.asked == ["-s install", "install", "update", "-s install", "install"]
    apt.failures = {"install": [OLD_LISTS] * 2}
    with pytest.raises(CommandError, match="404"):
        install("portal", ["nginx"])


def test_any_other_failure_is_not_repeated(apt: Apt) -> None:
    apt.failures = {"install": ["E: You don't have enough free space in /var/cache/apt/archives/."]}
    with pytest.raises(CommandError, match="enough free space"):
        install("portal", ["nginx"])
    assert apt.asked == ["-s install", "install"]
    assert not apt.policy.exists()


def test_who_changes_packages_is_named(tmp_path: Path) -> None:
    locks = [str(tmp_path / name) for name in ("none", "free", "held")]
    for path in locks[1:]:
        Path(path).touch()
    assert package_lock_holder(locks) == ""
    # A process has no lock in its own eyes.
    code = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.lockf(file, fcntl.LOCK_EX); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, locks[2]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == b"\n"
        assert package_lock_holder(locks).endswith(f" (process {holder.pid})")
        holder.communicate(b"\n")
    assert package_lock_holder(locks) == ""


def test_two_installations_of_ours_do_not_meet(apt: Apt) -> None:
    second = threading.Thread(target=install, args=("portal", ["nginx"]), daemon=True)
    with open(package_manager.LOCK, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second.start()
        assert apt.asked == []
    second.join(timeout=60)
    assert apt.asked == ["-s install", "install"]
