"""One client at one scripted peer, after the handshakes: BEP 3, 6, 9, 10, 52."""

from __future__ import annotations

import time
from collections import deque
from typing import Callable, Sequence

from ansible.module_utils.seedbed.probe.peer_handshake import PROTOCOL, client_name
from ansible.module_utils.seedbed.probe.peer_wire import (
    CHOKE,
    EXTENDED,
    HAVE,
    INTERESTED,
    REQUEST,
    UNCHOKE,
)
from ansible.module_utils.seedbed.scripted import metadata, shown
from ansible.module_utils.seedbed.scripted.answers import Answerer, Request
from ansible.module_utils.seedbed.scripted.greeting import Hello
from ansible.module_utils.seedbed.scripted.hashes import answer_hashes, read_hash_request
from ansible.module_utils.seedbed.scripted.link import CROWDED, Link
from ansible.module_utils.seedbed.scripted.messages import (
    BLOCK,
    CANCEL,
    HASH_REJECT,
    HASH_REQUEST,
    HASHES,
    KEEP_ALIVE,
    MAX_MESSAGE,
    NOT_INTERESTED,
    MessageReader,
    extended,
    message,
    read_index,
    read_triple,
)
from ansible.module_utils.seedbed.scripted.noise import make_noise
from ansible.module_utils.seedbed.scripted.pace import Pace
from ansible.module_utils.seedbed.scripted.played import SELF, PlayedPeer
from ansible.module_utils.seedbed.scripted.served import ServedTorrent
from ansible.module_utils.seedbed.scripted.testimony import PeerLog, Visit
from ansible.module_utils.seedbed.torrent.model import Peer

QUEUE = 500  # requests that wait; more are rejected, or of who cannot be told so, not listened to yet
ASIDE = 64  # parts of metadata and hashes that wait
BUSY = 20_000  # messages a second that no block answers, above which a client is not listened to for a while
IDLE = 240.0  # seconds without a word after which a client is gone
MAX_REQUEST = 128 * 1024


