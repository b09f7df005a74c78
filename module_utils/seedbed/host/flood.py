"""The accounts of Flood: a file of JSON lines, the later line counting where two have one `_id` (NeDB's format).

Flood lets the first visitor make the administrator's account. Written before the first start, it is ours.
"""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any, Callable, NamedTuple

from ansible.module_utils.seedbed.base.errors import SeedbedError

ADMINISTRATOR = 10
OUR_ID = "seedbed"
# The costs that Flood itself chooses.
COSTS = ["-id", "-t", "256", "-k", "512", "-p", "1", "-l", "32", "-e"]


class FloodFileError(SeedbedError):
    """A file of accounts that Flood itself would not read."""


class Argon2Error(SeedbedError):
    """A password that could not be hashed."""


class Account(NamedTuple):
    """Who logs in to Flood, and the daemon that they see."""

    username: str
    password: str
    url: str
    rpc_username: str
    rpc_password: str

    def connection(self) -> dict[str, Any]:
        """Return the daemon as Flood writes it down."""
        return {
            "client": "Transmission",
            "type": "rpc",
            "version": 1,
            "url": self.url,
            "username": self.rpc_username,
            "password": self.rpc_password,
        }


def parse_records(text: str) -> list[dict[str, Any]]:
    """Return the accounts in the file."""
    records: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            record = json.loads(line)
            if "$$indexCreated" in record or "$$indexRemoved" in record:
                continue
            if record.pop("$$deleted", False):
                records.pop(record["_id"], None)
            else:
                records[record["_id"]] = record
        except (ValueError, KeyError, TypeError, AttributeError):
            raise FloodFileError(f"line {number} is no account of Flood's; mend or delete the file") from None
    return list(records.values())


def dump_records(records: list[dict[str, Any]]) -> str:
    """Return the file of these accounts."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def is_there(records: list[dict[str, Any]], account: Account, verify: Callable[[str, str], bool]) -> bool:
    """Return whether the account is among them as wanted; ``verify`` compares a password with a stored one."""
    same = [record for record in records if record["_id"] == OUR_ID or record.get("username") == account.username]
    return (
        len(same) == 1
        and same[0]["_id"] == OUR_ID
        and same[0].get("username") == account.username
        and same[0].get("level") == ADMINISTRATOR
        and same[0].get("client") == account.connection()
        and verify(account.password, str(same[0].get("password")))
    )


def with_account(records: list[dict[str, Any]], account: Account, stored: str, now: int) -> list[dict[str, Any]]:
    """Return the accounts with ours as wanted; those that others made stay, sessions of ours end at ``now``."""
    ours = {
        "username": account.username,
        "password": stored,
        "client": account.connection(),
        "level": ADMINISTRATOR,
        "timestamp": now,
        "_id": OUR_ID,
    }
    others = [record for record in records if record["_id"] != OUR_ID and record.get("username") != account.username]
    return [*others, ours]


def hash_password(password: str, salt: str) -> str:
    """Return the password as Flood stores it.

    The tool reads it from its standard input, where no other user can see it.
    """
    try:
        done = subprocess.run(
            ["argon2", salt, *COSTS],
            input=password.encode(),
            capture_output=True,
            check=False,  # its own words are passed on
        )
    except FileNotFoundError:
        raise Argon2Error("the program argon2 is not installed; install the package of that name") from None
    if done.returncode:
        raise Argon2Error("argon2: " + done.stderr.decode(errors="replace").strip())
    return done.stdout.decode().strip()


def verify(password: str, stored: str) -> bool:
    """Return whether the stored form is the password's as this module stores it; one that Flood stored is not."""
    fields = stored.split("$")
    try:
        salt = base64.b64decode(fields[4] + "=" * (-len(fields[4]) % 4)).decode("ascii")
    except (IndexError, ValueError):
        return False
    return salt.isalnum() and hash_password(password, salt) == stored
