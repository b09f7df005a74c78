"""Makes the project's plugins importable the way Ansible itself imports them."""

from __future__ import annotations

import sys
from pathlib import Path

import ansible.module_utils

ROOT = Path(__file__).resolve().parent.parent
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))
sys.path += [str(ROOT / "library"), str(ROOT / "filter_plugins")]
