"""One page of HTML that tells all: it loads nothing, and whatever stands in it was escaped."""

from __future__ import annotations

import base64
import html
import time
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.sizes import format_size
from ansible.module_utils.seedbed.base.text import printable
from ansible.module_utils.seedbed.evidence.on_host import HostEvidence
from ansible.module_utils.seedbed.evidence.timeline import Line
from ansible.module_utils.seedbed.transmission.inside import Inside

_STYLE = """
:root{color-scheme:light dark;--line:#8885;--soft:#8881}
body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2.5rem;border-bottom:1px solid var(--line)}h3{font-size:1rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;
border-bottom:1px solid var(--soft);overflow-wrap:anywhere}th{font-weight:600}
td.t{white-space:nowrap;font-variant-numeric:tabular-nums}.fault{color:#c22}.warning{color:#a60}.ok{color:#182}
pre{background:var(--soft);padding:.6rem;overflow:auto;max-height:30rem;font-size:12px;white-space:pre-wrap}
summary{cursor:pointer;padding:.2rem 0}.map{display:flex;flex-wrap:wrap;gap:1px;max-width:50rem}
.map i{width:6px;height:6px;background:#8884}.map i.y{background:#2a6}nav a{margin-right:1rem}
"""
MOST_PIECES = 4000
"""Of a map: beyond it, each square stands for several."""


class Told(NamedTuple):
    """All that goes on the page."""

    title: str
    info_hash: str
    when: float
    verdicts: Sequence[Mapping[str, Any]]
    answers: Mapping[str, Mapping[str, Any]]
    """By the view, what module swarm_info returned."""
    hosts: Mapping[str, HostEvidence]
    lines: Mapping[str, Sequence[Line]]


