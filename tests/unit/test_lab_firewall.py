"""The lab's firewall: the files of a table, and the way a table is replaced."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.seedbed.base import systemd
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.host import nft_table
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).resolve().parents[2] / "roles" / "lab_firewall"


def test_a_table_is_replaced_in_one_transaction() -> None:
    text = nft_table.replacing("inet seedbed", "table inet seedbed {\n}\n")
    assert text.splitlines()[:3] == ["table inet seedbed", "delete table inet seedbed", "table inet seedbed {"]


def test_a_file_is_replaced_as_a_whole_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "made" / "rules"
    nft_table.write_durably(str(path), "old")
    nft_table.write_durably(str(path), "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [child.name for child in path.parent.iterdir()] == ["rules"]


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[nft_table.TablePaths, Unit, dict[str, str]]:
    """A table that was loaded and kept, on a host whose kernel lists what the dictionary has."""
    kernel = {"inet seedbed": "table inet seedbed {\n\tchain lab {\n\t}\n}\n"}
    monkeypatch.setattr(nft_table, "live_listing", lambda table: kernel.get(table, ""))
    monkeypatch.setattr(nft_table.shutil, "which", lambda _name: "/usr/sbin/nft")
    monkeypatch.setattr(systemd, "UNITS", str(tmp_path))
    paths, unit = nft_table.TablePaths(str(tmp_path / "rules")), Unit("seedbed-firewall.service")
    nft_table.keep("inet seedbed", "the rules", paths)
    (tmp_path / unit.name).write_text("the unit")
    wants = tmp_path / "multi-user.target.wants"
    wants.mkdir()
    (wants / unit.name).symlink_to(tmp_path / unit.name)
    return paths, unit, kernel


def in_force(loaded: tuple[nft_table.TablePaths, Unit, dict[str, str]], rules: str = "the rules") -> bool:
    paths, unit, _kernel = loaded
    found = nft_table.loaded_table("inet seedbed", paths, unit)
    variables = {"found": found, "rules": rules}
    asked = "{{ found | table_in_force(table='inet seedbed', rules=rules, unit_text='the unit') }}"
    return bool(Templar(DataLoader(), variables).template(trust_as_template(asked)))


def test_a_table_in_force_needs_no_second_look(loaded: Any) -> None:
    assert in_force(loaded)
    assert not in_force(loaded, rules="other rules")


@pytest.mark.parametrize("what", ["kernel", "flushed", "rules", "unreadable", "listing", "unit", "disabled", "no nft"])
def test_whatever_differs_has_the_table_looked_at(loaded: Any, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    paths, unit, kernel = loaded
    {
        "kernel": lambda: kernel.update({"inet seedbed": "table inet seedbed {\n}\n"}),
        "flushed": kernel.clear,
        "rules": lambda: Path(paths.rules).unlink(),
        "unreadable": lambda: Path(paths.rules).chmod(0o600),
        "listing": lambda: Path(paths.listing).unlink(),
        "unit": lambda: Path(unit.path).write_text("another"),
        "disabled": lambda: Path(unit.path).parent.joinpath("multi-user.target.wants", unit.name).unlink(),
        "no nft": lambda: monkeypatch.setattr(nft_table.shutil, "which", lambda _name: None),
    }[what]()
    assert not in_force(loaded)


# -- the rules --------------------------------------------------------------------------------------------------------

LISTENERS = [
    {"variable": "opentracker_port", "port": 8888, "protocols": ["tcp", "udp"]},
    {"variable": "portal_port", "port": 8000, "protocols": ["tcp"]},
    {"variable": "leecher_rpc_port", "port": 8084, "protocols": ["tcp"], "loopback": True},
]


def rules(**variables: Any) -> str:
    """Return the table as the role renders it."""
    known = {
        **yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8")),
        **{
            name: trust_as_template(value) if isinstance(value, str) else value
            for name, value in yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8")).items()
        },
        "ansible_managed": "Managed by Ansible",
        "lab_firewall_listeners": LISTENERS,
        "lab_networks": ["10.0.0.0/8", "fc00::/7"],
        "lab_port_range": {"first": 8000, "last": 9000},
        "__lab_host": {"firewall": {"ssh_ports": [22]}},
        **variables,
    }
    source = (ROLE / "templates" / "firewall.nft.j2").read_text(encoding="utf-8")
    text = Templar(DataLoader(), known).template(trust_as_template(source), preserve_trailing_newlines=True)
    assert isinstance(text, str)
    return text


def test_the_declared_ports_are_open_to_the_networks_and_what_is_on_loopback_is_not() -> None:
    text = rules()
    assert re.findall(r"elements = \{ (.*) \}", text) == ["10.0.0.0/8", "fc00::/7", "8000, 8888", "8888"]
    assert "th dport 8000-9000 jump lab" in text
    assert "notrack" not in text


def test_what_is_dropped_on_purpose_gets_no_answer_from_anywhere() -> None:
    dropped = {"variable": "scripted_peer_port + 8", "port": 8094, "protocols": ["tcp"], "dropped": True}
    text = rules(lab_firewall_listeners=[*LISTENERS, dropped])
    assert "8094" not in "".join(re.findall(r"elements = \{ (.*) \}", text))
    chain = text.partition("chain lab {")[2].split("}\n")[0]
    assert chain.index("th dport { 8094 } drop") < chain.index("accept")
    assert " drop" not in rules()


@pytest.mark.parametrize(
    ("ssh", "keep", "port", "kept"),
    [
        ([22], [], None, None),  # outside the range nothing is closed
        ([8022, 22], [8080, 9500, "8443"], None, "8022, 8080, 8443"),
        ([], [], 8022, "8022"),  # a host that came by no SSH: the inventory's word
    ],
)
def test_ssh_and_what_is_kept_stay_open(ssh: list[int], keep: list[Any], port: int | None, kept: str | None) -> None:
    more = {"ansible_port": port} if port else {}
    text = rules(lab_firewall_keep=keep, __lab_host={"firewall": {"ssh_ports": ssh}}, **more)
    lines = re.findall(r"th dport \{ (.*) \} accept", text)
    assert lines == ([kept] if kept else [])


def test_only_packets_of_the_host_itself_go_untracked_and_only_on_demand() -> None:
    untracked = [line.split() for line in rules(lab_firewall_untracked=True).splitlines() if line.endswith("notrack")]
    assert len(untracked) == 8
    assert {tuple(line[:4]) for line in untracked} == {
        ("fib", "daddr", "type", "local"),
        ("fib", "saddr", "type", "local"),
    }
    assert "notrack" not in rules(lab_firewall_untracked="false")  # as -e gives it
