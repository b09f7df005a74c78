"""How a scripted web seed answers: its facets and presets (BEP 19)."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible.module_utils.seedbed.base.sizes import parse_size
from ansible.module_utils.seedbed.scripted import vocabulary
from ansible.module_utils.seedbed.scripted.vocabulary import Preset, Vocabulary, choice


class WebseedScript(NamedTuple):
    """Every facet of a web seed; without anything said it serves every range rightly."""

    status: int = 200
    retry_after: float = 0.0
    times: int = 0
    delay: float = 0.0
    answer: str = "right"
    ranges: str = "right"
    corrupt: str = "none"
    pieces: Any = 1
    close_after: int = 0
    upload_limit: int = 0
    redirects: int = 0


FACETS: Mapping[str, vocabulary.Read] = {
    "status": vocabulary.count(200, 599),
    "retry_after": vocabulary.seconds,
    "times": vocabulary.count(1, 1_000_000),
    "delay": vocabulary.seconds,
    "answer": choice("right", "mute", "html"),
    "ranges": choice("right", "ignored", "wrong-header"),
    "corrupt": choice("none", "pieces"),
    "pieces": vocabulary.pieces,
    "close_after": parse_size,
    "upload_limit": vocabulary.rate,
    "redirects": vocabulary.count(1, vocabulary.ENDLESS),
}

PRESETS: Mapping[str, Preset] = {
    "healthy": Preset("serves every range"),
    "missing": Preset("HTTP 404", {"status": 404}),
    "forbidden": Preset("HTTP 403", {"status": 403}),
    "broken": Preset("HTTP 500", {"status": 500}),
    "overloaded": Preset("HTTP 503 with Retry-After", {"status": 503, "retry_after": "60s"}),
    "broken-once": Preset(
        "HTTP 500 the first time, then good: whether a client comes back", {"status": 500, "times": 1}
    ),
    "no-ranges": Preset("ignores ranges and sends the whole file with 200", {"ranges": "ignored"}),
    "wrong-range": Preset("the right bytes below a wrong Content-Range", {"ranges": "wrong-header"}),
    "corrupt": Preset("wrong bytes in pieces: bans, asking again", {"corrupt": "pieces", "pieces": "1/4"}),
    "truncates": Preset("closes after 100 KiB of each answer", {"close_after": "100KiB"}),
    "mute": Preset("takes the question and never answers", {"answer": "mute"}),
    "html": Preset("a web page with HTTP 200, as of a captive portal", {"answer": "html"}),
    "slow": Preset("32 KiB/s", {"upload_limit": "32KiB/s"}),
    "redirect": Preset("two redirects, then the file", {"redirects": 2}),
    "redirect-loop": Preset("redirects without end: hot loops", {"redirects": vocabulary.ENDLESS}),
}


def _pieces_need_corrupt(values: Mapping[str, Any]) -> str:
    return "pieces belongs to corrupt: pieces" if "pieces" in values and values.get("corrupt") != "pieces" else ""


def _serves_something(values: Mapping[str, Any]) -> str:
    mute = [
        f"{key}: {values[key]}"
        for key, right in (("answer", "right"), ("status", 200))
        if values.get(key, right) != right
    ]
    served = [key for key in ("corrupt", "close_after", "upload_limit", "ranges") if key in values]
    if mute and served and "times" not in values:
        return f"{mute[0]} serves nothing, so {' and '.join(served)} would never show"
    return f"{' and '.join(mute)} exclude each other" if len(mute) > 1 else ""


WEBSEEDS = Vocabulary(FACETS, PRESETS, (_pieces_need_corrupt, _serves_something))


def webseed_script(wish: Mapping[str, Any]) -> WebseedScript:
    """Return the script that a wish without faults stands for."""
    return WebseedScript(**WEBSEEDS.values(wish))
