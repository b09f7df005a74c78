"""From what was seen of a swarm to one verdict: what is wrong, why, and what to do.

The observations are those of swarm_info (or tracker_info and peer_info) from one viewpoint, seeder_info from each
seeder and opentracker_info from each tracker. The cause nearest to the root counts: a tracker that does not answer
before a seeder that is missing from its list, a seeder that is paused before its peer port.
"""

from __future__ import annotations

from typing import Iterable, Mapping

from ansible.module_utils.seedbed.doctor.findings import Finding, as_warnings, finding, has_fault
from ansible.module_utils.seedbed.doctor.observations import (
    Observations,
    observations,
    peerless_on_purpose,
    url_parts,
)
from ansible.module_utils.seedbed.doctor.remarks import oddities, remarks
from ansible.module_utils.seedbed.doctor.scripted_findings import as_ordered, ordered_remarks, scripted_findings
from ansible.module_utils.seedbed.doctor.seeder_findings import own_findings, swarm_findings
from ansible.module_utils.seedbed.doctor.tracker_findings import tracker_findings
from ansible.module_utils.seedbed.doctor.verdicts import SEVERITIES, count
from ansible.module_utils.seedbed.torrent.model import (
    ScriptedHost,
    Seeder,
    Subject,
    Tracker,
    TrackerAnswer,
    Verdict,
    View,
)

# What is no fault where a web seed serves: there need be nobody else.
_NOBODY_ELSE = ("nobody", "no_tracker", "private_without_tracker", "only_leechers", "partial")


def verdict(
    subject: Subject,
    view: View,
    seeders: Mapping[str, Seeder],
    trackers: Mapping[str, Tracker],
    scripted: Mapping[str, ScriptedHost] | None = None,
) -> Verdict:
    """Return the verdict on one torrent, seen from one viewpoint.

    Of one that is played by script counts whether it is played: what its trackers and peers show was ordered.
    """
    seen = observations(subject, view, seeders, trackers, scripted or {})
    promise = subject.get("promise")
    by_cause: dict[str, Finding] = {}
    found = [*scripted_findings(seen), *own_findings(seen)] if promise else [*_findings(seen), *oddities(seen)]
    for problem in found:
        by_cause.setdefault(problem["cause"], problem)  # what a tracker's two protocols show alike is one finding
    ranked = sorted(by_cause.values(), key=lambda problem: SEVERITIES.index(problem["severity"]))  # the root first
    well = as_ordered(promise) if promise else finding("healthy", detail=swarm_size(seen.answers))
    chosen = ranked[0] if ranked else well
    return {
        "item": subject["name"],
        "info_hash": subject["info_hash"],
        "from": view["from"],
        **chosen,
        "more": [problem["cause"] for problem in ranked[1:]],
        "remarks": ordered_remarks(subject, promise) if promise else remarks(seen),
    }


def _findings(seen: Observations) -> list[Finding]:
    """Return what is wrong with trackers, peers and web seeds: who has all of it makes the others' faults warnings."""
    web = [finding("web_seed_broken", where=a["url"], detail=a["message"]) for a in seen.webseeds if not a["ok"]]
    swarm = [*tracker_findings(seen), *swarm_findings(seen)]
    if seen.web_seeds_that_serve:
        lonely = [problem for problem in swarm if problem["verdict"] not in _NOBODY_ELSE]
        return as_warnings([*web, *lonely])
    alone = has_fault(swarm) or peerless_on_purpose(seen.subject)
    return [*web, *swarm] if alone else [*swarm, *as_warnings(web)]


def swarm_size(answers: Iterable[TrackerAnswer]) -> str:
    """Return how many seeders and leechers the trackers know, as people write it."""
    seeders = 0
    leechers: dict[str, int] = {}
    known = [answer for answer in answers if answer["ok"]]
    for answer in known:
        seeders = max(seeders, answer.get("seeders") or 0)
        number = answer.get("leechers")
        if number is not None:
            # Both protocols of a tracker count the same peers. A count may have others in it who only ask.
            where = url_parts(answer).netloc
            leechers[where] = min(number, leechers.get(where, number))
    has_seeders = any(answer.get("seeders") is not None for answer in known)
    return (
        f"{count(seeders if has_seeders else None, 'seeder')}, {count(max(leechers.values(), default=None), 'leecher')}"
    )
