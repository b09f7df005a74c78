"""Entries that scripts play in: who plays what, what is promised, and that the daemon has the right bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import libtorrent
import pytest
from ansible.module_utils.seedbed.base.sizes import MIB
from ansible.module_utils.seedbed.catalogue import addresses
from ansible.module_utils.seedbed.catalogue.casting import TORRENTS
from ansible.module_utils.seedbed.catalogue.faults import catalogue_faults
from ansible.module_utils.seedbed.catalogue.items import MadeCatalogue, make_items
from ansible.module_utils.seedbed.catalogue.publication import host_torrents, published_files
from ansible.module_utils.seedbed.catalogue.specs import host_specs, resolve_entries
from ansible.module_utils.seedbed.payload.manifest import Manifests
from ansible.module_utils.seedbed.payload.placement import PayloadHost
from ansible.module_utils.seedbed.payload.store import Store
from ansible.module_utils.seedbed.scripted.config import config_faults
from ansible.module_utils.seedbed.scripted.played import PlayedTorrent
from ansible.module_utils.seedbed.torrent.metainfo_reader import torrent_info
from ansible.module_utils.seedbed.torrent.model import Item, Player, Room, ScriptedTorrent
from ansible.parsing.dataloader import DataLoader
from hypothesis import given
from hypothesis import strategies as st
from rooms import room

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "roles/portal/files/catalogue.schema.json").read_text(encoding="utf-8")
)
LAB = [["http://192.0.2.5:8888/announce", "udp://192.0.2.5:8888/announce"]]
HERE: Player = {
    "host": "play1",
    "where": "192.0.2.10:8086",
    "port": 8086,
    "addresses": ["192.0.2.10", "192.0.2.11", "192.0.2.12"],
    "ipv6": ["2001:db8::10"],
}
THERE: Player = {
    "host": "play2",
    "where": "192.0.2.20:8087",
    "port": 8087,
    "addresses": ["192.0.2.20"],
    "ipv6": [],
}
ROOMS = (room(3, 1), room(1))
PEERS = {"192.0.2.30": {"address": "192.0.2.30", "port": 8082}}
SMALL: dict[str, Any] = {"name": "a", "synthetic": {"size": "1MiB"}}
ALONE: dict[str, Any] = {"seeders": [], "peers": [{"behaviour": "corrupt", "pieces": "1/8"}]}
WITH_CALLS = {"seeders": [], "peers": [{}, {"behaviour": "ghost-port-0"}, {"calls": True}, {"behaviour": "mute"}]}


def faults_of(entry: Any, rooms: tuple[Room, ...] = ROOMS) -> list[str]:
    return catalogue_faults({"catalogue_torrents": [entry]}, seeders=["seeder1"], rooms=rooms)


class Lab:
    """A seeder and two hosts that play, in a directory."""

    def __init__(self, root: Path, *players: Player) -> None:
        self.root, self.players = root, players or (HERE, THERE)
        self.hosts = ["seeder1", *(player["host"] for player in self.players)]

    def store(self, host: str) -> Store:
        below = self.root / host
        return Store(PayloadHost(str(below / "payload"), Manifests(str(below / "state")), ()))

    def make(self, *entries: Any, former: tuple[Item, ...] = (), absent: tuple[str, ...] = ()) -> MadeCatalogue:
        assert catalogue_faults({"catalogue_torrents": entries_of(entries)}, seeders=["seeder1"], rooms=ROOMS) == []
        resolved = resolve_entries(entries_of(entries), seeders=["seeder1"], trackers=LAB, players=self.players)
        results: dict[str, Any] = {}
        for host in self.hosts:
            store = self.store(host)
            store.inspect(host_specs(resolved, host))
            results[host] = {"payloads_json": store.run(), "failures": store.failures}

        def compute(_spec: Any) -> Any:
            raise AssertionError("a host hashes it")

        return make_items(
            resolved,
            results,
            hosts=self.hosts,
            compute=compute,
            former=former,
            absent=absent,
            peers={"seeder1": {"address": "192.0.2.30", "port": 8082}},
        )

    def item(self, entry: Any) -> Item:
        made = self.make(entry)
        assert made["failures"] == []
        return made["items"][0]


def entries_of(entries: tuple[Any, ...]) -> list[Any]:
    return list(entries)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def played(item: Item, host: str, tmp_path: Path) -> PlayedTorrent:
    """A host's torrent as its daemon loads it, its configuration without faults."""
    wish = item["scripted"][host]
    where = next(player["addresses"] for player in (HERE, THERE) if player["host"] == host)
    assert config_faults({"port": 8086, "addresses": where, "torrents": [wish]}) == []
    path = tmp_path / "played.torrent"
    path.write_bytes(base64.b64decode(item["metainfo"]))
    here: ScriptedTorrent = {**wish, "torrent": str(path)}
    return PlayedTorrent(here)


