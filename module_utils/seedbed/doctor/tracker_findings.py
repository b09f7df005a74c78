"""What is wrong with the trackers of a torrent."""

from __future__ import annotations

import re
from typing import Mapping
from urllib.parse import parse_qs

from ansible.module_utils.seedbed.doctor.findings import SILENT, Finding, finding
from ansible.module_utils.seedbed.doctor.observations import (
    Observations,
    dead_on_purpose,
    peerless_on_purpose,
    tracker_name,
    trackerless_on_purpose,
    trackers_of_the_lab,
    url_parts,
    url_port,
)
from ansible.module_utils.seedbed.torrent.model import Tracker, TrackerAnswer

# What trackers say to a client that is not on their list, as the doctor never is.
_OF_THE_CLIENT = re.compile(r"user.?agent|peer.?id|browser|client.{0,20}(not|banned|black|unknown|unsupport)", re.I)
_CODES = {
    "dns": "tracker_dns",
    "refused": "tracker_refused",
    "reset": "tracker_filtered",
    "timeout": "tracker_filtered",
    "unreachable": "tracker_filtered",
    "blocked": "tracker_blocked_here",
    "failure": "tracker_refuses",
    "not_authorized": "tracker_not_authorized",
}


def tracker_findings(seen: Observations) -> list[Finding]:
    """Return a finding for each tracker that does not do its part."""
    announces = seen.announces
    if not announces:
        if seen.answers and not seen.subject.get("peers"):
            names = ", ".join(dict.fromkeys(map(tracker_name, seen.answers)))
            return [finding("tracker_for_browsers", detail=names)]
        if seen.subject.get("peers") or trackerless_on_purpose(seen.subject) or peerless_on_purpose(seen.subject):
            return []
        return [finding("private_without_tracker" if seen.subject["private"] else "no_tracker")]
    bad = [answer for answer in announces if not answer["ok"]]
    # The kernel names what this host's firewall drops over UDP alone; over TCP it looks like a firewall elsewhere.
    bad.sort(key=lambda answer: answer["reason"] != "blocked")
    if len(bad) == len(announces):
        return [_finding(answer, seen.trackers) for answer in bad]
    dead = dead_on_purpose(seen)
    return [_beside_others(answer, seen) for answer in bad if answer not in dead]


def _beside_others(answer: TrackerAnswer, seen: Observations) -> Finding:
    """Return the finding for one of several trackers: clients that know only this one are lost."""
    parts = url_parts(answer)
    host_answers = any(other["ok"] and url_parts(other).netloc == parts.netloc for other in seen.announces)
    if host_answers and answer["reason"] in ("timeout", "unreachable", "refused"):
        code = "tracker_udp_filtered" if parts.scheme == "udp" else "tracker_http_filtered"
        return finding(code, where=parts.netloc, detail=answer["message"])
    problem = _finding(answer, seen.trackers)
    return {**problem, "severity": "warning", "cause": f"{problem['cause']}; others of its trackers answer"}


def _finding(answer: TrackerAnswer, trackers: Mapping[str, Tracker]) -> Finding:
    reason, where, detail = answer["reason"], tracker_name(answer), answer["message"]
    ours = trackers_of_the_lab(answer, trackers)
    if ours and reason in SILENT:
        return _finding_of_the_lab(answer, ours)
    if reason == "failure" and _OF_THE_CLIENT.search(detail):
        return finding("tracker_refuses_doctor", where=where, detail=detail)
    if reason == "http_status":
        return _finding_of_status(answer)
    return finding(_CODES.get(reason, "tracker_wrong_protocol"), where=where, detail=detail)


def _finding_of_status(answer: TrackerAnswer) -> Finding:
    where, detail, parts = tracker_name(answer), answer["message"], url_parts(answer)
    if answer.get("status") == 401:
        return finding("tracker_unauthorized", where=where, detail=detail)
    # opentracker takes any path that begins with an a for an announce: this is something else.
    if answer.get("status") == 404 and parts.path.startswith("/a"):
        return finding("tracker_wrong_protocol", where=where, detail=detail)
    if answer.get("status") == 404:
        return finding("tracker_odd_path", where=where, detail=parts.path or "/")
    return finding("tracker_invalid_request", where=where, detail=_fault_of_query(parts.query) or detail)


def _finding_of_the_lab(answer: TrackerAnswer, ours: Mapping[str, Tracker]) -> Finding:
    """Return the finding for a silent tracker of the lab: its host knows more than the network shows."""
    port, where, detail = url_port(answer), tracker_name(answer), answer["message"]
    announced_to = "no port" if port is None else f"port {port}"
    [(name, tracker), *others] = ours.items()
    if others and int(tracker["port"]) != port:  # which of them should have answered cannot be known
        right = " or ".join(str(other["port"]) for other in ours.values())
        return finding("tracker_wrong_port", where=where, port=announced_to, right=right)
    if tracker.get("active") is False:
        return finding("tracker_down", where=name)
    if int(tracker["port"]) != port:
        return finding("tracker_wrong_port", where=where, port=announced_to, right=tracker["port"])
    if tracker.get("active") is None:
        return finding("tracker_unreachable", where=name, detail=detail)
    return finding("tracker_filtered", where=where, detail=f"{detail or 'no answer'}, though {name} runs it")


def _fault_of_query(query: str) -> str:
    """Return what is wrong with a request whose announce URL has a query of its own, or an empty text."""
    own = parse_qs(query, keep_blank_values=True, encoding="latin-1")
    if own.get("compact", [""])[0] == "0":
        return "its address asks for compact=0"
    for name, what in (("info_hash", "an info hash"), ("peer_id", "a peer id")):
        size = len(own.get(name, [""])[0])
        if name in own and size != 20:
            return f"its address has {what} of {size} bytes, right are 20"
        if name in own:
            return f"its address has {what} of its own, so the tracker gets two"
    if own.get("port", ["0"])[0] not in map(str, range(65536)):
        return f"its address has the port {own['port'][0] or '(empty)'}"
    return ""
