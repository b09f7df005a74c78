"""The packages of a distribution that this host has."""

from __future__ import annotations

from ansible.module_utils.seedbed.base.commands import NOT_RUN, CommandError, run

# How each family lists its packages, as "installed NAME".
_QUERIES = (
    ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\\n"],
    ["rpm", "--query", "--all", "--queryformat", "installed %{NAME}\\n"],
)


def installed_packages() -> list[str]:
    """Return the names of the installed packages, sorted; empty on a distribution with other means."""
    for query in _QUERIES:
        try:
            listed = run(query)
        except CommandError as error:
            if error.status != NOT_RUN:
                raise
            continue
        return sorted({line.split(" ", 1)[1] for line in listed.splitlines() if line.startswith("installed ")})
    return []
