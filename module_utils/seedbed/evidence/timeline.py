"""What the packets of one host tell, as lines for people in order of time."""

from __future__ import annotations

import re
import struct
from typing import Iterable, Iterator, Mapping, NamedTuple, Sequence
from urllib.parse import unquote_to_bytes

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.packets import UDP, Packet, Place, Segment, read_packet
from ansible.module_utils.seedbed.base.sizes import format_size
from ansible.module_utils.seedbed.base.text import printable
from ansible.module_utils.seedbed.evidence.belonging import ANNOUNCE, CONNECT, HANDSHAKE, udp_question
from ansible.module_utils.seedbed.evidence.streams import Connection, Stream, connections
from ansible.module_utils.seedbed.probe.peer_handshake import client_name
from ansible.module_utils.seedbed.probe.tracker_answers import announced, compact_peers, decoded, refusal
from ansible.module_utils.seedbed.torrent.model import TrackerAnswer

MOST_LINES = 2000
_MESSAGES = {
    0: "chokes",
    1: "unchokes",
    2: "is interested",
    3: "is not interested",
    13: "suggests a piece",
    14: "has all",
    15: "has nothing",
    16: "rejects a request",
    17: "allows a piece while it chokes",
    20: "an extended message",
}
_COUNTED = {4: "have", 6: "request", 7: "block", 8: "cancel"}
_EVENTS = {0: "", 1: "completed", 2: "started", 3: "stopped"}


class Line(NamedTuple):
    """One thing that happened."""

    when: float
    who: str
    text: str
    severity: str = ""


def timeline(packets: Iterable[Packet], names: Mapping[str, str], tracker_ports: Sequence[int]) -> list[Line]:
    """Return what happened; names: the lab's hosts by their addresses."""
    segments = [segment for segment in map(read_packet, packets) if segment]
    lines: list[Line] = []
    for connection in connections(segments):
        # Scripted ones are on the ports of peers.
        asks = connection.server.port in tracker_ports or b"info_hash=" in connection.sent.data[:400]
        lines += _asks(connection, names) if asks else _talks(connection, names)
    datagrams = [segment for segment in segments if segment.protocol == UDP]
    with_trackers = [each for each in datagrams if {each.source.port, each.destination.port} & set(tracker_ports)]
    lines += _asks_udp(with_trackers, names)
    lines += _utp([each for each in datagrams if each not in set(with_trackers)], names)
    lines.sort(key=lambda line: line.when)
    if len(lines) > MOST_LINES:
        more = len(lines) - MOST_LINES
        lines[MOST_LINES:] = [
            Line(lines[MOST_LINES].when, "", f"{more} more lines: see the packets themselves", "warning")
        ]
    return lines


def _named(place: Place, names: Mapping[str, str]) -> str:
    name = names.get(place.address)
    return f"{name}:{place.port}" if name else str(place)


def _between(first: Place, second: Place, names: Mapping[str, str]) -> str:
    return f"{_named(first, names)} → {_named(second, names)}"


def _opening(connection: Connection, names: Mapping[str, str]) -> Line | None:
    """Return why a connection did not come about; None of one that did, or that was there before."""
    who = _between(connection.client, connection.server, names)
    if connection.rejected:
        return Line(connection.began, who, "connects, and somebody on the way refuses to pass it on (ICMP)", "fault")
    if connection.answered or not connection.tries:
        return None
    if connection.ended == "reset" and connection.ended_by == connection.server:
        return Line(connection.began, who, "connects, and is refused: nothing listens there", "fault")
    return Line(connection.began, who, f"connects, and nobody answers ({connection.tries} tries)", "fault")


# -- trackers over HTTP ------------------------------------------------------------------------------------------------


def _asks(connection: Connection, names: Mapping[str, str]) -> Iterator[Line]:
    who = _between(connection.client, connection.server, names)
    failed = _opening(connection, names)
    if failed:
        yield failed
        return
    head = connection.sent.data.split(b"\r\n", 1)[0]
    if not head.startswith(b"GET "):
        yield Line(connection.began, who, "a connection to the tracker without a question that was kept", "warning")
        return
    yield Line(connection.sent.when(0), who, _question(head))
    back = _between(connection.server, connection.client, names)
    if not connection.received.data:
        yield Line(connection.sent.when(0), back, f"no answer{_end(connection, names)}", "fault")
        return
    yield _http_answer(connection, back)


