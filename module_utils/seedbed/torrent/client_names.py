"""The names under which a client looks for the files of a torrent.

Transmission 4 takes the torrent's own names. Transmission 3.00 takes names that Windows would accept, on every
system: content for it has to lie under those. The info hash is not affected.
"""

from __future__ import annotations

_RESERVED = set('<>:"/\\|?*') | {chr(code) for code in range(32)}
_DEVICES = {"CON", "PRN", "AUX", "NUL"} | {f"{device}{n}" for device in ("COM", "LPT") for n in range(1, 10)}


def name_on_3(component: str) -> str:
    """Return what Transmission 3.00 makes of one component of a path; empty if nothing is left of it."""
    name = "".join("_" if char in _RESERVED else char for char in component)
    stem, dot, rest = name.partition(".")
    if stem.upper() in _DEVICES:
        name = f"{stem}_{dot}{rest}"
    return name.lstrip(" ").rstrip(" .")


def path_on_3(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the path of a file as Transmission 3.00 looks for it."""
    return tuple(name for name in map(name_on_3, path) if name)
