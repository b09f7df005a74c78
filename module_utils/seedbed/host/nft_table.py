"""One nftables table: what it should be, what the kernel has, and the rollback when a change cuts us off.

The kernel's listing of a table is not the text that was loaded: nft sorts, merges and renames. So the wanted rules
are loaded into an empty network namespace of their own and listed there by the same nft. The two listings can then
be compared word for word, the rules are proven loadable, and nothing of the host has been touched.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from typing import NamedTuple

from ansible.module_utils.seedbed.base.commands import run
from ansible.module_utils.seedbed.base.errors import os_errors_reported
from ansible.module_utils.seedbed.base.files import make_directory, read_file, remove_files, write_atomically
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.host import way_back
from ansible.module_utils.seedbed.torrent.model import LoadedTable


class TablePaths(NamedTuple):
    """The files of one table, all beside each other."""

    rules: str

    @property
    def candidate(self) -> str:
        """Return the path of the rules that are live but not yet proven to leave the host reachable."""
        return self.rules + ".candidate"

    @property
    def rollback(self) -> str:
        """Return the path of what the kernel had before, as nft can load it."""
        return self.rules + ".rollback"

    @property
    def listing(self) -> str:
        """Return the path of what the kernel listed when it had the rules: what it lists is not what it was given."""
        return self.rules + ".listing"

    def all(self) -> list[str]:
        """Return every file that the table may have."""
        return [self.rules, self.candidate, self.rollback, self.listing]


def replacing(table: str, rules: str) -> str:
    """Return rules that take the place of the table in one transaction.

    The first line makes the table exist, so that deleting it never fails.
    """
    return f"table {table}\ndelete table {table}\n{rules}"


def wanted_listing(table: str, rules: str) -> str:
    """Return the rules as the kernel would list them, without loading them on the host."""
    family, name = table.split()
    script = 'nft -f - && nft -s list table "$1" "$2"'
    return run(["unshare", "--net", "sh", "-c", script, "sh", family, name], replacing(table, rules))


def live_listing(table: str) -> str:
    """Return the table that the kernel filters with now; empty text when there is none."""
    if table not in run(["nft", "list", "tables"]).replace("table ", "").splitlines():
        return ""
    return run(["nft", "-s", "list", "table", *table.split()])


@os_errors_reported()
def write_durably(path: str, text: str) -> None:
    """Replace a file durably: a boot finds the old text or the new, never a part. The unit's own user reads it."""
    make_directory(os.path.dirname(path))
    write_atomically(path, text.encode(), durable=True)


def load_with_rollback(table: str, rules: str, paths: TablePaths, timer: str, seconds: int) -> None:
    """Make the rules live, with the former ones coming back unless `confirm` is called in time."""
    way_back.disarm(timer)
    write_durably(paths.candidate, replacing(table, rules))
    write_durably(paths.rollback, replacing(table, live_listing(table)))
    way_back.arm(timer, seconds, ["nft", "-f", paths.rollback])
    run(["nft", "-f", paths.candidate])


@os_errors_reported()
def confirm(table: str, paths: TablePaths, timer: str) -> None:
    """Keep the live rules, from now on at every boot too."""
    way_back.confirm(timer)
    os.replace(paths.candidate, paths.rules)
    remove_files([paths.rollback])
    write_durably(paths.listing, live_listing(table))


def keep(table: str, rules: str, paths: TablePaths) -> None:
    """Write rules that are live for the next boot."""
    write_durably(paths.rules, replacing(table, rules))
    write_durably(paths.listing, live_listing(table))


@os_errors_reported()
def compare_table(table: str, rules: str, paths: TablePaths) -> tuple[str, str, bool]:
    """Return the live listing, the wanted one, and whether the files for the next boot are as they should be."""
    live = live_listing(table)
    kept = read_file(paths.rules) == replacing(table, rules).encode() and _is_intact(live, paths)
    return live, wanted_listing(table, rules), kept


def _is_intact(live: str, paths: TablePaths) -> bool:
    """Return whether the kernel lists what it did when it had the rules for the next boot, which its unit can read."""
    return read_file(paths.listing) == live.encode() and bool(os.stat(paths.rules).st_mode & stat.S_IROTH)


@os_errors_reported()
def loaded_table(table: str, paths: TablePaths, unit: Unit) -> LoadedTable:
    """Return what of the table is in force. It asks the kernel, and no namespace as `compare_table` does."""
    rules, text = read_file(paths.rules), read_file(unit.path)
    intact = None not in (rules, text) and bool(shutil.which("nft")) and _is_intact(live_listing(table), paths)
    return {
        "rules": _digest(rules or b""),
        "unit": _digest(text or b""),
        "intact": intact and unit.is_wanted(),
    }


def is_in_force(found: LoadedTable, table: str, rules: str, unit_text: str) -> bool:
    """Return whether what was found is what is wanted, down to the last word."""
    wanted = _digest(replacing(table, rules).encode()), _digest(unit_text.encode())
    return found["intact"] and (found["rules"], found["unit"]) == wanted


def _digest(text: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(text).hexdigest()
