"""From what was seen of a swarm to one verdict: what is wrong, why, and what to do.

The observations are those of tracker_info and peer_info from one viewpoint, seeder_info from each seeder and
opentracker_info from each tracker. The cause nearest to the root counts: a tracker that does not answer before a
seeder that is missing from its list, a seeder that is paused before its peer port.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Iterable, Mapping, Sequence
from urllib.parse import SplitResult, parse_qs, urlsplit

from ansible.module_utils.seedbed.doctor.verdicts import REMARKS, SEVERITIES, VERDICTS, count

Seen = Mapping[str, Any]
ROUTELESS = ("3.", "4.1.0")  # these announce over UDP without a default route, 4.1.4 does not
SAMPLE = 50  # peers, of which a tracker may know more than it hands out
_SILENT = ("refused", "timeout", "unreachable", "reset")  # the reasons of a tracker that gives no answer
# By what Transmission's texts of local errors (3) are told apart.
_LOCAL_ERRORS = {"no space": "disk_full", "corrupt": "content_damaged", "no data": "content_missing"}


def verdict(item: Seen, view: Seen, seeders: Mapping[str, Seen], trackers: Mapping[str, Seen]) -> dict[str, Any]:
    """The verdict on one item, seen from one viewpoint.

    item: name, info_hash, private, trackers (tiers), swarm (seeders, available, fetch_rest), size and webseeds as in
    catalogue.json; swarm is null for what is not the catalogue's, and then nothing is odd on purpose.
    view: from, address, trackers (results of tracker_info), peers (results of peer_info).
    seeders: name -> address, peer_port, and info (seeder_info, null when the host cannot be reached).
    trackers: name -> address, port, and active (null when the host cannot be reached).
    """
    mine = [answer for answer in view["trackers"] if answer["info_hash"] == item["info_hash"]]
    announces = [answer for answer in mine if answer["kind"] == "announce"]
    expected = {name: seeders[name] for name in (item.get("swarm") or {}).get("seeders") or [] if name in seeders}
    findings = [
        *_tracker_findings(item, announces, trackers),
        *_swarm_findings(item, view, announces, expected),
        *_oddities(item, announces, expected, view),
    ]
    told: dict[str, dict[str, str]] = {}
    for finding in findings:  # what a tracker's two protocols show alike is told once
        told.setdefault(finding["cause"], finding)
    findings = sorted(told.values(), key=lambda finding: SEVERITIES.index(finding["severity"]))  # the root stays first
    chosen = findings[0] if findings else _finding("healthy", detail=_numbers(mine))
    return {
        "item": item["name"],
        "info_hash": item["info_hash"],
        "from": view["from"],
        **chosen,
        "more": [finding["cause"] for finding in findings[1:]],
        "remarks": _remarks(item, expected, _dead_on_purpose(item, announces, trackers)),
    }


def _finding(code: str, **particulars: Any) -> dict[str, str]:
    kind = VERDICTS[code]
    texts = {name: str(value) for name, value in particulars.items()}
    return {
        "verdict": code,
        "severity": kind.severity,
        "cause": kind.cause.format(**texts),
        "remedy": kind.remedy.format(**texts),
    }


def _numbers(answers: Iterable[Seen]) -> str:
    good = [answer for answer in answers if answer["ok"]]
    seeders = max((answer["seeders"] or 0 for answer in good), default=None)
    leechers = max((answer["leechers"] or 0 for answer in good), default=None)
    return f"{count(seeders, 'seeder')}, {count(leechers, 'leecher')}"


# -- trackers -------------------------------------------------------------------------------------------------------


def _tracker_findings(item: Seen, announces: Sequence[Seen], trackers: Mapping[str, Seen]) -> list[dict[str, str]]:
    if not announces:
        if _trackerless_on_purpose(item) or _peerless_on_purpose(item):
            return []
        return [_finding("private_without_tracker" if item["private"] else "no_tracker")]
    bad = [answer for answer in announces if not answer["ok"]]
    # What this host's firewall drops, the kernel tells over UDP alone; over TCP it looks like a firewall elsewhere.
    bad.sort(key=lambda answer: bool(answer["reason"] != "blocked"))
    if len(bad) == len(announces):
        return [_tracker_finding(answer, trackers) for answer in bad]
    meant = _dead_on_purpose(item, announces, trackers)
    return [_partly(answer, announces, trackers) for answer in bad if answer not in meant]


def _parts(answer: Seen) -> SplitResult:
    try:
        return urlsplit(answer["tracker"])
    except ValueError:  # a torrent may name anything
        return urlsplit("")


def _where(answer: Seen) -> str:
    parts = _parts(answer)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else str(answer["tracker"])


def _partly(answer: Seen, announces: Sequence[Seen], trackers: Mapping[str, Seen]) -> dict[str, str]:
    """One of several trackers fails: not the end, but clients that know only this one are lost."""
    parts = _parts(answer)
    host_answers = any(other["ok"] and _parts(other).netloc == parts.netloc for other in announces)
    if host_answers and answer["reason"] in ("timeout", "unreachable", "refused"):
        code = "tracker_udp_filtered" if parts.scheme == "udp" else "tracker_http_filtered"
        return _finding(code, where=parts.netloc, detail=answer["message"])
    finding = _tracker_finding(answer, trackers)
    return {**finding, "severity": "warning", "cause": f"{finding['cause']}; others of its trackers answer"}


def _tracker_finding(answer: Seen, trackers: Mapping[str, Seen]) -> dict[str, str]:
    reason, where, detail = answer["reason"], _where(answer), answer["message"]
    parts = _parts(answer)
    for name, tracker in trackers.items():
        if _is(tracker, answer) and reason in _SILENT:
            return _our_tracker_finding(name, tracker, parts.port, where, detail)
    if reason == "http_status":
        # opentracker takes any path that begins with an a for an announce: this is something else.
        if answer.get("status") == 404 and parts.path.startswith("/a"):
            return _finding("tracker_wrong_protocol", where=where, detail=detail)
        if answer.get("status") == 404:
            return _finding("tracker_odd_path", where=where, detail=parts.path or "/")
        return _finding("tracker_invalid_request", where=where, detail=_invalid(parts.query) or detail)
    code = {
        "dns": "tracker_dns",
        "refused": "tracker_refused",
        "reset": "tracker_filtered",
        "timeout": "tracker_filtered",
        "unreachable": "tracker_filtered",
        "blocked": "tracker_blocked_here",
        "failure": "tracker_refuses",
        "not_authorized": "tracker_not_authorized",
    }.get(reason, "tracker_wrong_protocol")
    return _finding(code, where=where, detail=detail)


def _is(tracker: Seen, answer: Seen) -> bool:
    """Whether a tracker of the lab is the one that should have answered."""
    return tracker["address"] in (_parts(answer).hostname, answer["address"])


def _invalid(query: str) -> str:
    """What is wrong with a request whose announce address has a query of its own; nothing if that is not the cause."""
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
        return f"its address has the port {own['port'][0]}"
    return ""


def _our_tracker_finding(name: str, tracker: Seen, port: int | None, where: str, detail: str) -> dict[str, str]:
    """A tracker of the lab that does not answer: its host tells more than the network does."""
    if tracker.get("active") is False:
        return _finding("tracker_down", where=name)
    if port != int(tracker["port"]):
        return _finding("tracker_wrong_port", port=port, right=tracker["port"])
    if tracker.get("active") is None:
        return _finding("tracker_unreachable", where=name, detail=detail)
    return _finding("tracker_filtered", where=where, detail=f"{detail}, though {name} runs it")


# -- seeders and peers ----------------------------------------------------------------------------------------------


def _swarm_findings(
    item: Seen, view: Seen, announces: Sequence[Seen], expected: Mapping[str, Seen]
) -> list[dict[str, str]]:
    listed = _listed(announces)
    answered = any(answer["ok"] for answer in announces)
    peers = [peer for peer in view["peers"] if peer["info_hash"] == item["info_hash"]]
    findings: list[dict[str, str]] = []
    if not expected:
        strange = answered and not _peerless_on_purpose(item)
        return _stranger_findings(item, peers, listed, announces, view) if strange else []
    meant = {(seeder["address"], seeder["peer_port"]) for seeder in expected.values()}
    serving = sum(_serves(item, peer) for peer in peers if (peer["address"], peer["port"]) not in meant)
    for name, seeder in expected.items():
        met = [peer for peer in peers if (peer["address"], peer["port"]) == (seeder["address"], seeder["peer_port"])]
        problems = _seeder_findings(item, name, seeder, announces, met)
        if not _fatal(problems) and answered and seeder["info"]:
            problems += _listing_findings(item, name, seeder, announces)
        if not _fatal(problems):
            problems += [finding for peer in met for finding in _peer_findings(item, peer, seeder, view)]
        serving += not _fatal(problems)
        findings += problems
    if serving:  # somebody serves it: what is wrong with the others is a warning
        findings = _milder(findings)
    return findings + (_share_findings(item, peers) if serving else [])


def _listed(announces: Iterable[Seen]) -> set[tuple[str, int]]:
    return {(peer["address"], peer["port"]) for answer in announces if answer["ok"] for peer in answer["peers"]}


def _milder(findings: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{**finding, "severity": "warning"} for finding in findings]


def _fatal(findings: Iterable[Mapping[str, str]]) -> bool:
    return any(finding["severity"] == "fault" for finding in findings)


def _serves(item: Seen, peer: Seen) -> bool:
    """Whether a peer that is none of the seeders has what they should have; loopback is reached from its host alone."""
    return bool(peer["ok"] and not _loopback(peer["address"]) and (peer["share"] or 0) >= _enough(item))


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False  # a name: trackers may hand out such (BEP 3)


def _seeder_findings(
    item: Seen, name: str, seeder: Seen, announces: Sequence[Seen], met: Sequence[Seen]
) -> list[dict[str, str]]:
    """What the seeder itself says that keeps it from serving."""
    info = seeder["info"]
    if info is None:
        return [_finding("seeder_unseen" if any(peer["ok"] for peer in met) else "seeder_unreachable", where=name)]
    if not info["active"]:
        return [_finding("seeder_down", where=name)]
    if info["reason"]:
        return [_finding("seeder_rpc", where=name, detail=info["message"])]  # it may serve all the same
    torrent = _torrent(item, seeder)
    if torrent is None:
        return [_finding("torrent_not_added", where=name)]
    return _torrent_findings(item, name, torrent) or _announce_findings(item, name, info, torrent, announces)


def _torrent(item: Seen, seeder: Seen) -> Seen | None:
    """The item as a seeder's daemon shows it."""
    listed: Sequence[Seen] = (seeder["info"] or {}).get("torrents", [])
    return next((entry for entry in listed if entry["info_hash"] == item["info_hash"]), None)


