"""What an item promises about a download, and whether a client's download is that."""

from __future__ import annotations

from typing import NamedTuple

from ansible.module_utils.seedbed.base.sizes import WHOLE, format_share, format_size, parse_share
from ansible.module_utils.seedbed.torrent.model import DownloadResult, PublicItem

SLACK = 1.3  # how much faster than a limit one may seem: what was ordered in advance comes in a burst
NEAR = 50_000  # millionths below what is available at which a client with honest seeders has fetched what there is


class Expectation(NamedTuple):
    """What has to become of a download."""

    outcome: str
    """completes, stalls, no_metadata, or refused, where not a byte comes"""
    available: int = WHOLE
    """Millionths of the content that can be had at most."""
    honest: bool = True
    """Whether all that is available comes from somebody honest, so that a client has to get it."""
    limit: int = 0
    """Bytes a second that all seeders together give at most; 0: no limit."""

    def __str__(self) -> str:
        words = {
            "completes": "completes",
            "stalls": f"stalls at {format_share(self.available)}",
            "no_metadata": "gets no metadata",
            "refused": "gets nothing",
        }
        limit = f", at {format_size(self.limit)}/s at most" if self.limit else ""
        return words[self.outcome] + limit


def expectation(item: PublicItem, via: str) -> Expectation:
    """Return what a download of an item by .torrent, magnet or bare magnet has to come to."""
    promise = item.get("promise")
    if promise:
        outcome = promise["outcome"] if via == "torrent" else promise["magnet"] or promise["outcome"]
        asserted = any(rule["rule"] == "completes-within" and rule["grade"] == "assert" for rule in promise["rules"])
        return Expectation(outcome, parse_share(promise["available"]), honest=asserted)
    swarm = item.get("swarm") or {}
    if swarm.get("seeders") == [] and not item.get("webseeds") and item["size"]:
        return Expectation("refused" if via == "torrent" else "no_metadata", 0)
    available = parse_share(swarm.get("available") or format_share(WHOLE))
    limit = (swarm.get("upload_limit") or 0) * len(swarm.get("seeders") or [])
    if available < WHOLE and not swarm.get("fetch_rest"):
        return Expectation("stalls", available, limit=limit)
    return Expectation("completes", limit=limit)


def verdict(expected: Expectation, result: DownloadResult) -> str:
    """Return in which way a download is not what was expected, empty where it is.

    `bytes` of the result are right ones: where a download stalled, what lies on the disk was compared.
    """
    rate = result["rate"] or 0
    if expected.limit and rate > expected.limit * SLACK:
        return f"came at {format_size(rate)}/s, and {format_size(expected.limit)}/s is the limit"
    said = "; ".join(result["words"])
    if result["step"] in ("portal", "verify"):
        return said
    if expected.outcome == "completes":
        return "" if result["ok"] or not expected.honest else said
    return f"is complete, and {expected} was promised" if result["ok"] else _partial_fault(expected, result)


def _partial_fault(expected: Expectation, result: DownloadResult) -> str:
    """Return what is wrong with a download that was not to complete, and did not."""
    size, piece_length = result["size"], result["piece_length"]
    share, piece = (result["bytes"] * WHOLE // size, piece_length * WHOLE // size) if size else (WHOLE, 0)
    if share > expected.available + piece:
        return f"has {format_share(share)}, and at most {format_share(expected.available)} was to be had"
    if expected.outcome == "no_metadata" and result["step"] != "metadata":
        return "has the metadata, which nobody was to hand out"
    if expected.outcome == "stalls" and expected.honest and share + NEAR + piece < expected.available:
        return f"has {format_share(share)} alone, and {format_share(expected.available)} is to be had"
    return ""
