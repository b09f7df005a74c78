"""What each tracker and each peer showed, decoded."""

from __future__ import annotations

from typing import Sequence

from ansible.module_utils.seedbed.doctor.observations import share_held
from ansible.module_utils.seedbed.doctor.report import ReportLine, report_line
from ansible.module_utils.seedbed.doctor.verdicts import count, percent
from ansible.module_utils.seedbed.torrent.model import PeerAnswer, Subject, TrackerAnswer, WebSeedAnswer


def details(
    subjects: Sequence[Subject],
    answers: Sequence[TrackerAnswer],
    peers: Sequence[PeerAnswer],
    view: str,
    webseeds: Sequence[WebSeedAnswer] = (),
) -> list[ReportLine]:
    """Return what each tracker, peer and web seed showed of each torrent, as lines for people."""
    lines = []
    for subject in subjects:
        kind = ", private" if subject["private"] else ""
        lines.append(report_line("", f"{subject['name']} ({subject['info_hash']}{kind}) as {view} sees it"))
        ours = [answer for answer in answers if answer["info_hash"] == subject["info_hash"]]
        for tracker in dict.fromkeys(answer["tracker"] for answer in ours):
            lines.append(report_line("", f"  {tracker}"))
            for answer in ours:
                if answer["tracker"] == tracker:
                    lines += [_answer_line(answer), *_remark_lines(answer.get("remarks", []))]
        met = [peer for peer in peers if peer["info_hash"] == subject["info_hash"]]
        lines.append(report_line("", "  peers, over TCP (uTP is not probed)" if met else "  no peers to meet"))
        for peer in met:
            lines += [_peer_line(peer), *_remark_lines(peer.get("remarks", []))]
        asked = [answer for answer in webseeds if answer["info_hash"] == subject["info_hash"]]
        if asked:
            lines.append(report_line("", "  web seeds"))
        for seed in asked:
            lines += [_web_line(seed), *_remark_lines(seed.get("remarks", []))]
        lines.append(report_line("", ""))
    return lines


def _web_line(answer: WebSeedAnswer) -> ReportLine:
    head = f"    {answer['url']}  "
    if not answer["ok"]:
        return report_line("fault", f"{head}{answer['reason']}: {answer['message'] or 'no reason given'}")
    return report_line("", f"{head}serves ranges, {answer['compared'] or 'nothing to compare'}{_is_right(answer)}")


def _is_right(answer: WebSeedAnswer) -> str:
    return " is right" if answer["compared"] else ""


def _remark_lines(remarks: Sequence[str]) -> list[ReportLine]:
    return [report_line("", f"      note: {remark}") for remark in remarks]


def _answer_line(answer: TrackerAnswer) -> ReportLine:
    head = f"    {answer['kind']:8}  "
    if not answer["ok"]:
        return report_line("fault", f"{head}{answer['reason']}: {answer['message'] or 'no reason given'}")
    if answer["kind"] == "announce":
        parts = [*_counts(answer), *_announce_parts(answer)]
    else:
        parts = _counts(answer) if answer.get("known", True) else ["does not know the torrent"]
    return report_line("", head + ", ".join(parts))


def _counts(answer: TrackerAnswer) -> list[str]:
    parts = [count(answer.get("seeders"), "seeder"), count(answer.get("leechers"), "leecher")]
    downloaded = answer.get("downloaded")
    return parts if downloaded is None else [*parts, count(downloaded, "download")]


def _announce_parts(answer: TrackerAnswer) -> list[str]:
    interval = answer.get("interval")
    parts = ["no interval in the answer" if interval is None else f"again in {interval} s"]
    if answer.get("seen_as"):
        parts.append(f"sees us as {answer['seen_as']}")
    if answer.get("warning"):
        parts.append(f"warns: {answer['warning']}")
    if answer.get("deregistered") is False:
        parts.append("did not take our goodbye")
    peers = ", ".join(f"{peer['address']}:{peer['port']}" for peer in answer.get("peers", []))
    return [*parts, f"peers: {peers or 'nobody'}"]


def _peer_line(peer: PeerAnswer) -> ReportLine:
    head = f"    {peer['address']}:{peer['port']}  "
    if not peer["ok"]:
        return report_line("fault", f"{head}{peer['reason']}: {peer['message'] or 'no reason given'}")
    share = share_held(peer)
    takes = {True: "plain alone", False: "plain and encrypted", None: "plain"}[peer.get("plain_only")]
    parts = [
        peer.get("client") or "a client that does not name itself",
        "holds an unknown share" if share is None else f"holds {percent(share)}",
        f"takes {'encrypted alone' if peer['encryption'] == 'encrypted' else takes}",
    ]
    for title, state in (("metadata", peer.get("metadata")), ("piece", peer.get("piece"))):
        if state:
            parts.append(f"{title} {state.replace('_', ' ')}")
    return report_line("", head + ", ".join(parts))
