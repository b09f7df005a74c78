"""What the operator asks of the doctor, and what is wrong with that: any YAML may stand in a variable."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.base.text import quoted

TEXTS = {"doctor_items": "torrent", "doctor_torrent_file": "torrent_file", "doctor_magnet": "magnet"}
"""Variables of which one says what to look at, and the short names that operators give on the command line."""
SWITCHES = ("doctor_piece", "doctor_from_controller", "doctor_every_item")
TIMEOUTS = ("doctor_tracker_timeout", "doctor_peer_timeout", "doctor_controller_timeout")
_TRUTHS = ("true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0", "1.0", "0.0")


def option_faults(options: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the values of the options, one sentence each."""
    faults = [
        f"{name} is {quoted(options[variable])}; expected a text{more}"
        for variable, name in (*TEXTS.items(), ("doctor_json", "doctor_json"))
        for more in [", names separated by commas" if name == "torrent" else ""]
        if not isinstance(options[variable], (str, type(None)))
    ]
    if not faults and sum(bool(options[variable]) for variable in TEXTS) > 1:
        faults.append("torrent, torrent_file and magnet exclude each other; give one of them")
    faults += [
        f"{variable} is {quoted(options[variable])}; expected true or false"
        for variable in SWITCHES
        if not _is_truth(options[variable])
    ]
    faults += [
        f"{variable} is {_plain(options[variable])}; expected seconds, more than 0"
        for variable in TIMEOUTS
        if not _is_time(options[variable])
    ]
    faults += _port_faults(options.get("doctor_port", 0), options.get("lab_port_range"))
    if isinstance(options["doctor_json"], str) and options["doctor_json"]:
        faults += _path_faults(options["doctor_json"])
    return faults


def item_names(value: str | Sequence[str] | None) -> list[str]:
    """Return the names of items that stand in one text, separated by commas, or in a list, which may hold any name."""
    if value is not None and not isinstance(value, str):
        return list(value)
    return [name.strip() for name in (value or "").split(",") if name.strip()]


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, (int, float, str)) and str(value).lower() in _TRUTHS)


def _is_time(value: Any) -> bool:
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return 0 < seconds < math.inf


def _port_faults(value: Any, ports: Any) -> list[str]:
    """Return why no tracker can be asked from a port; ports: the lab's range, whose own faults others tell."""
    first, last = 1, 65535
    with suppress(TypeError, ValueError, OverflowError, KeyError):
        first, last = int(ports["first"]), int(ports["last"])
    try:
        port = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        port = math.nan
    if port == 0 or (first <= port <= last and port == int(port)):
        return []
    return [f"doctor_port is {_plain(value)}; expected a port of lab_port_range, {first} to {last}, or 0"]


def _plain(value: Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**53
    return f"{value:g}" if number else quoted(value)


def _path_faults(path: str) -> list[str]:
    """Return why a file cannot be written to, as far as it is known before it is."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:  # half of a surrogate pair
        return [f"doctor_json is {quoted(path)}, which is no path"]
    directory = os.path.dirname(os.path.abspath(path))
    if "\0" in path or os.path.isdir(path):
        return [f"doctor_json is {quoted(path)}; expected the path of a file"]
    if not os.access(directory, os.W_OK):
        return [f"doctor_json is {path}, and {directory} is no directory that can be written to"]
    return []
