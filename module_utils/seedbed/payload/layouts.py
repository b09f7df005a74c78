"""From a recipe to its list of files: paths by layout, lengths by distribution.

The path of file number i depends on i and the recipe's layout alone, never on how many files there are:
a recipe that grows keeps every file that it had.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Callable, NamedTuple, Tuple

from ansible.module_utils.seedbed.base.sizes import parse_size
from ansible.module_utils.seedbed.torrent.model import Recipe

MAX_FILES = 100_000

Path = Tuple[str, ...]


class ContentFile(NamedTuple):
    """One file of a payload."""

    path: Path  # below the torrent's name; empty in a single-file torrent
    length: int


class Layout(NamedTuple):
    """How the files of a recipe are named."""

    why: str
    path: Callable[[int, Recipe], Path]


def _flat(number: int, _recipe: Recipe) -> Path:
    return (f"file-{number:06d}.bin",)


def _nested(number: int, recipe: Recipe) -> Path:
    depth, fanout = int(recipe.get("depth", 3)), int(recipe.get("fanout", 4))
    parts: list[str] = []
    rest = number
    for _level in range(depth):
        rest, digit = divmod(rest, fanout)
        parts.append(f"dir-{digit:02d}")
    return (*parts, f"file-{number:06d}.bin")


def _cycle(patterns: tuple[str, ...]) -> Callable[[int, Recipe], Path]:
    """Return paths from patterns with / between components and {n} for the number, one after the other."""

    def path(number: int, _recipe: Recipe) -> Path:
        return tuple(patterns[number % len(patterns)].format(n=number).split("/"))

    return path


def _deep(number: int, _recipe: Recipe) -> Path:
    return (*(f"level-{level:02d}" for level in range(60)), f"file-{number:06d}.bin")


def _long(number: int, _recipe: Recipe) -> Path:
    # 255 bytes: the limit of a component, once in ASCII and once in characters of three bytes.
    return ("d" * 255, f"{number:06d}-" + "x" * 248) if number % 2 else ("盲" * 85, f"{number:06d}---" + "道" * 82)


def _longest(number: int, _recipe: Recipe) -> Path:
    # With a slash between them 3,583 bytes.
    return (*(f"{level:02d}-" + "d" * 252 for level in range(13)), f"{number:06d}-" + "x" * 248)


LAYOUTS: dict[str, Layout] = {
    "flat": Layout("many files in one directory", _flat),
    "nested": Layout("directories in directories (depth, fanout): trees, and files that share pieces", _nested),
    "deep": Layout("60 levels of directories: recursion and path buffers", _deep),
    "long": Layout("components of 255 bytes, ASCII and three-byte characters: name limits", _long),
    "longest": Layout("paths of 3,583 bytes, of the 4,096 that Linux takes at most: path limits", _longest),
    "unicode": Layout(
        "Chinese, emoji beyond the BMP, combining characters beside composed ones, right-to-left: encodings, "
        "normalisation and display",
        _cycle(
            (
                "中文目录/盲道-{n:06d}.bin",
                "emoji-🧲🌱/🎬-{n:06d}.bin",
                "combining/cafe\u0301-{n:06d}.bin",
                "combining/caf\u00e9-{n:06d}.bin",
                "right-to-left/שלום-مرحبا-{n:06d}.bin",
                "кириллица/файл-{n:06d}.bin",
            )
        ),
    ),
    "spaces": Layout(
        "spaces at the start, inside and at the end of names: trimming and shell quoting",
        _cycle(("a b/in side {n:06d}.bin", " begin/ {n:06d}.bin", "end /{n:06d}.bin ", "two  spaces/{n:06d}  .bin")),
    ),
    "quotes": Layout(
        "quotes, dollar, backquote, ampersand, hash, percent: shells, HTML and URL encoding",
        _cycle(
            (
                "it's/{n:06d}'.bin",
                'say "hi"/{n:06d}.bin',
                "$HOME/`{n:06d}`.bin",
                "a&b=c/<b>{n:06d}.bin",
                "100%25/#{n:06d}.bin",
            )
        ),
    ),
    "hidden": Layout(
        "names that begin with a dot or a dash: hidden files, names taken for options",
        _cycle((".hidden/.{n:06d}.bin", "-rf/--{n:06d}.bin", "..dots/...{n:06d}", "-/-{n:06d}")),
    ),
    "case": Layout(
        "names equal but for case: file systems that do not tell them apart",
        # Two by two: files 0 and 1, then 2 and 3.
        lambda number, _recipe: (("Case", "case")[number % 2], f"File-{number // 2:06d}.bin"),
    ),
    "windows": Layout(
        "device names, trailing dots, characters that Windows refuses: sanitising (Transmission 3.00 does)",
        _cycle(
            ("CON/{n:06d}.bin", "aux.txt/nul-{n:06d}", "dot./{n:06d}.", "a:b/c?{n:06d}*.bin", "back\\slash/{n:06d}|")
        ),
    ),
    "order": Layout(
        "directories beside names that go on with a byte below the slash: file order by component or by whole path",
        _cycle(("a/{n:06d}", "a-b/{n:06d}", "a.bin-{n:06d}", "a b/{n:06d}", "A/{n:06d}")),
    ),
}


def _spread(seed: str, number: int, low: int, high: int) -> int:
    """Return a length between low and high for this file, as many small as large ones by order of magnitude."""
    word = hashlib.blake2b(
        struct.pack("<Q", number), digest_size=8, key=hashlib.sha256(seed.encode()).digest()
    ).digest()
    draw = int.from_bytes(word, "little")
    # Integers only: first an octave between low and high, then a place in it.
    octaves = max(1, (high // max(1, low)).bit_length())
    bottom = min(high, max(1, low) << (draw % octaves)) if draw % octaves else low
    top = min(high, max(1, low) << (draw % octaves + 1))
    return bottom + (draw // octaves) % (max(top, bottom) - bottom + 1)


def lengths(recipe: Recipe, seed: str) -> list[int]:
    """Return the length of every file, in the order of their numbers."""
    sizes = recipe.get("sizes")
    if isinstance(sizes, list):
        return [parse_size(size) for size in sizes]
    files = int(recipe.get("files", 1))
    if sizes is not None:
        low, high = parse_size(sizes["min"]), parse_size(sizes["max"])
        return [_spread(seed, number, low, high) for number in range(files)]
    each, more = divmod(parse_size(recipe["size"]), files)
    return [each + (number < more) for number in range(files)]


def is_single(recipe: Recipe) -> bool:
    """Return whether the torrent is one file without a directory of its own."""
    sizes = recipe.get("sizes")
    count = len(sizes) if isinstance(sizes, list) else int(recipe.get("files", 1))
    return count == 1 and "layout" not in recipe


def sort_key(path: Path) -> tuple[bytes, ...]:
    """Return what orders by component in raw bytes: the order of a BEP 52 file tree."""
    return tuple(part.encode() for part in path)


def recipe_files(recipe: Recipe, seed: str) -> list[ContentFile]:
    """Return the files of a recipe in the order in which they go into the torrent."""
    sizes = lengths(recipe, seed)
    if is_single(recipe):
        return [ContentFile((), sizes[0])]
    path = LAYOUTS[str(recipe.get("layout", "flat"))].path
    files = [ContentFile(path(number, recipe), size) for number, size in enumerate(sizes)]
    files.sort(key=lambda file: sort_key(file.path))
    return files
