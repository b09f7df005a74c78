"""What a person reads of a visit: the testimony's facts in sentences, in both languages."""

from __future__ import annotations

import re

import pytest
from ansible.module_utils.seedbed.scripted import testimony
from ansible.module_utils.seedbed.scripted.visit_words import LANGUAGES, visit_words

PEERS = [{"number": 0, "address": "192.0.2.5", "script": {"behaviour": "corrupt", "pieces": "1/8"}}]


class Client:
    """A client at one peer, at the times that the test says."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.visit = testimony.Testimony(lambda: self.now).visit(b"torrent", "192.0.2.9")
        self.log = self.visit.peer(0)

    def comes(self, after: float = 0.0, *, encrypted: bool = False) -> None:
        self.now += after
        self.log.came(self.visit.age(), encrypted=encrypted)

    def goes(self, after: float, why: str = "the client closed") -> None:
        self.now += after
        self.log.went(self.visit.age(), why)

    def asks(self, piece: int, *, bad: bool = False, blocks: int = 2) -> None:
        for block in range(blocks):
            self.log.asked(piece, block * 16384, 2)
            self.log.blocks += 1
            self.log.bytes += 16384
            if bad:
                self.log.corrupt[piece] = self.log.corrupt.get(piece, 0) + 1

    def announces(self, event: str = "", after: float = 0.0) -> None:
        self.now += after
        self.visit.announces += 1
        self.visit.tracker_asks["1-1"] = self.visit.tracker_asks.get("1-1", 0) + 1
        self.visit.event("announce", tracker="1-1", event=event, left=9, port=1)

    def said(self, language: str = "en") -> list[str]:
        lines = visit_words(self.visit.facts(0.0), PEERS, blocks=2, language=language)
        return [f"{line['about']}: {line['text']}" for line in lines]


WHO = {"en": "peer 0: corrupt (pieces 1/8), 192.0.2.5: ", "zh": "节点 0：corrupt (pieces 1/8), 192.0.2.5: "}


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            "connected twice; got 96 KiB in 6 blocks; asked for bad piece 3 three times, then left; "
            "came back after 120 s",
        ),
        ("zh", "连接 2 次；收到 96 KiB（6 个数据块）；请求坏分块 3 共 3 次，然后离开；隔 120 秒后返回"),
    ],
)
def test_one_that_asks_for_a_bad_piece_and_comes_back(language: str, told: str) -> None:
    client = Client()
    client.comes()
    for _time in range(3):
        client.asks(3, bad=True)
    client.goes(30)
    client.comes(120)
    client.goes(1)
    assert client.said(language) == [WHO[language] + told]


def test_one_that_stays() -> None:
    client = Client()
    client.comes(encrypted=True)
    client.asks(1)
    client.log.first_block = 0.25
    client.log.haves = 1
    assert client.said() == [
        WHO["en"] + "connected once, encrypted once; got 32 KiB in 2 blocks, the first after 0.2 s; "
        "said once that it has a piece, then is still here"
    ]


def test_many_bad_pieces_are_told_of_together() -> None:
    client = Client()
    client.comes()
    for piece in range(20):
        client.asks(piece, bad=True)
    client.asks(7, bad=True)
    [told] = client.said()
    assert "bad piece 7 twice; asked for bad piece 0 once; asked for bad piece 1 once, for 17 more bad pieces" in told


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("the client closed", "then left after 12 s"),
        ("the client's side: Connection reset by peer", "then broke off after 12 s"),
        ("scripted: the script's 16 blocks are sent", "then was closed by the script after 12 s"),
        ("a message of 2147483647 bytes", "then was thrown out (a message of 2147483647 bytes) after 12 s"),
    ],
)
def test_how_it_went(why: str, told: str) -> None:
    client = Client()
    client.comes()
    client.goes(12, why)
    assert client.said() == [f"{WHO['en']}connected once; asked for no block, {told}"]


def test_long_times_are_minutes() -> None:
    client = Client()
    client.comes()
    client.goes(1500)
    assert client.said()[0].endswith("left after 25 min")


def test_what_is_asked_for_without_end() -> None:
    client = Client()
    client.comes()
    for _time in range(1202):
        client.log.asked(5, 0, 2)
    assert (
        "asked for a block 1,202 times and got none; asked again for one block of piece 5 1,200 times"
        in client.said()[0]
    )


def test_one_that_was_turned_away() -> None:
    client = Client()
    client.log.refused = 2
    assert client.said() == [WHO["en"] + "was turned away twice"]


def test_announces() -> None:
    client = Client()
    client.announces("started")
    client.announces("started")
    client.announces(after=30)
    client.announces("completed", after=5)
    client.announces(after=60)
    client.visit.event("calls", peer=0, port=1)
    assert client.said() == [
        "tracker 1-1: announced five times, 30 s apart at least; said after 35 s that it is complete",
        WHO["en"] + "was called once",
    ]


def test_web_requests() -> None:
    client = Client()
    for status in (500, 206, 206, 0):
        client.visit.web_requests += 1
        client.visit.event("web", path="item", range="", status=status)
    assert client.said() == ["web seed: asked four times; got no answer once; got 206 twice; got 500 once"]
    assert client.said("zh") == ["网页种子: 请求 4 次；无应答 1 次；得到 206 2 次；得到 500 1 次"]


def test_overlapping_connections_are_one_stay() -> None:
    client = Client()
    client.comes()
    client.comes(5)
    client.goes(5)
    client.goes(10)
    assert client.said()[0].endswith("then left after 20 s")


def test_a_visit_of_which_there_is_nothing_to_say() -> None:
    assert Client().said() == []


def test_every_language_says_everything_with_the_same_values() -> None:
    first, *others = (
        {key: set(re.findall(r"{(\w+)}", text)) for key, text in language.said.items()}
        for language in LANGUAGES.values()
    )
    assert all(other == first for other in others)


def test_any_facts_have_words() -> None:
    """Whatever is cut off of long lists of times, nothing is said that has no end."""
    client = Client()
    for number in range(100):
        client.comes(7)
        client.asks(number, bad=number % 2 == 0, blocks=1)
        client.goes(number % 13, "no word")
    for language in LANGUAGES:
        [told] = client.said(language)
        assert len(told) < 500
