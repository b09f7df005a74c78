"""What a host knows of a payload from the last run, so that an unchanged one costs a stat a file.

One JSON file an entry, beside the payloads and never inside them.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Iterable

from ansible.module_utils.seedbed.base.files import digest, make_directory

FORMAT = 1


class Manifests:
    """The manifests of a host."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def path(self, name: str) -> str:
        return os.path.join(self.directory, digest(name) + ".json")

    def load(self, name: str) -> dict[str, Any]:
        """The manifest of an entry, empty if there is none.

        One that was cut off, or that another version wrote, still tells that the entry's place is ours.
        """
        path = self.path(name)
        return self._read(path) or ({"made": True} if os.path.exists(path) else {})

    def _read(self, path: str) -> dict[str, Any]:
        try:
            with open(path, encoding="utf-8") as file:
                known = json.load(file)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}
        return known if isinstance(known, dict) and known.get("format") == FORMAT else {}

    def others(self, names: Iterable[str]) -> list[str]:
        """The entries that this host has a manifest of, beside these."""
        try:
            files = {file for file in os.listdir(self.directory) if file.endswith(".json")}
        except FileNotFoundError:
            return []
        files -= {os.path.basename(self.path(name)) for name in names}
        found = (self._read(os.path.join(self.directory, file)) for file in sorted(files))
        return [known["name"] for known in found if "name" in known]

    def save(self, name: str, known: dict[str, Any]) -> None:
        """Write a manifest, in place and without a wait for the disk.

        What a kill or a power cut takes of it is made and hashed again. New files and renames, of thousands of entries,
        would take longer than all else: ext4 looks for an inode among all that were freed within minutes.
        """
        make_directory(self.directory)
        text = json.dumps({**known, "format": FORMAT, "name": name}, separators=(",", ":"))
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(name))
