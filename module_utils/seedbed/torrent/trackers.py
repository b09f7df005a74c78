"""Announce URLs and tiers (BEP 12)."""

from __future__ import annotations

from typing import Any, Mapping, Sequence
from urllib.parse import urlsplit

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.torrent.model import Tiers


class TrackersError(SeedbedError):
    """Something that stands where URLs belong."""


def tracker_fault(url: Any) -> str:
    """Return why a value is no announce URL, or an empty text."""
    if not isinstance(url, str):
        return f"{quoted(url)} is not a URL"
    try:
        parts = urlsplit(url)
        port = parts.port
        good = parts.scheme in ("http", "https", "udp") and bool(parts.hostname) and port != 0
        good = good and (port is not None or parts.scheme != "udp")
    except ValueError:
        good = False
    # What lists of trackers are cut at stands in none of them.
    if good and url.isprintable() and " " not in url:
        return ""
    return f"{quoted(url)} is not an http, https or udp URL like udp://host:8888/announce"


def tiers_faults(tiers: Any, *, scripts: bool = False) -> list[str]:
    """Return the faults of a list of tracker tiers; scripts: whether mappings may stand among the URLs."""
    if not _is_list(tiers) or not all(_is_list(tier) and tier for tier in tiers):
        return [f"is {quoted(tiers)}; a list of tiers, each a list of URLs, would be right"]
    urls = (url for tier in tiers for url in tier if not (scripts and isinstance(url, Mapping)))
    return [fault for fault in map(tracker_fault, urls) if fault]


def as_tiers(trackers: Any) -> Tiers:
    """Return tiers of announce URLs as a playbook may give them: a text is one, a list of texts has one a tier."""
    given = [trackers] if isinstance(trackers, str) else trackers
    tiers = [[tier] if isinstance(tier, str) else tier for tier in given] if _is_list(given) else given
    faults = tiers_faults(tiers)
    if faults:
        raise TrackersError("trackers: " + "; ".join(faults))
    return [list(tier) for tier in tiers]


def as_texts(values: Any, what: str) -> list[str]:
    """Return a list of texts as a playbook may give it: a text is a list of one."""
    found = [values] if isinstance(values, str) else values
    if not _is_list(found) or not all(isinstance(value, str) and value for value in found):
        raise TrackersError(f"{what} is {quoted(values)}; a list of texts would be right")
    return list(found)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))
