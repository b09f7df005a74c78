"""What a peer does with the requests that wait: right answers in long runs, wrong ones one by one."""

from __future__ import annotations

from typing import Callable, NamedTuple

from ansible.module_utils.seedbed.base.sizes import WHOLE
from ansible.module_utils.seedbed.scripted.link import Buffer
from ansible.module_utils.seedbed.scripted.messages import BLOCK, REJECT, piece_head, triple_message
from ansible.module_utils.seedbed.scripted.peer_script import PeerScript
from ansible.module_utils.seedbed.scripted.served import ServedTorrent
from ansible.module_utils.seedbed.scripted.testimony import PeerLog
from ansible.module_utils.seedbed.scripted.vocabulary import is_picked

RUN = 64  # blocks of one read and one sendmsg: 1 MiB, as much as content is computed at once
HUGE = 2 * 1024 * 1024
KEPT = 65536  # blocks of which is remembered how often they were answered


_ZEROS = memoryview(bytes(HUGE))


class Request(NamedTuple):
    """A block that a client asks for."""

    piece: int
    begin: int
    length: int


class Answerer:
    """The answers of one peer to one client."""

    def __init__(self, torrent: ServedTorrent, script: PeerScript, log: PeerLog, *, fast: bool) -> None:
        self.torrent, self.script, self.log, self.fast = torrent, script, log, fast
        self._single = _SINGLE.get(script.answer)
        self._limit = torrent.length * script.stall // WHOLE if script.stall < WHOLE else None
        self._count = 0

    def run_length(self, waiting: list[Request], most: int) -> int:
        """Return how many of the first requests are one run of bytes in one piece."""
        first = waiting[0]
        if self._single or first.length > BLOCK:
            return 1
        number, at = 0, first.begin
        for request in waiting[: min(RUN, most)]:
            if request.piece != first.piece or request.begin != at or request.length > BLOCK:
                break
            at += request.length
            number += 1
        return number

    def answer(self, run: list[Request]) -> list[Buffer]:
        """Return the answers to a run; empty for silence."""
        if self._limit is not None and self.log.memory.given + sum(request.length for request in run) > self._limit:
            return []
        if self._single:
            self._count += 1
            return self._single(self, run[0])
        return self.right(run)

    def right(self, run: list[Request]) -> list[Buffer]:
        """Return the blocks that were asked for, wrong where the script says so."""
        first, last = run[0], run[-1]
        data: bytes | bytearray = self.torrent.read(first.piece, first.begin, last.begin + last.length - first.begin)
        script = self.script
        if script.corrupt != "none" and is_picked(script.pieces, first.piece):
            data = self._spoil(run, bytearray(data))
        view, at = memoryview(data), 0
        out: list[Buffer] = []
        for request in run:
            out += [piece_head(*request), view[at : at + request.length]]
            at += request.length
        self.log.sent(len(run), at)
        return out

    def _spoil(self, run: list[Request], data: bytearray) -> bytearray:
        script, log, at = self.script, self.log, 0
        for request in run:
            wrong = script.corrupt == "pieces" or request.begin == 0
            if wrong and script.times:
                wrong = self._first_times((request.piece, request.begin), script.times)
            if wrong:
                data[at] ^= 0xFF
                sent = log.corrupt.get(request.piece, 0)
                whole = 1 if script.corrupt == "first-block" else self.blocks_of(request.piece)
                log.corrupt_again += sent >= whole
                if sent or len(log.corrupt) < KEPT:
                    log.corrupt[request.piece] = sent + 1
            at += request.length
        return data

    def blocks_of(self, index: int) -> int:
        """Return how many blocks a piece has."""
        return -(-self.torrent.piece_size(index) // BLOCK)

    def _first_times(self, block: tuple[int, int], times: int) -> bool:
        """Whether this happens to a block for one of the first times."""
        kept = self.log.memory.kept
        seen = kept.get(block, 0)
        if seen >= times or (not seen and len(kept) >= KEPT):
            return False
        kept[block] = seen + 1
        return True

    def reject(self, request: Request) -> list[Buffer]:
        """Return a reject, which needs BEP 6 on both sides."""
        return [triple_message(REJECT, *request)] if self.fast else []

    def is_chosen(self, request: Request) -> bool:
        """Whether this request is one of those that something happens to once."""
        return not self._count % self.script.one_in and self._first_times(request[:2], 1)


def _shifted(answerer: Answerer, request: Request, index: int, begin: int) -> list[Buffer]:
    """The right bytes of a block under another block's name."""
    answerer.log.sent(1, request.length)
    data = answerer.torrent.read(request.piece, request.begin, request.length)
    return [piece_head(index, begin, request.length), data]


def _sized(answerer: Answerer, request: Request, length: int) -> list[Buffer]:
    """A block of another length than was asked for."""
    answerer.log.sent(1, length)
    data = answerer.torrent.read(request.piece, request.begin, min(length, request.length))
    return [piece_head(request.piece, request.begin, length), data, _ZEROS[: length - len(data)]]


def _unasked(answerer: Answerer, request: Request) -> list[Buffer]:
    other = (request.piece + 1) % answerer.torrent.count
    length = min(BLOCK, answerer.torrent.piece_size(other))
    return [piece_head(other, 0, length), bytes(length), *answerer.right([request])]


_SINGLE: dict[str, Callable[[Answerer, Request], list[Buffer]]] = {
    "ignore": lambda _answerer, _request: [],
    "reject": lambda answerer, request: answerer.reject(request),
    "drop": lambda answerer, request: [] if answerer.is_chosen(request) else answerer.right([request]),
    "reject-some": lambda answerer, request: (
        answerer.reject(request) if answerer.is_chosen(request) else answerer.right([request])
    ),
    "offset": lambda answerer, request: _shifted(answerer, request, request.piece, request.begin + BLOCK),
    "index": lambda answerer, request: _shifted(
        answerer, request, (request.piece + 1) % answerer.torrent.count, request.begin
    ),
    "unasked": _unasked,
    "twice": lambda answerer, request: 2 * answerer.right([request]),
    "short": lambda answerer, request: _sized(answerer, request, request.length - 1),
    "long": lambda answerer, request: _sized(answerer, request, request.length + 1),
    "empty": lambda answerer, request: _sized(answerer, request, 0),
    "huge": lambda answerer, request: _sized(answerer, request, HUGE),
}
