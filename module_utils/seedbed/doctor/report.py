"""The verdicts as a table for people: one row for each cause, worst first."""

from __future__ import annotations

from typing import Iterable, NamedTuple, Sequence, TypedDict

from ansible.module_utils.seedbed.base.text import aligned, printable
from ansible.module_utils.seedbed.torrent.model import Verdict

HEAD = ["", "item", "from", "verdict", "cause"]
# Worst first. A view that does not count, the controller's beside a leecher's, is a note whatever it says.
MARKS = {"fault": "FAIL", "warning": "WARN", "note": "note", "ok": "ok"}
CONTROLLER = "controller"
MAX_NAMES = 3  # of the items in one row
_NO_WAY = {"tracker_dns", "tracker_filtered", "tracker_refused", "tracker_blocked_here"}


class ReportLine(TypedDict):
    """A line for people, with the severity that colours it."""

    severity: str
    text: str


class Row(NamedTuple):
    """Items that have the same trouble for the same reason, seen alike from the same hosts."""

    verdicts: list[Verdict]
    """One for each item."""
    views: list[str]

    @property
    def severity(self) -> str:
        return self.verdicts[0]["severity"]

    @property
    def items(self) -> list[str]:
        return [printable(verdict["item"]) for verdict in self.verdicts]


def report(
    verdicts: Sequence[Verdict], unreachable: Sequence[str] = (), *, every_item: bool = False
) -> list[ReportLine]:
    """Return an aligned table with what to do under each row that is not well.

    unreachable: hosts that could not look; every_item: a row for each item, however many share a cause.
    """
    counted, blind = _counted(verdicts)
    total = len({verdict["info_hash"] for verdict in counted})
    rows = sorted(_rows(counted, every_item=every_item), key=lambda row: list(MARKS).index(row.severity))
    head, *table = aligned([HEAD] + [_cells(row, total) for row in rows])
    lines = [report_line("", ""), report_line("", head)]
    indent = " " * head.index(HEAD[1])
    for row, text in zip(rows, table):
        lines.append(report_line(row.severity, text))
        lines += [report_line(severity, indent + more) for severity, more in _notes(row)]
    lines += [
        report_line("warning", f"WARN  {name} cannot be reached by SSH: its view is missing") for name in unreachable
    ]
    if blind:
        text = f"note  the {CONTROLLER} has no way of its own to the trackers ({blind}); the leechers count"
        lines.append(report_line("note", text))
    return lines


