"""Every role keeps the house's contract: what it offers, it specifies, once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
# Set by playbooks for the roles, or needed from the inventory: specified without a default.
WITHOUT_DEFAULT = {"transmission_rpc_password", "flood_password"}


def load(path: Path) -> dict:
    """Return what a file of a role holds; a role without defaults has no such file."""
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def entry_points(role: Path) -> dict:
    return load(role / "meta" / "argument_specs.yml").get("argument_specs", {})


def options_of(role: Path) -> dict:
    """Return the specification of the role's variables: they stand at its first entry point."""
    return next(iter(entry_points(role).values()), {}).get("options", {})


BOOLEANS = [name for role in ROLES for name, option in options_of(role).items() if option["type"] == "bool"]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
class TestRole:
    def test_is_described(self, role: Path) -> None:
        assert (role / "README.md").is_file()
        assert load(role / "meta" / "main.yml")["galaxy_info"]["description"]

    def test_specifies_exactly_its_defaults(self, role: Path) -> None:
        defaults = set(load(role / "defaults" / "main.yml"))
        specified = set(options_of(role))
        assert specified - WITHOUT_DEFAULT == defaults

    def test_types_and_describes_every_option(self, role: Path) -> None:
        for entry in entry_points(role).values():
            for name, option in entry.get("options", {}).items():
                assert option.get("type"), name
                assert option.get("description"), name

    def test_names_carry_its_prefix(self, role: Path) -> None:
        names = set(load(role / "defaults" / "main.yml"))
        assert {name for name in names if not name.startswith(f"{role.name}_")} == set()
        for variables in sorted((role / "vars").glob("*.yml")):
            assert {name for name in load(variables) if not name.startswith(f"__{role.name}_")} == set()

    def test_specified_defaults_are_the_defaults(self, role: Path) -> None:
        defaults = load(role / "defaults" / "main.yml")
        for name, option in options_of(role).items():
            if "default" in option and "{{" not in str(defaults[name]):
                assert option["default"] == defaults[name], name

    def test_every_entry_point_exists(self, role: Path) -> None:
        for entry in entry_points(role):
            assert (role / "tasks" / f"{entry}.yml").is_file(), entry

    def test_conditions_take_the_texts_of_extra_vars(self, role: Path) -> None:
        """With -e NAME=false a boolean comes as the text "false", which is true: only `bool` reads it."""
        files = [path for path in role.rglob("*") if path.suffix in {".yml", ".j2"} and path.parent.name != "meta"]
        for path in files:
            text = re.sub(r"^\s*#.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            for name in BOOLEANS:
                # Its definition, a conversion, or all of a module's parameter, which converts it.
                taken = rf"^\s*{name}:|\b{name}('\])?( \| default\(\w+\))? \| bool\b|\{{\{{ {name} \}}\}}"
                rest = re.sub(taken, "", text, flags=re.MULTILINE)
                assert not re.search(rf"\b{name}\b", rest), f"{path}: {name}"