def _question(head: bytes) -> str:
    target = head.split(b" ")[1]
    kind = "scrape" if b"/scrape" in target else "announce"
    told = {key: _text(value) for key, value in re.findall(rb"[?&]([a-z_]+)=([^&]*)", target)}
    parts = [
        f"{key} {told[key.encode()]}"
        for key in ("event", "left", "port", "numwant", "ip", "compact")
        if key.encode() in told
    ]
    client = client_name(unquote_to_bytes(_first(rb"[?&]peer_id=([^&\s]*)", target)))
    return f"{kind}: {', '.join([*([client] if client else []), *parts]) or 'nothing more'}"


def _text(raw: bytes) -> str:
    return printable(raw.decode("ascii", "replace"))[:80]


def _first(pattern: bytes, data: bytes) -> bytes:
    match = re.search(pattern, data)
    return bytes(match[1]) if match else b""


def _http_answer(connection: Connection, who: str) -> Line:
    head, _, body = connection.received.data.partition(b"\r\n\r\n")
    when = connection.received.when(0)
    status = _text(head.split(b"\r\n", 1)[0])
    if b" 200" not in head[:16]:
        return Line(when, who, f"answers {status}", "fault")
    try:
        answer = decoded(body, lambda _remark: None)
        refused = refusal(answer)
        if refused:
            return Line(when, who, f"refuses: {printable(str(refused))}", "fault")
        if b"files" in answer:
            return Line(when, who, f"tells the numbers of {len(answer[b'files'])} torrents")
        return Line(when, who, _told(announced(answer)))
    except SeedbedError as error:
        return Line(
            when, who, f"answers {status} with what is no answer of a tracker: {printable(str(error))}", "fault"
        )


def _told(answer: TrackerAnswer) -> str:
    peers = ", ".join(f"{peer['address']}:{peer['port']}" for peer in answer.get("peers", []))
    counts = [f"{answer.get(key)} {key}" for key in ("seeders", "leechers") if answer.get(key) is not None]
    return ", ".join([*counts, f"again in {answer.get('interval')} s", f"peers: {peers or 'nobody'}"])


def _end(connection: Connection, names: Mapping[str, str]) -> str:
    if not connection.ended or connection.ended_by is None:
        return ""
    return (
        f"; {_named(connection.ended_by, names)} {'resets' if connection.ended == 'reset' else 'closes'} the connection"
    )


# -- trackers over UDP -------------------------------------------------------------------------------------------------


def _asks_udp(datagrams: Sequence[Segment], names: Mapping[str, str]) -> Iterator[Line]:
    asked: dict[object, tuple[int, Segment]] = {}
    for each in datagrams:
        who = _between(each.source, each.destination, names)
        if each.rejected:
            yield Line(
                each.when, who, "a question over UDP comes back: nothing listens there, or nobody passes it on", "fault"
            )
            continue
        question = udp_question(each.payload)
        if question:
            action, transaction, hashes = question
            asked[each.flow, transaction] = action, each
            yield Line(each.when, who, f"over UDP, {_udp_question(action, each.payload, hashes)}")
        elif (each.flow, each.payload[4:8]) in asked:
            asked.pop((each.flow, each.payload[4:8]))
            yield Line(each.when, who, *_udp_answer(each))
    for _action, each in asked.values():
        yield Line(each.when, _between(each.destination, each.source, names), "no answer over UDP", "fault")


def _udp_question(action: int, payload: bytes, hashes: Sequence[bytes]) -> str:
    if action == CONNECT:
        return "connect"
    if action != ANNOUNCE:
        return f"scrape of {len(hashes)} torrents"
    left, event = struct.unpack(">Q", payload[64:72])[0], int.from_bytes(payload[80:84], "big")
    numwant, port = struct.unpack(">iH", payload[92:98])
    happened = f", event {_EVENTS[event]}" if _EVENTS.get(event) else ""
    return (
        f"announce: {client_name(payload[36:56]) or 'a client'}{happened}, left {left}, port {port}, numwant {numwant}"
    )


def _udp_answer(each: Segment) -> tuple[str, str]:
    payload = each.payload
    action = int.from_bytes(payload[:4], "big")
    if action == CONNECT:
        return "lets it ask", ""
    if action == ANNOUNCE and len(payload) >= 20:
        interval, leechers, seeders = struct.unpack(">III", payload[8:20])
        width = 16 if ":" in each.source.address else 4
        answer: TrackerAnswer = {
            "interval": interval,
            "seeders": seeders,
            "leechers": leechers,
            "peers": compact_peers(payload[20:], width),
        }
        return _told(answer), ""
    if action == 3:
        return f"refuses: {_text(payload[8:])}", "fault"
    # opentracker says no more than that to an announce of what it does not allow.
    return (f"answers with {len(payload)} bytes", "") if len(payload) > 8 else ("refuses without a word", "fault")


