"""Makes seedbed's own engine importable: this machine asks the daemons and computes contents with it."""

from __future__ import annotations

from pathlib import Path

import ansible.module_utils

ansible.module_utils.__path__.append(str(Path(__file__).resolve().parents[2] / "module_utils"))
