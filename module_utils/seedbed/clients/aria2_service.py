"""aria2 as a service of the host: its aria2.conf, its trackers, and what can be known to be wrong with either."""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.services import endpoint
from ansible.module_utils.seedbed.base.sizes import GIB, MIB, SizeError, parse_size
from ansible.module_utils.seedbed.torrent.trackers import TrackersError, as_texts, tracker_fault

LAB = "lab"
"""As a list of trackers: the lab's own."""

# Keys that the service itself needs as they are, and where to turn instead.
_RESERVED: Mapping[str, str] = {
    "conf-path": "the service has its own",
    "daemon": "systemd runs it",
    "enable-rpc": "switch leecher_persistent off",
    "input-file": "the queue lies there",
    "save-session": "the queue lies there",
    "rpc-secret": "set leecher_rpc_secret",
    "rpc-user": "set leecher_rpc_secret",
    "rpc-passwd": "set leecher_rpc_secret",
    "bt-tracker": "set leecher_tracker_list",
}

# Lowest and highest value, as aria2 takes them; None where it has no bound of its own.
_BOUNDS: Mapping[str, tuple[int, int | None]] = {
    "leecher_max_concurrent_downloads": (1, None),
    "leecher_split": (1, None),
    "leecher_max_connection_per_server": (1, 16),
    "leecher_seed_time": (0, None),
}


def configuration_text(options: Mapping[str, Any], *, trackers: Sequence[str], secret: str) -> str:
    """Return the text of aria2.conf, one option a line (aria2c(1), "aria2.conf"); options of None are left out.

    min-split-size is a size as people write it.
    """
    whole = {**options, "rpc-secret": secret, "bt-tracker": ",".join(trackers) or None}
    if "min-split-size" in whole:
        whole["min-split-size"] = parse_size(whole["min-split-size"])
    return "".join(f"{key}={_written(value)}\n" for key, value in whole.items() if value is not None)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def service_faults(
    given: Mapping[str, Any], *, variables: Mapping[str, Mapping[str, Any]], file: str = "", text: str = ""
) -> list[str]:
    """Return all that is wrong with the role's variables of the service, by their names.

    variables: the options that each variable sets; file: the list of trackers, where it is a file, with its text.
    """
    return [
        *_directory_faults(str(given["leecher_download_dir"]), str(given["leecher_dir"])),
        *_number_faults(given),
        *_split_size_faults(given["leecher_min_split_size"]),
        *_tracker_list_faults(given["leecher_tracker_list"], file, text),
        *_own_option_faults(given["leecher_aria2_options"], variables),
    ]


def _own_option_faults(own: Any, variables: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what is wrong with an operator's own options; variables: the options that each variable sets."""
    if not isinstance(own, Mapping):
        return ["leecher_aria2_options is no dictionary of options and values"]
    taken = {key: f"set {variable}" for variable, options in variables.items() for key in options}
    taken.update(_RESERVED)
    faults = []
    for key, value in own.items():
        if not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", str(key)):
            faults.append(f"leecher_aria2_options has {key!r}, which is no option; write it as in max-download-limit")
        elif key in taken:
            faults.append(f"leecher_aria2_options.{key} cannot be set here: {taken[key]}")
        elif not isinstance(value, (str, int, float)) or not str(value).isprintable():
            faults.append(f"leecher_aria2_options.{key} is {value!r}; a text or a number of one line would be right")
    return faults


def _number_faults(numbers: Mapping[str, Any]) -> list[str]:
    """Return the numbers that aria2 refuses, by the names of their variables."""
    faults = []
    for variable, (low, high) in _BOUNDS.items():
        value = int(numbers[variable])
        if value < low or (high is not None and value > high):
            right = f"from {low} to {high}" if high is not None else f"of at least {low}"
            faults.append(f"{variable} is {value}; a number {right} would be right")
    return faults


def _split_size_faults(size: Any) -> list[str]:
    """Return what is wrong with the least size of a part of a file that is fetched over several connections."""
    try:
        fits = MIB <= parse_size(size) <= GIB
    except SizeError as error:
        return [f"leecher_min_split_size: {error}"]
    return [] if fits else [f"leecher_min_split_size is {size}; a size from 1MiB to 1GiB would be right"]


def _directory_faults(directory: str, compared: str) -> list[str]:
    """Return what is wrong with the directory for downloads; compared: the one whose files are deleted."""
    if not directory.startswith("/"):
        return [f"leecher_download_dir is {directory}, not an absolute path; choose one such as /srv/seedbed/downloads"]
    if (directory.rstrip("/") + "/").startswith(compared.rstrip("/") + "/"):
        return [
            f"leecher_download_dir is {directory}, inside leecher_dir, where files are deleted once they are compared; "
            "choose another"
        ]
    return []


def lab_trackers(hosts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the announce URLs of the lab's trackers, from the variables of their hosts."""
    places = [endpoint(host, "tracker") for host in hosts]
    return [f"{scheme}://{place}/announce" for scheme in ("http", "udp") for place in places]


def is_address(source: Any) -> bool:
    """Return whether a source of trackers is the address of a list, and no path."""
    return isinstance(source, str) and re.match("https?://", source) is not None


def tracker_list(source: Any, *, lab: Sequence[str], text: str = "") -> list[str]:
    """Return announce URLs, each once.

    source: LAB, a list of URLs, or the path or address of a list, whose text is `text`: URLs with blanks, commas or
    line breaks between them; a line that begins with # is for people.
    """
    if source == LAB:
        return list(lab)
    if isinstance(source, str):
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        found = re.split(r"[\s,]+", "\n".join(lines))
    else:
        found = as_texts(source, "leecher_tracker_list")
    urls = list(dict.fromkeys(filter(None, found)))
    faults = [fault for fault in map(tracker_fault, urls) if fault]
    if faults:
        where = f"{source}: " if isinstance(source, str) else ""
        raise TrackersError(f"leecher_tracker_list: {where}{faults[0]}")
    return urls


def _tracker_list_faults(source: Any, found: str, text: str) -> list[str]:
    """Return what is wrong with a source of trackers before any host is asked; found: the file, where it is one."""
    if is_address(source):
        return []
    if isinstance(source, str) and source not in ("", LAB) and not found:
        return [
            f"leecher_tracker_list is {source!r}, which is neither lab, a list of URLs, the address of a list, nor a "
            "file on this machine"
        ]
    try:
        tracker_list(source, lab=(), text=text)
    except SeedbedError as error:
        return [str(error)]
    return []
