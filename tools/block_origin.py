#!/usr/bin/env python3
"""Tell where the 16 KiB blocks in a file come from.

Every block of a recipe's content carries its file and number in its first 16 bytes. When a client has mixed
pieces up, this shows which block of which catalogue file lies where:

    tools/block_origin.py http://192.0.2.30:8000/catalogue.json broken-download.bin

Needs nothing but Python and this repository.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import sys
import urllib.request
from typing import Iterator

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils"))

from seedbed import content


def read_catalogue(where: str) -> dict[bytes, tuple[str, str]]:
    """Of every file that was made from a recipe: its key, its torrent and its path."""
    if "://" in where:
        with urllib.request.urlopen(where, timeout=30) as answer:
            listing = json.load(answer)
    else:
        with open(where, encoding="utf-8") as file:
            listing = json.load(file)
    known = {}
    for item in listing["items"]:
        recipe = item.get("recipe")
        if recipe and recipe["format"] == content.FORMAT:
            for file in item["files"]:
                path = () if item["single_file"] else tuple(file["path"].split("/"))
                known[content.file_key(recipe["seed"], path)] = (item["name"], file["path"])
    return known


def origins(data: mmap.mmap | bytes, known: dict[bytes, tuple[str, str]], *, step: int) -> Iterator[tuple[int, str]]:
    """(offset, sentence) of every block that begins at a multiple of step."""
    for offset in range(0, len(data) - content.STAMP + 1, step):
        key, number = content.decode_stamp(data[offset : offset + content.STAMP])
        if key not in known:
            yield offset, ""
            continue
        torrent, path = known[key]
        size = min(content.BLOCK, len(data) - offset)
        whole = data[offset : offset + size] == content.read(key, number * content.BLOCK, size)
        state = "" if whole else ", damaged" if size == content.BLOCK else ", cut or damaged"
        yield offset, f"block {number} of {path} in {torrent} (its offset {number * content.BLOCK}){state}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Tell where the 16 KiB blocks in a file come from.")
    parser.add_argument("catalogue", help="URL or path of catalogue.json")
    parser.add_argument("file", help="the file with the blocks")
    parser.add_argument(
        "--step", type=int, default=content.BLOCK, help="look at every so many bytes (default 16384; 1 is slow)"
    )
    options = parser.parse_args()
    try:
        known = read_catalogue(options.catalogue)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"{options.catalogue} cannot be read as a catalogue: {error}")
    found = unknown = 0
    with open(options.file, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            print("the file is empty")
            return 1
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
            for offset, sentence in origins(data, known, step=options.step):
                if sentence:
                    found += 1
                    print(f"offset {offset}: {sentence}")
                else:
                    unknown += 1
    print(f"{found} blocks of the catalogue, {unknown} places with something else")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
