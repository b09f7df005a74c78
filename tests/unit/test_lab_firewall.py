"""The lab's firewall: the files of a table, and the way a table is replaced."""

from __future__ import annotations

import stat
from pathlib import Path

from ansible.module_utils.seedbed.host import nft_table


def test_a_table_is_replaced_in_one_transaction() -> None:
    text = nft_table.replacing("inet seedbed", "table inet seedbed {\n}\n")
    assert text.splitlines()[:3] == ["table inet seedbed", "delete table inet seedbed", "table inet seedbed {"]


def test_a_file_is_replaced_as_a_whole_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "made" / "rules"
    nft_table.write_durably(str(path), "old")
    nft_table.write_durably(str(path), "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [child.name for child in path.parent.iterdir()] == ["rules"]