def page(told: Told) -> str:
    """Return the page."""
    names = list(told.hosts)
    links = " ".join(f'<a href="#{_id(name)}">{_e(name)}</a>' for name in names)
    head = f"{_e(told.title)} <small>{_e(told.info_hash)}</small>" if told.info_hash else _e(told.title)
    taken = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(told.when))
    parts = [
        f"<h1>{head}</h1><p>Evidence taken at {taken}. Addresses of the lab are shown by their hosts' names.</p>",
        f"<nav>{links}</nav>",
        _verdicts(told.verdicts),
        "<h2>What happened</h2>",
        "<p>From the packets of each host, by its own clock. The packets lie beside this page, for Wireshark.</p>",
        *(_happened(name, told.hosts[name], told.lines.get(name, ())) for name in names),
        _answers(told.answers),
        f"<p>{_e(_levels(told.hosts))}</p>",
        *(_host(name, evidence) for name, evidence in told.hosts.items()),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width"><meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'unsafe-inline'\"><title>{_e(told.title)}</title><style>{_STYLE}</style></head><body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _e(text: object) -> str:
    return html.escape(printable(str(text)))


def _id(name: str) -> str:
    return f"host-{html.escape(name, quote=True)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already."""
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{_e(cell)}</th>' for cell in head)}</tr>{body}</table>"


def _clock(when: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(when)) + f".{int(when % 1 * 1000):03}" if when else "–"


def _verdicts(verdicts: Sequence[Mapping[str, Any]]) -> str:
    if not verdicts:
        return "<h2>The doctor</h2><p>gave no verdict.</p>"
    rows = [
        [
            f'<b class="{_e(verdict["severity"])}">{_e(verdict["verdict"])}</b>',
            *(_e(verdict[key]) for key in ("item", "from", "cause", "remedy")),
        ]
        for verdict in verdicts
    ]
    return "<h2>The doctor</h2>" + _table(["verdict", "item", "from", "cause", "what to do"], rows)


def _happened(name: str, evidence: HostEvidence, lines: Sequence[Line]) -> str:
    taken = evidence["packets"]
    kept = f"{taken.get('packets', 0)} packets"
    notes = [
        (taken.get("others"), "of other torrents left out"),
        (taken.get("left_out"), "with content of long connections left out"),
        (taken.get("lost"), "came too fast to be taken"),
    ]
    about = ", ".join([kept, *(f"{number} {what}" for number, what in notes if number)])
    about += "; it ended early, as there was no more room" if taken.get("full") else ""
    about += f"; {taken['error']}" if "error" in taken else ""
    rows = "".join(
        f'<tr class="{_e(line.severity)}"><td class="t">{_clock(line.when)}</td><td>{_e(line.who)}</td>'
        f"<td>{_e(line.text)}</td></tr>"
        for line in lines
    )
    return f"<h3>{_e(name)}</h3><p>{_e(about)}</p>" + (f"<table>{rows}</table>" if rows else "")


def _answers(answers: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        [
            _e(view),
            _e(answer["tracker"]),
            _e(answer["kind"]),
            "answers"
            if answer["ok"]
            else f'<span class="fault">{_e(answer["reason"])}: {_e(answer["message"])}</span>',
            _e(answer.get("seeders", "–")),
            _e(answer.get("leechers", "–")),
            _e(", ".join(f"{peer['address']}:{peer['port']}" for peer in answer.get("peers", [])) or "–"),
        ]
        for view, told in answers.items()
        for answer in told.get("trackers", [])
    ]
    if not rows:
        return ""
    head = ["asked from", "tracker", "question", "answer", "seeders", "leechers", "peers"]
    return "<h2>What the trackers answered the doctor</h2>" + _table(head, rows)


def _levels(hosts: Mapping[str, HostEvidence]) -> str:
    """Return a sentence on which logs tell more than they do otherwise."""
    raised = [f"{service} of {name}" for name, evidence in hosts.items() for service in evidence["raised"]]
    return (
        f"Of the logs below, {' and '.join(raised) or 'none'} had the level raised for that time, Transmission by two "
        "restarts; all others tell what they always do, opentracker because it has no log levels, and clients that the "
        "lab runs for one download because their reports have their errors."
    )


# -- one host ----------------------------------------------------------------------------------------------------------


def _host(name: str, evidence: HostEvidence) -> str:
    parts = [f'<h2 id="{_id(name)}">{_e(name)}</h2>']
    if evidence["seeder_error"]:
        parts.append(f'<p class="fault">{_e(evidence["seeder_error"])}</p>')
    for about, torrents in (("before", evidence["before"]), ("while it was recorded", evidence["seeder"])):
        parts += [_inside(torrent, about) for torrent in torrents]
    parts += [_folded(f"log of {unit}", text) for unit, text in evidence["logs"].items() if text.strip()]
    parts += [_folded(command, text) for command, text in evidence["facts"].items()]
    return "".join(parts)


def _folded(head: str, text: str) -> str:
    shown = "\n".join(printable(line.replace("\t", "    ")) for line in text.splitlines())
    return f"<details><summary>{_e(head)}</summary><pre>{html.escape(shown)}</pre></details>"


def _inside(torrent: Inside, about: str) -> str:
    facts = [
        f"{torrent['state']}, {torrent['done']:.1%} of {format_size(torrent['size'])}",
        f"{torrent['connected']} peers, {torrent['getting']} fetch, {torrent['sending']} send",
        f"{format_size(torrent['up'])}/s up, {format_size(torrent['down'])}/s down",
        f"uploaded {format_size(torrent['uploaded'])}, ratio {torrent['ratio']:.2f}",
    ]
    trackers = [
        [
            _e(each["announce"]),
            _e(each["state"]),
            _e(_clock(each["last"])),
            f'<span class="{"ok" if each["succeeded"] else "fault"}">{_e(each["result"] or "–")}</span>',
            _e(each["peers"]),
            _e(_clock(each["next"])),
        ]
        for each in torrent["trackers"]
    ]
    peers = [
        [
            _e(f"{each['address']}:{each['port']}"),
            _e(each["client"]),
            _e(each["flags"]),
            f"{each['progress']:.0%}",
            f"{format_size(each['up'])}/s",
            f"{format_size(each['down'])}/s",
        ]
        for each in torrent["peers"]
    ]
    error = f'<p class="fault">{_e(torrent["error"])}</p>' if torrent["error"] else ""
    files = "\n".join(f"{file['have']:>14} of {file['size']:>14}  {file['name']}" for file in torrent.get("files", []))
    return (
        f"<h3>{_e(torrent['name'])}, as the seeder sees it {about}</h3><p>{_e('; '.join(facts))}</p>{error}"
        + _table(["tracker", "state", "last announce", "result", "peers", "next"], trackers)
        + (_table(["peer", "client", "flags", "has", "to it", "from it"], peers) if peers else "")
        + _map(torrent)
        + _folded("files", files)
    )


def _map(torrent: Inside) -> str:
    bits = base64.b64decode(torrent.get("pieces", ""))
    count = torrent["piece_count"]
    if not bits:
        return ""
    step = -(-count // MOST_PIECES)
    have = [bool(bits[piece // 8] & 0x80 >> piece % 8) for piece in range(min(count, len(bits) * 8))]
    squares = "".join(
        '<i class="y"></i>' if all(have[at : at + step]) else "<i></i>" for at in range(0, len(have), step)
    )
    each = f", each square {step}" if step > 1 else ""
    text = f"pieces: {sum(have)} of {count}{each}"
    partial = " open" if 0 < sum(have) < count else ""
    return f'<details{partial}><summary>{text}</summary><div class="map">{squares}</div></details>'
