"""Names and tables for people."""

from __future__ import annotations

import pytest
from ansible.module_utils.seedbed.base.text import aligned, printable


@pytest.mark.parametrize("name", ["abc", "盲道", "e\u0301", ""])
def test_columns_align_whatever_the_script(name: str) -> None:
    columns = {"abc": 3, "盲道": 4, "e\u0301": 1, "": 0}
    assert aligned([["12345", "b"], [name, "c"], ["d", ""]]) == [
        "12345  b",
        name + " " * (7 - columns[name]) + "c",
        "d",
    ]


def test_a_name_can_neither_break_its_line_nor_steer_a_terminal() -> None:
    assert printable("a\nb\x1b[2J 盲") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[2J 盲"
