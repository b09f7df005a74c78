"""What is wrong with the seeders that should serve a torrent."""

from __future__ import annotations

from ansible.module_utils.seedbed.base.sizes import WHOLE, together
from ansible.module_utils.seedbed.doctor.findings import Finding, as_warnings, finding, has_fault
from ansible.module_utils.seedbed.doctor.observations import (
    TOLERANCE,
    Observations,
    available,
    held,
    is_loopback,
    listed_peers,
    named_peers,
    peer_address,
    peerless_on_purpose,
    ranges,
    serves,
    share_held,
    state_of,
    tracker_name,
    udp_alone,
)
from ansible.module_utils.seedbed.doctor.peer_findings import foreign_findings, peer_findings, share_findings
from ansible.module_utils.seedbed.doctor.verdicts import percent
from ansible.module_utils.seedbed.torrent.model import (
    PeerAnswer,
    Seeder,
    SeederState,
    TorrentState,
    TrackerAnswer,
    flatten_tiers,
)

# These announce over UDP without a default route, 4.1.4 does not.
ROUTELESS = ("3.", "4.1.0")
SAMPLE = 50  # peers that are asked for: of more a tracker hands out some
# By what Transmission's texts of local errors (3) are told apart.
_LOCAL_ERRORS = {"no space": "disk_full", "corrupt": "content_damaged", "no data": "content_missing"}


def swarm_findings(seen: Observations) -> list[Finding]:
    """Return what is wrong with all that should serve a torrent, each seeder's root first."""
    expected = seen.expected
    if not expected:
        somebody = seen.tracker_answered or bool(named_peers(seen.subject))
        judged = somebody and not peerless_on_purpose(seen.subject)
        return foreign_findings(seen) if judged else []
    addresses = [peer_address(seeder) for seeder in expected.values()]
    others = [peer for peer in seen.peers if (peer["address"], peer["port"]) not in addresses]
    findings: list[Finding] = []
    good: list[str] = []
    for name, seeder in expected.items():
        problems = _findings_of_one(seen, name, seeder)
        if not has_fault(problems):
            good.append(name)
        findings += problems
    if not good and not any(serves(seen.subject, peer) for peer in others):
        return findings
    lacking = _lacking_parts(seen, good)
    # Somebody serves all that there should be: what is wrong with the others is a warning.
    return (findings if lacking else as_warnings(findings)) + lacking + share_findings(seen)


def _lacking_parts(seen: Observations, serving: list[str]) -> list[Finding]:
    """Return whether the parts of those who serve are less than the catalogue says, where each holds one of its own."""
    parts = ranges(seen.subject)
    there = together(parts[name] for name in serving if name in parts)
    whole = any((share_held(peer) or 0) >= WHOLE - TOLERANCE for peer in seen.peers if peer["ok"])
    unknown = parts.keys() - seen.expected.keys()
    if not parts or unknown or whole or there >= available(seen.subject) - TOLERANCE:
        return []
    return [finding("partial", detail=percent(there))]


def own_findings(seen: Observations) -> list[Finding]:
    """Return what keeps the seeders of a torrent from serving, by their own account alone."""
    return [problem for name, seeder in seen.expected.items() for problem in _own_findings(seen, name, seeder, [])]


def _findings_of_one(seen: Observations, name: str, seeder: Seeder) -> list[Finding]:
    own = peer_address(seeder)
    met = [peer for peer in seen.peers if (peer["address"], peer["port"]) == own]
    problems = _own_findings(seen, name, seeder, met)
    if not has_fault(problems) and seen.tracker_answered and seeder["info"]:
        problems += _listing_findings(seen, name, seeder)
    if not has_fault(problems):
        problems += [problem for peer in met for problem in peer_findings(seen, peer, seeder["info"])]
    return problems


# -- what a seeder itself shows ---------------------------------------------------------------------------------------


def _own_findings(seen: Observations, name: str, seeder: Seeder, met: list[PeerAnswer]) -> list[Finding]:
    """Return what keeps the seeder from serving, by its own account."""
    info = seeder["info"]
    if info is None:
        # Behind one address, several hosts look alike: then who serves there is not known.
        alone = [peer_address(other) for other in seen.seeders.values()].count(peer_address(seeder)) == 1
        serves_there = alone and any(peer["ok"] for peer in met)
        return [finding("seeder_unseen" if serves_there else "seeder_unreachable", where=name)]
    if not info["active"]:
        return [finding("seeder_down", where=name)]
    if info["reason"]:
        return [finding("seeder_rpc", where=name, detail=info["message"])]  # it may serve all the same
    state = state_of(seen.subject, info)
    if state is None:
        return [finding("torrent_not_added", where=name)]
    return _torrent_findings(seen, name, state) or _announce_findings(seen, name, info, state)


