"""What a peer has, after the handshakes: its share of the pieces, the metadata (BEP 9), one piece."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Callable

from ansible.module_utils.seedbed.base.net import Deadline, NetError
from ansible.module_utils.seedbed.probe.peer_handshake import Greeting, PeerOptions, Target
from ansible.module_utils.seedbed.probe.peer_haves import Haves
from ansible.module_utils.seedbed.probe.peer_metadata import MAX_METADATA, OUR_METADATA_ID, Extensions, MetadataFetch
from ansible.module_utils.seedbed.probe.peer_piece import IN_FLIGHT, PieceFetch, Pieces, pieces_of
from ansible.module_utils.seedbed.probe.peer_wire import CHOKE, EXTENDED, INTERESTED, UNCHOKE
from ansible.module_utils.seedbed.torrent import bencode
from ansible.module_utils.seedbed.torrent.model import PeerAnswer

FIRST_WORDS = 2.0  # seconds for what a peer says by itself
MOMENT = 1.0  # seconds more for what it shows piece by piece, or in a second handshake


class Visit:
    """The talk after the handshakes: what the peer has, its metadata, one of its pieces."""

    def __init__(self, greeting: Greeting, target: Target, options: PeerOptions, result: PeerAnswer) -> None:
        self.wire, self.options, self.result = greeting.wire, options, result
        self.speaks_extensions = greeting.speaks_extensions
        self.info_hash = bytes.fromhex(target.info_hash)
        self.haves, self.extensions = Haves(), Extensions()
        self.unchoked = False
        self.metadata: MetadataFetch | None = None
        self.piece: PieceFetch | None = None
        self.pieces: Pieces | None = None

    def run(self) -> None:
        """Send our extensions, listen, ask; what a peer sent before it fell silent or left counts."""
        self.wire.deadline = Deadline(self.options.metadata_timeout)
        try:
            self._hear_first_words()
            if self.options.metadata:
                self.result["metadata"], self.result["metadata_message"] = self._fetch_metadata()
        finally:
            if self.haves.shown or self.extensions.came or not self.speaks_extensions:
                self._keep_share()
        if self.options.piece and self.pieces:
            self.result["piece"], self.result["piece_message"] = self._fetch_piece(self.pieces)

    def _hear_first_words(self) -> None:
        if self.speaks_extensions:
            hello = bencode.encode({"m": {"ut_metadata": OUR_METADATA_ID}, "v": "seedbed"})
            self.wire.send_message(EXTENDED, b"\0" + hello)
        else:
            self.extensions.came = True  # none will
        self._listen(lambda: self.haves.shown and self.extensions.came, FIRST_WORDS)
        with suppress(NetError):  # one that leaves meanwhile has shown what it has
            self._listen(self._settled, MOMENT)
        name = self.extensions.fields.get(b"v")
        if isinstance(name, bytes) and name:
            self.result["client"] = name.decode("utf-8", "replace")[:80]

    def _settled(self) -> bool:
        awaited = self.options.metadata and self.speaks_extensions and not self.extensions.offer_metadata
        return self.haves.seem_whole() and not awaited

    def _listen(self, done: Callable[[], bool], seconds: float) -> None:
        deadline = self.wire.deadline
        self.wire.deadline = Deadline(min(seconds, deadline.left()))
        try:
            while not done():
                self._take(*self.wire.message())
        except NetError as error:
            if error.reason != "timeout":
                raise
        finally:
            self.wire.deadline = deadline

    def _take(self, kind: int, payload: bytes) -> None:
        self.haves.take(kind, payload)
        if kind in (CHOKE, UNCHOKE):
            self.unchoked = kind == UNCHOKE
        if self.piece:
            self.piece.take(kind, payload)
        if kind == EXTENDED and payload[:1] == b"\0":
            oddity = self.extensions.take(payload[1:])
            if oddity and oddity not in self.result["remarks"]:
                self.result["remarks"].append(oddity)
        elif kind == EXTENDED and payload and payload[0] == OUR_METADATA_ID and self.metadata:
            self.metadata.take(payload[1:])

    def _fetch_metadata(self) -> tuple[str, str]:
        """Return whether a bare magnet would work with this peer (BEP 9): ok, or why not."""
        size = self.extensions.metadata_size
        if not self.extensions.metadata_id or size is None:
            return "not_offered", "the peer offers no metadata (as for every private torrent)"
        if not 0 < size <= MAX_METADATA:
            return "malformed", f"the peer offers metadata of {size} bytes"
        try:
            fetch = self.metadata = MetadataFetch(size, self._ask_for_metadata)
            self._listen(lambda: fetch.complete or fetch.rejected, self.wire.deadline.left())
        except NetError as error:
            return error.reason, str(error)
        data, reason, message = fetch.result(self.info_hash)
        if data is None:
            return reason, message
        self.pieces = pieces_of(data)
        return ("ok", "") if self.pieces else ("malformed", "what has this info hash is no torrent's metadata")

    def _ask_for_metadata(self, index: int) -> None:
        question = bencode.encode({"msg_type": 0, "piece": index})
        self.wire.send_message(EXTENDED, bytes([self.extensions.metadata_id]) + question)

    def _keep_share(self) -> None:
        number = self.pieces.number if self.pieces else None
        self.result["share"] = self.haves.share(number)
        self.result["revealing"] = self.haves.reveal(number if number is not None else 2**32)
        if self.result["revealing"]:
            self.result["remarks"].append(
                "it shows what it has piece by piece, as a super-seeder does (BEP 16), so it may have more"
            )

    def _fetch_piece(self, pieces: Pieces) -> tuple[str, str]:
        """Return whether one of the pieces that the peer says it has is really the torrent's."""
        held = [index for index in range(pieces.number) if self.haves.has(index)]
        if not held:
            return "none_held", "the peer holds no piece yet"
        index = held[int.from_bytes(os.urandom(4), "big") % len(held)]
        seconds = self.options.piece_timeout
        self.wire.deadline = Deadline(seconds)
        in_flight = min(IN_FLIGHT, self.extensions.number(b"reqq", IN_FLIGHT))
        try:
            self.wire.send_message(INTERESTED)
            fetch = self.piece = PieceFetch(
                index, pieces, self.wire.send_message, in_flight=in_flight, unchoked=self.unchoked
            )
            self._listen(lambda: fetch.done, seconds)
        except NetError as error:
            return error.reason, str(error)
        return fetch.result(seconds)
