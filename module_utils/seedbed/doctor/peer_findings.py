"""What is wrong with the peers of a torrent, as they show themselves."""

from __future__ import annotations

from ansible.module_utils.seedbed.doctor.findings import Finding, as_warnings, finding, has_fault
from ansible.module_utils.seedbed.doctor.observations import (
    Observations,
    enough,
    is_version_3,
    listed_peers,
    named_peers,
    serves,
    share_held,
    state_of,
)
from ansible.module_utils.seedbed.doctor.verdicts import count, percent
from ansible.module_utils.seedbed.torrent.model import PeerAnswer, SeederState

_CODES = {
    "refused": "peer_port_closed",
    "timeout": "peer_port_filtered",
    "unreachable": "peer_port_filtered",
    "blocked": "peer_port_filtered",
}


def peer_findings(seen: Observations, peer: PeerAnswer, info: SeederState | None) -> list[Finding]:
    """Return what is wrong with one peer; info: its daemon's state where it is a seeder of the lab."""
    where = f"{peer['address']}:{peer['port']}"
    if not peer["ok"]:
        if peer["reason"] == "not_served" and info and is_version_3(info):
            return _not_served_by_3(seen, peer, info)
        return [finding(_CODES.get(peer["reason"], "peer_not_serving"), where=where)]
    findings = []
    if peer["encryption"] == "encrypted":
        findings.append(finding("encryption_required", where=where))
    if peer.get("plain_only"):
        findings.append(finding("encryption_refused", where=where))
    if peer.get("piece") == "wrong_hash":
        findings.append(finding("content_damaged", where=where, detail=peer.get("piece_message", "")))
    if not seen.subject["private"] and peer.get("metadata", "ok") not in ("ok", "slow"):
        findings.append(finding("metadata_unavailable", detail=peer.get("metadata_message", "")))
    return findings


def _not_served_by_3(seen: Observations, peer: PeerAnswer, info: SeederState) -> list[Finding]:
    """Return why Transmission 3.00 closes on this host."""
    where, own = f"{peer['address']}:{peer['port']}", seen.view["address"]
    if own == peer["address"]:
        return [finding("same_address", where=where, detail=info["version"])]
    state = state_of(seen.subject, info)
    if state and own in state["peers"]:
        return []  # it serves a client of this host, and takes one connection from an address
    return [finding("address_remembered", where=where, detail=info["version"])]


def foreign_findings(seen: Observations) -> list[Finding]:
    """Return what is wrong with a torrent of which no seeder is known: those that trackers and magnet name are all."""
    listed = listed_peers(seen.announces) | named_peers(seen.subject)
    if not listed:
        return [finding("nobody")]
    problems = [peer_findings(seen, peer, None) for peer in seen.peers if peer["ok"]]
    if not problems:
        return [problem for peer in seen.peers for problem in peer_findings(seen, peer, None)]
    findings = [problem for problems_of_one in problems for problem in problems_of_one]
    if not all(map(has_fault, problems)):
        findings = as_warnings(findings)
    counted = any(answer.get("seeders") for answer in seen.announces if answer["ok"])
    if not counted and not any(serves(seen.subject, peer) for peer in seen.peers):
        findings.insert(0, finding("only_leechers", detail=count(len(listed), "peer")))
    return findings + share_findings(seen)


def share_findings(seen: Observations) -> list[Finding]:
    """Return whether the peers hold less than the catalogue says."""
    shares = [share for peer in seen.peers if peer["ok"] for share in [share_held(peer)] if share is not None]
    # Who reveals piece by piece has what it has announced: where trackers count a seeder, it may be this one.
    counted = any(answer.get("seeders") for answer in seen.announces if answer["ok"])
    if counted and any(peer["ok"] and peer.get("revealing") for peer in seen.peers):
        return []
    if not shares or max(shares) >= enough(seen.subject):
        return []
    return [finding("partial", detail=percent(max(shares)))]