class PeerSession:
    """A scripted peer in its talk with one client."""

    def __init__(
        self,
        link: Link,
        torrent: ServedTorrent,
        peer: PlayedPeer,
        visit: Visit,
        hello: Hello,
        *,
        port: int,
        others: Sequence[Peer] = (),
    ) -> None:
        self.link, self.torrent, self.peer, self.visit, self.hello = link, torrent, peer, visit, hello
        self.script = peer.script
        self.log: PeerLog = visit.peer(peer.number)
        self.fast = hello.fast and self.script.fast
        self.answerer = Answerer(torrent, self.script, self.log, fast=self.fast)
        self.shown = shown.Shown(torrent, self.script, self.log.memory, visit.memory, fast=self.fast)
        self.choked = True
        self.dead = False  # nothing of what follows would be understood
        self._port, self._others = port, others
        # What a client has to say to a seeder is short, but for its bitfield.
        self._reader = MessageReader(MAX_MESSAGE + torrent.count // 8)
        self._waiting: list[Request] = []
        self._aside: deque[Callable[[], bytes]] = deque()
        self._blocks = 0
        self._metadata_id = 0
        self._metadata_asks: dict[int, int] = {}
        self._metadata_due = 0.0
        self._pace = Pace(BUSY)
        self._waits = False  # for the time at which the next block may go
        self._full = False  # with requests of a client that is not listened to until there is room
        self._promised = 0  # parts of metadata that are sent later
        self._heard = time.monotonic()
        self._handlers: dict[int, Callable[[bytes], None]] = {
            INTERESTED: self._interested,
            NOT_INTERESTED: lambda _payload: None,
            CANCEL: self._cancel,
            HAVE: self._have,
            EXTENDED: self._extended,
            HASH_REQUEST: self._hash_request,
        }

    def begin(self) -> None:
        """Say what there is to say without being asked."""
        log, link, script = self.log, self.link, self.script
        log.came(self.visit.age(), encrypted=self.hello.encrypted)
        name = client_name(self.hello.peer_id)
        if name:
            log.name(name)
        self.visit.event("connected", peer=self.peer.number, encrypted=self.hello.encrypted)
        link.send(*self.shown.first_words())
        if self.hello.extended and script.extensions == "right":
            offered = metadata.offer(self.torrent, script.metadata)
            if script.pex:
                offered["m"][metadata.PEX] = metadata.OUR_PEX_ID
            said = metadata.hello(offered, version=SELF, queue=QUEUE, port=self._port)
            link.send(extended(0, said))
        elif self.hello.extended and script.extensions == "garbage":
            link.send(message(EXTENDED, b"\0this is no bencode"))
        if script.noise != "none":
            self.dead = make_noise(self)
        self.shown.keep_showing(link)
        self._later_unchoke()
        if script.close_after:
            link.later(script.close_after, lambda: self._close("the script's time is over"))
        link.later(IDLE, self._watch)

    # What comes

    def take(self, data: bytes) -> None:
        """Take what the client says."""
        self._heard = time.monotonic()
        self.visit.hear()
        for kind, payload in self._reader.feed(data):
            if kind == REQUEST:
                self._request(payload)
                continue
            self._count_idle()
            if kind == KEEP_ALIVE:
                self.log.keep_alives += 1
                continue
            handler = self._handlers.get(kind)
            if handler:
                handler(payload)
        if self._waiting:
            self.link.wake()
        # Without BEP 6 it would wait for ever: rtorrent asks for as much as it hopes to get within seconds.
        if len(self._waiting) >= QUEUE and not self.fast:
            self._full = True
            self.link.listen(False)

    def _count_idle(self, weight: int = 1) -> None:
        """Who talks without end and gets nothing by it is not listened to for a moment."""
        if self._pace.is_over(weight):
            self.link.rest()

    def _interested(self, _payload: bytes) -> None:
        self.log.interested += 1

    def _request(self, payload: bytes) -> None:
        request = Request(*read_triple(payload))
        if not self.torrent.is_block(*request) or request.length > MAX_REQUEST:
            self.log.bad += 1
            self._count_idle()
            self.link.send(*self.answerer.reject(request))
            return
        self.log.asked(request.piece, request.begin, self.answerer.blocks_of(request.piece))
        full = self.fast and len(self._waiting) >= QUEUE
        if self.choked or self.dead or full or not self.shown.holds(request.piece):
            self._count_idle()
            self.link.send(*self.answerer.reject(request))
            return
        self._waiting.append(request)

    def _cancel(self, payload: bytes) -> None:
        self.log.cancels += 1
        request = Request(*read_triple(payload))
        if request in self._waiting:
            self._waiting.remove(request)
            self.link.send(*self.answerer.reject(request))  # BEP 6: every request has an answer

    def _have(self, payload: bytes) -> None:
        index = read_index(payload)
        self.log.haves += 1
        self.visit.event("have", peer=self.peer.number, piece=index)
        self.link.send(*self.shown.spread(index))

    def _extended(self, payload: bytes) -> None:
        if not payload or self.script.extensions != "right":
            return
        if payload[0] == 0:
            numbers, name = metadata.their_extensions(payload[1:])
            self._metadata_id = numbers.get(metadata.METADATA, 0)
            self._exchange(numbers.get(metadata.PEX, 0))
            if name:
                self.log.name(name)
        elif payload[0] == metadata.OUR_ID and self._metadata_id:
            part = metadata.read_request(payload[1:])
            if part is not None:
                self._send_metadata(part)

    def _exchange(self, number: int) -> None:
        """Name the peers that are found by that alone, once."""
        others, self._others = self._others, ()
        if number and others and self.script.pex and not self.torrent.private:
            self.visit.event("pex", peer=self.peer.number)
            self._later(lambda: metadata.exchange(number, others))

    def _send_metadata(self, part: int) -> None:
        self.log.metadata += 1
        kept = part if part in self._metadata_asks or len(self._metadata_asks) < 64 else -1
        self._metadata_asks[kept] = asked = self._metadata_asks.get(kept, 0) + 1
        if self.script.metadata == "none" or (self.script.metadata == "right" and self.torrent.private):
            return
        kind, number = self.script.metadata, self._metadata_id

        def answer() -> bytes:
            return metadata.reply(self.torrent, kind, number, part, asked)

        if not self.script.metadata_delay:
            self._later(answer)
            return
        now = time.monotonic()
        self._metadata_due = max(now, self._metadata_due) + self.script.metadata_delay

        def send() -> None:
            self._promised -= 1
            self._later(answer)

        if self._promised < ASIDE:  # what is asked for in between is not kept for ever
            self._promised += 1
            self.link.later(self._metadata_due - now, send)

    def _hash_request(self, payload: bytes) -> None:
        request = read_hash_request(payload)
        self._count_idle(request.number if request else 1)

        def hashes() -> bytes:
            found = answer_hashes(self.torrent, request) if request else None
            return message(HASH_REJECT, payload) if found is None else message(HASHES, payload + found)

        self._later(hashes)

    def _later(self, answer: Callable[[], bytes]) -> None:
        """Answer when what is queued is sent: one who asks and does not read shall not fill the memory."""
        if len(self._aside) < ASIDE:
            self._aside.append(answer)
            self.link.wake()

    # What goes

    def more(self) -> bool:
        """Answer what was asked beside the content, and the next requests that wait."""
        if self._aside and not self.dead:
            self.link.send(self._aside.popleft()())
            return True
        if not self._waiting or self.choked or self.dead:
            return False
        wait = self.log.memory.next_free - time.monotonic()
        if wait > 0:
            self._wait(wait)
            return False
        rate = self.script.upload_limit
        most = max(1, rate // (4 * BLOCK)) if rate else 1_000_000
        if self.link.waiting > CROWDED:
            most = 1
        if self.script.close_blocks:
            most = min(most, self.script.close_blocks - self._blocks)
        number = self.answerer.run_length(self._waiting, most)
        run, self._waiting = self._waiting[:number], self._waiting[number:]
        self._listen_again()
        before = self.log.bytes
        answer = self.answerer.answer(run)
        self.link.send(*answer)
        if self.log.bytes == before:
            self._count_idle(number)
        elif self.log.first_block is None:
            self.log.first_block = round(self.visit.age(), 3)
        if rate:
            memory = self.log.memory
            memory.next_free = max(time.monotonic(), memory.next_free) + (self.log.bytes - before) / rate
        self._blocks += number
        if self.script.close_blocks and self._blocks >= self.script.close_blocks:
            self._close(f"the script's {self._blocks} blocks are sent")
        return True

    def _listen_again(self) -> None:
        """Listen to who had asked for too much, once there is room."""
        if self._full:
            self._heard = time.monotonic()  # it takes what it asked for, and has no other way to be heard
            if len(self._waiting) < QUEUE:
                self._full = False
                self.link.listen(True)

    def _wait(self, seconds: float) -> None:
        """Go on in a while; once, however often the client says something meanwhile."""

        def go_on() -> None:
            self._waits = False
            self.link.wake()

        if not self._waits:
            self._waits = True
            self.link.later(seconds, go_on)

    def _later_unchoke(self) -> None:
        if self.script.choke == "never" or self.dead or self.script.bitfield in shown.BROKEN:
            return
        wait = self.script.after - self.visit.memory.age()
        if wait > 0:
            self.link.later(wait, self._unchoke)
        else:
            self._unchoke()

    def _unchoke(self) -> None:
        self.choked = False
        self.link.send(message(UNCHOKE))
        if self.script.choke == "cycle":
            self.link.later(self.script.cycle, self._choke)

    def _choke(self) -> None:
        self.choked = True
        self.link.send(message(CHOKE))
        for request in self._waiting:
            self.link.send(*self.answerer.reject(request))
        self._waiting = []
        self._listen_again()
        self.link.later(self.script.cycle, self._unchoke)

    # Its end

    def _watch(self) -> None:
        silent = time.monotonic() - self._heard
        if silent >= IDLE:
            self._close(f"no word for {IDLE:.0f} s")
            return
        self.link.send(bytes(4))
        self.link.later(max(1.0, IDLE - silent) / 2, self._watch)

    def _close(self, why: str) -> None:
        self.log.memory.refused_until = time.monotonic() + self.script.refuse
        self.link.finish(f"scripted: {why}")

    def ended(self, why: str) -> None:
        """Note who ended it, and after what."""
        self._reader.close()
        self.log.went(self.visit.age(), why)
        self.visit.event("closed", peer=self.peer.number, why=why)


def handshake(info_hash: bytes, ours: bytes, theirs: bytes, kind: str, reserved: bytes) -> bytes:
    """Return our handshake, wrong in the way that a script says."""
    head = PROTOCOL
    if kind == "other-protocol":
        head = b"\x13BitTorrent protokol"
    elif kind == "other-hash":
        info_hash = bytes(byte ^ 0xFF for byte in info_hash)
    elif kind == "own-id":
        ours = theirs
    elif kind == "zero-id":
        ours = bytes(20)
    whole = head + reserved + info_hash + ours
    return whole[:30] if kind == "cut" else whole


def reserved_bits(*, fast: bool, extensions: bool, v2: bool) -> bytes:
    """Return the bits for BEP 10, 6 and 52."""
    return bytes([0, 0, 0, 0, 0, 0x10 * extensions, 0, 0x04 * fast | 0x10 * v2])
