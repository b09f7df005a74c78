"""The portal's page: what it says about an item, that nothing in it is trusted, and its words in every language."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.catalogue.page import announce_urls, clauses, group, players, shown_item, swarm_tags
from ansible.module_utils.seedbed.scripted.peer_script import PEERS
from ansible.module_utils.seedbed.scripted.swarm_script import Size, scripted_promise
from ansible.module_utils.seedbed.scripted.tracker_script import TRACKERS
from ansible.module_utils.seedbed.scripted.webseed_script import WEBSEEDS
from ansible.module_utils.seedbed.torrent.odd import ODD
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from qr_svg import qr_svg

ROLE = Path(__file__).resolve().parents[2] / "roles" / "portal"
TEXTS = yaml.safe_load((ROLE / "templates" / "texts.yml").read_text(encoding="utf-8"))


ALONE = {
    "seeders": [],
    "available": "100%",
    "ranges": {},
    "fetch_rest": False,
    "upload_limit": None,
    "peers": [],
    "trackers": [],
    "webseed": None,
}


def item(name: str, **more: Any) -> dict[str, Any]:
    info_hash = name.encode().hex().ljust(40, "0")[:40]
    return {
        "name": name,
        "comment": "",
        "info_hash": info_hash,
        "magnet": f"magnet:?xt=urn:btih:{info_hash}&dn=x",
        "bare_magnet": f"magnet:?xt=urn:btih:{info_hash}",
        "torrent": "torrents/x.torrent",
        "private": False,
        "size": 3_000_000,
        "piece_length": 16384,
        "pieces": 184,
        "files": [{}],
        "trackers": [["http://192.0.2.1:8888/announce", "udp://192.0.2.1:8888/announce"]],
        "swarm": {**ALONE, "seeders": ["seeder1"]},
        "promise": None,
        "version": "v1",
        "webseeds": [],
        **more,
    }


TEMPLATE = "{{ items | portal_files(lab='a lab', **more) }}"


def files(*items: dict[str, Any], **more: Any) -> dict[str, str]:
    variables = {"items": json.dumps(items), "more": more}
    made = Templar(loader=DataLoader(), variables=variables).template(trust_as_template(TEMPLATE))
    return {file["path"]: base64.b64decode(file["content"]).decode() for file in made}


def test_the_way_to_the_interface_for_aria2_is_there_when_it_is() -> None:
    for language, there in (("en", "aria2 control"), ("zh", "aria2 控制台")):
        page = f"index.{language}.html"
        assert f'<a href="aria2/">{there}</a>' in files(aria2_ui=True)[page]
        assert "aria2/" not in files()[page]


@pytest.mark.parametrize(("language", "why"), [("en", "One tracker a line"), ("zh", "每行一个 Tracker")])
def test_the_lists_that_clients_take_are_linked(language: str, why: str) -> None:
    page = files(item("a"))[f"index.{language}.html"]
    assert f'<a href="trackers.txt">trackers.txt</a></dt><dd>{why}' in page
    assert '<a href="magnets.txt">magnets.txt</a>' in page


@pytest.mark.parametrize(
    ("swarm", "webseeds", "told"),
    [
        (["s"], [], [("healthy", "")]),
        (["s"], ["http://192.0.2.1/"], [("healthy", ""), ("webseed", "")]),
        ([], ["http://192.0.2.1/"], [("seedless", ""), ("webseed", "")]),
        ([], [], [("seedless", "")]),
    ],
)
def test_tags_of_whole_swarms(swarm: list[str], webseeds: list[str], told: list[tuple[str, str]]) -> None:
    made = swarm_tags(item("a", swarm={**item("a")["swarm"], "seeders": swarm}, webseeds=webseeds))
    assert [(tag["kind"], tag["value"]) for tag in made] == told


def test_tags_of_weak_swarms() -> None:
    weak = {**ALONE, "seeders": ["s"], "available": "60%", "upload_limit": 102400}
    made = swarm_tags(item("a", swarm=weak))
    assert made == [{"kind": "partial", "value": "60%"}, {"kind": "slow", "value": "100 KiB/s"}]
    parts = {**ALONE, "seeders": ["s", "t"], "ranges": {"s": "0-60%", "t": "40-100%"}}
    assert swarm_tags(item("a", swarm=parts)) == [{"kind": "complementary", "value": "0-60% + 40-100%"}]
    made = swarm_tags(item("a", swarm={**weak, "fetch_rest": True, "upload_limit": None}))
    assert made == [{"kind": "partial", "value": "60%"}, {"kind": "growing", "value": ""}]


def scripted(*peers: dict[str, Any], tracker: Any = None, webseed: Any = None, private: bool = False) -> dict[str, Any]:
    """An item that scripts play, with what they promise."""
    made = scripted_promise(
        Size("a", 32, 32 * 32768, private),
        peers=peers,
        tiers=[[tracker]] if tracker else [],
        webseed=webseed,
        testimony="http://192.0.2.5:8086/testimony/x.json",
    )
    swarm = {
        **ALONE,
        "peers": [{"script": script} for script in peers],
        "trackers": [{"script": tracker}] if tracker else [],
        "webseed": webseed and {"script": webseed},
    }
    return item("a", swarm=swarm, promise=made, private=private)


STALL, HONEST = {"behaviour": "stall"}, {"behaviour": "healthy"}


@pytest.mark.parametrize(
    ("made", "language", "told"),
    [
        (scripted(STALL), "en", "Stalls at 59.375%: no client may hold more"),
        (scripted(HONEST), "en", "Completes within 316 s"),
        (
            scripted({"behaviour": "corrupt", "pieces": [3, 11]}),
            "en",
            "Stalls at 93.75%: no client may hold more; these pieces never come: 3, 11",
        ),
        (
            scripted({"behaviour": "corrupt", "pieces": "1/2"}),
            "en",
            "Stalls at 50%: no client may hold more; these pieces never come: 0, 2, 4, 6, 8, 10, 12, 14 and 8 more",
        ),
        (
            scripted({"behaviour": "poison-offset"}, HONEST),
            "en",
            "Every piece is to be had, but popular clients may not complete",
        ),
        (scripted({"behaviour": "garbage"}), "en", "Refused: nobody gets a byte; by magnet there is no metadata"),
        (
            scripted({"behaviour": "own-id"}, HONEST),
            "en",
            "Completes within 316 s; a client must not keep the peer with its own id",
        ),
        (
            scripted({"behaviour": "metadata-random"}, HONEST),
            "en",
            "Completes within 316 s; by magnet popular clients may not get the metadata",
        ),
        (scripted({"behaviour": "metadata-none"}), "en", "Completes within 316 s; by magnet there is no metadata"),
        (scripted({"behaviour": "metadata-none"}, private=True), "en", "Completes within 316 s"),
        (
            scripted({"behaviour": "corrupt", "pieces": [3]}),
            "zh",
            "停在 96.875%：任何客户端都不应拥有更多；永远不会到来的分块：3",
        ),
        (scripted(HONEST), "zh", "316 秒内完成"),
    ],
)
def test_promises_in_words(made: dict[str, Any], language: str, told: str) -> None:
    [shown] = re.findall(r'<p class="promise \w+">(.*?)</p>', files(made)[f"index.{language}.html"])
    assert shown == told


def test_every_promise_of_every_preset_has_words() -> None:
    """The page's template raises an error for a word that is missing."""
    items = [scripted({"behaviour": name}) for name in PEERS.presets]
    items += [scripted({"behaviour": name}, HONEST) for name in PEERS.presets]
    items += [scripted(HONEST, tracker={"behaviour": name}) for name in TRACKERS.presets]
    items += [scripted(webseed={"behaviour": name}) for name in WEBSEEDS.presets]
    page = files(*items)["index.zh.html"]
    assert page.count('class="promise ') == len(items)
    outcomes = {outcome for made in items for outcome in shown_item(made)["kinds"].split() if "outcome" in outcome}
    assert outcomes == {"outcome-completes", "outcome-stalls", "outcome-refused", "outcome-no_metadata"}


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (scripted(STALL), "peers"),
        (scripted({"behaviour": "metadata-slow"}, HONEST), "metadata"),
        (scripted(HONEST, tracker={"behaviour": "slow"}), "trackers"),
        (scripted(STALL, tracker=HONEST), "peers"),
        (scripted(HONEST, webseed={"behaviour": "html"}), "webseeds"),
        (scripted(STALL, webseed=HONEST), "peers"),
    ],
)
def test_scripts_have_a_group(made: dict[str, Any], kind: str) -> None:
    assert group(made) == kind
    assert f"group-{kind}" in shown_item(made)["kinds"].split()


