"""One nftables table: what it should be, what the kernel has, and the rollback when a change cuts us off.

The kernel's listing of a table is not the text that was loaded: nft sorts, merges and renames. So the wanted rules
are loaded into an empty network namespace of their own and listed there by the same nft. The two listings can then
be compared word for word, the rules are proven loadable, and nothing of the host has been touched.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from ansible.module_utils.seedbed.base.commands import run
from ansible.module_utils.seedbed.base.errors import os_errors_reported
from ansible.module_utils.seedbed.base.files import make_directory, read_file, remove_files, write_atomically
from ansible.module_utils.seedbed.host import way_back


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

    def all(self) -> list[str]:
        """Return every file that the table may have."""
        return [self.rules, self.candidate, self.rollback]


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
def confirm(paths: TablePaths, timer: str) -> None:
    """Keep the live rules, from now on at every boot too."""
    way_back.confirm(timer)
    os.replace(paths.candidate, paths.rules)
    remove_files([paths.rollback])


@os_errors_reported()
def compare_table(table: str, rules: str, paths: TablePaths) -> tuple[str, str, bool]:
    """Return the live listing, the wanted one, and whether the file for the next boot is as it should be."""
    kept = read_file(paths.rules) == replacing(table, rules).encode() and bool(
        os.stat(paths.rules).st_mode & stat.S_IROTH
    )
    return live_listing(table), wanted_listing(table, rules), kept
