"""Layouts and size distributions: what a recipe becomes, and that growing keeps what was there."""

from __future__ import annotations

import hashlib

import pytest
from ansible.module_utils.seedbed.payload.layouts import LAYOUTS, lengths, recipe_files, sort_key
from ansible.module_utils.seedbed.torrent.names import MAX_COMPONENT, component_fault


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_distinct_paths_that_a_disk_can_hold(layout: str) -> None:
    files = recipe_files({"files": 200, "size": 1000, "layout": layout}, "s")
    paths = [file.path for file in files]
    assert len(set(paths)) == 200
    assert paths == sorted(paths, key=sort_key)
    directories = {path[:depth] for path in paths for depth in range(1, len(path))}
    assert not directories & set(paths)
    assert not any(component_fault(part) for path in paths for part in path)
    # Linux takes paths of 4096 bytes; the payload's own directory needs some of them.
    assert max(len("/".join(path).encode()) for path in paths) <= 4096 - 512


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_recipe_that_grows_keeps_its_paths(layout: str) -> None:
    few, many = (
        {file.path for file in recipe_files({"files": count, "size": count, "layout": layout}, "s")}
        for count in (30, 200)
    )
    assert few < many


def test_the_layouts_do_what_they_say() -> None:
    def paths(layout: str) -> list[tuple[str, ...]]:
        return [file.path for file in recipe_files({"files": 40, "size": 40, "layout": layout}, "s")]

    assert {len(path) for path in paths("deep")} == {61}
    assert max(len(part.encode()) for path in paths("long") for part in path) == MAX_COMPONENT == 255
    assert {len("/".join(path).encode()) for path in paths("longest")} == {3583}
    folded = ["/".join(path).lower() for path in paths("case")]
    assert len(set(folded)) == len(folded) // 2
    assert any(ord(char) > 0xFFFF for path in paths("unicode") for part in path for char in part)
    assert any(part.startswith("-") for path in paths("hidden") for part in path)


def test_nested_takes_depth_and_fanout() -> None:
    files = recipe_files({"files": 50, "size": 50, "layout": "nested", "depth": 2, "fanout": 3}, "s")
    assert {len(file.path) for file in files} == {3}
    assert len({file.path[0] for file in files}) == 3


def test_sizes() -> None:
    assert lengths({"size": 10, "files": 4}, "s") == [3, 3, 2, 2]
    assert lengths({"sizes": [0, "1KiB", 7]}, "s") == [0, 1024, 7]
    spread = lengths({"files": 2000, "sizes": {"min": 100, "max": "1MiB"}}, "s")
    assert all(100 <= size <= 2**20 for size in spread)
    assert sum(size < 1000 for size in spread) > 300
    assert sum(size > 100_000 for size in spread) > 300
    assert lengths({"files": 20, "sizes": {"min": 100, "max": "1MiB"}}, "s") == spread[:20]
    assert lengths({"files": 20, "sizes": {"min": 0, "max": 0}}, "s") == [0] * 20
    assert set(lengths({"files": 200, "sizes": {"min": 0, "max": 1}}, "s")) == {0, 1}


def test_a_second_implementation_spreads_the_sizes_alike() -> None:
    """As docs/catalogue.md describes it, for several spreads."""
    for low, high in ((0, 65536), (100, 100 * 1024), (5, 5), (1000, 1500), (1, 2**40)):
        made = [file.length for file in recipe_files({"files": 200, "sizes": {"min": low, "max": high}}, "any seed")]
        told = []
        for number in range(200):
            key = hashlib.sha256(b"any seed").digest()
            w = int.from_bytes(hashlib.blake2b(number.to_bytes(8, "little"), digest_size=8, key=key).digest(), "little")
            m = max(1, low)
            n = max(1, (high // m).bit_length())
            k = w % n
            lower = min(high, m * 2**k) if k else low
            upper = max(lower, min(high, m * 2 ** (k + 1)))
            told.append(lower + w // n % (upper - lower + 1))
        assert made == told


def test_one_file_stands_alone_unless_a_layout_asks_for_a_directory() -> None:
    assert recipe_files({"size": 5}, "s")[0].path == ()
    assert recipe_files({"sizes": [5]}, "s")[0].path == ()
    assert recipe_files({"size": 5, "layout": "flat"}, "s")[0].path == ("file-000000.bin",)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "x" * 256, "\udcff"])
def test_what_cannot_be_a_component(name: str) -> None:
    assert component_fault(name)