def test_who_plays_is_told_once_with_what_it_is_for() -> None:
    made = scripted(
        HONEST, HONEST, {"upload_limit": "64KiB/s"}, {"behaviour": "corrupt", "pieces": "1/8"}, webseed=HONEST
    )
    assert [(each["kind"], each["name"], each["number"]) for each in players(made)] == [
        ("peer", "healthy", 2),
        ("peer", "healthy (upload_limit 64KiB/s)", 1),
        ("peer", "corrupt (pieces 1/8)", 1),
        ("webseed", "healthy", 1),
    ]
    assert players(made)[2]["why"] == PEERS.presets["corrupt"].why


def test_a_hard_item_is_marked_and_none_of_them_is_called_healthy() -> None:
    hard = scripted({"behaviour": "poison-offset"}, HONEST)
    assert [tag["kind"] for tag in swarm_tags(hard)] == ["scripted", "hard"]
    assert clauses(hard["promise"])[0]["key"] == "completes_maybe"
    assert [tag["kind"] for tag in swarm_tags(scripted(HONEST))] == ["scripted"]


def test_control_characters_of_names_are_shown_as_such() -> None:
    assert shown_item(item("a\nb\x1b"))["name"] == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"


def test_trackers_are_told_once() -> None:
    assert announce_urls([item("a"), item("b"), item("c", trackers=[["udp://192.0.2.1:8888/announce"]])]) == [
        "http://192.0.2.1:8888/announce",
        "udp://192.0.2.1:8888/announce",
    ]


