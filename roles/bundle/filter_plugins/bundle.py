"""What playbooks/bundle.yml writes beside the archives."""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils
import yaml

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../../../module_utils"))

from ansible.module_utils.seedbed.host import bundle

_ARCHIVE_KEYS = ("name", "sha256", "pin", "package", "urls")


def bundle_archive(archive: Mapping[str, Any]) -> dict[str, Any]:
    """Return an archive as module bundle_archives takes it."""
    return {key: archive[key] for key in _ARCHIVE_KEYS if key in archive}


def bundle_variables(archives: Sequence[Mapping[str, Any]], directory: str) -> str:
    """Return a file of variables that has the roles take their archives from a directory of the controller."""
    found: dict[str, Any] = {}
    for archive in archives:
        found[archive["variable"]] = os.path.join(os.path.realpath(directory), archive["name"])
        found |= archive.get("also", {})
    head = "# Written by playbooks/bundle.yml. Moved to another controller, correct the paths.\n"
    return head + yaml.safe_dump(found, allow_unicode=True, explicit_start=True)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "bundle_archive": bundle_archive,
            "bundle_name": bundle.archive_name,
            "bundle_variables": bundle_variables,
        }