def test_scripts_play_where_the_url_says(lab: Lab, tmp_path: Path) -> None:
    item = lab.item({**SMALL, "swarm": ALONE})
    [host] = item["scripted"]
    assert item["scripted"][host]["torrent"] == f"{TORRENTS}/{item['info_hash']}.torrent"
    base = {"play1": "192.0.2.10:8086", "play2": "192.0.2.20:8087"}[host]
    assert item["trackers"] == [[f"http://{base}/announce/1-1/announce"]]
    torrent = played(item, host, tmp_path)
    assert list(torrent.trackers) == ["1-1"]
    [peer] = item["swarm"]["peers"]
    assert torrent.peer_at(peer["address"]) is not None
    assert (peer["behaviour"], peer["script"]) == ("corrupt", {"behaviour": "corrupt", "pieces": "1/8"})
    testimony = f"http://{base}/testimony/{item['info_hash']}.json"
    assert peer["testimony"] == testimony
    assert item["promise"] is not None
    assert item["promise"]["testimony"] == testimony
    assert (item["promise"]["outcome"], item["promise"]["available"]) == ("stalls", "87.5%")
    assert item["announce"] == "none"
    assert item["swarm"]["seeders"] == []
    assert not (tmp_path / host / "payload").exists()


def test_many_are_hashed_on_one_host_and_not_again(tmp_path: Path) -> None:
    lab = Lab(tmp_path, HERE)
    entries: list[Any] = [{**SMALL, "name": f"item-{number}", "swarm": ALONE} for number in range(5)]
    made = lab.make(*entries)
    assert (made["failures"], len(made["items"])) == ([], 5)
    resolved = resolve_entries(entries, seeders=[], players=[HERE])
    again = lab.store("play1")
    again.inspect(host_specs(resolved, "play1"))
    assert (again.cost(), len(again.run()), again.changed, again.hashed) == (0, 5, [], 0)
    # A seeder from now on, it makes them; its own files would not be ours.
    seeding = lab.store("play1")
    seeding.inspect(host_specs(resolve_entries([SMALL], seeders=["play1"]), "play1"))
    assert sorted(seeding.gone) == [entry["name"] for entry in entries]
    (tmp_path / "play1" / "payload").mkdir()
    (tmp_path / "play1" / "payload" / "item-0").write_bytes(b"somebody's")
    theirs = lab.store("play1")
    theirs.inspect(host_specs(resolve_entries([{**SMALL, "name": "item-0"}], seeders=["play1"]), "play1"))
    assert [failure["name"] for failure in theirs.failures] == ["item-0"]


def test_seeders_beside_scripts_are_handed_out_by_their_tracker(lab: Lab) -> None:
    item = lab.item({**SMALL, "swarm": {"peers": [{"behaviour": "snub"}]}})
    [torrent] = item["scripted"].values()
    assert torrent["seeders"] == [{"address": "192.0.2.30", "port": 8082}]
    assert item["promise"] is not None
    assert item["promise"]["outcome"] == "completes"
    [seeded] = host_torrents([item], "seeder1")
    assert (seeded["trackers"], seeded["announce"]) == (item["trackers"], "none")


