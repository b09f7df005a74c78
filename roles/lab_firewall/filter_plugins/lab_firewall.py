"""What role lab_firewall decides of a host's own firewalls."""

from __future__ import annotations

import os
from typing import Any, Callable

import ansible.module_utils

ROOT = os.path.realpath(__file__).rsplit("/roles/", 1)[0]
ansible.module_utils.__path__.append(os.path.join(ROOT, "module_utils"))

from ansible.module_utils.seedbed.host import firewall_faults


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "chosen_backend": firewall_faults.chosen_backend,
            "firewall_faults": firewall_faults.firewall_faults,
            "firewall_notes": firewall_faults.firewall_notes,
        }
