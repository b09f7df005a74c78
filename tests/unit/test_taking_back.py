"""Taking back: all of what is ours, nothing of what is not, and a second time nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ansible.module_utils.seedbed.base import ownership
from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.host import package_manager, taking_back
from ansible.module_utils.seedbed.host.package_manager import PackageError, new_packages
from ansible.module_utils.seedbed.host.taking_back import plan_taking, remove_tree, take_back, within
from hypothesis import given
from hypothesis import strategies as st

PARTS = st.sampled_from(["a", "b", "ab"])
PATHS = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


# --- deciding


@given(st.dictionaries(st.sampled_from("xyz"), st.lists(PATHS, unique=True)), st.lists(st.sampled_from("xyz")), PATHS)
def test_only_what_is_written_down_goes_and_what_is_kept_or_shared_stays(made: dict, roles: list, kept: str) -> None:
    owned = Owned({role: {"trees": paths} for role, paths in made.items()})
    goes, stays = plan_taking(owned, roles, [kept])
    mine = {path for role in roles for path in made.get(role, [])}
    others = {path for role, paths in made.items() if role not in roles for path in paths}
    gone = set(goes.get("trees", {}))
    assert gone <= mine - others
    assert not any(within(path, kept) for path in gone)
    assert gone | set(stays) == mine - others


@given(PATHS, PATHS)
def test_within_is_about_whole_names(path: str, above: str) -> None:
    parts, names = path.split("/"), above.split("/")
    assert within(path, above) == (parts[: len(names)] == names) == within(path, above + "/")


# --- doing


class Host:
    """What the programs of a host were asked."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def run(self, argv: Sequence[str], text: str | None = None) -> str:
        self.commands.append(list(argv))
        return ""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host()
    for module in (taking_back, package_manager):
        monkeypatch.setattr(module, "run", found.run)
    monkeypatch.setattr("ansible.module_utils.seedbed.base.systemd.run", found.run)
    monkeypatch.setattr(package_manager, "installed_packages", list)
    return found


def test_what_others_have_put_beside_ours_stays_and_so_does_what_holds_it(host: Host, tmp_path: Path) -> None:
    for name in ("portal/torrents", "portal/qr", "state/manifests"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("portal/index.html", "portal/torrents/x.torrent", "portal/torrents/theirs", "state/manifests/x"):
        (tmp_path / name).touch()
    owned = Owned(
        {
            "portal": {
                "files": [f"{tmp_path}/portal/index.html", f"{tmp_path}/portal/torrents/x.torrent", f"{tmp_path}/gone"],
                "directories": [f"{tmp_path}/{name}" for name in ("portal", "portal/torrents", "portal/qr")],
                "trees": [f"{tmp_path}/state"],
            }
        }
    )
    first = take_back(owned, ["portal"])
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "portal",
        "portal/torrents",
        "portal/torrents/theirs",
    ]
    assert first.left == [f"{tmp_path}/portal"]
    assert owned.plain() == {"portal": {"directories": [f"{tmp_path}/portal", f"{tmp_path}/portal/torrents"]}}
    assert take_back(owned, ["portal"]) == ([], first.left)
    (tmp_path / "portal/torrents/theirs").unlink()
    assert take_back(owned, ["portal"]).left == []
    assert owned.roles == []
    assert list(tmp_path.iterdir()) == []


def test_what_was_replaced_comes_back(host: Host, tmp_path: Path) -> None:
    file, copy = tmp_path / "settings.json", tmp_path / "settings.json.before-seedbed-2026-11-30-120000"
    file.write_text("ours", encoding="utf-8")
    copy.write_text("theirs", encoding="utf-8")
    copy.chmod(0o600)
    unknown = tmp_path / "unknown"
    unknown.write_text("ours, and nobody knows what was before", encoding="utf-8")
    owned = Owned({"transmission": {"kept": {str(file): str(copy), str(unknown): ""}}})
    assert take_back(owned, ["transmission"]).removed == [str(file)]
    assert (file.read_text(encoding="utf-8"), file.stat().st_mode & 0o777) == ("theirs", 0o600)
    assert sorted(tmp_path.iterdir()) == [file, unknown]