def test_what_is_played_by_nobody_is_as_it_was(lab: Lab) -> None:
    item = lab.item(SMALL)
    assert (item["promise"], item["scripted"], item["trackers"], item["announce"]) == (None, {}, LAB, "all")


def test_more_peers_than_one_host_has_are_shared_out(lab: Lab) -> None:
    item = lab.item({**SMALL, "swarm": WITH_CALLS})
    assert sorted(item["scripted"]) == ["play1", "play2"]
    assert len({peer["address"] for peer in item["swarm"]["peers"]}) == 4
    assert [peer["behaviour"] for peer in item["swarm"]["peers"]] == ["healthy", "ghost-port-0", "healthy", "mute"]
    ports = {peer["address"]: peer["port"] for peer in item["swarm"]["peers"]}
    # Where the tracker is: those that call, and those that are nowhere else.
    here = item["scripted"]["play1"]
    assert [peer["script"] for peer in here["peers"]][-2:] == [{"behaviour": "ghost-port-0"}, {"calls": True}]
    [mute] = item["scripted"]["play2"]["peers"]
    assert mute["script"] == {"behaviour": "mute"}
    assert here["seeders"] == [{"address": "192.0.2.20", "port": 8088}]
    assert ports["192.0.2.20"] == 8088
    assert item["scripted"]["play2"]["trackers"] == {}


def test_scripts_are_read_as_an_inventory_has_them() -> None:
    """Values of a YAML file come to filters and plugins in subclasses of Ansible's own."""
    text = "[{behaviour: corrupt, pieces: [3, 11], times: 1}, {behaviour: healthy, after: 60s, fast: false}]"
    peers = DataLoader().load(text)
    assert type(peers[0]["pieces"][0]) is not int
    assert faults_of({**SMALL, "swarm": {"seeders": [], "peers": peers}}) == []


@given(st.text(min_size=1, max_size=8), st.integers(0, 4))
def test_every_peer_has_an_address_of_its_own_and_stays_there(name: str, count: int) -> None:
    entry: Any = {**SMALL, "name": name, "swarm": {"peers": [{"behaviour": "snub"}] * count}}
    more: Any = {**SMALL, "name": "other", "swarm": {"peers": [{}]}}
    [resolved] = resolve_entries([entry], seeders=[], players=[HERE, THERE])
    [_other, again] = resolve_entries([more, entry], seeders=[], players=[HERE, THERE])
    assert resolved["cast"] == again["cast"]
    places = [peer["address"] for peer in (resolved["cast"] or {"peers": []})["peers"]]
    assert len(set(places)) == len(places) == count


@pytest.mark.parametrize(
    ("player", "peers", "places"),
    [
        (HERE, [{"behaviour": "ipv6-only"}], ["2001:db8::10"]),
        (HERE, [{}, {"family": "ipv6"}], ["192.0.2.1?", "2001:db8::10"]),
        (THERE, [{"family": "ipv6"}], None),
        ({**HERE, "addresses": ["2001:db8::10"]}, [{"family": "ipv6"}, {}], None),
        ({**HERE, "addresses": ["::1", "::2"], "ipv6": ["::1", "::2"]}, [{}, {"family": "ipv6"}], ["::1", "::2"]),
        ({**HERE, "addresses": ["::1"], "ipv6": ["::1"]}, [{}, {"family": "ipv6"}], None),
    ],
)
def test_a_peer_over_ipv6_alone_has_such_an_address(player: Any, peers: list[Any], places: list[str] | None) -> None:
    entry: Any = {**SMALL, "swarm": {"seeders": [], "peers": peers}}
    [resolved] = resolve_entries([entry], seeders=[], players=[player])
    found = resolved["cast"] and [peer["address"] for peer in resolved["cast"]["peers"]]
    assert (found and [re.sub(r"^192.0.2.1.$", "192.0.2.1?", place) for place in found]) == places


