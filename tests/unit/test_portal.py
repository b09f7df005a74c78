"""The portal's page: what it says about an item, that nothing in it is trusted, and its words in every language."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.catalogue.page import announce_urls, promises, shown_item
from ansible.module_utils.seedbed.torrent.odd import ODD
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from qr_svg import qr_svg

ROLE = Path(__file__).resolve().parents[2] / "roles" / "portal"
TEXTS = yaml.safe_load((ROLE / "vars" / "texts.yml").read_text(encoding="utf-8"))["__portal_texts"]


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
        "swarm": {"seeders": ["seeder1"], "available": "100%", "fetch_rest": False, "upload_limit": None},
        "version": "v1",
        "webseeds": [],
        **more,
    }


TEMPLATE = "{{ items | portal_files(role=role, lab='a lab', texts=texts, **more) }}"


def files(*items: dict[str, Any], **more: Any) -> dict[str, str]:
    variables = {"items": json.dumps(items), "role": str(ROLE), "texts": TEXTS, "more": more}
    made = Templar(loader=DataLoader(), variables=variables).template(trust_as_template(TEMPLATE))
    return {file["path"]: base64.b64decode(file["content"]).decode() for file in made}


def test_the_way_to_the_interface_for_aria2_is_there_when_it_is() -> None:
    for language, there in (("en", "aria2 control"), ("zh", "aria2 控制台")):
        page = f"index.{language}.html"
        assert f'<a href="aria2/">{there}</a>' in files(aria2_ui=True)[page]
        assert "aria2/" not in files()[page]


@pytest.mark.parametrize(
    ("swarm", "webseeds", "told"),
    [
        (["s"], [], [("healthy", "")]),
        (["s"], ["http://192.0.2.1/"], [("healthy", ""), ("webseed", "")]),
        ([], ["http://192.0.2.1/"], [("seedless", ""), ("webseed", "")]),
        ([], [], [("seedless", "")]),
    ],
)
def test_promises_of_whole_swarms(swarm: list[str], webseeds: list[str], told: list[tuple[str, str]]) -> None:
    made = promises(item("a", swarm={**item("a")["swarm"], "seeders": swarm}, webseeds=webseeds))
    assert [(promise["kind"], promise["value"]) for promise in made] == told


def test_promises_of_weak_swarms() -> None:
    weak = {"seeders": ["s"], "available": "60%", "fetch_rest": False, "upload_limit": 102400}
    made = promises(item("a", swarm=weak))
    assert made == [{"kind": "partial", "value": "60%"}, {"kind": "slow", "value": "100 KiB/s"}]
    made = promises(item("a", swarm={**weak, "fetch_rest": True, "upload_limit": None}))
    assert made == [{"kind": "partial", "value": "60%"}, {"kind": "growing", "value": ""}]


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
    made = files(*(item(f"item {number}", info_hash=f"{number * 2654435761 % 2**160:040x}") for number in range(1000)))
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
