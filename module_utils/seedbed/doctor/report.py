"""Around the verdicts: what to look at, which peers to meet, and the report for people."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence

from ansible.module_utils.seedbed.base.text import aligned, printable

HEAD = ["", "item", "from", "verdict", "cause"]
# Worst first. A view that does not count, the controller's beside a leecher's, is a note whatever it says.
MARKS = {"fault": "FAIL", "warning": "WARN", "note": "note", "ok": "ok"}
CONTROLLER = "controller"
_NO_WAY = {"tracker_dns", "tracker_filtered", "tracker_refused", "tracker_blocked_here"}

Line = Dict[str, str]
"""A line for people, with the severity that colours it."""


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
    lines = [report_line("", ""), report_line("", head)]
    indent = " " * head.index(HEAD[1])
    for entry, row in zip(ranked, table):
        lines.append(report_line(entry["severity"], row))
        if entry["remedy"]:
            lines.append(report_line(entry["severity"], f"{indent}-> {entry['remedy']}"))
        lines += [report_line("", f"{indent}also: {printable(more)}") for more in entry["more"]]
        lines += [report_line("", f"{indent}note: {printable(remark)}") for remark in entry["remarks"]]
    lines += [report_line("warning", f"WARN  {name} cannot be reached by SSH: its view is missing") for name in silent]
    if blind:
        lines.append(
            report_line(
                "note", f"note  the {CONTROLLER} has no way of its own to the trackers ({blind}); the leechers count"
            )
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


def report_line(severity: str, text: str) -> Line:
    return {"severity": severity, "text": text.rstrip()}