def name_some(names: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    some = list(names) if len(names) <= MAX_NAMES + 1 else list(names)[:MAX_NAMES]
    rest = len(names) - len(some)
    return ", ".join(some) + (f" and {rest} more" if rest else "")


def conclusion(verdicts: Sequence[Verdict], views: Sequence[str]) -> tuple[bool, str]:
    """Return whether every item can be downloaded, and a sentence; beside leechers the controller does not count."""
    if not verdicts:
        return False, f"Nobody could look: {', '.join(views) or 'there are no leechers'}."
    leechers = [verdict for verdict in verdicts if verdict["from"] != CONTROLLER]
    names = {verdict["info_hash"]: printable(verdict["item"]) for verdict in verdicts}
    bad = {verdict["info_hash"] for verdict in leechers or verdicts if verdict["severity"] == "fault"}
    if not bad:
        return True, "Every item can be downloaded."
    failing = [name for info_hash, name in names.items() if info_hash in bad]
    many = f"{len(bad)} of {len(names)} items cannot be downloaded: " if len(names) > 1 else ""
    return False, f"{many}{name_some(failing)}{'' if many else ' cannot be downloaded'}; the table above says why."


def report_line(severity: str, text: str) -> ReportLine:
    return {"severity": severity, "text": printable(text.rstrip())}


# -- which verdicts count ---------------------------------------------------------------------------------------------


def _counted(verdicts: Sequence[Verdict]) -> tuple[list[Verdict], str]:
    """Return the verdicts for the table, and why the controller sees nothing at all, as behind a jump host."""
    ours = [verdict for verdict in verdicts if verdict["from"] == CONTROLLER]
    theirs = [verdict for verdict in verdicts if verdict["from"] != CONTROLLER]
    if not ours or not theirs:
        return list(verdicts), ""
    seen_alike = {(verdict["info_hash"], verdict["verdict"]) for verdict in theirs}
    alone = [verdict for verdict in ours if (verdict["info_hash"], verdict["verdict"]) not in seen_alike]
    if all(verdict["verdict"] in _NO_WAY for verdict in ours):
        return theirs, alone[0]["cause"] if alone else ""
    notes: list[Verdict] = [
        {**verdict, "severity": "note"} if verdict in alone and verdict["severity"] != "ok" else verdict
        for verdict in ours
    ]
    return [*theirs, *notes], ""


# -- rows -------------------------------------------------------------------------------------------------------------


def _rows(verdicts: Iterable[Verdict], *, every_item: bool) -> list[Row]:
    """Return one row for each cause and the views that see it, in the order of their first items."""
    seen: dict[tuple[str, ...], list[Verdict]] = {}
    for verdict in verdicts:
        seen.setdefault((verdict["info_hash"], *_kind(verdict)), []).append(verdict)
    rows: dict[tuple[str, ...], Row] = {}
    for key, alike in seen.items():
        views = [verdict["from"] for verdict in alike]
        # What one view sees as a note another may see as a fault, which then counts.
        worst = min(alike, key=lambda verdict: list(MARKS).index(verdict["severity"]))
        together = key if every_item else (*key[1:], worst["severity"], *views)
        rows.setdefault(together, Row([], views)).verdicts.append(worst)
    return list(rows.values())


def _kind(verdict: Verdict) -> tuple[str, ...]:
    """Return what makes verdicts one and the same: who is to blame for what; all that is well is alike."""
    return (verdict["verdict"], verdict.get("where", ""), verdict["remedy"])


def _cells(row: Row, total: int) -> list[str]:
    number = len(row.verdicts)
    item = row.items[0] if number == 1 else f"{number} of {total} items"
    return [MARKS[row.severity], item, ", ".join(row.views), row.verdicts[0]["verdict"], printable(_cause(row))]


def _cause(row: Row) -> str:
    """Return the cause of all the row's items, or the most frequent ones."""
    numbers: dict[str, int] = {}
    for verdict in row.verdicts:
        numbers[verdict["cause"]] = numbers.get(verdict["cause"], 0) + 1
    causes = sorted(numbers, key=lambda cause: -numbers[cause])
    if len(causes) == 1:
        return causes[0]
    if row.severity == "ok":
        shown = [f"{numbers[cause]} with {cause}" for cause in causes[:MAX_NAMES]]
        return "; ".join(shown) + ("; others" if len(causes) > MAX_NAMES else "")
    return f"{causes[0]} (and likewise for the others)"


def _notes(row: Row) -> list[tuple[str, str]]:
    """Return what stands below a row: the items, what to do, what else was seen, remarks."""
    notes = []
    if len(row.items) > 1 and row.severity != "ok":
        notes.append(("", f"items: {name_some(row.items)}"))
    if row.verdicts[0]["remedy"]:
        notes.append((row.severity, f"-> {row.verdicts[0]['remedy']}"))
    for title, key in (("also", "more"), ("note", "remarks")):
        texts: dict[str, list[str]] = {}
        for name, verdict in zip(row.items, row.verdicts):
            for text in verdict["more"] if key == "more" else verdict["remarks"]:
                texts.setdefault(text, []).append(name)
        for text, names in texts.items():
            of = "" if len(names) == len(row.items) else f" ({name_some(names)})"
            notes.append(("", f"{title}{of}: {text}"))
    return notes
