"""A payload as the controller gets it: what a torrent is made from."""

from __future__ import annotations

import base64

from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.payload.hashing import Digests
from ansible.module_utils.seedbed.payload.placement import Placement
from ansible.module_utils.seedbed.torrent.model import Payload, PayloadFile, Recipe, RecipeMark


def describe(entry: Placement) -> Payload:
    """Return the descriptor of a payload, without digests where another host hashes it."""
    payload: Payload = {"name": entry.name, "download_dir": entry.download_dir, "changed": entry.changed}
    if "collection" in entry.spec:
        payload["collection"] = entry.spec["collection"]
    if entry.digests is None:
        return payload
    recipe = entry.spec.get("recipe")
    return {
        **payload,
        "length": entry.length,
        "single_file": entry.single,
        "piece_length": entry.piece_length,
        "hybrid": entry.hybrid,
        "pieces": base64.b64encode(entry.digests.pieces).decode(),
        "recipe": None if recipe is None else _mark(recipe),
        "files": [_file(entry, entry.digests, number) for number in range(len(entry.files))],
    }


def _mark(recipe: Recipe) -> RecipeMark:
    mark: RecipeMark = {"format": content.FORMAT, "seed": recipe["seed"]}
    if recipe.get("period"):
        mark["period"] = int(recipe["period"])
    return mark


def _file(entry: Placement, digests: Digests, number: int) -> PayloadFile:
    path, length = entry.files[number]
    checksum = digests.checksums[number].hex() or None
    file: PayloadFile = {"path": list(path), "length": length, "sha256": checksum}
    if entry.hybrid:
        file["root"] = base64.b64encode(digests.roots[number]).decode()
        file["layer"] = base64.b64encode(digests.layers[number]).decode()
    return file