def test_items_are_shared_out_over_the_hosts() -> None:
    entries: list[Any] = [{**SMALL, "name": f"item-{number}", "swarm": ALONE} for number in range(40)]
    casts = [each["cast"] for each in resolve_entries(entries, seeders=[], players=[HERE, THERE])]
    number = sum(cast is not None and cast["host"] == "play1" for cast in casts)
    assert 5 < number < 35


CONTENT = [
    pytest.param({"synthetic": {"size": "1MiB+5"}}, id="single"),
    pytest.param({"synthetic": {"size": "1MiB+5", "files": 7, "layout": "unicode"}}, id="many"),
    pytest.param({"synthetic": {"sizes": [0, 1, "100KiB", "16KiB"]}, "version": "hybrid"}, id="hybrid"),
    pytest.param({"synthetic": {"size": "1MiB+5"}, "version": "v2", "piece_length": "32KiB"}, id="v2"),
    pytest.param({"synthetic": {"sizes": [5, 0, "100KiB+1"]}, "version": "v2"}, id="v2-many"),
    pytest.param(
        {"synthetic": {"size": "3MiB+16KiB", "files": 5, "period": "256KiB"}, "piece_length": "16KiB"}, id="periodic"
    ),
    pytest.param(
        {"synthetic": {"size": "3MiB", "period": "1GiB"}, "piece_length": "16KiB"}, id="shorter-than-its-period"
    ),
]


@pytest.mark.parametrize("keys", CONTENT)
def test_the_daemon_has_the_bytes_that_were_hashed(lab: Lab, tmp_path: Path, keys: Any) -> None:
    item = lab.item({"name": "a", **keys, "swarm": {"seeders": [], "peers": [{}]}})
    [host] = item["scripted"]
    served = played(item, host, tmp_path).load()
    info = torrent_info(base64.b64decode(item["metainfo"]))
    assert served.count == item["pieces"]
    if item["version"] != "v2":
        hashes = base64.b64decode(info["piece_hashes"])
        found = [hashlib.sha1(served.read(n, 0, served.piece_size(n))).digest() for n in range(served.count)]
        assert b"".join(found) == hashes
    for file, wanted in zip(served.files, item["files"], strict=True):
        assert hashlib.sha256(served.stream.read(file.start, file.length)).hexdigest() == wanted["sha256"]
    jsonschema.validate(catalogue([item]), SCHEMA)


def catalogue(items: list[Item]) -> Any:
    files = {file["path"]: file["content"] for file in published_files(items, lab="seedbed")}
    told = json.loads(base64.b64decode(files["catalogue.json"]))
    assert all("scripted" not in item and "metainfo" not in item for item in told["items"])
    return told


