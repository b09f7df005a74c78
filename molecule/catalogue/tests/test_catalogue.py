"""The whole menu, held by Transmission 4 (new) and 3.00 (old), and fetched by libtorrent from this machine.

Each daemon seeds every byte of all that it can, under the info hash that the catalogue publishes, and finds every piece
right when it reads them again. A client gets what has odd names, sizes, trackers, web seeds and both hashes. A partial
seeder gives its share and no more, restarted or not, and takes nothing from a peer that has all, unless it is told to.
Then it becomes whole, until that is taken back. Two with different parts have all of it together, and not alone. A run
without a change changes nothing; damage, another folder and other trackers are mended by the next one, under the same
info hashes.
What cannot be done is refused with its reason, and nothing else suffers; torrents of others keep their info hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import libtorrent
import pytest
from ansible.module_utils.seedbed.base.sizes import WHOLE, parse_range
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.transmission.rpc import RpcClient, RpcUnreachable

SCENARIO = Path(__file__).resolve().parents[1]
SEEDERS = ("new", "old")
DOWNLOADING, SEEDING = 4, 6
VICTIM = "same-content-one-tag"
FOREIGN = "http://192.0.2.1:6969/announce"
PUBLISHED = "/srv/seedbed/portal"
PAYLOAD = "/srv/seedbed/payload"
FIELDS = ["hashString", "status", "leftUntilDone", "haveValid", "totalSize", "downloadedEver", "trackers"]
# What each says to a client: names, borders, tiers, web seeds, padding, privacy.
TELLING = (
    *("unicode", "windows", "quotes", "deep", "long-paths", "盲道 🧲 café", "shared-pieces", "beside-empty-files"),
    *("dead-first-tier", "dead-in-tier", "private", "web-seed-only", "web-seed-directory"),
    *("hybrid-single", "hybrid-files", "one.bin", "one-byte", "thousand-pieces"),
)


@pytest.fixture(scope="module")
def items(lab: Any) -> dict[str, dict[str, Any]]:
    """The catalogue as it was made first."""
    return catalogue(lab)


@pytest.fixture(scope="module")
def daemons(lab: Any) -> Iterator[dict[str, RpcClient]]:
    login = ("seedbed", "only for this test")
    clients = {name: RpcClient(lab.address(name), 8081, login) for name in SEEDERS}
    yield clients
    for client in clients.values():
        client.close()


def torrents(client: RpcClient) -> dict[str, dict[str, Any]]:
    listed = client.call("torrent-get", {"fields": FIELDS})["torrents"]
    return {torrent["hashString"]: torrent for torrent in listed}


def catalogue(lab: Any) -> dict[str, dict[str, Any]]:
    """The published catalogue.json, by name."""
    listed = json.loads(lab["new"].file(f"{PUBLISHED}/catalogue.json").content_string)["items"]
    return {item["name"]: item for item in listed}


def torrent_of(lab: Any, item: dict[str, Any]) -> bytes:
    """The published .torrent."""
    return base64.b64decode(lab["new"].check_output("base64 -w0 %s", f"{PUBLISHED}/torrents/{item['name']}.torrent"))


def share(item: dict[str, Any], seeder: str) -> int:
    """How many pieces a seeder holds."""
    held = parse_range(item["swarm"]["ranges"].get(seeder, item["swarm"]["available"]))
    begin, end = (item["pieces"] * share // WHOLE for share in held)
    return int(end - begin)


def played(lab: Any, *arguments: str) -> str:
    """The catalogue's play alone, on the scenario's hosts; what it said."""
    done = lab.playbook(f"--inventory={SCENARIO}/inventory.yml", *arguments, str(SCENARIO / "catalogue.yml"))
    return f"{done.stdout}{done.stderr}\nexit status {done.returncode}"


def is_fresh(item: dict[str, Any] | None) -> bool:
    """Return whether it is a magnet of plain content that both seeders have, and that no test fetches."""
    if item is None or item["name"] in (*TELLING, VICTIM) or not item["magnet"]:
        return False
    whole = item["swarm"]["seeders"] == [*SEEDERS] and not item["swarm"]["ranges"]
    return bool(item["version"] == "v1" and item["size"] and whole)


class Client:
    """libtorrent on this machine."""

    def __init__(self, lab: Any, root: Path, **options: Any) -> None:
        self.lab, self.root = lab, root
        root.mkdir(parents=True, exist_ok=True)
        quiet = {f"enable_{what}": False for what in ("dht", "lsd", "upnp", "natpmp")}
        options = {**quiet, "listen_interfaces": "0.0.0.0:0", "allow_multiple_connections_per_ip": True, **options}
        self.session = libtorrent.session(options)

    def add(self, item: dict[str, Any], *, trackers: bool = True) -> Any:
        wanted = libtorrent.load_torrent_buffer(torrent_of(self.lab, item))
        wanted.save_path = str(self.root)
        wanted.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
        if not trackers:
            wanted.trackers, wanted.url_seeds = [], []
        return self.session.add_torrent(wanted)

    def magnet(self, item: dict[str, Any]) -> Any:
        """Add it by its info hash alone."""
        wanted = libtorrent.parse_magnet_uri(f"magnet:?xt=urn:btih:{item['info_hash']}")
        wanted.save_path = str(self.root)
        wanted.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
        return self.session.add_torrent(wanted)

    def peers_of(self, handle: Any, seeder: str) -> list[Any]:
        """Its peers; the seeder is asked to be one as long as there is none."""
        if not handle.get_peer_info():
            handle.connect_peer((self.lab.address(seeder), 8082))
        return list(handle.get_peer_info())

    def seed(self, item: dict[str, Any], wait_until: Any) -> Any:
        """All of an item whose files have their plain names, made here from its recipe."""
        for file in item["files"]:
            path = () if item["single_file"] else tuple(file["path"].split("/"))
            target = self.root.joinpath(item["name"], *path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read(content.file_key(item["recipe"]["seed"], path), 0, file["length"]))
        handle = self.add(item, trackers=False)
        wait_until(lambda: handle.status().is_seeding, what="the full peer")
        return handle

    def has(self, item: dict[str, Any], handle: Any) -> bool:
        """Whether every file is there and is what the catalogue says; some have other names on this machine."""
        if not handle.status().is_seeding:
            return False
        files = handle.torrent_file().layout()
        padding = libtorrent.file_flags_t.flag_pad_file
        numbers = range(files.num_files())
        paths = [self.root / files.file_path(n) for n in numbers if not files.file_flags(n) & padding]
        sums = [hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in paths]
        return sums == [file["sha256"] for file in item["files"]]


def test_each_daemon_holds_all_that_it_can_under_the_published_info_hash(items, daemons):
    both = {name for name, item in items.items() if item["swarm"]["seeders"] == list(SEEDERS)}
    alone = {name: item["swarm"]["seeders"] for name, item in items.items() if name not in both}
    assert len(both) > 35
    assert alone == {
        **{name: [] for name in ("zero-bytes", "web-seed-only", "web-seed-directory", "nobody")},
        **{name: ["new"] for name in ("hybrid-single", "hybrid-files", "partial-new", "growing-new")},
        **{name: ["old"] for name in ("partial-old", "growing-old")},
    }
    for name, client in daemons.items():
        held = torrents(client)
        wanted = {item["info_hash"]: item for item in items.values() if name in item["swarm"]["seeders"]}
        assert held.keys() == wanted.keys()
        for info_hash, item in wanted.items():
            torrent = held[info_hash]
            left = item["size"] - share(item, name) * item["piece_length"] if item["swarm"]["fetch_rest"] else 0
            state = (DOWNLOADING if left else SEEDING, left)
            assert (torrent["status"], torrent["leftUntilDone"]) == state, (name, item["name"])
            whole = share(item, name) == item["pieces"]
            # Of a hybrid the daemon counts the padding, too.
            size = torrent["totalSize"] if whole else share(item, name) * item["piece_length"]
            assert torrent["haveValid"] == size >= (item["size"] if whole else 0), (name, item["name"])


def test_each_daemon_finds_every_piece_right_on_the_disk(daemons, wait_until):
    for client in daemons.values():
        before = torrents(client)
        client.call("torrent-verify", {"ids": list(before)})

        def settled(client: RpcClient = client, before: dict[str, Any] = before) -> bool:
            now = torrents(client)
            serving = (DOWNLOADING, SEEDING)
            sizes = {one: torrent["haveValid"] for one, torrent in now.items() if torrent["status"] in serving}
            return sizes == {one: torrent["haveValid"] for one, torrent in before.items()}

        wait_until(settled, seconds=300, what="all checked and whole")


def test_transmission_show_reads_the_same_info_hashes(lab, items):
    script = f'cd {PUBLISHED}/torrents && for torrent in *; do transmission-show "$torrent" 2>&1; done'
    seen = lab["new"].check_output(script)
    assert [name for name, item in items.items() if item["info_hash"] not in seen] == ["zero-bytes"]


def test_odd_torrents_are_published_with_their_reasons_and_loaded(lab, items):
    index = lab["new"].file(f"{PUBLISHED}/odd/index.tsv").content_string
    published = dict(line.split("\t") for line in index.splitlines())
    script = f'cd {PUBLISHED}/odd && for torrent in *.torrent; do transmission-show "$torrent" > /dev/null 2>&1; '
    ended = lab["new"].check_output(script + 'echo "$? $torrent"; done').splitlines()
    assert sorted(ended) == sorted(f"0 {name}" for name in published)
    # The others are items like any, on the oldest and the newest seeder.
    seeded = {name: item["swarm"]["seeders"] for name, item in items.items() if name.startswith("odd-")}
    assert len(seeded) >= 10
    assert all(sorted(seeders) == sorted(SEEDERS) for seeders in seeded.values())


def test_malformed_torrents_are_published_with_their_reasons_and_crash_no_reader(lab):
    index = lab["new"].file(f"{PUBLISHED}/malformed/index.tsv").content_string
    table = dict(line.split("\t") for line in index.splitlines())
    script = f'cd {PUBLISHED}/malformed && for torrent in *.torrent; do transmission-show "$torrent" > /dev/null 2>&1; '
    ended = lab["new"].check_output(script + 'echo "$? $torrent"; done').splitlines()
    assert {line.split(" ", 1)[1] for line in ended} == set(table)
    assert [line for line in ended if int(line.split()[0]) >= 128] == []
    assert len(table) >= 20


def test_each_portal_serves_web_seeds_under_their_own_names(items):
    served = [item for item in items.values() if item["webseeds"]]
    assert "web-seed-odd-names" in {item["name"] for item in served}
    for item in served:
        assert len(item["webseeds"]) == len(SEEDERS)  # the hosts are portals, too
        for url in item["webseeds"]:
            for file in item["files"]:
                path = "" if item["single_file"] else quote(f"{item['name']}/{file['path']}")
                with urllib.request.urlopen(url + path, timeout=120) as answer:
                    assert hashlib.sha256(answer.read()).hexdigest() == file["sha256"], url + path


def test_a_client_downloads_what_clients_get_wrong(lab, items, tmp_path, wait_until):
    # Trackers that are dead on purpose are given up early.
    client = Client(lab, tmp_path, tracker_completion_timeout=5, tracker_receive_timeout=5)
    handles = {name: client.add(items[name]) for name in TELLING}
    # Transmission 3.00 serves no address that it knows as a seeder's: the one that is fetched again is not announced.
    handles[VICTIM] = client.add(items[VICTIM], trackers=False)
    for name in SEEDERS:
        handles[VICTIM].connect_peer((lab.address(name), 8082))
    open_ones = dict(handles)

    def all_done() -> bool:
        for name in list(open_ones):
            if client.has(items[name], open_ones[name]):
                del open_ones[name]
        return not open_ones

    wait_until(all_done, seconds=300, what="all downloaded")
    assert sum(handle.status().total_failed_bytes for handle in handles.values()) == 0


def test_a_partial_seeder_gives_its_share_and_takes_nothing(lab, items, daemons, tmp_path, wait_until):
    partial = {name: items[f"partial-{name}"] for name in SEEDERS}
    assert [share(item, name) for name, item in partial.items()] == [38, 38]

    def leech(run: str) -> tuple[dict[str, Any], Client]:
        """Everything that each seeder gives to a client that knows nobody else."""
        client = Client(lab, tmp_path / run, close_redundant_connections=False)
        handles = {name: client.add(item, trackers=False) for name, item in partial.items()}

        def stalled(name: str) -> bool:
            offered = [sum(peer.pieces) for peer in client.peers_of(handles[name], name)]
            return offered == [handles[name].status().num_pieces] == [38]

        wait_until(lambda: all(map(stalled, SEEDERS)), seconds=300, what="all that is offered")
        return handles, client

    first, client = leech("first")
    shares = {name: list(handle.status().pieces) for name, handle in first.items()}
    for name in SEEDERS:
        client.session.remove_torrent(first[name])
        lab[name].check_output("systemctl restart transmission-daemon")
    wait_until(lambda: all(map(restarted, daemons.values())), what="both daemons are back")
    again, _client = leech("again")
    assert {name: list(handle.status().pieces) for name, handle in again.items()} == shares

    # Another peer has all of it: the client gets the rest there, so that two are whole that the seeder knows. It stays
    # as it is. (It may well drop whoever is whole: neither has anything for the other.)
    full = Client(lab, tmp_path / "full", close_redundant_connections=False)
    for name, item in partial.items():
        whole = full.seed(item, wait_until)
        whole.connect_peer((lab.address(name), 8082))
        again[name].connect_peer(("127.0.0.1", full.session.listen_port()))
    wait_until(lambda: all(handle.status().is_seeding for handle in again.values()), what="the rest of both")
    for name, item in partial.items():
        seen = torrents(daemons[name])[item["info_hash"]]
        assert (seen["haveValid"], seen["downloadedEver"], seen["status"]) == (38 * item["piece_length"], 0, SEEDING)


def test_a_client_needs_both_seeders_that_hold_complementary_parts(lab, items, daemons, tmp_path, wait_until):
    item = items["complementary"]
    assert item["swarm"]["ranges"] == {"new": "0-60%", "old": "40-100%"}
    client = Client(lab, tmp_path, close_redundant_connections=False)
    handle = client.add(item, trackers=False)

    def stalled() -> bool:
        offered = [sum(peer.pieces) for peer in client.peers_of(handle, "new")]
        return offered == [handle.status().num_pieces] == [38]

    wait_until(stalled, seconds=300, what="all that one of them offers")
    handle.connect_peer((lab.address("old"), 8082))
    wait_until(lambda: client.has(item, handle), seconds=300, what="the rest from the other")
    for name, pieces in {"new": 38, "old": 39}.items():
        seen = torrents(daemons[name])[item["info_hash"]]
        assert (seen["haveValid"], seen["downloadedEver"]) == (pieces * item["piece_length"], 0)


def test_a_partial_seeder_that_is_told_to_fetches_the_rest(lab, items, daemons, tmp_path, wait_until):
    growing = {name: items[f"growing-{name}"] for name in SEEDERS}
    full = Client(lab, tmp_path, unchoke_interval=1, min_reconnect_time=1)
    whole = {name: full.seed(item, wait_until) for name, item in growing.items()}

    def seen(name: str) -> tuple[int, int]:
        full.peers_of(whole[name], name)
        torrent = torrents(daemons[name])[growing[name]["info_hash"]]
        return torrent["haveValid"], torrent["status"]

    shares = {name: share(item, name) * item["piece_length"] for name, item in growing.items()}
    for handle in whole.values():
        handle.set_upload_limit(16 * 1024)
    # The daemons were restarted by the test before.
    assert {name: seen(name) for name in SEEDERS} == {name: (shares[name], DOWNLOADING) for name in SEEDERS}
    wait_until(lambda: all(seen(name)[0] > shares[name] for name in SEEDERS), what="a first piece of the rest")
    for handle in whole.values():
        handle.set_upload_limit(1)  # byte a second: a run in the middle of it, however long it takes
    said = played(lab)
    assert said.endswith("exit status 0"), said
    assert said.count("changed=0 ") == len(SEEDERS), said
    assert all(shares[name] < seen(name)[0] < growing[name]["size"] for name in SEEDERS)
    for handle in whole.values():
        handle.set_upload_limit(0)
    wait_until(lambda: all(seen(name) == (growing[name]["size"], SEEDING) for name in SEEDERS), what="the rest of both")
    for name, item in growing.items():
        paths = [f"{PAYLOAD}/{item['name']}" + f"/{file['path']}" * (not item["single_file"]) for file in item["files"]]
        sums = [lab[name].check_output("sha256sum %s", path).split()[0] for path in paths]
        assert sums == [file["sha256"] for file in item["files"]]


def restarted(client: RpcClient) -> bool:
    try:
        return all(torrent["status"] in (DOWNLOADING, SEEDING) for torrent in torrents(client).values())
    except RpcUnreachable:
        return False


def test_check_mode_changes_nothing_on_finished_hosts(lab):
    said = played(lab, "--check")
    assert said.endswith("exit status 0"), said
    assert said.count("changed=0 ") == len(SEEDERS), said


def test_the_next_run_mends_damage_follows_the_folder_and_moves_the_trackers(lab, items, daemons, tmp_path, wait_until):
    # The daemons have it open still: a client has just fetched it.
    victim = items[VICTIM]
    for name in SEEDERS:
        path = f"{PAYLOAD}/{victim['name']}"
        lab[name].check_output("dd if=/dev/zero of=%s bs=16K seek=3 count=2 conv=notrunc", path)
        lab[name].check_output("cd /srv/media && cp one.bin three.bin && rm two.bin")
    # Another host and port, and another scheme for the tracker that stays.
    elsewhere = "mkdir -p /srv/elsewhere && printf 'd8:intervali1800e5:peers0:e' > /srv/elsewhere/announce"
    lab["new"].check_output(f"{elsewhere} && systemd-run python3 -m http.server 8890 --directory /srv/elsewhere")
    moved = [[f"http://{lab.address('new')}:8890/announce"], [f"udp://{lab.address('old')}:8888/announce"]]
    said = played(lab, f"--extra-vars={json.dumps({'catalogue_trackers': moved, 'growing': False})}")
    assert said.endswith("exit status 0"), said
    now = catalogue(lab)
    assert now.keys() ^ items.keys() == {"two.bin", "three.bin"}
    assert {name: now[name]["info_hash"] for name in items if name in now} == {
        name: item["info_hash"] for name, item in items.items() if name in now
    }
    for name, client in daemons.items():
        held = torrents(client)
        wanted = {item["info_hash"]: item for item in now.values() if name in item["swarm"]["seeders"]}
        assert held.keys() == wanted.keys()
        for info_hash, item in wanted.items():
            announced = {tracker["announce"] for tracker in held[info_hash]["trackers"]}
            assert announced == {url for tier in item["trackers"] for url in tier}
            assert held[info_hash]["status"] == SEEDING
            if item["name"] == f"growing-{name}":
                had = (held[info_hash]["haveValid"], held[info_hash]["leftUntilDone"])
                assert had == (share(item, name) * item["piece_length"], 0)
    assert now["one-byte"]["trackers"] == moved
    clients = {name: Client(lab, tmp_path / name) for name in SEEDERS}
    handles = {name: client.add(victim, trackers=False) for name, client in clients.items()}

    def fetched(name: str) -> bool:
        clients[name].peers_of(handles[name], name)
        return clients[name].has(victim, handles[name])

    wait_until(lambda: {fetched(name) for name in SEEDERS} == {True}, what="the mended content from each")
    assert [handle.status().total_failed_bytes for handle in handles.values()] == [0, 0]
    # A daemon that was not restarted would send wrong metadata now: its tracker list has another length.
    bare = {name: Client(lab, tmp_path / f"bare-{name}") for name in SEEDERS}
    # One that this machine has not had before: 3.00 turns away an address that it has seen with all of a torrent.
    asked = min((now[name] for name in items if is_fresh(now.get(name))), key=lambda item: item["size"])
    asking = {name: client.magnet(asked) for name, client in bare.items()}

    def knows(name: str) -> bool:
        bare[name].peers_of(asking[name], name)
        return bool(asking[name].status().has_metadata)

    wait_until(lambda: {knows(name) for name in SEEDERS} == {True}, what="the metadata from each")


def theirs(lab: Any, root: Path, name: str) -> tuple[str, Path]:
    """A .torrent of a file that the seeders have, made by libtorrent for a tracker of others; and its info hash."""
    (root / name).write_bytes(base64.b64decode(lab["new"].check_output("base64 -w0 /srv/media/one.bin")))
    maker = libtorrent.create_torrent(
        [libtorrent.create_file_entry(name, 300000)], 16384, libtorrent.create_torrent.v1_only
    )
    libtorrent.set_piece_hashes(maker, str(root))
    maker.add_tracker(FOREIGN)
    raw = libtorrent.bencode(maker.generate())
    (root / f"{name}.torrent").write_bytes(raw)
    return str(libtorrent.torrent_info(libtorrent.bdecode(raw)).info_hashes().v1), root / f"{name}.torrent"


def test_what_cannot_be_done_is_refused_with_its_reason_and_the_rest_is_done(lab, items, daemons, tmp_path):
    kept, dropped, differing = (theirs(lab, tmp_path, name) for name in ("kept", "dropped", "differing"))
    for name in SEEDERS:
        copied = "cd /srv && cp media/one.bin other.bin"
        lab[name].check_output(f"{copied} && printf x | dd of=other.bin seek=200000 bs=1 conv=notrunc")
    entries = [
        {"torrent": str(kept[1]), "source": "/srv/media/one.bin"},
        {"torrent": str(dropped[1]), "source": "/srv/media/one.bin", "keep_trackers": False},
        *({"name": f"enormous-{one}", "synthetic": {"size": "5TiB"}} for one in "abcd"),
        {"name": "named", "synthetic": {"size": "1MiB"}, "version": "hybrid", "swarm": {"seeders": ["old"]}},
        {"name": "fine", "source": "/srv/media/one.bin"},
        {"torrent": str(differing[1]), "source": "/srv/other.bin"},
        {"name": "lost", "source": "/srv/media/two.bin", "swarm": {"seeders": ["new"]}},
    ]
    variables = {"catalogue_torrents": entries, "catalogue_menu": [], "catalogue_prune": False}
    said = " ".join(played(lab, f"--extra-vars={json.dumps(variables)}").replace("''", "'").split())
    assert said.endswith("exit status 2"), said
    # Ansible shows the sentences twice: in one line, and then as the list that people read.
    said = said.partition("fatal:")[0]
    for name in SEEDERS:
        needs = f"{name}: enormous-a, enormous-b and 2 more: needs 20 TiB on /srv/seedbed"
        assert said.count(needs) == said.count(f"{name}: enormous") == 1, said
        assert f"{name}: differing: /srv/other.bin does not match the torrent: 18 of 19 pieces agree (94 %)" in said
    assert "old: named: Transmission 3.00 cannot load hybrid torrents; a seeder with version 4 would do" in said
    assert "new: lost: /srv/media/two.bin does not exist" in said
    now, ours = catalogue(lab), items["one.bin"]["trackers"]
    assert now["fine"]["swarm"]["seeders"] == list(SEEDERS)
    for (info_hash, _path), name, tiers in ((kept, "kept", [[FOREIGN], *ours]), (dropped, "dropped", ours)):
        assert (now[name]["info_hash"], now[name]["trackers"]) == (info_hash, tiers)
        for client in daemons.values():
            assert torrents(client)[info_hash]["status"] == SEEDING