def _torrent_findings(item: Seen, name: str, torrent: Seen) -> list[dict[str, str]]:
    if torrent["missing"]:
        first, rest = torrent["missing"][0], len(torrent["missing"]) - 1
        return [_finding("content_missing", where=name, detail=first + (f" and {rest} more" if rest else ""))]
    if torrent["error"] == 3:
        text = torrent["error_string"]
        code = next((code for word, code in _LOCAL_ERRORS.items() if word in text.lower()), "seeder_error")
        return [_finding("disk_full" if torrent["free"] == 0 else code, where=name, detail=text)]
    if torrent["state"] == "stopped":
        return [_finding("torrent_paused", where=name)]
    if torrent["state"] in ("check_wait", "checking"):
        return [_finding("torrent_verifying", where=name, detail=f"{torrent['checked']:.0%}")]
    if torrent["left"] > 0 and _available(item) >= 1:
        lost = f"{torrent['left']} of {torrent['size']} bytes are not right"
        return [_finding("content_damaged", where=name, detail=lost)]
    return []


def _announce_findings(
    item: Seen, name: str, info: Seen, torrent: Seen, announces: Sequence[Seen]
) -> list[dict[str, str]]:
    wanted = {url for tier in item["trackers"] for url in tier}
    told = [tracker for tracker in torrent["trackers"] if tracker["announce"] in wanted]
    if wanted and not told:
        names = ", ".join(tracker["announce"] for tracker in torrent["trackers"]) or "nobody"
        return [_finding("announced_elsewhere", where=name, detail=names)]
    working = {answer["tracker"] for answer in announces if answer["ok"]}
    tried = [tracker for tracker in told if tracker["announced"] and not tracker["backup"]]
    if tried and not any(tracker["succeeded"] for tracker in tried):
        if _udp_alone(item) and not info["default_route"] and not info["version"].startswith(ROUTELESS):
            return [_finding("no_default_route", where=name, detail=info["version"])]
        if working:
            return [_finding("seeder_cannot_announce", where=name, detail=tried[0]["result"])]
    return []


