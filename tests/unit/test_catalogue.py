"""The catalogue on the controller: its faults, what each host has to do, what is published."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.services import AddressError, UnknownServiceError
from ansible.module_utils.seedbed.catalogue import addresses, page, publication
from ansible.module_utils.seedbed.catalogue.faults import catalogue_faults
from ansible.module_utils.seedbed.catalogue.items import MadeCatalogue, make_items
from ansible.module_utils.seedbed.catalogue.payload_cache import PayloadCache
from ansible.module_utils.seedbed.catalogue.publication import host_torrents
from ansible.module_utils.seedbed.catalogue.specs import host_specs, resolve_entries
from ansible.module_utils.seedbed.torrent import metainfo_reader
from ansible.module_utils.seedbed.torrent.bencode import encode
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

SEEDERS = ["seeder1", "seeder2"]
GOOD = {"name": "a", "synthetic": {"size": "1MiB"}}


def render(template: str, **variables: Any) -> Any:
    return Templar(loader=DataLoader(), variables=variables).template(trust_as_template(template))


def faults_of(entries: Any) -> list[str]:
    return catalogue_faults({"catalogue_torrents": entries}, seeders=SEEDERS)


def specs(entries: list[Any], host: str) -> list[Any]:
    return host_specs(resolve_entries(entries, seeders=SEEDERS), host)


def catalogue_items(
    entries: list[Any],
    results: Any,
    *,
    seeders: list[str],
    portals: tuple[str, ...] = (),
    trackers: Any = (),
    **more: Any,
) -> MadeCatalogue:
    resolved = resolve_entries(entries, seeders=seeders, portals=portals, trackers=trackers)
    return make_items(resolved, results, hosts=[*seeders, *portals], **more)


def test_a_good_catalogue_has_no_faults() -> None:
    entries = [
        {"name": "盲道.mp4", "source": "/srv/media/盲道.mp4", "private": True},
        {
            "name": "all",
            "synthetic": {"files": 10, "sizes": {"min": 0, "max": "1MiB"}, "layout": "nested", "depth": 2, "fanout": 3},
            "piece_length": "32KiB",
            "version": "hybrid",
            "trackers": [["http://t/announce", "udp://[2001:db8::1]:8888/announce"], ["https://u:1/announce"]],
            "webseed": True,
            "comment": "why",
            "source_tag": "x",
            "creation_date": 1,
            "swarm": {"seeders": ["seeder1"], "upload_limit": "100KiB/s"},
            "state": "absent",
        },
        {"collection": "/srv/media/*.mkv", "comment": "all of them"},
    ]
    assert faults_of(entries) == []


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ("text", "is 'text'; a mapping would be right"),
        ({**GOOD, "source": "/x"}, "has both source and synthetic; keep the one that the content comes from"),
        ({"name": "a"}, "needs its content from one of: synthetic, source, torrent with source, collection"),
        ({"torrent": "x.torrent"}, "needs its content from one of: synthetic, source, torrent with source, collection"),
        ({"synthetic": {"size": 1}}, "has no name"),
        ({**GOOD, "name": 5}, "name is 5; a text would be right"),
        (
            {**GOOD, "name": "a/b"},
            "name 'a/b' holds a slash or a null character; a single file name without slashes would",
        ),
        ({**GOOD, "name": ".."}, "name '..' is not a name"),
        ({**GOOD, "name": ""}, "name '' is not a name"),
        ({**GOOD, "name": "盲" * 83}, "name has 249 bytes; at most 247 leave room for .torrent"),
        ({**GOOD, "name": ".seedbed"}, "name .seedbed is taken by the lab itself"),
        ({**GOOD, "sise": 1}, "'sise' is not known here; known are synthetic, name, piece_length"),
        ({**GOOD, "synthetic": 5}, "synthetic: is 5; a mapping like {size: 64MiB} would be right"),
        ({**GOOD, "synthetic": {"size": "10 bananas"}}, "synthetic: size: '10 bananas' is not a size"),
        ({**GOOD, "synthetic": {}}, "synthetic: needs either size (of all files together) or sizes (of each file)"),
        (
            {**GOOD, "synthetic": {"size": 1, "files": 0}},
            "synthetic: files is 0; a number from 1 to 100000 would be right",
        ),
        (
            {**GOOD, "synthetic": {"sizes": {"min": 5}}},
            "synthetic: sizes is {'min': 5}; min and max, both, would be right",
        ),
        ({**GOOD, "synthetic": {"sizes": {"min": 5, "max": 4}}}, "synthetic: sizes: min 5 is larger than max 4"),
        (
            {**GOOD, "synthetic": {"sizes": []}},
            "synthetic: sizes is []; a list of sizes, or min and max, would be right",
        ),
        (
            {**GOOD, "synthetic": {"sizes": [1], "files": 2}},
            "synthetic: files is 2, but sizes lists 1; leave files out",
        ),
        (
            {**GOOD, "synthetic": {"size": 1, "layout": "round"}},
            "synthetic: layout is 'round'; flat, nested, deep, long,",
        ),
        ({**GOOD, "synthetic": {"size": 1, "depth": 2}}, "synthetic: depth belongs to layout nested, not to 'flat'"),
        ({**GOOD, "synthetic": {"size": 1, "seed": []}}, "synthetic: seed is []; a text would be right"),
        ({**GOOD, "piece_length": "100000"}, "piece_length: '100000' is not a piece length: a power of two between"),
        (
            {"name": "a", "synthetic": {"size": "1TiB"}, "piece_length": "16KiB"},
            "piece_length 16 KiB makes 67108864 pieces",
        ),
        (
            {"name": "a", "synthetic": {"sizes": ["10TiB", "10TiB"]}},
            "piece_length 16 MiB makes 1310720 pieces; at most 1048576",
        ),
        ({"name": "a", "synthetic": {"sizes": {"min": "1TiB", "max": "1TiB"}, "files": 100}}, "makes 6553600 pieces"),
        ({"name": "a", "synthetic": {"size": "32TiB"}}, "piece_length 16 MiB makes 2097152 pieces; at most 1048576"),
        (
            {**GOOD, "version": "v2"},
            "version is 'v2', which no version of Transmission seeds: add swarm with seeders: [] and peers",
        ),
        (
            {**GOOD, "version": "hybrid", "synthetic": {"size": 5, "layout": "nested", "depth": 27, "fanout": 2}},
            "lies 27 directories deep, and Transmission 4 refuses hybrids of more than 26; fewer directories or",
        ),
        ({**GOOD, "version": "hybrid", "synthetic": {"size": 5, "layout": "deep"}}, "lies 60 directories deep"),
        ({**GOOD, "name": "a\tb"}, "name 'a\\tb' holds a tab, line end or backspace, for which aria2 refuses the"),
        ({**GOOD, "name": " ."}, "name ' .' is nothing but spaces and dots, for which Transmission 3.00 refuses the"),
        ({**GOOD, "name": "\\"}, "name is a backslash alone, for which libtorrent refuses the torrent"),
        ({**GOOD, "version": "v3"}, "version is 'v3'; v1, hybrid or v2 would be right"),
        ({**GOOD, "private": "yes"}, "private is 'yes'; true or false would be right"),
        ({**GOOD, "comment": 5}, "comment is 5; a text would be right"),
        ({**GOOD, "creation_date": -1}, "creation_date is -1; seconds since 1970 would be right"),
        ({**GOOD, "state": "gone"}, "state is 'gone'; present or absent would be right"),
        (
            {**GOOD, "trackers": ["http://t/announce"]},
            "trackers: is ['http://t/announce']; a list of tiers, each a list",
        ),
        ({**GOOD, "trackers": [["ftp://t/"]]}, "trackers: 'ftp://t/' is not an http, https or udp URL"),
        ({**GOOD, "trackers": [["udp://t/announce"]]}, "trackers: 'udp://t/announce' is not an http, https or udp URL"),
        (
            {**GOOD, "swarm": {"seeders": ["x"]}},
            "swarm: seeders names 'x', which is not in group seeders; the seeders are",
        ),
        ({**GOOD, "swarm": {"available": "150%"}}, "swarm: available: '150%' is not a share between 0% and 100%"),
        (
            {**GOOD, "swarm": {"available": {"seeder1": "40-101%"}}},
            "swarm: available: '40-101%' is not a range between 0% and 100%: write it like 40-100%",
        ),
        ({**GOOD, "swarm": {"available": {}}}, "swarm: available: {} is not a share: write it like 60%"),
        (
            {**GOOD, "swarm": {"available": {"x": "0-60%"}}},
            "swarm: available names 'x', which is not in group seeders; the seeders are seeder1, seeder2",
        ),
        (
            {**GOOD, "swarm": {"available": {"seeder1": "0-60%"}, "seeders": ["seeder1"]}},
            "swarm: available names the seeders already; leave seeders out",
        ),
        (
            {**GOOD, "swarm": {"available": {"seeder1": "0-100%"}, "fetch_rest": True}},
            "swarm: fetch_rest needs available below 100%: without it nothing is left to fetch",
        ),
        (
            {"name": "a", "source": "/x", "swarm": {"available": {"seeder1": "40-100%"}}},
            "swarm: available is for synthetic entries",
        ),
        (
            {**GOOD, "swarm": {"upload_limit": "fast"}},
            "swarm: upload_limit: 'fast' is not a rate: write it like 100KiB/s",
        ),
        (
            {**GOOD, "swarm": {"spead": 1}},
            "swarm: 'spead' is not known here; known are seeders, available, fetch_rest, upload_limit",
        ),
        ({"name": "a", "source": "media/x"}, "source is 'media/x'; an absolute path would be right"),
        ({"name": "a", "source": "/x", "swarm": {"available": "5%"}}, "swarm: available is for synthetic entries"),
        (
            {**GOOD, "swarm": {"available": "60%", "fetch_rest": "yes"}},
            "swarm: fetch_rest is 'yes'; true or false would be right",
        ),
        *(
            (
                {**GOOD, "swarm": {**share, "fetch_rest": True}},
                "swarm: fetch_rest needs available below 100%: without it nothing is left to fetch",
            )
            for share in ({}, {"available": "100%"}, {"available": 1})
        ),
        (
            {"name": "a", "source": "/x", "swarm": {"fetch_rest": True}},
            "swarm: fetch_rest needs available below 100%: without it nothing is left to fetch",
        ),
    ],
)
def test_faults(entry: Any, fault: str) -> None:
    faults = faults_of([entry])
    assert any(fault in one for one in faults), faults
    assert all(one.startswith("catalogue_torrents[0]") for one in faults)


def test_all_faults_of_all_entries_come_together() -> None:
    faults = faults_of([{"name": "a", "synthetic": {"size": "x"}, "state": 1}, GOOD, "x"])
    assert [one.split(":")[0] for one in faults] == [
        "catalogue_torrents[0] (a)",
        "catalogue_torrents[0] (a)",
        "catalogue_torrents[1] (a)",
        "catalogue_torrents[2]",
    ]
    assert "name is taken by catalogue_torrents[0]; names are unique" in faults[2]


def test_a_catalogue_that_is_no_list() -> None:
    assert faults_of("x") == ["catalogue_torrents is 'x'; a list of entries would be right"]


def test_the_first_seeder_hashes_a_recipe_and_every_seeder_its_own_files() -> None:
    entries = [GOOD, {"name": "b", "source": "/b"}, {**GOOD, "name": "c", "swarm": {"seeders": ["seeder2"]}}]
    first, second = (specs(entries, host) for host in SEEDERS)
    assert [(one["name"], one["hash"]) for one in first] == [("a", True), ("b", True)]
    assert [(one["name"], one["hash"]) for one in second] == [("a", False), ("b", True), ("c", True)]
    assert first[0]["recipe"] == {"seed": "a", "size": 2**20}


def payload(name: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "download_dir": "/p",
        "single_file": True,
        "length": 5,
        "piece_length": 16384,
        "pieces": base64.b64encode(bytes(20)).decode(),
        "files": [{"path": [], "length": 5, "sha256": "00"}],
        **more,
    }


def test_items_join_what_the_seeders_hold() -> None:
    results = {
        "seeder1": {"payloads_json": [payload()], "failures": []},
        "seeder2": {"payloads_json": [{"name": "a", "download_dir": "/q"}], "failures": []},
    }
    entries = [{**GOOD, "swarm": {"upload_limit": "1KiB/s", "available": "60%"}}]
    made = catalogue_items(entries, results, seeders=SEEDERS, trackers=[["http://t/announce"]])
    assert made["failures"] == []
    (item,) = made["items"]
    nobody = {"ranges": {}, "peers": [], "trackers": [], "webseed": None}
    assert item["swarm"] == {"seeders": SEEDERS, "available": "60%", "fetch_rest": False, "upload_limit": 1024} | nobody
    assert item["files"] == [{"path": "a", "length": 5, "sha256": "00"}]
    (seed,) = host_torrents(made["items"], "seeder2")
    assert (seed["download_dir"], seed["upload_limit"], seed["available"]) == ("/q", 1024, 600_000)
    assert host_torrents(made["items"], "stranger") == []


def test_what_is_absent_is_given_up_by_name() -> None:
    results = {"seeder1": {"payloads_json": [payload()], "failures": [], "gone": ["b", "a"]}}
    made = catalogue_items([GOOD, {**GOOD, "name": "b", "state": "absent"}], results, seeders=SEEDERS)
    assert made["gone"] == ["b"]
    (absent, seed) = host_torrents(made["items"], "seeder1", made["gone"])
    assert (absent, seed["name"]) == ({"name": "b", "state": "absent"}, "a")


@pytest.mark.parametrize(("given", "told"), [("60%", "60%"), (0.6, "60%"), ("12.50 %", "12.5%"), (1, "100%")])
def test_a_share_is_published_in_one_spelling(given: Any, told: str) -> None:
    entry = {**GOOD, "swarm": {"available": given}}
    made = catalogue_items([entry], {"seeder1": {"payloads_json": [payload()], "failures": []}}, seeders=SEEDERS)
    assert made["items"][0]["swarm"]["available"] == told


@pytest.mark.parametrize(("second", "together"), [("40-100%", "100%"), ("70-90%", "80%")])
def test_seeders_that_hold_different_parts_are_told_theirs(second: str, together: str) -> None:
    entry = {**GOOD, "swarm": {"available": {"seeder1": "60%", "seeder2": second}}}
    held = [(spec["available"], spec["available_from"]) for name in SEEDERS for spec in specs([entry], name)]
    begin, end = (int(number) * 10_000 for number in second[:-1].split("-"))
    assert held == [(600_000, 0), (end - begin, begin)]
    assert specs([{**GOOD, "swarm": {"available": {"seeder1": "60%"}}}], "seeder2") == []
    results = {
        "seeder1": {"payloads_json": [payload()], "failures": []},
        "seeder2": {"payloads_json": [{"name": "a", "download_dir": "/q"}], "failures": []},
    }
    made = catalogue_items([entry], results, seeders=SEEDERS)
    swarm = made["items"][0]["swarm"]
    assert (swarm["available"], swarm["ranges"]) == (together, {"seeder1": "0-60%", "seeder2": second})
    told = [seed["available"] for name in SEEDERS for seed in host_torrents(made["items"], name)]
    assert told == [600_000, end - begin]
    # Of one that lacks it nothing is promised.
    del results["seeder2"]
    (item,) = catalogue_items([entry], results, seeders=SEEDERS)["items"]
    assert (item["swarm"]["available"], item["swarm"]["ranges"]) == ("60%", {"seeder1": "0-60%"})


def test_a_seeder_is_told_to_fetch_the_rest() -> None:
    entry = {**GOOD, "swarm": {"available": "60%", "fetch_rest": True}}
    (spec,) = specs([entry], "seeder1")
    assert (spec["available"], spec["fetch_rest"]) == (600_000, True)
    made = catalogue_items([entry], {"seeder1": {"payloads_json": [payload()], "failures": []}}, seeders=SEEDERS)
    (seed,) = host_torrents(made["items"], "seeder1")
    assert (seed["available"], seed["fetch_rest"]) == (600_000, True)
    assert made["items"][0]["swarm"]["fetch_rest"] is True


def test_info_hashes_do_not_depend_on_trackers() -> None:
    results = {"seeder1": {"payloads_json": [payload()], "failures": []}}
    one, two = (
        catalogue_items([GOOD], results, seeders=SEEDERS, trackers=[[url]])["items"][0]
        for url in ("http://old/announce", "udp://new:1/announce")
    )
    assert one["info_hash"] == two["info_hash"]
    assert one["metainfo"] != two["metainfo"]


def test_a_private_item_has_no_magnet() -> None:
    results = {"seeder1": {"payloads_json": [payload()], "failures": []}}
    (item,) = catalogue_items([{**GOOD, "private": True}], results, seeders=SEEDERS)["items"]
    assert item["magnet"] is item["bare_magnet"] is None


def test_failures_name_host_entry_and_path_and_others_are_made() -> None:
    results = {
        "seeder1": {"payloads_json": [payload()], "failures": [{"name": "b", "reason": "/b does not exist"}]},
        "seeder2": {"payloads_json": [payload(pieces="x" * 28)], "failures": []},
    }
    made = catalogue_items(
        [GOOD, {"name": "b", "source": "/b"}, {"name": "c", "source": "/c"}], results, seeders=SEEDERS
    )
    assert made["failures"] == [
        "seeder1: b: /b does not exist",
        "seeder2: a: its content differs from that on seeder1",
        "c: no seeder of it could be asked, so it is not published",
    ]
    assert [(item["name"], item["swarm"]["seeders"]) for item in made["items"]] == [("a", ["seeder1"])]


def test_a_portal_that_serves_the_content_is_no_seeder() -> None:
    entry = {"name": "a", "synthetic": {"size": 9}, "webseed": True}
    results = {host: {"payloads_json": [payload("a")], "failures": []} for host in ("seeder1", "portal1")}
    (item,) = catalogue_items([entry], results, seeders=["seeder1"], portals=["portal1"])["items"]
    assert item["swarm"]["seeders"] == ["seeder1"]


def test_a_reason_is_told_once_a_host() -> None:
    full = [{"name": name, "reason": "needs 12 GiB on /srv, 3.1 GiB free"} for name in "abcde"]
    gone = [{"name": name, "reason": "gone"} for name in "xyz"]
    made = catalogue_items(
        [], {"seeder1": {"failures": full}, "seeder2": {"failures": [*full[:1], *gone]}}, seeders=SEEDERS
    )
    assert made["failures"] == [
        "seeder1: a, b and 3 more: needs 12 GiB on /srv, 3.1 GiB free",
        "seeder2: a: needs 12 GiB on /srv, 3.1 GiB free",
        "seeder2: x, y and z: gone",
    ]


def test_a_seeder_that_cannot_hold_an_entry_is_left_out_unless_it_was_named() -> None:
    hybrid = {**GOOD, "version": "hybrid"}
    results = {
        "seeder1": {"failures": [{"name": "a", "reason": "Transmission 3.00 cannot", "unfit": True}]},
        "seeder2": {"payloads_json": [{"name": "a", "download_dir": "/q"}]},
    }
    # The first seeder should have hashed it for both: the controller does.
    made = catalogue_items([hybrid], results, seeders=SEEDERS)
    assert (made["failures"], made["notes"]) == ([], ["seeder1: a: Transmission 3.00 cannot"])
    (item,) = made["items"]
    assert (item["version"], item["size"], item["swarm"]["seeders"]) == ("hybrid", 2**20, ["seeder2"])
    named = {**hybrid, "swarm": {"seeders": SEEDERS}}
    assert catalogue_items([named], results, seeders=SEEDERS)["failures"] == ["seeder1: a: Transmission 3.00 cannot"]
    alone = catalogue_items([hybrid], {"seeder1": results["seeder1"]}, seeders=SEEDERS[:1])
    assert (alone["failures"], alone["items"]) == (["seeder1: a: Transmission 3.00 cannot"], [])


def test_what_no_seeder_holds_is_computed_once(tmp_path: Path) -> None:
    large = {"name": "a", "synthetic": {"size": "65MiB"}, "swarm": {"seeders": []}}
    small = {**GOOD, "swarm": {"seeders": []}}
    spec = {"kind": "synthetic", "name": "a", "recipe": {"seed": "a", "size": 65 * 2**20}, "piece_length": 0}
    compute = PayloadCache(str(tmp_path / "cache"))
    first = catalogue_items([large, small], {}, seeders=SEEDERS, compute=compute)
    (known,) = (tmp_path / "cache").iterdir()
    known.write_text(known.read_text().replace(first["items"][0]["files"][0]["sha256"], "remembered"))
    (again, _small) = catalogue_items([large, small], {}, seeders=SEEDERS, compute=compute)["items"]
    assert again["files"][0]["sha256"] == "remembered"
    assert again["info_hash"] == first["items"][0]["info_hash"]
    assert compute({**spec, "piece_length": 2**20})["piece_length"] == 2**20
    known.write_text("{cut")
    assert catalogue_items([large], {}, seeders=SEEDERS, compute=compute)["items"] == first["items"][:1]


def test_what_does_not_seed_is_told_once_a_seeder() -> None:
    late = [{"name": name, "reason": "not_announced", "error": "waited for http://t/announce"} for name in "ab"]
    results = {"seeder1": {"failures": late}, "seeder2": {"failures": []}}
    assert render("{{ results | catalogue_unseeded }}", results=results) == [
        "seeder1: a and b: waited for http://t/announce"
    ]


def test_the_published_files() -> None:
    results = {"seeder1": {"payloads_json": [payload("盲 道")], "failures": []}}
    url = "http://192.0.2.1:8888/announce"
    items = catalogue_items([{"name": "盲 道", "source": "/x"}], results, seeders=SEEDERS, trackers=[[url]])["items"]
    torrent, listing, trackers, magnets, impairments = publication.published_files(items, lab="lab")
    assert torrent["path"] == "torrents/盲 道.torrent"
    assert metainfo_reader.torrent_info(base64.b64decode(torrent["content"]))["name"] == "盲 道"
    told = json.loads(base64.b64decode(listing["content"]))
    assert told["schema_version"] == 2
    assert told["items"][0]["torrent"] == "torrents/%E7%9B%B2%20%E9%81%93.torrent"
    assert "metainfo" not in told["items"][0]
    assert "download_dirs" not in told["items"][0]
    assert [file["path"] for file in (trackers, magnets)] == ["trackers.txt", "magnets.txt"]
    assert base64.b64decode(trackers["content"]).decode() == f"{url}\n"
    assert base64.b64decode(magnets["content"]).decode() == f"{items[0]['magnet']}\n"
    assert impairments["path"] == "impairments.json"
    assert (
        json.loads(base64.b64decode(impairments["content"]))
        == {"impairments": told["impairments"]}
        == {"impairments": []}
    )


def test_the_password_of_a_tracker_is_in_the_torrent_alone() -> None:
    results = {"seeder1": {"payloads_json": [payload()], "failures": []}}
    url = "http://me:secret@192.0.2.9:80/announce"
    items = catalogue_items([GOOD], results, seeders=SEEDERS, trackers=[[url]])["items"]
    torrent, listing, *lists = publication.published_files(items, lab="lab")
    assert metainfo_reader.torrent_info(base64.b64decode(torrent["content"]))["trackers"] == [[url]]
    assert items[0]["trackers"] == [[url]]  # as the seeders need it
    told = base64.b64decode(listing["content"])
    assert all(b"secret" not in base64.b64decode(file["content"]) for file in [listing, *lists])
    assert json.loads(told)["items"][0]["trackers"] == [["http://(hidden)@192.0.2.9:80/announce"]]
    assert "tr=http%3A%2F%2F192.0.2.9%3A80%2Fannounce" in json.loads(told)["items"][0]["magnet"]
    shown = [page.shown_item(item) for item in items], page.announce_urls(items)
    assert "secret" not in repr(shown)


def test_tracker_tiers() -> None:
    asked = {"inventory_hostname": "tracker1", "lab_services": {"tracker": {"port": 8880}}}
    assert addresses.tracker_tier({**asked, "lab_address": "2001:db8::1"}) == [
        "http://[2001:db8::1]:8880/announce",
        "udp://[2001:db8::1]:8880/announce",
    ]
    facts = {"ansible_facts": {"default_ipv4": {"address": "192.0.2.1"}}}
    assert addresses.tracker_tier({**asked, **facts})[0] == "http://192.0.2.1:8880/announce"
    with pytest.raises(AddressError, match="tracker1 has no known address; set lab_address"):
        addresses.tracker_tier(asked)
    with pytest.raises(UnknownServiceError, match="nobody asked tracker1 about its services"):
        addresses.tracker_tier({"inventory_hostname": "tracker1", "lab_address": "192.0.2.1"})


def test_hybrids_may_be_as_deep_as_transmission_4_reads_them() -> None:
    recipe = {"size": 5, "layout": "nested", "depth": 26, "fanout": 2}
    assert faults_of([{**GOOD, "version": "hybrid", "synthetic": recipe}]) == []
    assert faults_of([{**GOOD, "synthetic": {**recipe, "depth": 60}}]) == []


@pytest.mark.parametrize(
    ("outer", "info", "behind", "fault"),
    [
        ({}, {}, b"", ""),
        # What stands outside of the info dictionary is published without its oddities.
        ({"comment": 5, "creation date": "x", "announce-list": ["http://x/"]}, {}, b"\n", ""),
        ({}, {"source": 5, "private": "1"}, b"", ""),
        ({}, {"name": b"\xe4"}, b"", "is not loaded alike by every client: name is not UTF-8"),
        (
            {},
            {"piece length": 2**30},
            b"",
            "is not loaded alike by every client: piece length is 1073741824",
        ),
        ({}, {"name": "x" * 300}, b"", "is not loaded alike by every client: name has 300 bytes"),
    ],
)
def test_torrents_of_others_are_seeded_where_every_client_loads_them_alike(
    tmp_path: Path, outer: dict[str, Any], info: dict[str, Any], behind: bytes, fault: str
) -> None:
    whole = {"name": "x", "length": 5, "piece length": 16384, "pieces": bytes(20), **info}
    (tmp_path / "x.torrent").write_bytes(encode({**outer, "info": whole}) + behind)
    faults = catalogue_faults(
        {
            "catalogue_torrents": [{"torrent": "x.torrent", "source": "/srv/x"}],
            "catalogue_torrent_dir": str(tmp_path),
        }
    )
    assert fault in " ".join(faults)
    assert bool(faults) == bool(fault)
