"""Makes the project's plugins importable the way Ansible itself imports them."""

from __future__ import annotations

import sys
from pathlib import Path

import ansible.module_utils
from ansible.plugins.loader import filter_loader, init_plugin_loader
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))
sys.path += [str(ROOT / part) for part in ("library", "filter_plugins", "tools", "tests/fixtures")]
init_plugin_loader()  # as the command line does, once, for the tests that render templates
for directory in sorted(ROOT.glob("roles/*/filter_plugins")):
    filter_loader.add_directory(str(directory))

# No test depends on how fast a machine is.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
# For a long search by hand: pytest --hypothesis-profile=fuzz tests/unit/test_bencode.py tests/unit/test_metainfo.py
settings.register_profile("fuzz", max_examples=50_000, deadline=None)
