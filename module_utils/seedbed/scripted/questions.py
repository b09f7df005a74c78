"""What is asked over HTTP and UDP: trackers, web seeds, the testimony, the daemon's state."""

from __future__ import annotations

import ipaddress
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Mapping

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.scripted.dht import DhtNode, asked_hash, read_question
from ansible.module_utils.seedbed.scripted.http_talk import Question, Reply, json_reply
from ansible.module_utils.seedbed.scripted.link import Link
from ansible.module_utils.seedbed.scripted.messages import BLOCK
from ansible.module_utils.seedbed.scripted.pace import Pace
from ansible.module_utils.seedbed.scripted.played import PlayedTorrent, canonical
from ansible.module_utils.seedbed.scripted.tracker import Announced, announce_reply, note_announce, read_announce
from ansible.module_utils.seedbed.scripted.tracker_script import TrackerScript
from ansible.module_utils.seedbed.scripted.udp_tracker import UdpAnswer, answer_packet
from ansible.module_utils.seedbed.scripted.visit_words import LANGUAGES, visit_words
from ansible.module_utils.seedbed.scripted.webseed import webseed_reply
from ansible.module_utils.seedbed.torrent.bencode import encode

if TYPE_CHECKING:
    from ansible.module_utils.seedbed.scripted.stage import Stage

_ANNOUNCE = re.compile(r"/announce/([A-Za-z0-9._-]{1,64})/announce")
_SCRAPE = re.compile(r"/announce/([A-Za-z0-9._-]{1,64})/scrape")
_WEBSEED = re.compile(r"/webseed/([0-9a-f]{40})/(.*)")
_TESTIMONY = re.compile(r"/testimony/([0-9a-f]{40})\.json")


