"""Around the verdicts: what to look at, which peers to meet, and the report for people."""

from __future__ import annotations

import base64
import os
import re
from typing import Any, Dict, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from ansible.module_utils.seedbed import metainfo
from ansible.module_utils.seedbed.controller_files import torrent_reader
from ansible.module_utils.seedbed.errors import SeedbedError
from ansible.module_utils.seedbed.text import aligned, printable
from ansible.module_utils.seedbed.verdicts import count

MAX_PEERS = 20  # of one torrent: enough to judge a swarm by
HEAD = ["", "item", "from", "verdict", "cause"]
# Worst first. A view that does not count, the controller's beside a leecher's, is a note whatever it says.
MARKS = {"fault": "FAIL", "warning": "WARN", "note": "note", "ok": "ok"}
CONTROLLER = "controller"
_NO_WAY = {"tracker_dns", "tracker_filtered", "tracker_refused", "tracker_blocked_here"}

Line = Dict[str, str]
"""A line for people, with the severity that colours it."""


class MagnetError(SeedbedError):
    """A magnet without a usable v1 info hash."""


class TorrentFileError(SeedbedError):
    """A file that is no torrent the doctor can look at."""


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
    raise MagnetError(
        f"magnet is {magnet!r}, which has no v1 info hash; expected magnet:?xt=urn:btih: and 40 hexadecimal digits"
    )


def subject(
    catalogue: Sequence[Mapping[str, Any]], names: Sequence[str], torrent_file: str, magnet: str
) -> dict[str, Any]:
    """The items to look at, and what is wrong with what was asked for."""
    if sum(map(bool, (names, torrent_file, magnet))) > 1:
        return {"items": [], "faults": ["torrent, torrent_file and magnet exclude each other; give one of them"]}
    try:
        if torrent_file:
            return {"items": [torrent_item(torrent_file)], "faults": []}
        if magnet:
            return {"items": [magnet_item(magnet)], "faults": []}
    except SeedbedError as error:
        return {"items": [], "faults": [str(error)]}
    known = [item["name"] for item in catalogue]
    faults = [
        f"torrent is {name!r}, which the catalogue does not have; it has {', '.join(known)}"
        for name in names
        if name not in known
    ]
    return {"items": [item for item in catalogue if item["name"] in names or not names], "faults": faults}


def option_faults(
    names: Sequence[str], torrent_file: str, magnet: str, seconds: Mapping[str, float], json_path: str
) -> list[str]:
    """What is wrong with the options, as far as it is known before any host is asked."""
    faults: list[str] = subject([], names, torrent_file, magnet)["faults"] if torrent_file or magnet else []
    faults += [f"{name} is {value:g}; expected seconds, more than 0" for name, value in seconds.items() if value <= 0]
    directory = os.path.dirname(os.path.abspath(json_path))
    if json_path and not os.access(directory, os.W_OK):
        faults.append(f"doctor_json is {json_path}, and {directory} is no directory that can be written to")
    return faults


def torrent_item(path: str) -> dict[str, Any]:
    """Any .torrent file of this machine as an item."""
    try:
        data = torrent_reader("")(path)
    except SeedbedError as error:
        raise TorrentFileError(f"torrent_file: {error}") from error
    try:
        info = metainfo.torrent_info(data)
    except SeedbedError as error:
        raise TorrentFileError(f"torrent_file is {path}, which is no .torrent: {error}") from error
    if info["version"] == "v2":
        raise TorrentFileError(f"torrent_file is {path}, which is of version 2 alone; the doctor knows v1 and hybrid")
    return {**{key: info[key] for key in ("name", "info_hash", "private", "trackers")}, "swarm": None}


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


def report(verdicts: Sequence[Mapping[str, Any]], silent: Sequence[str] = ()) -> list[Line]:
    """An aligned table, worst first, with what to do under each line that is not well; silent: who could not look."""
    entries, blind = _counted(verdicts)
    ranked = sorted(_merged(entries), key=lambda entry: list(MARKS).index(entry["severity"]))
    rows = [HEAD] + [
        [
            MARKS[entry["severity"]],
            printable(entry["item"]),
            entry["from"],
            entry["verdict"],
            printable(entry["cause"]),
        ]
        for entry in ranked
    ]
    head, *table = aligned(rows)
    lines = [_line("", ""), _line("", head)]
    indent = " " * head.index(HEAD[1])
    for entry, row in zip(ranked, table):
        lines.append(_line(entry["severity"], row))
        if entry["remedy"]:
            lines.append(_line(entry["severity"], f"{indent}-> {entry['remedy']}"))
        lines += [_line("", f"{indent}also: {printable(more)}") for more in entry["more"]]
        lines += [_line("", f"{indent}note: {printable(remark)}") for remark in entry["remarks"]]
    lines += [_line("warning", f"WARN  {name} cannot be reached by SSH: its view is missing") for name in silent]
    if blind:
        lines.append(
            _line("note", f"note  the {CONTROLLER} has no way of its own to the trackers ({blind}); the leechers count")
        )
    return lines


