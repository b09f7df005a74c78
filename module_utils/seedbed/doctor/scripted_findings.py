"""What is wrong with those who play a torrent by script; what they do by order is no fault."""

from __future__ import annotations

from ansible.module_utils.seedbed.doctor.findings import Finding, finding
from ansible.module_utils.seedbed.doctor.observations import Observations
from ansible.module_utils.seedbed.doctor.verdicts import REMARKS
from ansible.module_utils.seedbed.torrent.model import Promise, ScriptedHost, Subject

_ORDERED = {
    "completes": "it completes",
    "stalls": "a download stalls at {available}",
    "refused": "no peer takes a client",
}


def scripted_findings(seen: Observations) -> list[Finding]:
    """Return what keeps the scripts of a torrent from being played."""
    subject = seen.subject
    places = subject.get("played_at") or []
    players = {
        name: host for name, host in seen.scripted.items() if {host["address"], *host["addresses"]} & set(places)
    }
    known = {address for host in players.values() for address in (host["address"], *host["addresses"])}
    findings = [problem for name, host in players.items() for problem in _findings_of_one(subject, name, host)]
    nowhere = [address for address in places if address not in known]
    # One that could not be asked may have any of them.
    silent = [name for name, host in seen.scripted.items() if host["info"] is None and name not in players]
    if nowhere and silent:
        findings += [finding("scripted_unreachable", where=name) for name in silent]
    elif nowhere:
        findings.append(finding("scripted_nowhere", detail=nowhere[0]))
    return findings


def _findings_of_one(subject: Subject, name: str, host: ScriptedHost) -> list[Finding]:
    info = host["info"]
    if info is None:
        return [finding("scripted_unreachable", where=name)]
    if not info["active"]:
        return [finding("scripted_down", where=name)]
    findings = []
    if subject["info_hash"] not in info["info_hashes"]:
        findings.append(finding("scripted_not_played", where=name))
    gone = [address for address in info["missing"] if address in (subject.get("played_at") or [])]
    if gone:
        findings.append(finding("scripted_address_gone", where=name, detail=gone[0]))
    if info["fault"]:
        findings.append(finding("scripted_stale", where=name, detail=info["fault"]))
    return findings


def as_ordered(promise: Promise) -> Finding:
    """Return the verdict on a torrent that is played: what a client meets is what was ordered."""
    return finding("as_ordered", detail=_ORDERED[promise["outcome"]].format(available=promise["available"]))


def ordered_remarks(subject: Subject, promise: Promise) -> list[str]:
    """Return what a client has to know of it."""
    texts = [REMARKS["private_magnet"]] if subject["private"] else []
    if promise["magnet"] == "no_metadata":
        texts.append(REMARKS["no_metadata_as_ordered"])
    if promise["hard"]:
        texts.append(REMARKS["hard_as_ordered"])
    return texts