def _listing_findings(item: Seen, name: str, seeder: Seen, announces: Sequence[Seen]) -> list[dict[str, str]]:
    """Whether the trackers hand out the address that the inventory means."""
    known = _listed(announces)
    right = (seeder["address"], seeder["peer_port"])
    if right in known:
        # A client may ask the first tier alone; within a tier, seeders announce to one tracker (BEP 12).
        told = [
            [answer for answer in announces if answer["ok"] and answer["tracker"] in tier] for tier in item["trackers"]
        ]
        return _milder(
            _finding("not_announced", where=name, tracker=_where(answers[0]))
            for answers in told
            if answers
            and right not in _listed(answers)
            and not any(len(answer["peers"]) >= SAMPLE for answer in answers)
        )
    others = sorted(
        peer for peer in known if peer[1] == seeder["peer_port"] and (":" in peer[0]) == (":" in seeder["address"])
    )
    if not others:
        return [_finding("not_announced", where=name, tracker="the tracker")]
    why = "an address behind NAT, of a bridge or a proxy"
    if _loopback(others[0][0]):
        why = "it announced through loopback, and nobody else can reach it there"
    return [_finding("wrong_address", where=name, detail=others[0][0], why=why)]


def _peer_findings(item: Seen, peer: Seen, seeder: Seen | None, view: Seen) -> list[dict[str, str]]:
    where = f"{peer['address']}:{peer['port']}"
    info = (seeder or {}).get("info") or {}
    if not peer["ok"]:
        if peer["reason"] == "not_served" and info.get("version", "").startswith("3"):
            if view["address"] == peer["address"]:
                return [_finding("same_address", where=where, detail=info["version"])]
            if view["address"] in _visitors(item, info):
                return []  # it serves a client of this host, and takes one connection from an address
            return [_finding("address_remembered", where=where, detail=info["version"])]
        code = {
            "refused": "peer_port_closed",
            "timeout": "peer_port_filtered",
            "unreachable": "peer_port_filtered",
            "blocked": "peer_port_filtered",
        }.get(peer["reason"], "peer_not_serving")
        return [_finding(code, where=where)]
    findings = []
    if peer["encryption"] == "encrypted":
        findings.append(_finding("encryption_required", where=where))
    if peer["plain_only"]:
        findings.append(_finding("encryption_refused", where=where))
    if peer.get("piece") == "wrong_hash":
        findings.append(_finding("content_damaged", where=where, detail=peer["piece_message"]))
    if not item["private"] and peer.get("metadata", "ok") not in ("ok", "slow"):
        findings.append(_finding("metadata_unavailable", detail=peer["metadata_message"]))
    return findings


