"""What a host knows of a payload from the last run, so that an unchanged one costs a stat a file.

One JSON file an entry, beside the payloads and never inside them.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any, Iterable, List, TypedDict, cast

from ansible.module_utils.seedbed.base.files import digest, make_directory, read_file, remove_files
from ansible.module_utils.seedbed.payload.hashing import Digests

FORMAT = 1

FileMark = List[Any]
"""The stat of a file that was made, and the key of its content."""


class SavedDigests(TypedDict):
    """Digests, and what they are the digests of."""

    of: str
    """The fingerprint of the placement."""
    stats: list[list[int] | None]
    """Of the files that were not made here, when they were hashed."""
    pieces: str
    checksums: list[str]
    roots: list[str]
    layers: list[str]


class Manifest(TypedDict, total=False):
    """What is remembered of one entry; empty for one that was never seen."""

    format: int
    name: str
    kind: str
    made: bool
    """Whether what lies in the entry's place is ours, finished or not."""
    payload_dir: str
    layout: str
    links: list[str]
    disk: list[tuple[str, FileMark]]
    """The files that were made, by path below the payload directory."""
    racy: bool
    """Whether a file was so fresh when it was hashed that its stat proves nothing."""
    digests: SavedDigests


def save_digests(digests: Digests, of: str, stats: list[list[int] | None]) -> SavedDigests:
    """Return digests as a manifest keeps them."""
    return {
        "of": of,
        "stats": stats,
        "pieces": base64.b64encode(digests.pieces).decode(),
        "checksums": [checksum.hex() for checksum in digests.checksums],
        "roots": [base64.b64encode(root).decode() for root in digests.roots],
        "layers": [base64.b64encode(layer).decode() for layer in digests.layers],
    }


def load_digests(saved: SavedDigests) -> Digests:
    """Return the digests that a manifest keeps."""
    return Digests(
        base64.b64decode(saved["pieces"]),
        [bytes.fromhex(checksum) for checksum in saved["checksums"]],
        [base64.b64decode(root) for root in saved["roots"]],
        [base64.b64decode(layer) for layer in saved["layers"]],
    )


def digests_of(manifest: Manifest) -> Manifest:
    """Return what a manifest knows of digests, and nothing of files."""
    kept: Manifest = {}
    if "digests" in manifest:
        kept["digests"] = manifest["digests"]
    if "racy" in manifest:
        kept["racy"] = manifest["racy"]
    return kept


class Manifests:
    """The manifests of a host."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def path(self, name: str) -> str:
        """Return where the manifest of an entry lies."""
        return os.path.join(self.directory, digest(name) + ".json")

    def load(self, name: str) -> Manifest:
        """Return the manifest of an entry, empty if there is none.

        One that was cut off, or that another version wrote, still tells that the entry's place is ours.
        """
        path = self.path(name)
        return _read(path) or ({"made": True} if os.path.exists(path) else {})

    def others(self, names: Iterable[str]) -> list[str]:
        """Return the entries that this host has a manifest of, beside these."""
        try:
            files = {file for file in os.listdir(self.directory) if file.endswith(".json")}
        except FileNotFoundError:
            return []
        files -= {os.path.basename(self.path(name)) for name in names}
        found = (_read(os.path.join(self.directory, file)) for file in sorted(files))
        return [manifest["name"] for manifest in found if "name" in manifest]

    def save(self, name: str, manifest: Manifest) -> None:
        """Write a manifest, in place and without a wait for the disk.

        What a kill or a power cut takes of it is made and hashed again. New files and renames, of thousands of entries,
        would take longer than all else: ext4 looks for an inode among all that were freed within minutes.
        """
        make_directory(self.directory)
        text = json.dumps({**manifest, "format": FORMAT, "name": name}, separators=(",", ":"))
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def remove(self, name: str) -> None:
        """Forget an entry."""
        remove_files([self.path(name)])


def _read(path: str) -> Manifest:
    try:
        known = json.loads(read_file(path) or b"")
    except ValueError:
        return {}
    if not isinstance(known, dict) or known.get("format") != FORMAT:
        return {}
    return cast(Manifest, known)  # its format says that it is one