class Questions:
    """Answers what is asked about what is played on a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._dht = DhtNode()

    def answer(self, question: Question, link: Link) -> Reply:
        """Answer an HTTP request."""
        for pattern, handler in _ROUTES:
            match = pattern.fullmatch(question.path)
            if match:
                try:
                    return handler(self, question, link, *match.groups())
                except SeedbedError as error:
                    return json_reply({"error": str(error)}, 500)
        return json_reply({"error": "nothing is here"}, 404)

    def _announce(self, question: Question, link: Link, name: str) -> Reply:
        said = question.parameters()
        found = self._asked(said.get("info_hash", b""), name, link.client, read_announce(said))
        if found is None:
            return Reply(body=b"d14:failure reason15:not played heree")
        torrent, script, asked = found
        return announce_reply(question, torrent, self._stage.port, script, asked)

    def _scrape(self, question: Question, _link: Link, name: str) -> Reply:
        info_hash = question.parameters().get("info_hash", b"")
        torrent = self._stage.program.find(info_hash)
        if torrent is None or name not in torrent.trackers:
            return Reply(body=b"d5:filesdee")
        counts = {"complete": len(torrent.peers) + len(torrent.seeders), "downloaded": 0, "incomplete": 0}
        return Reply(body=encode({"files": {info_hash: counts}}))

    def _asked(
        self, info_hash: bytes, name: str, client: str, said: Announced
    ) -> tuple[PlayedTorrent, TrackerScript, int] | None:
        torrent = self._stage.program.find(info_hash)
        if torrent is None:
            return None
        trackers = torrent.trackers
        script = trackers.get(name)
        if script is None:
            return None
        if said.event == "started":
            visit = self._stage.testimony.start(torrent.key, client, said.peer_id.decode("latin-1"))
        else:
            visit = self._stage.testimony.visit(torrent.key, client)
        asked = note_announce(visit, name, said)
        if said.event != "stopped":
            self._stage.call(torrent, visit, client, said.port)
        return torrent, script, asked

    def _webseed(self, question: Question, link: Link, info_hash: str, rest: str) -> Reply:
        torrent = self._stage.program.find(bytes.fromhex(info_hash))
        script = torrent.webseed if torrent else None
        if torrent is None or script is None:
            return Reply(404, body=b"no web seed here")
        visit = self._stage.testimony.visit(torrent.key, link.client)
        self._stage.assign(link, torrent)
        reply = webseed_reply(question, rest, self._stage.program.served(torrent), script, visit.asked_web())
        visit.event("web", path=rest[:200], range=question.headers.get("range", "")[:64], status=reply.status)
        return reply

    def _told(self, question: Question, link: Link, info_hash: str) -> Reply:
        if not self.may_see(link.client):
            return json_reply({"error": "your address is in none of the networks that may see this"}, 403)
        torrent = self._stage.program.find(bytes.fromhex(info_hash))
        if torrent is None:
            return json_reply({"error": "this torrent is not played here"}, 404)
        said = question.parameters()
        try:
            since = float(said.get("since", b"0"))
        except ValueError:
            return json_reply({"error": "since is no number of seconds since 1970"}, 400)
        language = said.get("words", b"").decode("latin-1")
        if language not in ("", *LANGUAGES):
            return json_reply({"error": f"words is none of {', '.join(LANGUAGES)}"}, 400)
        served = self._stage.program.served(torrent)
        peers = [
            {"number": peer.number, "address": peer.address, "script": torrent.wish["peers"][peer.number]["script"]}
            for peer in torrent.peers
        ]
        words: Callable[[Mapping[str, Any]], Any] | None = None
        if language:
            words = partial(visit_words, peers=peers, blocks=-(-served.piece_length // BLOCK), language=language)
        told = {
            "schema_version": 1,
            "info_hash": info_hash,
            "now": round(time.time(), 3),
            "you": link.client,
            "torrent": {
                "name": served.name,
                "size": served.length,
                "piece_length": served.piece_length,
                "pieces": served.count,
            },
            "peers": peers,
        }
        client = canonical(said.get("client", b"").decode("latin-1"))
        return json_reply({**told, "clients": self._stage.testimony.facts(torrent.key, client, since, words)})

    def _status(self, question: Question, link: Link) -> Reply:
        if not self.may_see(link.client):
            return json_reply({"error": "your address is in none of the networks that may see this"}, 403)
        played = self._stage.program.torrents
        return json_reply(
            {
                "torrents": len(self._stage.program.torrents),
                "connections": self._stage.connections,
                "turned_away": self._stage.turned_away,
                "rests": Pace.rests,
                "up": round(time.time() - self._stage.began),
                "since": round(self._stage.began, 3),
                "fault": self._stage.reload_fault,
                **({"info_hashes": sorted(map(bytes.hex, played))} if b"info_hashes" in question.query else {}),
            }
        )

    def may_see(self, client: str) -> bool:
        """Return whether an address may see what clients did."""
        address = ipaddress.ip_address(client)
        return address.is_loopback or any(address in network for network in self._stage.networks)

    def packet(self, data: bytes, sender: tuple[str, int]) -> UdpAnswer | None:
        """Answer a UDP packet; the DHT is there for the lab alone, and where a script is found by it."""
        question = read_question(data)
        if question is not None:
            told = self._asked_in_dht(question, sender) if self._stage.program.has_dht else None
            return UdpAnswer(told) if told else None

        def asked(info_hash: bytes, said: Announced) -> tuple[PlayedTorrent, TrackerScript, int] | None:
            torrent = self._stage.program.find(info_hash)
            names = list(torrent.wish.get("trackers", {})) if torrent else []
            # UDP has no path: the one that is named for it, else the first.
            name = "udp" if "udp" in names else next(iter(names), "")
            return self._asked(info_hash, name, sender[0], said)

        return answer_packet(data, sender[0], self._stage.port, asked)

    def _asked_in_dht(self, question: Mapping[Any, Any], sender: tuple[str, int]) -> bytes | None:
        if not self.may_see(sender[0]):
            return None
        said = question.get(b"a")
        info_hash = asked_hash(said) if isinstance(said, dict) else b""
        torrent = self._stage.program.find(info_hash) if info_hash else None
        peers = torrent.found_by("dht", self._stage.port) if torrent else []
        if torrent and peers:
            visit = self._stage.testimony.visit(torrent.key, sender[0])
            visit.event("dht", query=str(question.get(b"q"))[:16])
        return self._dht.answer(question, sender, peers)


_ROUTES: list[tuple[re.Pattern[str], Callable[..., Reply]]] = [
    (_ANNOUNCE, Questions._announce),
    (_SCRAPE, Questions._scrape),
    (_WEBSEED, Questions._webseed),
    (_TESTIMONY, Questions._told),
    (re.compile("/status.json"), Questions._status),
]
