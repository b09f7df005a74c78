"""TCP connections put together again from their packets, as far as the packets go."""

from __future__ import annotations

import bisect
from typing import Iterable, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.packets import FIN, RST, SYN, TCP, Place, Segment


class Stream(NamedTuple):
    """What one side has sent: the bytes from its beginning to the first that were not kept."""

    data: bytes
    ends: Sequence[int]
    """Where in `data` each of its packets ends, and when it came: for ``when``."""
    times: Sequence[float]
    total: int
    """Of all bytes of its packets, those that were not kept, too."""

    def when(self, offset: int) -> float:
        """Return when a byte of it was sent."""
        at = bisect.bisect_right(self.ends, offset)
        return self.times[min(at, len(self.times) - 1)] if self.times else 0.0


class Connection(NamedTuple):
    """A TCP connection, or the try at one."""

    began: float
    client: Place
    server: Place
    sent: Stream
    """By the client."""
    received: Stream
    tries: int
    answered: bool
    rejected: bool
    """Whether somebody on the way said that it is not passed on."""
    ended: str
    ended_by: Place | None


def connections(segments: Iterable[Segment]) -> list[Connection]:
    """Return the TCP connections of segments that are in order of time."""
    flows: dict[object, list[Segment]] = {}
    for segment in segments:
        if segment.protocol == TCP:
            flows.setdefault(segment.flow, []).append(segment)
    found = [_connection(part) for flow in flows.values() for part in _parts(flow)]
    return sorted(found, key=lambda connection: connection.began)


def _parts(flow: Sequence[Segment]) -> list[list[Segment]]:
    """Return the segments of each connection between two ports, which may follow one another."""
    parts: list[list[Segment]] = []
    for segment in flow:
        fresh = (
            segment.flags & SYN
            and not segment.rejected
            and any(each.flags & (FIN | RST) for each in (parts or [[]])[-1])
        )
        if not parts or fresh:
            parts.append([])
        parts[-1].append(segment)
    return parts


def _connection(part: Sequence[Segment]) -> Connection:
    opening = next((each for each in part if each.flags & SYN and not each.flags & 16), None)
    # Of one that was there before: whoever has the larger port has called, most likely.
    first = opening or max(part, key=lambda each: each.source.port)
    client, server = first.source, first.destination
    own = [each for each in part if not each.rejected]
    last = next((each for each in own if each.flags & (FIN | RST)), None)
    return Connection(
        began=part[0].when,
        client=client,
        server=server,
        sent=_stream([each for each in own if each.source == client]),
        received=_stream([each for each in own if each.source == server]),
        tries=sum(bool(each.flags & SYN) for each in own if each.source == client),
        answered=any(each.source == server and not each.flags & RST for each in own),
        rejected=any(each.rejected for each in part),
        ended="" if last is None else "reset" if last.flags & RST else "closed",
        ended_by=None if last is None else last.source,
    )


def _stream(segments: Sequence[Segment]) -> Stream:
    opening = next((each for each in segments if each.flags & SYN), None)
    with_data = [each for each in segments if each.length and not each.flags & SYN]
    total = sum(each.length for each in with_data)
    if not with_data:
        return Stream(b"", [], [], 0)
    start = (opening or with_data[0]).sequence + bool(opening)
    data, ends, times = bytearray(), [], []
    for each in sorted(with_data, key=lambda each: ((each.sequence - start) & 0xFFFFFFFF, each.when)):
        at = (each.sequence - start) & 0xFFFFFFFF
        if at > len(data):  # what comes between was not kept
            break
        data += each.payload[len(data) - at :]
        ends.append(len(data))
        times.append(each.when)
        if len(each.payload) < each.length:
            break
    return Stream(bytes(data), ends, times, total)