def _visitors(item: Seen, info: Seen) -> list[str]:
    """From where clients were connected to the seeder when it was asked."""
    return [
        address
        for torrent in info["torrents"]
        if torrent["info_hash"] == item["info_hash"]
        for address in torrent["peers"]
    ]


def _stranger_findings(
    item: Seen, peers: Sequence[Seen], listed: Iterable[tuple[str, int]], announces: Sequence[Seen], view: Seen
) -> list[dict[str, str]]:
    """A torrent that is not the lab's: all that is known are the tracker's peers."""
    known = list(listed)
    if not known:
        return [_finding("nobody")]
    found = [_peer_findings(item, peer, None, view) for peer in peers if peer["ok"]]
    if not found:
        return [finding for peer in peers for finding in _peer_findings(item, peer, None, view)]
    findings = [finding for problems in found for finding in problems]
    if not all(map(_fatal, found)):
        findings = _milder(findings)
    if not any(_serves(item, peer) for peer in peers) and not any(
        answer["seeders"] for answer in announces if answer["ok"]
    ):
        findings.insert(0, _finding("only_leechers", detail=count(len(known), "peer")))
    return findings + _share_findings(item, peers)


def _available(item: Seen) -> float:
    text = str((item.get("swarm") or {}).get("available") or "100%").rstrip("%")
    return float(text) / 100