def test_content_that_is_kept_stays_with_its_owner_until_it_is_not(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home/downloads").mkdir(parents=True)
    (tmp_path / "home/downloads/film").touch()
    (tmp_path / "home/resume").touch()
    monkeypatch.setattr(taking_back, "user_exists", lambda name: True)
    monkeypatch.setattr(taking_back, "user_ids", lambda name: (os.getuid(), os.getgid()))
    owned = Owned({"transmission": {"trees": [f"{tmp_path}/home"], "users": ["debian-transmission"]}})
    before = owned.plain()
    taken = take_back(owned, ["transmission"], [f"{tmp_path}/home/downloads"])
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "home",
        "home/downloads",
        "home/downloads/film",
    ]
    assert (taken.left, owned.plain(), host.commands) == ([f"{tmp_path}/home/downloads"], before, [])
    take_back(owned, ["transmission"])
    assert (list(tmp_path.iterdir()), owned.roles) == ([], [])
    assert host.commands == [["userdel", "debian-transmission"]]


def test_a_disk_that_somebody_mounted_in_a_tree_is_not_emptied(tmp_path: Path) -> None:
    disk = tmp_path / "tree" / "disk"
    disk.mkdir(parents=True)
    (disk / "theirs").touch()
    (tmp_path / "tree" / "ours").touch()
    assert remove_tree(f"{tmp_path}/tree", mounts=[str(disk)]) == [str(disk)]
    assert [path.name for path in tmp_path.rglob("*")] == ["tree", "disk", "theirs"]


def test_a_link_in_place_of_a_tree_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/file").touch()
    (tmp_path / "tree").symlink_to("theirs")
    assert remove_tree(f"{tmp_path}/tree") == []
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "theirs"]


def test_mount_points_are_read_as_the_kernel_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b"36 35 98:0 /mnt1 /mnt/a\\040disk rw,noatime master:1 - ext3 /dev/root rw\n"
    monkeypatch.setattr(taking_back, "read_file", lambda path: line)
    assert taking_back.mount_points() == ["/mnt/a disk"]


