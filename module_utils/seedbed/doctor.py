"""Around the verdicts: which peers to meet, what a magnet says, and the report for people."""

from __future__ import annotations

import base64
import re
import unicodedata
from typing import Any, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from ansible.module_utils.seedbed.errors import SeedbedError
from ansible.module_utils.seedbed.verdicts import SEVERITIES

MAX_PEERS = 20  # of one torrent: enough to judge a swarm by
HEAD = ["", "item", "from", "verdict", "cause"]
MARKS = {"ok": "ok", "warning": "WARN", "fault": "FAIL"}


class MagnetError(SeedbedError):
    """A magnet without a usable v1 info hash."""


def magnet_item(magnet: str) -> dict[str, Any]:
    """A magnet as an item: name, info hash, trackers (BEP 9)."""
    fields = parse_qs(urlsplit(magnet).query)
    for topic in fields.get("xt", []):
        match = re.fullmatch(r"urn:btih:([0-9a-fA-F]{40}|[A-Za-z2-7]{32})", topic)
        if match:
            text = match.group(1)
            info_hash = text.lower() if len(text) == 40 else base64.b32decode(text.upper()).hex()
            name = fields.get("dn", [info_hash])[0]
            trackers = [[url] for url in fields.get("tr", [])]
            return {"name": name, "info_hash": info_hash, "private": False, "trackers": trackers, "swarm": None}
    raise MagnetError(f"{magnet!r} has no v1 info hash; expected magnet:?xt=urn:btih: and 40 hexadecimal digits")


def questions(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each item with its trackers, once each; items without trackers are not asked about."""
    return [
        {
            "info_hash": item["info_hash"],
            "trackers": list(dict.fromkeys(url for tier in item["trackers"] for url in tier)),
        }
        for item in items
    ]


def peer_targets(
    items: Sequence[Mapping[str, Any]],
    answers: Sequence[Mapping[str, Any]],
    seeders: Mapping[str, Mapping[str, Any]],
    own: Sequence[Any],
) -> list[dict[str, Any]]:
    """Whom to meet: what the trackers hand out, and the seeders that should be there; not this host's own client."""
    targets = []
    for item in items:
        names = (item.get("swarm") or {}).get("seeders") or []
        wanted = [(seeders[name]["address"], seeders[name]["peer_port"]) for name in names if name in seeders]
        listed = [
            (peer["address"], peer["port"])
            for answer in answers
            if answer["info_hash"] == item["info_hash"] and answer["kind"] == "announce" and answer["ok"]
            for peer in answer["peers"]
        ]
        for address, port in list(dict.fromkeys(wanted + listed))[:MAX_PEERS]:
            if [address, port] != list(own):
                targets.append({"address": address, "port": int(port), "info_hash": item["info_hash"]})
    return targets


def report(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """An aligned table, worst first, with what to do under each line that is not well."""
    ranked = sorted(_merged(verdicts), key=lambda entry: SEVERITIES.index(entry["severity"]))
    rows = [HEAD] + [
        [
            MARKS[entry["severity"]],
            _printable(entry["item"]),
            entry["from"],
            entry["verdict"],
            _printable(entry["cause"]),
        ]
        for entry in ranked
    ]
    widths = [max(map(_width, column)) for column in zip(*rows)]
    lines = [_line(rows[0], widths)]
    indent = " " * (widths[0] + 2)
    for entry, row in zip(ranked, rows[1:]):
        lines.append(_line(row, widths))
        if entry["remedy"]:
            lines.append(f"{indent}-> {entry['remedy']}")
        lines += [f"{indent}also: {_printable(more)}" for more in entry["more"]]
        lines += [f"{indent}note: {_printable(remark)}" for remark in entry["remarks"]]
    return "\n".join(lines)


def _merged(verdicts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What several see alike is told once."""
    merged: dict[Any, dict[str, Any]] = {}
    for entry in verdicts:
        key = (entry["info_hash"], entry["verdict"], entry["cause"])
        if key in merged:
            merged[key]["from"] += f", {entry['from']}"
        else:
            merged[key] = dict(entry)
    return list(merged.values())


def details(answers: Sequence[Mapping[str, Any]], peers: Sequence[Mapping[str, Any]]) -> str:
    """What each tracker and each peer said, decoded."""
    lines = []
    for answer in answers:
        if answer["ok"]:
            said = f"{answer['seeders']} seeders, {answer['leechers']} leechers, {answer['downloaded']} downloads"
            if answer["kind"] == "announce":
                given = ", ".join(f"{peer['address']}:{peer['port']}" for peer in answer["peers"]) or "nobody"
                said += f", again in {answer['interval']} s, peers: {given}"
        else:
            said = f"{answer['reason']}: {answer['message']}"
        lines.append(f"{answer['kind']:8}  {answer['tracker']}  {_printable(said)}")
    for peer in peers:
        said = f"{peer['reason']}: {peer['message']}"
        if peer["ok"]:
            held = "?" if peer["share"] is None else f"{peer['share']:.0%}"
            said = f"{peer['client'] or 'unknown client'}, {peer['encryption']}, holds {held}"
            said += f", metadata {peer['metadata']}" if "metadata" in peer else ""
            said += f", piece {peer['piece']}" if "piece" in peer else ""
        lines.append(f"peer      {peer['address']}:{peer['port']}  {_printable(said)}")
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell + " " * (size - _width(cell)) for cell, size in zip(cells, widths)).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(text))