def _torrent_findings(seen: Observations, name: str, state: TorrentState) -> list[Finding]:
    if state["missing"]:
        first, rest = state["missing"][0], len(state["missing"]) - 1
        return [finding("content_missing", where=name, detail=first + (f" and {rest} more" if rest else ""))]
    if state["error"] == 3:
        text = state["error_string"]
        code = next((code for word, code in _LOCAL_ERRORS.items() if word in text.lower()), "seeder_error")
        return [finding("disk_full" if state["free"] == 0 else code, where=name, detail=text)]
    if state["state"] == "stopped":
        return [finding("torrent_paused", where=name)]
    if state["state"] in ("check_wait", "checking"):
        return [finding("torrent_verifying", where=name, detail=f"{state['checked'] / WHOLE:.0%}")]
    if state["left"] > 0 and held(seen.subject, name) >= WHOLE:
        lost = f"{state['left']} of {state['size']} bytes are not right"
        return [finding("content_damaged", where=name, detail=lost)]
    return []


def _announce_findings(seen: Observations, name: str, info: SeederState, state: TorrentState) -> list[Finding]:
    expected = flatten_tiers(seen.subject["trackers"])
    ours = [tracker for tracker in state["trackers"] if tracker["announce"] in expected]
    if expected and not ours:
        urls = ", ".join(tracker["announce"] for tracker in state["trackers"]) or "nobody"
        return [finding("announced_elsewhere", where=name, detail=urls)]
    tried = [tracker for tracker in ours if tracker["announced"] and not tracker["backup"]]
    if tried and not any(tracker["succeeded"] for tracker in tried):
        if udp_alone(seen.subject) and not info["default_route"] and not info["version"].startswith(ROUTELESS):
            return [finding("no_default_route", where=name, detail=info["version"] or "of unknown version")]
        if seen.tracker_answered:
            return [finding("seeder_cannot_announce", where=name, detail=tried[0]["result"])]
    return []


# -- what trackers show of a seeder -----------------------------------------------------------------------------------


def _listing_findings(seen: Observations, name: str, seeder: Seeder) -> list[Finding]:
    """Return whether the trackers hand out the address that the inventory means."""
    own = peer_address(seeder)
    if own in listed_peers(seen.announces):
        return as_warnings(_unlisting_tiers(seen, name, own))
    address = _wrong_address(seen, seeder)
    if not address:
        return [finding("not_announced", where=name, tracker="the tracker")]
    why = "an address behind NAT, of a bridge or a proxy"
    if is_loopback(address):
        why = "it announced through loopback, and nobody else can reach it there"
    return [finding("wrong_address", where=name, detail=address, why=why)]


def _unlisting_tiers(seen: Observations, name: str, own: tuple[str, int]) -> list[Finding]:
    """Return the tiers that do not hand out a seeder that others do.

    A client may ask the first tier alone; within a tier, seeders announce to one tracker (BEP 12).
    """
    findings = []
    for tier in seen.subject["trackers"]:
        answers = [answer for answer in seen.announces if answer["ok"] and answer["tracker"] in tier]
        if answers and own not in listed_peers(answers) and not any(map(_is_sample, answers)):
            findings.append(finding("not_announced", where=name, tracker=tracker_name(answers[0])))
    return findings


def _is_sample(answer: TrackerAnswer) -> bool:
    """Return whether a tracker may know of more peers than it hands out."""
    return len(answer.get("peers", [])) + answer.get("probes", 0) >= SAMPLE


def _wrong_address(seen: Observations, seeder: Seeder) -> str:
    """Return the address that trackers hand out in place of the seeder's, or an empty text.

    The port is all that tells a seeder whose address NAT, a proxy or loopback has replaced. It tells nothing where
    others may have it: another host of the lab, a peer that serves by itself, a second seeder that is not listed.
    """
    listed = listed_peers(seen.announces)
    own, port = peer_address(seeder), int(seeder["peer_port"])
    known = {peer_address(other) for other in seen.seeders.values()} | {(seen.view["address"], port)}
    unlisted = {
        address
        for address in map(peer_address, seen.expected.values())
        if address[1] == port and address not in listed and _family(address[0]) == _family(own[0])
    }
    serving = {
        (peer["address"], peer["port"]) for peer in seen.peers if peer["ok"] and not is_loopback(peer["address"])
    }
    strange = sorted(
        peer[0] for peer in listed - known - serving if peer[1] == port and _family(peer[0]) == _family(own[0])
    )
    return strange[0] if strange and unlisted == {own} else ""


def _family(address: str) -> bool:
    return ":" in address