def test_a_unit_that_was_there_is_as_it_was(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unit:
        def __init__(self, name: str) -> None:
            self.name = name

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda **_options: host.commands.append([name, self.name])

        def properties(self) -> dict[str, str]:
            return {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}

        def active(self) -> bool:
            return True

    monkeypatch.setattr(taking_back, "Unit", Unit)
    states = {"ran.service": "active enabled", "rested.service": "inactive disabled", "static.service": "active static"}
    take_back(Owned({"transmission": {"states": states}}), ["transmission"])
    assert sorted(host.commands) == [
        ["disable", "rested.service"],
        ["start", "ran.service"],
        ["start", "static.service"],
        ["stop", "ran.service"],
        ["stop", "rested.service"],
        ["stop", "static.service"],
    ]


def test_a_directory_has_its_mode_again(host: Host, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc").chmod(0o770)
    owned = Owned({"transmission": {"modes": {f"{tmp_path}/etc": "2775", f"{tmp_path}/gone": "755"}}})
    assert take_back(owned, ["transmission"]).removed == [f"{tmp_path}/etc"]
    assert (tmp_path / "etc").stat().st_mode & 0o7777 == 0o2775


def shown(root: Path) -> dict[str, bytes | None]:
    """Return all that lies below a directory, with the content of files."""
    return {str(path): None if path.is_dir() else path.read_bytes() for path in sorted(root.rglob("*"))}


@given(
    st.dictionaries(PATHS, st.booleans()),
    # Not all that is written down comes to be made: a full disk may come between.
    st.lists(st.tuples(st.sampled_from(["files", "trees", "directories"]), PATHS, st.booleans()), max_size=8),
)
def test_whatever_was_there_and_whatever_is_made_in_the_end_it_is_what_it_was(existing: dict, wanted: list) -> None:
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        root = Path(directory, "root")
        root.mkdir()
        patch.setattr(ownership, "RECORD", f"{directory}/lib/owned.json")
        patch.setattr(ownership, "recognised", Owned)
        for name, is_directory in sorted(existing.items()):
            path = Path(f"{root}{name}")
            if not any(parent.is_file() for parent in path.parents) and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.mkdir() if is_directory else path.write_bytes(b"theirs")
        before = shown(root)
        for kind, name, made in wanted:
            path = Path(f"{root}{name}")
            unfit = path.is_dir() if kind == "files" else path.is_file()
            if unfit or any(parent.is_file() for parent in path.parents):
                continue  # what is there stands in the way, and the run would fail
            ours = not path.exists()
            ownership.claim("role", {kind: [str(path)]})
            if not made:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "files":
                path.write_bytes(b"ours")
            else:
                path.mkdir(exist_ok=True)
            if kind == "trees" and ours:
                (path / "more").write_bytes(b"ours")
        with ownership.opened() as owned:
            assert take_back(owned, owned.roles).left == []
        assert shown(root) == before
        assert not Path(directory, "lib").exists()


def test_what_was_written_down_and_never_made_is_struck_out(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_back, "user_exists", lambda name: False)
    paths = {kind: [f"{tmp_path}/{kind}/never/made"] for kind in ("files", "trees", "directories", "content", "used")}
    notes = {"kept": {f"{tmp_path}/kept": f"{tmp_path}/copy"}, "modes": {f"{tmp_path}/modes": "755"}}
    units = {"units": ["never.service"], "states": {"gone.service": "active enabled"}, "tables": ["inet never"]}
    owned = Owned({"role": {**paths, **notes, **units, "users": ["never"], "packages": ["never"]}})
    assert take_back(owned, ["role"]) == ([], [])
    assert owned.roles == []
    assert [command for command in host.commands if not {"show", "is-active", "list"} & set(command)] == []


# --- packages


def test_a_package_that_another_role_still_needs_is_handed_over(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed with Flood, and needed by aria2, which came later and goes later."""
    monkeypatch.setattr(package_manager, "remove", lambda names: sorted(set(names) - {"libcares2"}))
    owned = Owned({"flood": {"packages": ["nodejs", "libcares2"]}, "leecher": {"packages": ["aria2"]}})
    assert take_back(owned, ["flood"]).removed == ["package nodejs"]
    assert owned.plain() == {"leecher": {"packages": ["aria2", "libcares2"]}}
    monkeypatch.setattr(package_manager, "remove", list)
    assert take_back(owned, ["leecher"]).removed == ["package aria2", "package libcares2"]
    assert owned.roles == []


def test_apts_simulation_tells_what_comes_and_what_goes() -> None:
    simulation = """Reading package lists...
Inst libssl3 [3.0.1] (3.0.2 Debian:12/stable [amd64])
Inst nginx-common (1.22 Debian:12/stable [all])
Inst nginx (1.22 Debian:12/stable [amd64]) []
Remv nginx-light [1.18]
Conf nginx (1.22 Debian:12/stable [amd64])
Purg gcc [12]
"""
    assert new_packages(simulation) == (["nginx-common", "nginx"], ["nginx-light", "gcc"])


class Apt:
    """A package manager: what each package depends on, and which were installed by hand."""

    def __init__(self, depends: dict[str, list[str]], by_hand: set[str]) -> None:
        self.depends, self.by_hand = depends, by_hand
        self.private: set[str] | None = None

    def __call__(self, argv: Sequence[str]) -> str:
        words = [word for word in argv if not word.startswith(("-", "Dir::", "APT::", "env", "LC_", "DEBIAN"))]
        tool, action, *names = words
        if tool == "apt-mark":
            hand = set(self.by_hand) if self.private is None else self.private
            self.private = hand - set(names) if action == "auto" else hand | set(names)
            return ""
        gone = self.unneeded() if action == "autoremove" else self.broken_without(set(names))
        return "".join(f"Remv {name} [1]\n" for name in gone)

    def unneeded(self) -> set[str]:
        assert self.private is not None
        needed, open_ends = set(), list(self.private)
        while open_ends:
            name = open_ends.pop()
            if name not in needed:
                needed.add(name)
                open_ends += self.depends[name]
        return set(self.depends) - needed

    def broken_without(self, names: set[str]) -> set[str]:
        gone = set(names)
        while more := {name for name, needs in self.depends.items() if gone & set(needs)} - gone:
            gone |= more
        return gone


@given(st.data())
def test_no_package_goes_that_another_one_needs(data: st.DataObject) -> None:
    names = [f"p{number}" for number in range(7)]
    # The later ones depend on earlier ones, so that there is no circle.
    depends = {
        name: data.draw(st.lists(st.sampled_from(names[:at] or [name]), unique=True)) for at, name in enumerate(names)
    }
    depends["p0"] = []
    by_hand = set(data.draw(st.lists(st.sampled_from(names))))
    ours = set(data.draw(st.lists(st.sampled_from(names), min_size=1)))
    apt, rpm = Apt(depends, by_hand), Rpm(depends)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package_manager, "_while_locked", apt)
        patch.setattr(package_manager, "run", rpm)
        results = [set(ask(sorted(ours))) for ask in (package_manager.removable, package_manager.removable_rpms)]
    for gone in results:
        assert gone <= ours
        assert apt.broken_without(gone) == gone, "whatever depends on what goes is ours, too"
        # And nothing of ours stays for no reason: somebody else's package, or one that it needs, needs it.
        others = set(names) - ours
        reachable, open_ends = set(), list(others)
        while open_ends:
            name = open_ends.pop()
            reachable.add(name)
            open_ends += [need for need in depends[name] if need not in reachable]
        assert ours - gone <= reachable


class Rpm:
    """RPM, which names what installed packages would lack, as 4.18 does; a package provides itself and a library."""

    def __init__(self, depends: dict[str, list[str]]) -> None:
        self.depends = depends

    def __call__(self, argv: Sequence[str]) -> str:
        if "--whatprovides" in argv:
            name = argv[-1].partition(".so")[0].replace("lib", "", 1)
            if name not in self.depends:
                raise CommandError(argv, 1, f"no package provides {argv[-1]}")
            return f"{name}\n"
        gone = set(argv[argv.index("--test") + 1 :])
        lacking = [
            (f"lib{need}.so.1()(64bit)" if int(need[1]) % 2 else f"{need} >= 1", name)
            for name, needs in self.depends.items()
            for need in needs
            if need in gone and name not in gone
        ]
        if lacking:
            lines = [f"\t{what} is needed by (installed) {name}-1-1.noarch" for what, name in lacking]
            raise CommandError(argv, len(lacking), "\n".join(["error: Failed dependencies:", *lines]))
        return ""


def test_a_need_that_nobody_can_look_up_keeps_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(argv: Sequence[str]) -> str:
        raise CommandError(argv, 1, "\t(foo if bar) is needed by (installed) other-1-1.noarch")

    monkeypatch.setattr(package_manager, "run", run)
    assert package_manager.removable_rpms(["foo"]) == []


def test_what_comes_along_with_dnf_is_written_down_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the installation what is asked for, after it the rest: dnf tells it no sooner."""
    monkeypatch.setattr(ownership, "RECORD", str(tmp_path / "owned.json"))
    monkeypatch.setattr(ownership, "recognised", Owned)
    installed = ["bash", "xz"]
    written: list[list[str]] = []

    def run(argv: Sequence[str]) -> str:
        written.append(list(ownership.known().of("opentracker", "packages")))
        assert argv[2:6] == ["dnf", "-q", "-y", "install"]
        installed.extend(["gcc", "cpp"])
        return ""

    monkeypatch.setattr(package_manager, "has_apt", lambda: False)
    monkeypatch.setattr(package_manager, "installed_packages", lambda: list(installed))
    monkeypatch.setattr(package_manager, "run", run)
    assert package_manager.install("opentracker", ["gcc", "xz"]) == ["cpp", "gcc"]
    assert written == [["gcc"]]
    assert sorted(ownership.known().of("opentracker", "packages")) == ["cpp", "gcc"]


def test_an_installation_that_would_cost_a_package_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands = []

    def ask(argv: Sequence[str]) -> str:
        commands.append(argv)
        return "Remv nginx-light [1.18]\nInst nginx-core (1.18 Debian:11 [amd64])\n"

    monkeypatch.setattr(package_manager, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(ownership, "RECORD", str(tmp_path / "owned.json"))
    monkeypatch.setattr(package_manager, "has_apt", lambda: True)
    monkeypatch.setattr(package_manager, "_lists_are_old", lambda: False)
    monkeypatch.setattr(package_manager, "_while_locked", ask)
    with pytest.raises(PackageError, match="to install nginx-core would remove nginx-light from this host"):
        package_manager.install("portal", ["nginx-core"])
    assert ["-s" in argv for argv in commands] == [True]
