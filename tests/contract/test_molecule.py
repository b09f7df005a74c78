"""The hosts of the scenarios: which have their packages in the image, and which are bare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_images_have_the_packages_of_the_roles() -> None:
    (play,) = load(".config/molecule/create.yml")
    templar = Templar(DataLoader(), {"ansible_config_file": str(ROOT / "ansible.cfg")})
    packages = templar.template(trust_as_template(play["vars"]["container_host_packages"]))
    assert {"aria2", "gcc", "nginx", "transmission-daemon"} <= set(packages)


def test_bare_hosts_are_where_they_are_said_to_be() -> None:
    bare = "${MOLECULE_PROJECT_DIRECTORY}/playbooks/local_hosts.yml"
    scenarios = {path.parent.name: load(str(path)) or {} for path in ROOT.glob("molecule/*/molecule.yml")}
    playbooks = {name: scenario.get("ansible", {}).get("playbooks", {}) for name, scenario in scenarios.items()}
    assert sorted(name for name, chosen in playbooks.items() if chosen.get("create") == bare) == [
        "all_in_one",
        "survive",
        "transmission",
    ]
