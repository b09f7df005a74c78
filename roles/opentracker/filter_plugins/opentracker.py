"""What role opentracker asks about its variables."""

from __future__ import annotations

import os
from typing import Any, Callable

import ansible.module_utils

ROOT = os.path.realpath(__file__).rsplit("/roles/", 1)[0]
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

from ansible.module_utils.seedbed.host.opentracker import faults
from ansible.module_utils.seedbed.host.opentracker_build import build_of
from ansible.module_utils.seedbed.host.opentracker_times import unlike


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"opentracker_build": build_of, "opentracker_faults": faults, "opentracker_unlike": unlike}
