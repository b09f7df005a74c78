#!/usr/bin/env python3
"""Tell where the 16 KiB blocks in a file come from.

Every block of a recipe's content carries its file and number in its first 16 bytes. When a client has mixed
pieces up, this shows which block of which catalogue file lies where, at whatever offset:

    tools/block_origin.py http://192.0.2.30:8000/catalogue.json broken-download.bin

Needs nothing but Python and this repository.
"""

from __future__ import annotations

import argparse
import http.client
import json
import mmap
import os
import sys
import urllib.request
from typing import Any, Iterator, Mapping, NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils"))

from seedbed.payload import content


class OriginFile(NamedTuple):
    """A file that was made from a recipe."""

    torrent: str
    path: str
    length: int


def read_catalogue(where: str) -> dict[bytes, OriginFile]:
    """Return every file that was made from a recipe, by its key."""
    if "://" in where:
        with urllib.request.urlopen(where, timeout=30) as answer:
            text = answer.read()
    else:
        with open(where, "rb") as file:
            text = file.read()
    try:
        return _recipe_files(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("it is not the catalogue.json of a lab") from None


def _recipe_files(listing: Any) -> dict[bytes, OriginFile]:
    known = {}
    for item in listing["items"]:
        recipe = item.get("recipe")
        if recipe and recipe["format"] == content.FORMAT and recipe.get("period"):
            # All files are one stream, of which every period has the same blocks.
            origin = OriginFile(str(item["name"]), "every period", int(recipe["period"]))
            known[content.file_key(recipe["seed"], ())] = origin
        elif recipe and recipe["format"] == content.FORMAT:
            for file in item["files"]:
                path = () if item["single_file"] else tuple(file["path"].split("/"))
                origin = OriginFile(str(item["name"]), str(file["path"]), int(file["length"]))
                known[content.file_key(recipe["seed"], path)] = origin
    return known


def origins(data: mmap.mmap | bytes, known: Mapping[bytes, OriginFile]) -> Iterator[tuple[int, int, str]]:
    """Yield for every block, wherever it begins: where it lies, how many of its bytes are right, and a sentence."""
    end = content.stamp_end()
    reported = 0  # up to here
    at = data.find(end, content.STAMP - len(end))
    while at >= 0:
        offset = at + len(end) - content.STAMP
        key, number = content.decode_stamp(data[offset : offset + content.STAMP])
        file, begin = known.get(key), number * content.BLOCK
        if file and offset >= reported and begin < file.length:
            where, gap = f"{file.path} in {file.torrent}", offset - reported
            if 0 < gap < content.BLOCK and number and data[reported:offset] == content.read(key, begin - gap, gap):
                yield reported, gap, f"the last {gap} bytes of block {number - 1} of {where}"
            size = min(content.BLOCK, file.length - begin)
            here = data[offset : offset + size]
            wanted = content.read(key, begin, len(here))
            right = len(here) if here == wanted else next(n for n, byte in enumerate(wanted) if byte != here[n])
            state = "" if right == size else f", {'cut' if right == len(here) else 'wrong'} after {right} bytes"
            yield offset, right, f"block {number} of {where} (its offset {begin}){state}"
            reported = offset + right
        at = data.find(end, max(at + 1, reported))


def main() -> int:
    parser = argparse.ArgumentParser(description="Tell where the 16 KiB blocks in a file come from.")
    parser.add_argument("catalogue", help="URL or path of catalogue.json")
    parser.add_argument("file", help="the file with the blocks")
    options = parser.parse_args()
    try:
        known = read_catalogue(options.catalogue)
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.exit(f"{options.catalogue} cannot be read as a catalogue: {_words(error)}")
    try:
        return tell(options.file, known)
    except (OSError, ValueError) as error:  # a path may hold a null character; a pipe has no map
        sys.exit(f"{options.file} cannot be read: {_words(error)}")


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def tell(path: str, known: Mapping[bytes, OriginFile]) -> int:
    """Print what lies in a file; return 1 if nothing of it is the catalogue's."""
    with open(path, "rb") as file:
        size = left = os.fstat(file.fileno()).st_size
        if not size:
            print("the file is empty")
            return 1
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
            for offset, right, sentence in origins(data, known):
                left -= right
                print(f"offset {offset}: {sentence}")
    print(f"{size - left} of {size} bytes are the catalogue's")
    return 0 if left < size else 1


if __name__ == "__main__":
    sys.exit(main())
