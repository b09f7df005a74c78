"""One finding: a verdict with its particulars put into words."""

from __future__ import annotations

from typing import Iterable, TypedDict

from ansible.module_utils.seedbed.doctor.verdicts import VERDICTS

SILENT = ("refused", "timeout", "unreachable", "reset")  # the reasons of a tracker that gives no answer


class Finding(TypedDict):
    """What is wrong, how bad it is, who is to blame, and what to do."""

    verdict: str
    severity: str
    where: str
    cause: str
    remedy: str


def finding(code: str, *, where: str = "", detail: str = "", **particulars: object) -> Finding:
    """Return the finding of a verdict; where: the host, tracker or peer to blame."""
    kind = VERDICTS[code]
    texts = {name: str(value) for name, value in particulars.items()}
    texts.update(where=where, detail=detail or "no reason given")
    return {
        "verdict": code,
        "severity": kind.severity,
        "where": where,
        "cause": kind.cause.format(**texts),
        "remedy": kind.remedy.format(**texts),
    }


def as_warnings(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings as warnings: somebody else serves all the same."""
    return [{**problem, "severity": "warning"} for problem in findings]


def has_fault(findings: Iterable[Finding]) -> bool:
    """Return whether any of the findings keeps clients from downloading."""
    return any(problem["severity"] == "fault" for problem in findings)
