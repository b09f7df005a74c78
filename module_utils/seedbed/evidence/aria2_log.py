"""How much aria2 tells, changed at its remote control: without a restart, and gone with the service's next start."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.module_utils.seedbed.base.files import read_file
from ansible.module_utils.seedbed.clients.aria2_rpc import call

# "-" is the journal: how much goes there otherwise, console-log-level, cannot be changed while it runs. What debug has
# beside it are its own insides, by which the journal would be full.
LOUD = {"log": "-", "log-level": "info"}


def _ask(config: str, method: str, *params: Any) -> Any:
    """Make a call of the service that has this aria2.conf."""
    lines = (read_file(config) or b"").decode("utf-8", "replace").splitlines()
    options = dict(line.split("=", 1) for line in lines if "=" in line)
    return call(int(options.get("rpc-listen-port", 6800)), options.get("rpc-secret", ""), method, *params)


def options_now(config: str) -> dict[str, str]:
    """Return what it has of those options, as it takes them."""
    now = _ask(config, "aria2.getGlobalOption")
    return {key: now.get(key, "") for key in LOUD}


def change(config: str, options: Mapping[str, str]) -> None:
    """Have it use these options from now on."""
    _ask(config, "aria2.changeGlobalOption", dict(options))