# -- peers -------------------------------------------------------------------------------------------------------------


def _talks(connection: Connection, names: Mapping[str, str]) -> Iterator[Line]:
    who = _between(connection.client, connection.server, names)
    failed = _opening(connection, names)
    if failed:
        yield failed
        return
    sides = (
        (connection.sent, who),
        (connection.received, _between(connection.server, connection.client, names)),
    )
    if not any(HANDSHAKE in stream.data[:64] for stream, _ in sides):
        amounts = " and ".join(format_size(stream.total) for stream, _ in sides)
        what = (
            "nothing is sent" if not any(stream.total for stream, _ in sides) else f"{amounts}, encrypted or not kept"
        )
        yield Line(connection.began, who, f"connected as peers: {what}{_end(connection, names)}")
        return
    for stream, side in sides:
        yield from _messages(stream, side)
        if not stream.total and connection.tries:
            yield Line(connection.began, side, "says nothing", "warning")
    if connection.ended_by is not None:
        amounts = f"{format_size(connection.sent.total)} sent, {format_size(connection.received.total)} received"
        last = max((stream.times[-1] for stream, _ in sides if stream.times), default=connection.began)
        yield Line(last, who, f"{amounts}{_end(connection, names)}")


def _messages(stream: Stream, who: str) -> Iterator[Line]:
    """Yield what one peer says; requests and blocks that follow one another are counted."""
    at = stream.data.find(HANDSHAKE, 0, 64)
    if at < 0 or len(stream.data) < at + 68:
        return
    name = client_name(stream.data[at + 48 : at + 68])
    yield Line(stream.when(at), who, f"handshake: {name or 'a client that does not name itself'}")
    at += 68
    counts: dict[int, int] = {}
    began = 0.0
    while at + 4 <= len(stream.data):
        size = int.from_bytes(stream.data[at : at + 4], "big")
        end = at + 4 + size
        kind = stream.data[at + 4] if size and at + 4 < len(stream.data) else None
        if kind in _COUNTED and size < 1 << 20:
            began = began if counts else stream.when(at)
            counts[kind] = counts.get(kind, 0) + 1
        elif end <= len(stream.data) and kind is not None:
            yield from _counted(counts, began, who)
            counts = {}
            yield Line(stream.when(at), who, _message(kind, stream.data[at + 5 : end]))
        at = end
    yield from _counted(counts, began, who)
    kept = len(stream.data)
    if kept < stream.total:
        yield Line(stream.when(kept), who, f"then {format_size(stream.total - kept)} more, of which not all was kept")


def _counted(counts: Mapping[int, int], began: float, who: str) -> Iterator[Line]:
    if counts:
        yield Line(began, who, ", ".join(f"{number} × {_COUNTED[kind]}" for kind, number in sorted(counts.items())))


def _message(kind: int, payload: bytes) -> str:
    if kind == 5:
        return f"bitfield: holds {sum(bin(byte).count('1') for byte in payload)} pieces"
    if kind == 20 and payload[:1] == b"\0":
        client = _first(rb"1:v(\d+:[^\0]{1,60})", payload).partition(b":")[2]
        return f"names its extensions{': ' + printable(client.decode('utf-8', 'replace')) if client else ''}"
    if kind in (13, 16, 17) and len(payload) >= 4:
        return f"{_MESSAGES[kind]}: piece {int.from_bytes(payload[:4], 'big')}"
    return _MESSAGES.get(kind, f"an unknown message ({kind})")


def _utp(datagrams: Sequence[Segment], names: Mapping[str, str]) -> Iterator[Line]:
    """Yield one line for each two places that speak uTP; it is not put together again."""
    flows: dict[object, list[Segment]] = {}
    for each in datagrams:
        flows.setdefault(each.flow, []).append(each)
    for flow in flows.values():
        first, amount = flow[0], sum(each.length for each in flow)
        # Transmission meets itself, where the tracker hands it out.
        one_sided = len({each.source for each in flow}) == 1 and first.source != first.destination
        text = f"{len(flow)} datagrams between peers (uTP), {format_size(amount)}"
        rejected = any(each.rejected for each in flow)
        why = ": nothing listens there, or nobody passes it on" if rejected else ": nobody answers" if one_sided else ""
        yield Line(first.when, _between(first.source, first.destination, names), text + why, "fault" if why else "")
