"""Any value in any variable of role catalogue ends in sentences or in a catalogue, never in a crash or in nothing."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.seedbed.base.sizes import MIB
from ansible.module_utils.seedbed.catalogue.items import make_items
from ansible.module_utils.seedbed.catalogue.menu import MENU, menu_entries
from ansible.module_utils.seedbed.catalogue.publication import host_torrents, published_files
from ansible.module_utils.seedbed.catalogue.specs import host_specs, resolve_entries
from ansible.module_utils.seedbed.payload.layouts import LAYOUTS
from ansible.module_utils.seedbed.torrent.model import Player
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from hypothesis import given, reject
from hypothesis import strategies as st
from rooms import room

ROLE = Path(__file__).resolve().parents[2] / "roles" / "catalogue"
OPTIONS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"][
    "options"
]
SEEDERS = ["seeder1", "seeder2"]
TEMPLATE = trust_as_template("{{ variables | catalogue_faults(seeders=seeders, rooms=rooms) }}")
FACTS = {"seeders": SEEDERS, "rooms": [room(2, 1), room(1)]}
PLAYERS: list[Player] = [
    {
        "host": "play1",
        "where": "192.0.2.10:8086",
        "port": 8086,
        "addresses": ["192.0.2.10", "192.0.2.11"],
        "ipv6": ["2001:db8::1"],
    },
    {"host": "play2", "where": "192.0.2.20:8086", "port": 8086, "addresses": ["192.0.2.20"], "ipv6": []},
]

# What YAML has, lone surrogates, endless numbers and times of day included.
TEXTS = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["\ud800", "a\0b", "", "/", "/srv", "~", "1MiB", "64KiB", "60%", "100%", "all", "auto", "yes", "v1", "hybrid"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | TEXTS
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=4)
)
KEYS = st.none() | st.booleans() | st.integers() | TEXTS | st.dates()
YAML = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def or_any(*good: Any) -> st.SearchStrategy[Any]:
    """Mostly what an entry may hold there, sometimes anything."""
    return st.one_of(*(st.just(value) if not isinstance(value, st.SearchStrategy) else value for value in good), YAML)


SIZES = or_any(0, 1, "16KiB", "100KiB+1", 2**61, "5TiB")
RECIPES = st.fixed_dictionaries(
    {},
    optional={
        "size": SIZES,
        "sizes": or_any(st.lists(SIZES, max_size=3), st.fixed_dictionaries({"min": SIZES, "max": SIZES})),
        "files": or_any(1, 3, 100_000),
        "layout": or_any(*LAYOUTS),
        "depth": or_any(1, 60),
        "fanout": or_any(1, 100),
        "seed": or_any("x", 5, ""),
        "period": or_any("16KiB", "64KiB", 0),
    },
)
SCRIPTS = st.fixed_dictionaries(
    {},
    optional={
        "behaviour": or_any("healthy", "corrupt", "mute", "udp-mute", "missing", "evil"),
        "pieces": or_any("1/8", [1, 2]),
        "calls": or_any(True),
        "udp": or_any("right", "mute"),
        "upload_limit": or_any("50KiB/s", 0),
    },
)
SWARMS = st.fixed_dictionaries(
    {},
    optional={
        "seeders": or_any([], ["seeder1"], SEEDERS, ["seeder9"]),
        "available": or_any("60%", 0.5, 1, "0%", {"seeder1": "40-100%"}, {"x": None}),
        "fetch_rest": or_any(True),
        "upload_limit": or_any("50KiB/s", None, 0),
        "peers": or_any([], st.lists(SCRIPTS, max_size=3)),
    },
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "name": or_any("a", "b", "\u76f2.bin"),
        "synthetic": or_any(RECIPES),
        "source": or_any("/srv/a"),
        "torrent": or_any("no.torrent"),
        "collection": or_any("/srv/*"),
        "keep_trackers": or_any(True),
        "piece_length": or_any(None, "auto", "16KiB", 2**14, "64MiB"),
        "version": or_any("v1", "hybrid", "v2"),
        "private": or_any(True),
        "trackers": or_any(
            [],
            [["udp://t:1/announce"]],
            [["http://t/", "http://t\n"]],
            st.lists(st.lists(SCRIPTS | st.just("http://t/announce"), max_size=2), max_size=2),
        ),
        "webseed": or_any(True, SCRIPTS),
        "comment": or_any("why"),
        "source_tag": or_any("x"),
        "creation_date": or_any(1),
        "state": or_any("present", "absent"),
        "swarm": or_any(SWARMS),
    },
)
ORDERS = st.just([]) | st.lists(or_any("one-byte", "all"), max_size=2)
SYNTHETIC = st.builds(lambda entry, recipe: {"name": "s", **entry, "synthetic": recipe}, ENTRIES, RECIPES)


def answers(variables: dict[str, Any]) -> list[str]:
    """What the preflight says: first about types, then about what the values mean."""
    try:
        wrong = ArgumentSpecValidator(OPTIONS).validate(variables).error_messages
    except (OverflowError, ValueError):  # of Ansible's own, for lists of endless numbers where a number belongs
        reject()
    if wrong:
        return list(wrong)
    faults = Templar(loader=DataLoader(), variables=FACTS | {"variables": variables}).template(TEMPLATE)
    assert isinstance(faults, list)
    assert all(isinstance(fault, str) and fault.isprintable() for fault in faults), faults
    return faults


def lengths(resolved: list[Any]) -> Iterator[int]:
    for one in resolved:
        recipe = one["spec"].get("recipe", {})
        sizes = recipe.get("sizes", [recipe.get("size", 0)])
        yield max(sizes.values()) * recipe.get("files", 1) if isinstance(sizes, dict) else sum(sizes)


def carry_out(variables: dict[str, Any]) -> None:
    """All that the controller does with a catalogue that has no faults; small content is computed."""
    trackers = variables.get("catalogue_trackers", [])
    entries = [
        *variables.get("catalogue_torrents", []),
        *menu_entries(variables.get("catalogue_menu", []), trackers=trackers, scripted=True),
    ]
    resolved = resolve_entries(entries, seeders=SEEDERS, portals=["portal1"], trackers=trackers, players=PLAYERS)
    assert len(resolved) == len(entries)
    for host in (*SEEDERS, "portal1", "play1", "play2"):
        host_specs(resolved, host)
    if sum(lengths(resolved)) > MIB or any(one["spec"].get("recipe", {}).get("files", 1) > 100 for one in resolved):
        return
    unheld = [{**one, "seeders": [], "portals": []} for one in resolved]
    made = make_items(unheld, {}, hosts=[], webseed_urls=["http://192.0.2.1/payload/"])
    published_files(made["items"], lab="lab")
    assert all(bool(item["scripted"]) == bool(item["promise"]) for item in made["items"])
    host_torrents(made["items"], "seeder1")


def is_sound(variables: dict[str, Any]) -> bool:
    faults = answers(variables)
    if not faults:
        carry_out(variables)
    return not faults


@given(st.dictionaries(st.sampled_from(sorted(OPTIONS)), YAML, min_size=1))
def test_any_value_of_any_variable(variables: dict[str, Any]) -> None:
    is_sound(variables)


@given(st.lists(ENTRIES | SYNTHETIC, min_size=1, max_size=2), ORDERS)
def test_any_value_in_an_entry_or_an_order(entries: list[Any], menu: list[Any]) -> None:
    is_sound({"catalogue_torrents": entries, "catalogue_menu": menu})


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_variable_without_a_value_is_named(name: str) -> None:
    """`NAME:` in YAML: the types let it pass."""
    (fault,) = answers({name: None})
    assert name in fault


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"catalogue_menu": [{"unicode": None}]},
            "catalogue_menu has no {'unicode': None}; it offers all, bad-swarms, ",
        ),
        ({"catalogue_menu": [[]]}, "catalogue_menu has no []"),
        ({"catalogue_processes": -1}, "catalogue_processes is -1; a number from 0 to 1024 would be right"),
        ({"catalogue_progress_seconds": "0"}, "catalogue_progress_seconds is '0'; a number from 1 to 86400"),
        ({"catalogue_seed_timeout": 2**70}, "catalogue_seed_timeout is 1180591620717411303424; a number from 1"),
        ({"catalogue_payload_dir": "payload"}, "catalogue_payload_dir is 'payload'; an absolute path would be right"),
        ({"catalogue_torrent_dir": "a\0b"}, "catalogue_torrent_dir is 'a\\x00b'; a directory on the controller"),
        ({"catalogue_trackers": [[{}]]}, "catalogue_trackers {} is not a URL"),
        (
            {"catalogue_trackers": [["http://t:0/"]]},
            "catalogue_trackers 'http://t:0/' is not an http",
        ),
        ({"catalogue_trackers": [["http://t/\nudp://t"]]}, "catalogue_trackers 'http://t/\\nudp://t' is not an http"),
    ],
)
def test_values_that_crashed_or_vanished(variables: dict[str, Any], sentence: str) -> None:
    (fault,) = answers(variables)
    assert fault.startswith(sentence)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"comment": "\ud800"}, "comment is '\\ud800'; a text would be right"),
        ({"synthetic": {"size": 1, "seed": True}}, "synthetic: seed is True; a text would be right"),
        ({"synthetic": {"size": 16**5000}}, "synthetic: size: a number of thousands of digits is not a size"),
        ({"swarm": {"available": 10**400}}, "swarm: available: 1000"),
        (
            {"creation_date": datetime.date(2026, 1, 1)},
            "creation_date is datetime.date(2026, 1, 1); seconds",
        ),
    ],
)
def test_values_in_an_entry_that_crashed(keys: dict[str, Any], sentence: str) -> None:
    (fault, *_) = answers({"catalogue_torrents": [{"name": "a", "synthetic": {"size": 1}, **keys}]})
    assert fault.startswith(f"catalogue_torrents[0] (a): {sentence}")


def test_the_whole_menu_is_sound() -> None:
    assert is_sound({"catalogue_menu": [name for name in MENU if name != "hundred-thousand-files"]})