def _counted(verdicts: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], str]:
    """The entries for the table, and why the controller sees nothing at all, as behind a jump host."""
    ours = [entry for entry in verdicts if entry["from"] == CONTROLLER]
    theirs = [entry for entry in verdicts if entry["from"] != CONTROLLER]
    if not ours or not theirs:
        return list(verdicts), ""
    seen_alike = {(entry["info_hash"], entry["verdict"]) for entry in theirs}
    if all(entry["verdict"] in _NO_WAY for entry in ours):
        alone = [entry["cause"] for entry in ours if (entry["info_hash"], entry["verdict"]) not in seen_alike]
        return theirs, alone[0] if alone else ""
    notes = [
        entry
        if entry["severity"] == "ok" or (entry["info_hash"], entry["verdict"]) in seen_alike
        else {**entry, "severity": "note"}
        for entry in ours
    ]
    return [*theirs, *notes], ""


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


def details(
    items: Sequence[Mapping[str, Any]],
    answers: Sequence[Mapping[str, Any]],
    peers: Sequence[Mapping[str, Any]],
    view: str,
) -> list[Line]:
    """What each tracker and each peer said about each item, decoded."""
    lines = []
    for item in items:
        kind = ", private" if item["private"] else ""
        lines.append(_line("", f"{printable(item['name'])} ({item['info_hash']}{kind}) as {view} sees it"))
        mine = [answer for answer in answers if answer["info_hash"] == item["info_hash"]]
        for tracker in dict.fromkeys(answer["tracker"] for answer in mine):
            lines.append(_line("", f"  {printable(tracker)}"))
            lines += [_answer_line(answer) for answer in mine if answer["tracker"] == tracker]
        met = [peer for peer in peers if peer["info_hash"] == item["info_hash"]]
        lines.append(_line("", "  peers, over TCP (uTP is not probed)" if met else "  no peers to meet"))
        lines += [_peer_line(peer) for peer in met]
        lines.append(_line("", ""))
    return lines


def _answer_line(answer: Mapping[str, Any]) -> Line:
    head = f"    {answer['kind']:8}  "
    if not answer["ok"]:
        return _line("fault", f"{head}{answer['reason']}: {printable(answer['message'])}")
    said = [count(answer["seeders"], "seeder"), count(answer["leechers"], "leecher")]
    if answer["downloaded"] is not None:
        said.append(count(answer["downloaded"], "download"))
    if answer["kind"] == "announce":
        said.append(f"again in {answer['interval']} s")
        said += [f"sees us as {answer['seen_as']}"] if answer.get("seen_as") else []
        said += [f"warns: {answer['warning']}"] if answer.get("warning") else []
        said += ["did not take our goodbye"] if answer.get("deregistered") is False else []
        peers = ", ".join(f"{peer['address']}:{peer['port']}" for peer in answer["peers"])
        said.append(f"peers: {peers or 'nobody'}")
    elif not answer["known"]:
        said = ["does not know the torrent"]
    return _line("", head + printable(", ".join(said)))


def _peer_line(peer: Mapping[str, Any]) -> Line:
    head = f"    {peer['address']}:{peer['port']}  "
    if not peer["ok"]:
        return _line("fault", f"{head}{peer['reason']}: {printable(peer['message'])}")
    takes = {True: "plain alone", False: "plain and encrypted", None: "plain"}[peer["plain_only"]]
    said = [
        peer["client"] or "a client that does not name itself",
        f"holds {'?' if peer['share'] is None else format(peer['share'], '.0%')}",
        f"takes {'encrypted alone' if peer['encryption'] == 'encrypted' else takes}",
    ]
    said += [f"{what} {peer[what].replace('_', ' ')}" for what in ("metadata", "piece") if what in peer]
    return _line("", head + printable(", ".join(said)))


def _line(severity: str, text: str) -> Line:
    return {"severity": severity, "text": text.rstrip()}
