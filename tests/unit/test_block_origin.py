"""The command that tells where a stray block comes from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ansible.module_utils.seedbed import content

TOOL = Path(__file__).resolve().parents[2] / "tools" / "block_origin.py"


def test_mixed_up_blocks_are_told_apart(tmp_path: Path) -> None:
    one, two = content.file_key("s", ()), content.file_key("t", ("dir", "file"))
    recipe = {"format": content.FORMAT, "seed": "s"}
    items = [
        {"name": "one", "single_file": True, "recipe": recipe, "files": [{"path": "one"}]},
        {"name": "two", "single_file": False, "recipe": {**recipe, "seed": "t"}, "files": [{"path": "dir/file"}]},
        {"name": "foreign", "single_file": True, "recipe": None, "files": [{"path": "foreign"}]},
    ]
    listing = tmp_path / "catalogue.json"
    listing.write_text(json.dumps({"items": items}))
    damaged = bytearray(content.read(one, 3 * content.BLOCK, content.BLOCK))
    damaged[5000] ^= 1
    blocks = [content.read(two, 7 * content.BLOCK, content.BLOCK), bytes(content.BLOCK), bytes(damaged)]
    mixed = tmp_path / "mixed"
    mixed.write_bytes(b"".join(blocks) + content.read(one, 0, 100))
    done = subprocess.run([sys.executable, TOOL, listing, mixed], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "offset 0: block 7 of dir/file in two (its offset 114688)",
        "offset 32768: block 3 of one in one (its offset 49152), damaged",
        "offset 49152: block 0 of one in one (its offset 0)",
        "3 blocks of the catalogue, 1 places with something else",
    ]
