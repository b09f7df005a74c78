"""What the testimony tells of a visit, in sentences for people: made from its facts alone, in English and Chinese."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Mapping, NamedTuple, Sequence, TypedDict

from ansible.module_utils.seedbed.base.sizes import format_size
from ansible.module_utils.seedbed.scripted.vocabulary import described

SHOWN = 3  # pieces or times that are told one by one


class Line(TypedDict):
    """A sentence, and of whom it is."""

    about: str
    text: str


class Language(NamedTuple):
    """How a language counts, joins, and says each thing."""

    times: Sequence[str]  # zero, once, twice
    many: str
    seconds: str
    minutes: str
    joint: str
    listed: str
    then: str
    said: Mapping[str, str]


_ENGLISH = Language(
    times=("never", "once", "twice", "three times", "four times", "five times", "six times"),
    many="{} times",
    seconds="{} s",
    minutes="{} min",
    joint="; ",
    listed=", ",
    then=", then ",
    said={
        "peer": "peer {number}: {name}",
        "tracker": "tracker {name}",
        "webseed": "web seed",
        "refused": "was turned away {times}",
        "connected": "connected {times}",
        "encrypted": "connected {times}, encrypted {encrypted}",
        "called": "was called {times}",
        "bad": "asked for bad piece {piece} {times}",
        "more-bad": "for {count} more bad pieces, up to {times} each",
        "got": "got {size} in {blocks} blocks",
        "first": "got {size} in {blocks} blocks, the first after {seconds}",
        "nothing": "asked for a block {times} and got none",
        "idle": "asked for no block",
        "again": "asked again for one block of piece {piece} {times}",
        "has": "said {times} that it has a piece",
        "metadata": "asked for metadata {times}",
        "nonsense": "said {times} what makes no sense",
        "here": "is still here",
        "client": "left",
        "broke": "broke off",
        "script": "was closed by the script",
        "thrown": "was thrown out ({why})",
        "after": "{went} after {seconds}",
        "back": "came back after {list}",
        "announced": "announced {times}",
        "apart": "announced {times}, {seconds} apart at least",
        "complete": "said after {seconds} that it is complete",
        "web": "asked {times}",
        "status": "got {status} {times}",
        "unanswered": "got no answer {times}",
    },
)
_CHINESE = Language(
    times=(),
    many="{} 次",
    seconds="{} 秒",
    minutes="{} 分钟",
    joint="；",
    listed="、",
    then="，然后",
    said={
        "peer": "节点 {number}：{name}",
        "tracker": "Tracker {name}",
        "webseed": "网页种子",
        "refused": "被拒绝 {times}",
        "connected": "连接 {times}",
        "encrypted": "连接 {times}，其中加密 {encrypted}",
        "called": "被主动连接 {times}",
        "bad": "请求坏分块 {piece} 共 {times}",
        "more-bad": "另外 {count} 个坏分块每个最多 {times}",
        "got": "收到 {size}（{blocks} 个数据块）",
        "first": "收到 {size}（{blocks} 个数据块），首块在 {seconds}后",
        "nothing": "请求数据块 {times}，一块未得",
        "idle": "未请求任何数据块",
        "again": "重复请求分块 {piece} 的同一数据块 {times}",
        "has": "宣告拥有分块 {times}",
        "metadata": "请求元数据 {times}",
        "nonsense": "发送无效消息 {times}",
        "here": "仍在连接",
        "client": "离开",
        "broke": "中断",
        "script": "被脚本断开",
        "thrown": "被断开（{why}）",
        "after": "{seconds}后{went}",
        "back": "隔 {list}后返回",
        "announced": "上报 {times}",
        "apart": "上报 {times}，间隔至少 {seconds}",
        "complete": "{seconds}后宣告下载完成",
        "web": "请求 {times}",
        "status": "得到 {status} {times}",
        "unanswered": "无应答 {times}",
    },
)
LANGUAGES: Mapping[str, Language] = {"en": _ENGLISH, "zh": _CHINESE}


def visit_words(
    visit: Mapping[str, Any], peers: Iterable[Mapping[str, Any]], *, blocks: int, language: str
) -> list[Line]:
    """Return what a visit's facts say: a line for each tracker, peer and web seed that saw something.

    visit: as the testimony has it, with all its events. blocks: of a whole piece. language: one of LANGUAGES.
    """
    speech = _Speech(LANGUAGES[language])
    lines = [
        Line(about=speech("tracker", name=name), text=speech.announces(visit, name, count))
        for name, count in visit["announces_by_tracker"].items()
    ]
    for peer in peers:
        number = peer["number"]
        calls = sum(event["what"] == "calls" and event["peer"] == number for event in visit["events"])
        text = speech.peer(visit["peers"].get(str(number), {}), calls, blocks)
        if text:
            about = speech("peer", number=number, name=f"{described(peer['script'])}, {peer['address']}")
            lines.append(Line(about=about, text=text))
    if visit["web_requests"]:
        lines.append(Line(about=speech("webseed"), text=speech.web(visit)))
    return lines


class _Speech:
    """Clauses of one language."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def __call__(self, key: str, **values: Any) -> str:
        return self._language.said[key].format(**values)

    def times(self, number: int) -> str:
        language = self._language
        return language.times[number] if number < len(language.times) else language.many.format(f"{number:,}")

    def seconds(self, number: float) -> str:
        if number >= 600:
            return self._language.minutes.format(round(number / 60))
        return self._language.seconds.format(f"{round(number, 0 if number >= 9.95 else 1):g}")

    def announces(self, visit: Mapping[str, Any], tracker: str, count: int) -> str:
        events = [each for each in visit["events"] if each["what"] == "announce" and each["tracker"] == tracker]
        # Of the first words libtorrent says some at once, one for each of its addresses.
        gaps = [later["at"] - sooner["at"] for sooner, later in zip(events, events[1:]) if not later["event"]]
        told = self("announced", times=self.times(count))
        if gaps:
            told = self("apart", times=self.times(count), seconds=self.seconds(min(gaps)))
        complete = [self("complete", seconds=self.seconds(e["at"])) for e in events if e["event"] == "completed"]
        return self._language.joint.join([told, *complete[:1]])

    def web(self, visit: Mapping[str, Any]) -> str:
        statuses = Counter(event["status"] for event in visit["events"] if event["what"] == "web")
        return self._language.joint.join(
            [
                self("web", times=self.times(visit["web_requests"])),
                *(
                    self("status" if status else "unanswered", status=status, times=self.times(count))
                    for status, count in sorted(statuses.items())
                ),
            ]
        )

    def peer(self, seen: Mapping[str, Any], calls: int, blocks: int) -> str:
        clauses = [self("called", times=self.times(calls))] if calls else []
        if seen.get("refused"):
            clauses.append(self("refused", times=self.times(seen["refused"])))
        if not seen.get("connections"):
            return self._language.joint.join(clauses)
        clauses += [self._connected(seen), *self._asked(seen), *self._bad(seen, blocks), *self._besides(seen)]
        return self._language.then.join([self._language.joint.join(clauses), self._went(seen)])

    def _connected(self, seen: Mapping[str, Any]) -> str:
        key = "encrypted" if seen["encrypted"] else "connected"
        return self(key, times=self.times(seen["connections"]), encrypted=self.times(seen["encrypted"]))

    def _asked(self, seen: Mapping[str, Any]) -> list[str]:
        if seen["blocks"]:
            size, first = format_size(seen["bytes"]), seen["first_block"]
            key = "got" if first is None else "first"
            return [self(key, size=size, blocks=f"{seen['blocks']:,}", seconds=self.seconds(first or 0))]
        if seen["requests"]:
            return [self("nothing", times=self.times(seen["requests"]))]
        return [] if seen["metadata_requests"] else [self("idle")]

    def _bad(self, seen: Mapping[str, Any], blocks: int) -> list[str]:
        """The pieces that came wrong, by how often the client asked for them, as a whole or for parts."""
        asks = seen["requests_by_piece"]
        bad = {piece: -(-asks.get(piece, 0) // blocks) for piece in seen["corrupt_sent"]}
        most = sorted(bad, key=lambda piece: (-bad[piece], int(piece)))
        told = [self("bad", piece=piece, times=self.times(bad[piece])) for piece in most[:SHOWN]]
        if len(most) > SHOWN:
            more = self("more-bad", count=len(most) - SHOWN, times=self.times(bad[most[SHOWN]]))
            told[-1] = self._language.listed.join([told[-1], more])
        return told

    def _besides(self, seen: Mapping[str, Any]) -> list[str]:
        most, told = seen["most_repeated"], []
        if most and str(most["piece"]) not in seen["corrupt_sent"]:
            told.append(self("again", piece=most["piece"], times=self.times(most["times"])))
        for key, count in (
            ("metadata", seen["metadata_requests"]),
            ("has", seen["haves"]),
            ("nonsense", seen["bad_messages"]),
        ):
            if count:
                told.append(self(key, times=self.times(count)))
        return told

    def _went(self, seen: Mapping[str, Any]) -> str:
        """How it went away, and after how long it came back each time."""
        if not seen["closes"]:
            return self("here")
        stays, gaps = _times_here(seen)
        last = seen["closes"][-1]["why"]
        went = self._why(last)
        if not gaps:
            return self("after", went=went, seconds=self.seconds(stays[-1])) if not seen["open"] else self("here")
        back = self("back", list=self._language.listed.join(self.seconds(gap) for gap in gaps[-SHOWN:]))
        return self._language.joint.join([went, back, *([self("here")] if seen["open"] else [])])

    def _why(self, why: str) -> str:
        if why == "the client closed":
            return self("client")
        if why.startswith("the client's side"):
            return self("broke")
        if why.startswith("scripted: "):
            return self("script")
        return self("thrown", why=why)


def _times_here(seen: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Return how long it was connected each time, and how long it stayed away in between, in seconds."""
    moments = [(at, 1) for at in seen["connected"]] + [(close["at"], -1) for close in seen["closes"]]
    stays, gaps = [], []
    here, came, left = 0, 0.0, None
    for at, step in sorted(moments, key=lambda moment: (moment[0], -moment[1])):
        if step > 0:
            if not here:
                came = at
                if left is not None:
                    gaps.append(at - left)
            here += 1
        else:
            here = max(0, here - 1)
            if not here:
                left = at
                stays.append(at - came)
    return stays, gaps
