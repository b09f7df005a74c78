"""The command that tells where a stray block comes from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import block_origin
import pytest
from ansible.module_utils.seedbed.payload import content

TOOL = Path(__file__).resolve().parents[2] / "tools" / "block_origin.py"


def test_mixed_up_blocks_are_told_apart(tmp_path: Path) -> None:
    one, two = content.file_key("s", ()), content.file_key("t", ("dir", "file"))
    recipe = {"format": content.FORMAT, "seed": "s"}
    items = [
        {"name": "one", "single_file": True, "recipe": recipe, "files": [{"path": "one", "length": 80_000}]},
        {
            "name": "two",
            "single_file": False,
            "recipe": {**recipe, "seed": "t"},
            "files": [{"path": "dir/file", "length": 10**9}],
        },
        {
            "name": "giant",
            "single_file": False,
            "recipe": {**recipe, "seed": "g", "period": 65536},
            "files": [{"path": "a", "length": 2**40}],
        },
        {"name": "foreign", "single_file": True, "recipe": None, "files": [{"path": "foreign", "length": 1}]},
    ]
    listing = tmp_path / "catalogue.json"
    listing.write_text(json.dumps({"items": items}))
    damaged = bytearray(content.read(one, 3 * content.BLOCK, content.BLOCK))
    damaged[5000] ^= 1
    mixed = tmp_path / "mixed"
    mixed.write_bytes(
        content.read(two, 7 * content.BLOCK - 1000, 1000 + content.BLOCK)  # cut at an odd offset
        + bytes(content.BLOCK)
        + damaged
        + content.read(one, 4 * content.BLOCK, 80_000 - 4 * content.BLOCK)  # the file's end
        + b"odd"
        + content.read(content.file_key("g", ()), 16384, 16384)
        + content.read(one, 0, 100)
    )
    done = subprocess.run([sys.executable, TOOL, listing, mixed], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "offset 0: the last 1000 bytes of block 6 of dir/file in two",
        "offset 1000: block 7 of dir/file in two (its offset 114688)",
        "offset 33768: block 3 of one in one (its offset 49152), wrong after 5000 bytes",
        "offset 50152: block 4 of one in one (its offset 65536)",
        "offset 64619: block 1 of every period in giant (its offset 16384)",
        "offset 81003: block 0 of one in one (its offset 0), cut after 100 bytes",
        f"{1000 + 16384 + 5000 + 14464 + 16384 + 100} of 81103 bytes are the catalogue's",
    ]


LISTING = '{"items": []}'


@pytest.mark.parametrize(
    ("catalogue", "file", "sentence"),
    [
        ("[1, 2]", "here", "catalogue.json cannot be read as a catalogue: it is not the catalogue.json of a lab"),
        ("5", "here", "catalogue.json cannot be read as a catalogue: it is not the catalogue.json of a lab"),
        ('{"items": [5]}', "here", "catalogue.json cannot be read as a catalogue: it is not the catalogue.json"),
        ('{"items": [{"recipe": 5}]}', "here", "catalogue.json cannot be read as a catalogue: it is not the"),
        ("\xff", "here", "catalogue.json cannot be read as a catalogue: it is not the catalogue.json of a lab"),
        ("[" * 90000, "here", "catalogue.json cannot be read as a catalogue: it is not the catalogue.json of a lab"),
        (None, "here", "catalogue.json cannot be read as a catalogue: No such file or directory"),
        (LISTING, "missing", "missing cannot be read: No such file or directory"),
        (LISTING, ".", ". cannot be read: Is a directory"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, catalogue: str | None, file: str, sentence: str) -> None:
    (tmp_path / "here").write_bytes(b"x")
    if catalogue is not None:
        (tmp_path / "catalogue.json").write_text(catalogue, encoding="latin-1")
    done = subprocess.run(
        [sys.executable, TOOL, "catalogue.json", file], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(sentence)


def test_every_block_of_a_payload_is_found_wherever_it_begins() -> None:
    key = content.file_key("s", ())
    payload = content.read(key, 0, 2**22)
    known = {key: block_origin.OriginFile("one", "one", 2**22)}
    for shift in (0, 1, 5000):
        found = list(block_origin.origins(bytes(shift) + payload, known))
        assert [(offset - shift, right) for offset, right, _sentence in found] == [
            (at, content.BLOCK) for at in range(0, 2**22, content.BLOCK)
        ]
    far = 2**32 - 1  # the last block of 64 TiB
    block = content.read(key, far * content.BLOCK, content.BLOCK)
    ((offset, _right, sentence),) = block_origin.origins(
        b"x" + block, {key: block_origin.OriginFile("one", "one", 2**46)}
    )
    assert (offset, sentence) == (1, f"block {far} of one in one (its offset {far * content.BLOCK})")