def _enough(item: Seen) -> float:
    """The share that the swarm should have. A piece more or less, and a bitfield without known length, are no news."""
    return min(1.0, _available(item)) - 0.02


def _share_findings(item: Seen, peers: Sequence[Seen]) -> list[dict[str, str]]:
    shares = [peer["share"] for peer in peers if peer["ok"] and peer["share"] is not None]
    best = max(shares, default=1.0)
    if best >= _enough(item):
        return []
    return [_finding("partial", detail=f"{best:.0%}")]


# -- oddities and remarks -------------------------------------------------------------------------------------------


def _trackerless_on_purpose(item: Seen) -> bool:
    """Whether the catalogue has it seeded without a tracker; a private one cannot be found by other ways."""
    seeded = bool((item.get("swarm") or {}).get("seeders"))
    return seeded and not item["private"] and not any(item["trackers"])


def _peerless_on_purpose(item: Seen) -> bool:
    """Whether the catalogue has nobody seed it, and it is to be had all the same: from a web seed, or without bytes."""
    seedless = (item.get("swarm") or {}).get("seeders") == []
    return seedless and (item.get("size") == 0 or bool(item.get("webseeds")))


def _dead_on_purpose(item: Seen, announces: Sequence[Seen], trackers: Mapping[str, Seen]) -> list[Seen]:
    """Trackers of an item of the catalogue that are silent, and none of the lab's, beside some that answer."""
    alive = {_parts(answer).netloc for answer in announces if answer["ok"]}
    # A host that could not be asked may have the address of any of them.
    if not alive or not item.get("swarm") or any(tracker.get("active") is None for tracker in trackers.values()):
        return []
    return [
        answer
        for answer in announces
        if answer["reason"] in _SILENT
        and _parts(answer).netloc not in alive
        and not any(_is(tracker, answer) for tracker in trackers.values())
    ]


def _oddities(item: Seen, announces: Sequence[Seen], expected: Mapping[str, Seen], view: Seen) -> list[dict[str, str]]:
    found = [_finding("udp_only")] if _udp_alone(item) else []
    intervals = {answer["interval"] for answer in announces if answer["ok"] and answer["interval"] is not None}
    found += [_finding("interval_odd", detail=odd) for odd in sorted(intervals) if not 60 <= odd <= 7200]
    for name, seeder in expected.items():
        skew = abs((seeder["info"] or {}).get("clock", 0) - view.get("clock", 0))
        if seeder["info"] and view.get("clock") and skew > 300:
            found.append(_finding("clock_skew", where=name, detail=skew))
    return found


def _udp_alone(item: Seen) -> bool:
    urls = [url for tier in item["trackers"] for url in tier]
    return bool(urls) and all(url.startswith("udp:") for url in urls)


def _remarks(item: Seen, expected: Mapping[str, Seen], dead: Sequence[Seen]) -> list[str]:
    remarks = []
    if item["private"]:
        remarks.append(REMARKS["private_magnet"])
    if _peerless_on_purpose(item):
        remarks.append(REMARKS["empty_on_purpose" if item.get("size") == 0 else "web_seed_on_purpose"])
    elif _trackerless_on_purpose(item):
        remarks.append(REMARKS["trackerless_on_purpose"])
    remarks += [REMARKS["dead_on_purpose"].format(where=where) for where in dict.fromkeys(map(_where, dead))]
    share = f"{_available(item):.0%}"
    grows = (item.get("swarm") or {}).get("fetch_rest")
    if _available(item) < 1 and not grows:
        remarks.append(REMARKS["partial_on_purpose"].format(detail=share))
    for name, seeder in expected.items():
        info, torrent = seeder["info"] or {}, _torrent(item, seeder)
        if grows and torrent and torrent["left"]:
            now = f"{1 - torrent['left'] / torrent['size']:.0%}"
            remarks.append(REMARKS["partial_and_growing"].format(where=name, detail=share, now=now))
        if info.get("version", "").startswith("3."):
            remarks.append(REMARKS["slow_seeder"].format(where=name, detail=info["version"]))
    return remarks
