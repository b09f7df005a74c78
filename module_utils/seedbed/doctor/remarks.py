"""Oddities that cost some clients something, and remarks on what is odd on purpose."""

from __future__ import annotations

from ansible.module_utils.seedbed.base.sizes import WHOLE, format_range
from ansible.module_utils.seedbed.doctor.findings import Finding, finding
from ansible.module_utils.seedbed.doctor.observations import (
    FOR_BROWSERS,
    Observations,
    available,
    dead_on_purpose,
    held,
    is_version_3,
    peerless_on_purpose,
    ranges,
    serves,
    state_of,
    swarm,
    tracker_name,
    trackerless_on_purpose,
    trackers_of_the_lab,
    udp_alone,
)
from ansible.module_utils.seedbed.doctor.verdicts import REMARKS, percent
from ansible.module_utils.seedbed.torrent.model import TrackerAnswer

MAX_SKEW = 300  # seconds
USUAL_INTERVALS = range(60, 7201)  # seconds


def oddities(seen: Observations) -> list[Finding]:
    """Return what is no fault of any tracker, seeder or peer by itself."""
    findings = [finding("udp_only")] if udp_alone(seen.subject) else []
    for answer in seen.announces:
        interval = answer.get("interval") if answer["ok"] else None
        if interval is not None and interval not in USUAL_INTERVALS and not _meant(interval, answer, seen):
            findings.append(finding("interval_odd", where=tracker_name(answer), detail=str(interval)))
    clock = seen.view.get("clock")
    for name, seeder in seen.expected.items():
        info = seeder["info"]
        skew = abs(info["clock"] - clock) if info and clock else 0
        if skew > MAX_SKEW:
            findings.append(finding("clock_skew", where=name, detail=str(skew)))
    return findings


def _meant(interval: int, answer: TrackerAnswer, seen: Observations) -> bool:
    """Return whether the inventory has a tracker ask for this, give or take the tenth that it varies by."""
    meant = [tracker.get("interval") or 0 for tracker in trackers_of_the_lab(answer, seen.trackers).values()]
    return any(abs(interval - each) <= each // 10 for each in meant)


def _odd_answers(seen: Observations) -> list[str]:
    """Return what is odd about the answers of trackers and peers, and what clients take all the same."""
    odd = [(tracker_name(answer), text) for answer in seen.answers for text in answer.get("remarks", [])]
    odd += [(answer["url"], text) for answer in seen.webseeds for text in answer.get("remarks", [])]
    odd += [(f"{peer['address']}:{peer['port']}", text) for peer in seen.peers for text in peer.get("remarks", [])]
    return [REMARKS["odd_answer"].format(where=where, detail=text) for where, text in dict.fromkeys(odd)]


def remarks(seen: Observations) -> list[str]:
    """Return what a client has to know of a torrent that is well."""
    subject = seen.subject
    texts = [*subject.get("remarks", [])]
    if subject["private"]:
        texts.append(REMARKS["private_magnet"])
    if peerless_on_purpose(subject):
        texts.append(REMARKS["empty_on_purpose" if subject.get("size") == 0 else "web_seed_on_purpose"])
    elif seen.web_seeds_that_serve and not any(serves(subject, peer) for peer in seen.peers):
        texts += [REMARKS["web_seed_alone"].format(where=url) for url in seen.web_seeds_that_serve]
    elif trackerless_on_purpose(subject):
        texts.append(REMARKS["trackerless_on_purpose"])
    dead = dict.fromkeys(map(tracker_name, dead_on_purpose(seen)))
    texts += [REMARKS["dead_on_purpose"].format(where=where) for where in dead]
    browsers = [answer for answer in seen.answers if answer["reason"] == FOR_BROWSERS]
    if seen.announces:
        names = dict.fromkeys(map(tracker_name, browsers))
        texts += [REMARKS["tracker_for_browsers"].format(where=where) for where in names]
    texts += _odd_answers(seen)
    share, grows = available(subject), bool(swarm(subject).get("fetch_rest"))
    parts = [(name, part) for name, part in ranges(subject).items() if part != (0, WHOLE)]
    texts += [REMARKS["part_on_purpose"].format(where=name, detail=format_range(part)) for name, part in parts]
    if share < WHOLE and not grows:
        texts.append(REMARKS["partial_on_purpose"].format(detail=percent(share)))
    for name, seeder in seen.expected.items():
        info = seeder["info"]
        state = state_of(subject, info)
        if grows and state and state["left"] and state["size"]:
            now, first = WHOLE - state["left"] * WHOLE // state["size"], held(subject, name)
            texts.append(REMARKS["partial_and_growing"].format(where=name, detail=percent(first), now=percent(now)))
        if info and is_version_3(info):
            texts.append(REMARKS["slow_seeder"].format(where=name, detail=info["version"]))
    return texts
