"""Announce URLs and tiers (BEP 12)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.seedbed.base.text import quoted


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


def tiers_faults(tiers: Any) -> list[str]:
    """Return the faults of a list of tracker tiers."""
    if not isinstance(tiers, list) or not all(isinstance(tier, list) and tier for tier in tiers):
        return [f"is {quoted(tiers)}; a list of tiers, each a list of URLs, would be right"]
    return [fault for fault in (tracker_fault(url) for tier in tiers for url in tier) if fault]