def test_the_schema_describes_every_key_of_what_is_played(lab: Lab) -> None:
    entry = {**SMALL, "webseed": {"behaviour": "slow"}, "swarm": {"peers": [{"behaviour": "corrupt"}]}}
    [item] = catalogue([lab.item(entry)])["items"]
    described = SCHEMA["$defs"]
    assert set(item) <= set(described["item"]["properties"])
    swarm = described["item"]["properties"]["swarm"]["properties"]
    assert set(item["swarm"]) == set(swarm)
    assert set(item["swarm"]["peers"][0]) == set(swarm["peers"]["items"]["properties"])
    assert set(item["swarm"]["webseed"]) == set(item["swarm"]["trackers"][0]) == set(described["played"]["properties"])
    assert set(item["promise"]) == set(described["promise"]["properties"])
    rule = described["promise"]["properties"]["rules"]["items"]["properties"]
    assert {key for one in item["promise"]["rules"] for key in one} == set(rule)
    assert all(one["rule"] in rule["rule"]["description"] for one in item["promise"]["rules"])
    del item["promise"]["testimony"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema_version": 2, "lab": "x", "items": [item], "malformed": []}, SCHEMA)


def test_libtorrent_reads_v2_alone(lab: Lab) -> None:
    item = lab.item({**SMALL, "version": "v2", "swarm": ALONE})
    read = libtorrent.load_torrent_buffer(base64.b64decode(item["metainfo"])).ti
    assert (read.info_hashes().has_v1(), str(read.info_hashes().v2)) == (False, item["info_hash_v2"])
    assert item["info_hash"] == item["info_hash_v2"][:40]
    assert item["version"] == "v2"
    assert item["magnet"] is not None
    assert item["magnet"].startswith("magnet:?xt=urn:btmh:1220")
    assert read.num_pieces() == item["pieces"]


def test_a_source_is_read_where_it_is_played(lab: Lab, tmp_path: Path) -> None:
    source = tmp_path / "film"
    source.mkdir()
    (source / "one.bin").write_bytes(bytes(range(256)) * 100)
    (source / "two.bin").write_bytes(b"x" * 50_000)
    item = lab.item({"name": "a", "source": f"{source}/", "swarm": ALONE})
    [host] = item["scripted"]
    assert item["scripted"][host]["source"] == str(source)
    served = played(item, host, tmp_path).load()
    hashes = base64.b64decode(torrent_info(base64.b64decode(item["metainfo"]))["piece_hashes"])
    assert hashlib.sha1(served.read(0, 0, served.piece_size(0))).digest() == hashes[:20]
    made = lab.make({"name": "b", "source": "/nowhere/b", "swarm": ALONE})
    assert made["items"] == []
    assert made["failures"][0].endswith(": b: /nowhere/b does not exist")


def test_a_giant_is_hashed_by_its_period(lab: Lab) -> None:
    recipe = {"size": "1TiB", "files": 1024, "period": "64MiB"}
    item = lab.item({"name": "giant", "synthetic": recipe, "swarm": {"seeders": [], "peers": [{}]}})
    assert (item["size"], item["pieces"]) == (2**40, 2**16)
    assert len({file["sha256"] for file in item["files"]}) == 1
    assert item["recipe"] == {"format": "seedbed-content-1", "seed": "giant", "period": 64 * MIB}
    assert item["promise"] is not None
    assert item["promise"]["never_pieces"] == []
    again = lab.store(next(iter(item["scripted"])))
    again.inspect([])
    assert again.gone == ["giant"]


def test_files_that_nobody_can_sum_have_no_digest(lab: Lab) -> None:
    recipe = {"size": "8GiB", "period": "16MiB"}
    item = lab.item({"name": "large", "synthetic": recipe, "swarm": {"seeders": [], "peers": [{}]}})
    assert [file["sha256"] for file in item["files"]] == [None]
    jsonschema.validate(catalogue([item]), SCHEMA)


def test_scripted_trackers_and_web_seeds(lab: Lab, tmp_path: Path) -> None:
    tiers = [[{"behaviour": "mute"}, "http://192.0.2.1/announce"], [{"behaviour": "udp-mute"}], [{}]]
    entry = {
        "name": "盲 a",
        "synthetic": {"size": "1MiB"},
        "trackers": tiers,
        "webseed": {"behaviour": "corrupt"},
        "swarm": {"seeders": [], "peers": [{"behaviour": "drip"}]},
    }
    item = lab.item(entry)
    [host] = item["scripted"]
    base = {"play1": "192.0.2.10:8086", "play2": "192.0.2.20:8087"}[host]
    urls = [f"http://{base}/announce/1-1/announce", f"udp://{base}/announce", f"http://{base}/announce/3-1/announce"]
    assert item["trackers"] == [[urls[0], "http://192.0.2.1/announce"], [urls[1]], [urls[2]]]
    assert item["swarm"]["trackers"] == [
        {"url": urls[0], "behaviour": "mute", "script": {"behaviour": "mute"}},
        {"url": urls[1], "behaviour": "udp-mute", "script": {"behaviour": "udp-mute"}},
        {"url": urls[2], "behaviour": "healthy", "script": {}},
    ]
    torrent = played(item, host, tmp_path)
    assert list(torrent.trackers) == ["1-1", "udp", "3-1"]
    assert torrent.webseed is not None
    [url] = item["webseeds"]
    assert url == f"http://{base}/webseed/{item['info_hash']}/%E7%9B%B2%20a"
    assert item["swarm"]["webseed"] == {"url": url, "behaviour": "corrupt", "script": {"behaviour": "corrupt"}}
    assert torrent_info(base64.b64decode(item["metainfo"]))["webseeds"] == [url]
    jsonschema.validate(catalogue([item]), SCHEMA)


def test_a_scripted_web_seed_alone_leaves_the_labs_trackers(lab: Lab) -> None:
    item = lab.item({**SMALL, "webseed": {"behaviour": "missing"}})
    assert item["trackers"] == LAB
    assert item["promise"] is not None
    assert item["promise"]["outcome"] == "completes"
    [torrent] = item["scripted"].values()
    assert (torrent["peers"], torrent["trackers"]) == ([], {})


def test_one_who_plays_and_is_away(tmp_path: Path) -> None:
    entry = {**SMALL, "swarm": {"peers": [{}]}}
    [item] = Lab(tmp_path, HERE).make(entry)["items"]
    left = Lab(tmp_path)
    left.players, left.hosts = (), ["seeder1"]
    assert left.make(entry, former=(item,), absent=("play1",)) == {
        "items": [item],
        "gone": [],
        "failures": [],
        "notes": [],
    }
    said = "a: too few who play it could be asked, so it "
    assert left.make(entry, former=(item,))["failures"] == [f"{said}stays published as it was"]
    assert left.make(entry)["failures"] == [f"{said}is not published"]
    [plain] = Lab(tmp_path, HERE).make(SMALL)["items"]
    assert left.make(entry, former=(plain,), absent=("play1",))["failures"] == [f"{said}stays published as it was"]


def test_an_item_of_an_earlier_version_stays_published(tmp_path: Path) -> None:
    [item] = Lab(tmp_path, HERE).make(SMALL)["items"]
    old: Any = {key: value for key, value in item.items() if key not in ("promise", "scripted")}
    old["swarm"] = {key: old["swarm"][key] for key in ("seeders", "available", "fetch_rest", "upload_limit")}
    resolved = resolve_entries([{"name": "a", "source": "/srv/a"}], seeders=[], trackers=LAB)  # type: ignore[list-item]
    made = make_items(resolved, {}, hosts=[], former=[old], absent=["seeder1"])
    assert made["items"] == [item]


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({**SMALL, "swarm": {"peers": {}}}, "swarm: peers is {}; a list like [{behaviour: corrupt}] would be right"),
        (
            {**SMALL, "swarm": {"peers": [{"behaviour": "evil"}]}},
            "swarm: peers: number 1: behaviour 'evil' is not known",
        ),
        ({**SMALL, "swarm": {"peers": [{}] * 5}}, "swarm: peers has 5 peers, and 4 addresses play"),
        (
            {**SMALL, "swarm": {"peers": [{"calls": True}] * 4}},
            "swarm: peers has 4 peers with calls, pex, found_by or port-zero",
        ),
        ({**SMALL, "trackers": [[{"behaviour": "lazy"}]]}, "trackers: {'behaviour': 'lazy'}: behaviour 'lazy' is not"),
        ({**SMALL, "trackers": [[{"udp": "mute"}, {"udp": "right"}]]}, "trackers: two scripts are for UDP"),
        ({**SMALL, "trackers": [[{"behaviour": "slow"}, "no"]]}, "trackers: 'no' is not an http, https or udp URL"),
        (
            {**SMALL, "webseed": "yes"},
            "webseed: 'yes' is no script; a mapping like {behaviour: healthy} would be right",
        ),
        ({**SMALL, "swarm": ALONE, "trackers": []}, "swarm.peers are found through trackers that are scripts"),
        ({**SMALL, "swarm": ALONE, "trackers": LAB}, "swarm.peers are found through trackers that are scripts"),
        ({"collection": "/srv/*", "swarm": ALONE}, "scripts are for entries of one torrent each"),
        ({"torrent": "x", "source": "/x", "webseed": {}}, "webseed by script is for synthetic and source entries"),
        ({"name": "a", "synthetic": {"size": 1, "seed": ""}, "swarm": ALONE}, "synthetic: seed is empty; scripts need"),
        ({**SMALL, "version": "v2"}, "version is 'v2', which no version of Transmission seeds"),
        ({**SMALL, "version": "v2", "swarm": {"peers": [{}]}}, "version is 'v2', which no version"),
        ({**SMALL, "version": "v2", "swarm": {"seeders": []}}, "version is 'v2', which no version"),
        ({**SMALL, "version": "v2", "swarm": ALONE, "webseed": True}, "version is 'v2', which no version"),
        (
            {"name": "a", "synthetic": {"size": "1TiB", "period": "64MiB"}},
            "synthetic: period is for what no disk holds",
        ),
        (
            {"name": "a", "synthetic": {"size": "1TiB", "period": "1MiB"}, "swarm": ALONE},
            "synthetic: period is '1MiB'; a multiple of the piece length, 16 MiB, up to 1 GiB would do",
        ),
        (
            {"name": "a", "synthetic": {"size": "1TiB+1", "period": "64MiB"}, "swarm": ALONE},
            "synthetic: with a period the sizes add up to a multiple of the piece length, 16 MiB",
        ),
        (
            {"name": "a", "synthetic": {"size": "1TiB", "period": "64MiB"}, "version": "hybrid", "swarm": ALONE},
            "synthetic: period is for version v1",
        ),
        (
            {"name": "a", "synthetic": {"size": 0, "period": "often"}, "swarm": ALONE},
            "synthetic: period: 'often' is not a",
        ),
    ],
)
def test_what_cannot_be_played_is_a_sentence(entry: Any, fault: str) -> None:
    faults = faults_of(entry)
    assert any(one.split(": ", 1)[1].startswith(fault) for one in faults), faults


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"swarm": ALONE}, "swarm: peers needs a host in group scripted_peers, and there is none"),
        ({"trackers": [[{}]]}, "trackers by script needs a host in group scripted_peers, and there is none"),
        (
            {"trackers": [[{}]], "webseed": {}},
            "trackers and webseed by script needs a host in group scripted_peers, and there is none",
        ),
    ],
)
def test_scripts_without_anybody_who_plays(keys: Any, fault: str) -> None:
    assert faults_of({**SMALL, **keys}, rooms=()) == [f"catalogue_torrents[0] (a): {fault}"]


