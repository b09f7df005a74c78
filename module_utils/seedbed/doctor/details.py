"""What each tracker and each peer said, decoded."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.base.text import printable
from ansible.module_utils.seedbed.doctor.report import Line, report_line
from ansible.module_utils.seedbed.doctor.verdicts import count


def details(
    items: Sequence[Mapping[str, Any]],
    answers: Sequence[Mapping[str, Any]],
    peers: Sequence[Mapping[str, Any]],
    view: str,
) -> list[Line]:
    """What each tracker and each peer said about each item, decoded."""
    lines = []
    for item in items:
        kind = ", private" if item["private"] else ""
        lines.append(report_line("", f"{printable(item['name'])} ({item['info_hash']}{kind}) as {view} sees it"))
        mine = [answer for answer in answers if answer["info_hash"] == item["info_hash"]]
        for tracker in dict.fromkeys(answer["tracker"] for answer in mine):
            lines.append(report_line("", f"  {printable(tracker)}"))
            lines += [_answer_line(answer) for answer in mine if answer["tracker"] == tracker]
        met = [peer for peer in peers if peer["info_hash"] == item["info_hash"]]
        lines.append(report_line("", "  peers, over TCP (uTP is not probed)" if met else "  no peers to meet"))
        lines += [_peer_line(peer) for peer in met]
        lines.append(report_line("", ""))
    return lines


def _answer_line(answer: Mapping[str, Any]) -> Line:
    head = f"    {answer['kind']:8}  "
    if not answer["ok"]:
        return report_line("fault", f"{head}{answer['reason']}: {printable(answer['message'])}")
    said = [count(answer["seeders"], "seeder"), count(answer["leechers"], "leecher")]
    if answer["downloaded"] is not None:
        said.append(count(answer["downloaded"], "download"))
    if answer["kind"] == "announce":
        said.append(f"again in {answer['interval']} s")
        said += [f"sees us as {answer['seen_as']}"] if answer.get("seen_as") else []
        said += [f"warns: {answer['warning']}"] if answer.get("warning") else []
        said += ["did not take our goodbye"] if answer.get("deregistered") is False else []
        peers = ", ".join(f"{peer['address']}:{peer['port']}" for peer in answer["peers"])
        said.append(f"peers: {peers or 'nobody'}")
    elif not answer["known"]:
        said = ["does not know the torrent"]
    return report_line("", head + printable(", ".join(said)))


def _peer_line(peer: Mapping[str, Any]) -> Line:
    head = f"    {peer['address']}:{peer['port']}  "
    if not peer["ok"]:
        return report_line("fault", f"{head}{peer['reason']}: {printable(peer['message'])}")
    takes = {True: "plain alone", False: "plain and encrypted", None: "plain"}[peer["plain_only"]]
    said = [
        peer["client"] or "a client that does not name itself",
        f"holds {'?' if peer['share'] is None else format(peer['share'], '.0%')}",
        f"takes {'encrypted alone' if peer['encryption'] == 'encrypted' else takes}",
    ]
    said += [f"{what} {peer[what].replace('_', ' ')}" for what in ("metadata", "piece") if what in peer]
    return report_line("", head + printable(", ".join(said)))
