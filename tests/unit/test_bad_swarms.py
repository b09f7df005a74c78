"""The menu of bad swarms: all of it can be played, promises what was measured with clients, and is documented."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import libtorrent
import pytest
from ansible.module_utils.seedbed.catalogue.bad_swarms import (
    BAD_SWARMS,
    GROUPS,
    PIECES,
    SIZE,
    is_hard,
    menu_promise,
    quick_names,
)
from ansible.module_utils.seedbed.catalogue.casting import entry_peers, entry_webseed
from ansible.module_utils.seedbed.catalogue.faults import catalogue_faults
from ansible.module_utils.seedbed.catalogue.items import make_items
from ansible.module_utils.seedbed.catalogue.menu import MENU, menu_entries, menu_faults
from ansible.module_utils.seedbed.catalogue.specs import resolve_entries
from ansible.module_utils.seedbed.scripted.config import config_faults
from ansible.module_utils.seedbed.scripted.peer_script import PEERS
from ansible.module_utils.seedbed.scripted.swarm_script import tiers_scripts
from ansible.module_utils.seedbed.scripted.tracker_script import TRACKERS
from ansible.module_utils.seedbed.scripted.vocabulary import Vocabulary
from ansible.module_utils.seedbed.scripted.webseed_script import WEBSEEDS
from ansible.module_utils.seedbed.torrent.model import Item, Player
from rooms import room

PLAYER: Player = {
    "host": "play1",
    "where": "192.0.2.10:8086",
    "port": 8086,
    "addresses": ["192.0.2.10", "192.0.2.11"],
    "ipv6": ["2001:db8::10"],
}
DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "bad-swarms.md").read_text(encoding="utf-8")
SMALL = [name for name, item in BAD_SWARMS.items() if not item.by_name]


def made(*names: str) -> list[Item]:
    """Items of the menu, hashed by the controller."""
    resolved = resolve_entries(menu_entries(names), seeders=["seeder1"], players=[PLAYER])
    catalogue = make_items(resolved, {}, hosts=[])
    assert catalogue["failures"] == []
    return catalogue["items"]


def test_there_are_many_in_each_group_and_two_addresses_play_them() -> None:
    groups = [item.group for item in BAD_SWARMS.values()]
    assert {group: groups.count(group) >= 20 for group in GROUPS if group != "giants"} == {
        "peers": True,
        "metadata": True,
        "trackers": True,
        "webseeds": True,
    }
    assert not set(BAD_SWARMS) & set(MENU)


def test_all_of_it_is_a_good_catalogue() -> None:
    entries = menu_entries([*BAD_SWARMS])
    assert catalogue_faults({"catalogue_torrents": entries}, rooms=[room(2, 1)]) == []
    assert all(entry["comment"] for entry in entries)
    assert len({entry["comment"] for entry in entries}) == len(entries)


def test_the_daemon_takes_all_of_it() -> None:
    resolved = resolve_entries(menu_entries([*BAD_SWARMS]), seeders=[], players=[PLAYER])
    casts = {one["entry"]["name"]: one["cast"] for one in resolved}
    assert all(casts.values())
    item = made("webseed-corrupt")[0]
    torrents: list[Any] = [
        {
            **item["scripted"]["play1"],
            "info_hash": f"{number:040x}",
            "peers": [{"address": peer["address"], "script": peer["script"]} for peer in cast["peers"]],
            "trackers": cast["trackers"],
            "webseed": entry_webseed(BAD_SWARMS[name].entry),
        }
        for number, (name, cast) in enumerate(casts.items())
        if cast
    ]
    assert (
        config_faults({"port": 8086, "addresses": [*PLAYER["addresses"], *PLAYER["ipv6"]], "torrents": torrents}) == []
    )


def ordered_scripts(kind: Vocabulary) -> list[Any]:
    found: list[Any] = []
    for item in BAD_SWARMS.values():
        if kind is PEERS:
            found += entry_peers(item.entry)
        elif kind is TRACKERS:
            found += tiers_scripts(item.entry.get("trackers"))
        else:
            found += [entry_webseed(item.entry)] if entry_webseed(item.entry) else []
    return found


@pytest.mark.parametrize("kind", [PEERS, TRACKERS, WEBSEEDS])
def test_every_behaviour_is_on_the_menu(kind: Vocabulary) -> None:
    assert {script.get("behaviour", "healthy") for script in ordered_scripts(kind)} == set(kind.presets)


# What real clients were measured to do, by item: outcome, by magnet, share, whether completing is a rule.
MEASURED = {
    "peer-honest": ("completes", "completes", "100%", True),
    "peer-corrupt": ("completes", "completes", "100%", True),
    "peer-corrupt-alone": ("stalls", "stalls", "0%", False),
    "peer-corrupt-eighth-alone": ("stalls", "stalls", "87.5%", False),
    "peer-missing-piece": ("stalls", "stalls", "98.4375%", False),
    "peer-stall-alone": ("stalls", "stalls", "59.375%", False),
    "peer-grow-alone": ("completes", "completes", "100%", False),
    "peer-own-id-alone": ("refused", "no_metadata", "0%", False),
    "peer-plain-only-alone": ("completes", "completes", "100%", False),
    "peer-encrypted-only-alone": ("completes", "completes", "100%", True),
    "peer-bad-extension-alone": ("completes", "no_metadata", "100%", False),
    "peer-calls": ("completes", "completes", "100%", True),
    "metadata-random": ("completes", "completes", "100%", True),
    "metadata-random-alone": ("completes", "no_metadata", "100%", True),
    "tracker-failure": ("completes", "completes", "100%", True),
    "tracker-failure-alone": ("stalls", "no_metadata", "0%", False),
    "tracker-names": ("completes", "completes", "100%", True),
    "webseed-corrupt-alone": ("stalls", "no_metadata", "75%", False),
    "webseed-no-ranges-alone": ("completes", "no_metadata", "100%", False),
    "webseed-missing": ("completes", "completes", "100%", True),
}


@pytest.mark.parametrize("name", MEASURED)
def test_promises_are_what_was_measured(name: str) -> None:
    promise = menu_promise(name)
    sure = any(rule["rule"] == "completes-within" and rule["grade"] == "assert" for rule in promise["rules"])
    assert (promise["outcome"], promise["magnet"], promise["available"], sure) == MEASURED[name]


# Those of which popular clients were seen to fail, beside an honest peer or the next tier.
HARD = {
    *("peer-corrupt-once", "peer-corrupt-block", "peer-poison-offset", "peer-poison-index", "peer-poison-unasked"),
    *("peer-duplicates", "peer-piece-2mib", "peer-v2-only", "metadata-mute", "metadata-reject", "metadata-corrupt"),
    *("metadata-corrupt-once", "metadata-random", "metadata-longer", "metadata-2gib", "metadata-1tib"),
    *("metadata-short", "metadata-zero"),
    *("tracker-many-ghosts", "tracker-very-slow", "tracker-ten-redirects", "tracker-gzip", "tracker-odd-length"),
    *("tracker-endless", "tracker-empty", "tracker-udp-other-address", "webseed-corrupt", "webseed-mute"),
}


def test_what_popular_clients_fail_is_hard() -> None:
    hard = {name for name in BAD_SWARMS if is_hard(name)}
    assert hard >= HARD
    # Nothing is hard of which nothing is to be had.
    assert {menu_promise(name)["outcome"] for name in hard} == {"completes"}
    assert {name.removesuffix("-alone").removesuffix("-corrupt") for name in hard - HARD} <= HARD


def test_hard_ones_and_giants_are_apart() -> None:
    orders = {
        order: [entry["name"] for entry in menu_entries([order], scripted=True)]
        for order in ("all", "bad-swarms", "bad-swarms-hard")
    }
    assert sorted([*orders["bad-swarms"], *orders["bad-swarms-hard"]]) == sorted(SMALL)
    assert all(map(is_hard, orders["bad-swarms-hard"]))
    assert not any(map(is_hard, orders["bad-swarms"]))
    assert orders["all"] == [
        *(name for name, item in MENU.items() if not item.large),
        *orders["bad-swarms"],
    ]
    assert not set(BAD_SWARMS) & {entry["name"] for entry in menu_entries(["all"])}
    assert set(quick_names()) < set(orders["bad-swarms"])


@pytest.mark.parametrize(
    ("order", "addresses", "faults"),
    [
        (["all"], [], []),
        (["all", "bad-swarms", "peer-snub", "giant-1tib"], [2], []),
        (["bad-swarms"], [], ["orders 'bad-swarms', which needs a host in group scripted_peers, and there is none"]),
        (
            ["one-byte", "peer-snub"],
            [],
            ["orders 'peer-snub', which needs a host in group scripted_peers, and there is none"],
        ),
        (
            ["all"],
            [1],
            [
                "orders 'peer-corrupt', and its swarm cannot be played: peers has 2 peers, and 1 addresses play: "
                "clients take one peer an address in a torrent; add to scripted_peer_addresses, or ask for fewer peers"
            ],
        ),
        (
            ["peer-honest", "peer-ipv6-only"],
            [2],
            [
                "orders 'peer-ipv6-only', and its swarm cannot be played: peers has 1 peers with family: ipv6, and 0 "
                "IPv6 addresses play; add to scripted_peer_addresses, or ask for fewer of them"
            ],
        ),
        (["peer-honest"], [1], []),
    ],
)
def test_orders_of_what_is_played(order: list[str], addresses: list[int], faults: list[str]) -> None:
    assert menu_faults(order, rooms=[room(number) for number in addresses]) == faults


@pytest.mark.parametrize("name", ["peer-snub", "peer-v2-only", "tracker-udp-mute", "webseed-corrupt-alone"])
def test_libtorrent_loads_it(name: str) -> None:
    [item] = made(name)
    loaded = libtorrent.load_torrent_buffer(base64.b64decode(item["metainfo"]))
    assert (loaded.ti.num_pieces(), loaded.ti.total_size()) == (PIECES, SIZE)
    assert loaded.trackers == [url for tier in item["trackers"] for url in tier]
    assert loaded.url_seeds == item["webseeds"]


def test_giants_are_loaded_by_libtorrent() -> None:
    for name, size in (("giant-1tib", 2**40), ("giant-16tib", 2**44)):
        [item] = made(name)
        read = libtorrent.load_torrent_buffer(base64.b64decode(item["metainfo"])).ti
        assert (read.total_size(), read.layout().file_size(0)) == (size, 2**30)
        assert all(file["sha256"] for file in item["files"])


def test_every_item_is_documented_with_what_it_promises() -> None:
    for name, item in BAD_SWARMS.items():
        [row] = re.findall(rf"^\| `{re.escape(name)}` \| {re.escape(item.purpose)} \| ([^|]*) \|$", DOCUMENT, re.M)
        promise = menu_promise(name)
        assert row.startswith(promise["outcome"]), name
        assert promise["outcome"] != "stalls" or f"stalls at {promise['available']}" in row, name
        assert ("; hard" in row) == promise["hard"], name
        assert ("; no metadata" in row) == (promise["magnet"] == "no_metadata"), name
    listed = set(
        re.findall(
            r"^\| `([a-z0-9-]+)` \|[^|]*\|[^|]*\|$",
            DOCUMENT.split("\n### Peers\n")[1].split("\n## Behaviours\n")[0],
            re.M,
        )
    )
    assert listed == set(BAD_SWARMS)


@pytest.mark.parametrize(("kind", "title"), [(PEERS, "peers"), (TRACKERS, "trackers"), (WEBSEEDS, "web seeds")])
def test_every_behaviour_and_every_facet_is_documented(kind: Vocabulary, title: str) -> None:
    section = DOCUMENT.split(f"\n### Of {title}\n")[1].split("\n### ")[0].split("\n## ")[0]
    first, second = section.split("| facet |")
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", first, re.M) == list(kind.presets)
    for name, preset in kind.presets.items():
        assert f"| `{name}` | {preset.why} |\n" in first
    assert set(re.findall(r"^\| `([a-z_]+)` \|", second, re.M)) == set(kind.facets)


def test_every_rule_is_documented() -> None:
    said = {rule["rule"] for name in BAD_SWARMS for rule in menu_promise(name)["rules"]}
    [table] = re.findall(r"^\| rule \|.*?\n\n", DOCUMENT, re.M | re.S)
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.M)) == said
