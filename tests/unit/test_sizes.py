"""Sizes, rates, shares and piece lengths."""

from __future__ import annotations

import pytest
from ansible.module_utils.seedbed.base import sizes
from ansible.module_utils.seedbed.base.sizes import KIB, MIB, SizeError
from ansible.module_utils.seedbed.torrent import piece_lengths


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (0, 0),
        ("0", 0),
        ("12", 12),
        ("1 kB", 1000),
        ("1KiB", 1024),
        ("1.5MiB", 3 * 512 * 1024),
        ("1MiB+1", 1024**2 + 1),
        ("4 GiB", 4 * 1024**3),
        ("0.1TB", 100_000_000_000),
    ],
)
def test_sizes(text: int | str, size: int) -> None:
    assert sizes.parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["10 bananas", "", "-1", "1e3", "KiB", "1 kiB", -1, 1.5, None, True, "0.0001KiB", 2**61]
)
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(SizeError, match=r"is not a|is not a whole"):
        sizes.parse_size(text)  # type: ignore[arg-type]


def test_rates() -> None:
    assert sizes.parse_rate("100KiB/s") == 102400
    assert sizes.parse_rate(500) == 500
    with pytest.raises(SizeError, match="write it like 100KiB/s"):
        sizes.parse_rate("100KiB")


@pytest.mark.parametrize(("text", "share"), [("60%", 600_000), (0.6, 600_000), ("12.5%", 125_000), (1, 1_000_000)])
def test_shares(text: str | float, share: int) -> None:
    assert sizes.parse_share(text) == share


@pytest.mark.parametrize("text", ["60", "101%", -1, "x%", "nan%", None])
def test_what_is_no_share(text: object) -> None:
    with pytest.raises(SizeError, match="is not a share"):
        sizes.parse_share(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "held", "told"),
    [
        ("40-100%", (400_000, 1_000_000), "40-100%"),
        ("12.5% - 60 %", (125_000, 600_000), "12.5-60%"),
        ("60%", (0, 600_000), "0-60%"),
        (1, (0, 1_000_000), "0-100%"),
    ],
)
def test_ranges(text: str | float, held: tuple[int, int], told: str) -> None:
    assert sizes.parse_range(text) == held
    assert sizes.format_range(held) == told
    assert sizes.parse_range(told) == held


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("40-101%", "is not a range between 0% and 100%"),
        ("-5%", "is not a range between 0% and 100%"),
        ("40-100", "is not a range between 0% and 100%"),
        ("a-b%", "is not a range between 0% and 100%"),
        ("60-40%", "is a range without anything in it"),
        ("60-60%", "is a range without anything in it"),
        ("150%", "is not a share between 0% and 100%"),
        (None, "is not a share"),
    ],
)
def test_what_is_no_range(text: object, why: str) -> None:
    with pytest.raises(SizeError, match=f"^{text!r} {why}"):
        sizes.parse_range(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ranges", "share"),
    [
        ([], 0),
        ([(0, 600_000), (400_000, 1_000_000)], 1_000_000),
        ([(600_000, 700_000), (0, 400_000)], 500_000),
        ([(0, 900_000), (100_000, 200_000), (500_000, 950_000)], 950_000),
    ],
)
def test_what_ranges_are_together(ranges: list[tuple[int, int]], share: int) -> None:
    assert sizes.together(ranges) == share


# The table of docs/catalogue.md: the same steps as Transmission 4 and webtorrent take.
@pytest.mark.parametrize(
    ("total", "length"),
    [
        (0, 16 * KIB),
        (MIB, 16 * KIB),
        (50 * MIB, 64 * KIB),
        (100 * MIB, 128 * KIB),
        (256 * MIB, 256 * KIB),
        (350 * MIB, 256 * KIB),
        (1024 * MIB, MIB),
        (4096 * MIB, 4 * MIB),
        (2**40, 16 * MIB),
    ],
)
def test_piece_length_by_size(total: int, length: int) -> None:
    assert piece_lengths.piece_length_for(total) == length


def test_a_hybrid_of_small_files_gets_short_pieces() -> None:
    assert piece_lengths.hybrid_piece_length_for([100_000] * 10_000) == 16 * KIB
    assert piece_lengths.hybrid_piece_length_for([1024 * MIB]) == MIB


@pytest.mark.parametrize("text", ["16KiB", "64MiB", 32768])
def test_fixed_piece_lengths(text: int | str) -> None:
    assert piece_lengths.parse_piece_length(text) == sizes.parse_size(text)


@pytest.mark.parametrize("text", ["8KiB", "128MiB", "100000", "0"])
def test_what_is_no_piece_length(text: str) -> None:
    with pytest.raises(SizeError, match="a power of two between 16KiB and 64MiB would be right"):
        piece_lengths.parse_piece_length(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (12 << 30, "12 GiB"), (5 << 50, "5120 TiB")],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert sizes.format_size(size) == text
