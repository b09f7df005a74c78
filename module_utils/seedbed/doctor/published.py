"""What was found last of each item, for the portal's page."""

from __future__ import annotations

import base64
import json
from typing import Any, Sequence, TypedDict

from ansible.module_utils.seedbed.doctor.report import CONTROLLER, MARKS
from ansible.module_utils.seedbed.torrent.model import Verdict

MOST = 10_000
"""Items of which the last verdict is kept: those of catalogues that were before are among them."""


class PublishedVerdict(TypedDict):
    """One item's."""

    info_hash: str
    item: str
    verdict: str
    severity: str
    cause: str
    when: int


class Published(TypedDict):
    """The file verdicts.json."""

    schema_version: int
    verdicts: list[PublishedVerdict]


def published(verdicts: Sequence[Verdict], before: str, when: int) -> Published:
    """Return the file; before: its content as it was, in base64, or nothing."""
    kept = {verdict["info_hash"]: verdict for verdict in _read(before)}
    # Beside leechers the controller does not count: behind a jump host it has no way to the lab.
    counted = [verdict for verdict in verdicts if verdict["from"] != CONTROLLER] or list(verdicts)
    worst: dict[str, Verdict] = {}
    for verdict in sorted(counted, key=lambda each: list(MARKS).index(each["severity"])):
        worst.setdefault(verdict["info_hash"], verdict)
    for info_hash, verdict in worst.items():
        kept.pop(info_hash, None)  # the latest come last
        kept[info_hash] = {
            "info_hash": info_hash,
            "item": verdict["item"],
            "verdict": verdict["verdict"],
            "severity": verdict["severity"],
            "cause": verdict["cause"],
            "when": when,
        }
    return {"schema_version": 1, "verdicts": list(kept.values())[-MOST:]}


def _read(before: str) -> list[PublishedVerdict]:
    try:
        told: Any = json.loads(base64.b64decode(before))["verdicts"]
        return [verdict for verdict in told if set(verdict) == set(PublishedVerdict.__annotations__)]
    except (ValueError, KeyError, TypeError):
        return []