def test_who_plays_by_the_variables_of_hosts() -> None:
    told = {"scripted_peer": {"port": 8086, "addresses": ["2001:db8::1", "192.0.2.10"]}}
    host: dict[str, Any] = {"inventory_hostname": "play1", "lab_address": "192.0.2.10", "lab_services": told}
    assert addresses.player(host) == {
        "host": "play1",
        "where": "192.0.2.10:8086",
        "port": 8086,
        "addresses": ["192.0.2.10"],
        "ipv6": ["2001:db8::1"],
    }
    ipv6 = {"lab_services": {"scripted_peer": {"addresses": ["2001:db8::1", "2001:db8::2"]}}}
    unknown = {"lab_services": {"scripted_peer": {"addresses": ["", "192.0.2.41"]}}}  # before the host is asked
    both = {"lab_services": told}
    found = addresses.playing_rooms([{}, ipv6, unknown, both])
    assert found == [room(1), {"any": 2, "ipv6": 2, "all": 2}, room(2), room(1, 1)]
    seeder = {"lab_address": "192.0.2.30", "lab_services": {"seeder": {"peer_port": 8082}}}
    assert addresses.seeder_peer(seeder) == {"address": "192.0.2.30", "port": 8082}
    assert addresses.seeder_peer({**seeder, "lab_address": "seeder1.lab"}) is None