def test_nothing_of_the_catalogue_is_trusted() -> None:
    hostile = '"><script>alert(1)</script>'
    made = files(item(hostile, comment=hostile, magnet="magnet:?" + hostile, torrent="torrents/" + hostile))
    for page in (made["index.en.html"], made["index.zh.html"]):
        assert "<script>alert" not in page
        assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5


def test_the_page_needs_no_exception_from_the_content_policy() -> None:
    page = files(item("a"), trackers=["tracker1"], seeders=["seeder1"])["index.en.html"]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script>", page)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page), "nothing from other hosts"


def test_a_private_item_has_neither_magnet_nor_code() -> None:
    made = files(item("a", private=True, magnet=None, bare_magnet=None), item("b"))
    assert [path for path in made if path.startswith("qr/")] == [f"qr/{item('b')['info_hash']}.svg"]
    assert made[f"qr/{item('b')['info_hash']}.svg"] == qr_svg(item("b")["magnet"])
    assert "peers never hand out its metadata" in made["index.en.html"]


def test_every_language_has_every_word() -> None:
    assert set(TEXTS) == {"en", "zh"}
    assert set(TEXTS["en"]) == set(TEXTS["zh"])
    used = set(re.findall(r"text\.(\w+)", (ROLE / "templates" / "index.html.j2").read_text(encoding="utf-8")))
    assert used <= set(TEXTS["en"])
    assert not used & set(dir(dict)), "such a name would be taken for a method"


def test_a_thousand_items_are_one_small_page() -> None:
    plays = [scripted({"behaviour": name, "after": "1s"}, HONEST) for name in list(PEERS.presets)[:20]]
    made = files(
        *(
            {
                **item(f"item {number}", info_hash=known, magnet=f"magnet:?xt=urn:btih:{known}&dn=x"),
                **({key: plays[number % 20][key] for key in ("promise", "swarm")} if number % 2 else {}),
            }
            for number in range(1000)
            for known in [f"{number * 2654435761 % 2**160:040x}"]
        )
    )
    first = [made[name] for name in ("index.en.html", "portal.css", "portal.js")]
    # As nginx sends them; the codes come when they are opened.
    assert sum(len(gzip.compress(text.encode(), 6)) for text in first) < 100_000


def test_odd_files_are_listed_where_they_are_published() -> None:
    page = files(odd=True)["index.en.html"]
    assert page.count('href="odd/') + page.count('href="torrents/odd-') == len(ODD)
    assert 'class="files odd"' not in files()["index.en.html"]


def test_malformed_files_are_listed_where_they_are_published() -> None:
    assert files(malformed=True)["index.en.html"].count('href="malformed/') > 20
    assert "malformed" not in files()["index.en.html"]


def test_an_empty_catalogue_says_so() -> None:
    assert "The catalogue is empty." in files()["index.en.html"]


def test_codes_are_dark_on_light_with_a_quiet_zone() -> None:
    code = qr_svg("magnet:?xt=urn:btih:" + "0" * 40)
    assert 'fill="#fff"' in code
    assert "M4 4.5" in code


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "qr_svg: expected a text"), (None, "got NoneType"), ("x" * 3000, "3000 bytes do not fit into a QR code")],
)
def test_what_is_no_code(text: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        qr_svg(text)


def test_the_page_tells_from_inside_where_there_is_a_collector() -> None:
    without, with_it = (files(item("film"), collector=collector)["index.en.html"] for collector in (False, True))
    assert "data-inside" not in without
    words = json.loads(html.unescape(re.findall(r'data-inside="([^"]*)"', with_it)[0]))
    assert words["open"] == TEXTS["en"]["in_open"]
    script = (ROLE / "files" / "portal.js").read_text(encoding="utf-8")
    asked = set(re.findall(r"\babout\.(\w+)", script)) | set(re.findall(r"fact\('(\w+)'", script))
    assert asked <= set(words)
