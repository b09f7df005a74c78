"""Makes the project's plugins importable the way Ansible itself imports them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible.module_utils
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader, init_plugin_loader
from ansible.template import Templar, trust_as_template
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))
sys.path += [str(ROOT / part) for part in ("library", "filter_plugins", "tools", "tests/fixtures")]
init_plugin_loader()  # as the command line does, once, for the tests that render templates
for directory in sorted(ROOT.glob("roles/*/filter_plugins")):
    filter_loader.add_directory(str(directory))


@pytest.fixture(scope="session")
def render() -> Callable[..., Any]:
    """Return a function that renders a template as a play does, with the filters of all roles."""

    def rendered(template: str, **variables: Any) -> Any:
        return Templar(loader=DataLoader(), variables=variables).template(trust_as_template(template))

    return rendered


# No test depends on how fast a machine is.
# The same examples every time, so that a run is red for what was changed alone; the other profile looks for new ones.
settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")
# For a long search by hand: pytest --hypothesis-profile=fuzz tests/unit/test_bencode.py tests/unit/test_metainfo.py
settings.register_profile("fuzz", max_examples=50_000, deadline=None)
