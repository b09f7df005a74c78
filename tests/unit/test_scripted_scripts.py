"""Scripts of peers, trackers and web seeds: what may be said, and what a client is promised by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.sizes import SizeError, parse_seconds
from ansible.module_utils.seedbed.scripted.peer_script import PEERS, PeerScript, peer_script
from ansible.module_utils.seedbed.scripted.promise import Swarm, promise
from ansible.module_utils.seedbed.scripted.swarm_script import (
    Size,
    assign_addresses,
    peers_faults,
    scripted_promise,
    scripted_tiers_faults,
    split_tiers,
    webseed_faults,
)
from ansible.module_utils.seedbed.scripted.tracker_script import TRACKERS, TrackerScript, tracker_script
from ansible.module_utils.seedbed.scripted.vocabulary import Vocabulary, is_picked, pieces
from ansible.module_utils.seedbed.scripted.webseed_script import WEBSEEDS, WebseedScript, webseed_script
from ansible.module_utils.seedbed.torrent.model import Room
from ansible.module_utils.seedbed.torrent.shares import held_pieces
from hypothesis import given
from hypothesis import strategies as st
from rooms import room

VOCABULARIES = {"peer": PEERS, "tracker": TRACKERS, "web seed": WEBSEEDS}
PRESETS = [(kind, name) for kind, words in VOCABULARIES.items() for name in words.presets]


@pytest.mark.parametrize(("kind", "name"), PRESETS)
def test_every_preset_is_a_script(kind: str, name: str) -> None:
    assert VOCABULARIES[kind].faults({"behaviour": name}) == []
    make: Any = {"peer": peer_script, "tracker": tracker_script, "web seed": webseed_script}[kind]
    assert (make({"behaviour": name}) == make({})) == (name == "healthy")


@pytest.mark.parametrize(
    ("words", "script"), [(PEERS, PeerScript()), (TRACKERS, TrackerScript()), (WEBSEEDS, WebseedScript())]
)
def test_every_facet_can_be_said(words: Vocabulary, script: Any) -> None:
    assert set(words.facets) == set(script._fields)


@pytest.mark.parametrize(
    ("words", "script", "fault"),
    [
        (PEERS, "healthy", "'healthy' is no script; a mapping like {behaviour: healthy} would be right"),
        (PEERS, {"behaviour": "evil"}, "behaviour 'evil' is not known; known are healthy, corrupt"),
        (PEERS, {"colour": "red"}, "facet 'colour' is not known; known are reach, family, hello"),
        (PEERS, {"choke": "sometimes"}, "choke: 'sometimes' is none of open, never, cycle"),
        (PEERS, {"upload_limit": "fast"}, "upload_limit: 'fast' is not a rate"),
        (PEERS, {"upload_limit": 0}, "upload_limit: 0 is no rate; choke: never serves nothing at all"),
        (PEERS, {"after": "soon"}, "after: 'soon' is not a time up to 30 days"),
        (PEERS, {"corrupt": "pieces", "pieces": "1/0"}, "pieces: '1/0' names no pieces"),
        (PEERS, {"corrupt": "pieces", "pieces": []}, "pieces: [] names no pieces"),
        (PEERS, {"fast": 1}, "fast: 1 is neither true nor false"),
        (PEERS, {"pieces": "1/8"}, "pieces belongs to corrupt: pieces or first-block"),
        (PEERS, {"share": "60%"}, "share belongs to have: share or grow"),
        (PEERS, {"refuse": "5s"}, "refuse says for how long it refuses after it closed"),
        (
            PEERS,
            {"behaviour": "mute", "after": "5s"},
            "a peer with reach: mute never gets so far that after would show",
        ),
        (PEERS, {"behaviour": "snub", "upload_limit": 5}, "answer: ignore serves nothing, so upload_limit would"),
        (PEERS, {"behaviour": "never-unchoke", "stall": "60%"}, "choke: never serves nothing, so stall would"),
        (PEERS, {"behaviour": "reject-all", "fast": False}, "without fast (BEP 6) there are neither rejects nor"),
        (PEERS, {"extensions": "none", "metadata": "random"}, "without extensions: right there is no metadata"),
        (PEERS, {"one_in": 3}, "one_in belongs to answer: drop or reject-some"),
        (TRACKERS, {"behaviour": "html", "status": 404}, "answer: html and status: 404 exclude each other"),
        (TRACKERS, {"message": "no"}, "message and retry_in belong to answer: failure"),
        (TRACKERS, {"interval": "often"}, "interval: 'often' is no number of seconds"),
        (TRACKERS, {"status": 99}, "status: 99 is no number from 200 to 599"),
        (WEBSEEDS, {"behaviour": "missing", "upload_limit": 9}, "status: 404 serves nothing, so upload_limit would"),
        (WEBSEEDS, {"pieces": "1/2"}, "pieces belongs to corrupt: pieces"),
    ],
)
def test_what_cannot_be_played_is_a_sentence(words: Vocabulary, script: Any, fault: str) -> None:
    [found] = words.faults(script)
    assert found.startswith(fault)


_JSON: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=3)


@given(st.sampled_from(list(VOCABULARIES.values())), st.data())
def test_any_script_is_faults_or_facets(words: Vocabulary, data: st.DataObject) -> None:
    keys = st.sampled_from([*words.facets, "behaviour", "other"])
    script = data.draw(st.dictionaries(keys, st.sampled_from(list(words.presets)) | _JSON, max_size=4))
    if not words.faults(script):
        assert set(words.values(script)) <= set(words.facets)


@given(st.integers(1, 100), st.integers(0, 1000))
def test_one_of_so_many_is_picked(step: int, start: int) -> None:
    assert sum(is_picked(pieces(f"1/{step}"), index) for index in range(start, start + step)) == 1


@pytest.mark.parametrize(
    ("text", "number"), [("20s", 20), ("500ms", 0.5), ("1.5 min", 90), ("1h", 3600), (7, 7), (0.25, 0.25)]
)
def test_times(text: str | float, number: float) -> None:
    assert parse_seconds(text) == number


@pytest.mark.parametrize("text", ["20", "s", "-1s", "1d", True, None, float("nan"), float("inf"), -1, "800h", []])
def test_what_is_no_time(text: Any) -> None:
    with pytest.raises(SizeError, match="is not a time"):
        parse_seconds(text)


@given(st.text(max_size=5), st.integers(0, 300), st.integers(0, 1_000_000))
def test_a_share_is_so_many_pieces(name: str, count: int, share: int) -> None:
    first, others = held_pieces(name, count, (0, share)), held_pieces(name, count, (share, 1_000_000))
    assert len(first) == count
    assert sum(first) == count * share // 1_000_000
    assert [not one for one in first] == others  # two parts that meet are the whole, with no piece twice


def swarm(*peers: Mapping[str, Any], **more: Any) -> Swarm:
    return Swarm("item", 16, 16 * 2**20, peers=[peer_script(peer) for peer in peers], **more)


def played(name: str, **facets: Any) -> dict[str, Any]:
    return {"behaviour": name, **facets}


HONEST: dict[str, Any] = {}
SLOW = {"upload_limit": "256KiB/s"}


@pytest.mark.parametrize(
    ("given_swarm", "outcome", "magnet", "available", "never"),
    [
        (swarm(HONEST), "completes", "completes", "100%", []),
        (swarm(HONEST, private=True), "completes", None, "100%", []),
        (swarm(), "stalls", "no_metadata", "0%", list(range(16))),
        (swarm(seeded=[(0, 1_000_000)]), "completes", "completes", "100%", []),
        (swarm(seeded=[(0, 600_000), (400_000, 1_000_000)]), "completes", "completes", "100%", []),
        (swarm(played("partial"), played("partial", share="40-100%")), "completes", "completes", "100%", []),
        (swarm(played("corrupt")), "stalls", "stalls", "0%", list(range(16))),
        (swarm(played("corrupt", pieces="1/8")), "stalls", "stalls", "87.5%", [3, 11]),
        (swarm(played("corrupt", pieces="1/8"), SLOW), "completes", "completes", "100%", []),
        (swarm(played("corrupt", pieces="1/8"), played("corrupt", pieces=[3])), "stalls", "stalls", "93.75%", [3]),
        (swarm(played("corrupt-once")), "completes", "completes", "100%", []),
        (swarm(played("stall")), "stalls", "stalls", "56.25%", []),
        (swarm(played("stall"), played("stall")), "completes", "completes", "100%", []),
        (swarm(played("never-unchoke")), "stalls", "stalls", "0%", list(range(16))),
        (swarm(played("own-id")), "refused", "no_metadata", "0%", list(range(16))),
        (swarm(played("garbage"), played("mute")), "refused", "no_metadata", "0%", list(range(16))),
        (swarm(played("metadata-random")), "completes", "no_metadata", "100%", []),
        (swarm(played("metadata-random"), HONEST), "completes", "completes", "100%", []),
        (swarm(HONEST, trackers=[[tracker_script(played("failure"))]]), "stalls", "no_metadata", "0%", list(range(16))),
        (
            swarm(HONEST, trackers=[[tracker_script(played("failure"))], [tracker_script({})]]),
            "completes",
            "completes",
            "100%",
            [],
        ),
        (swarm({"calls": True}, trackers=[[tracker_script(played("empty"))]]), "completes", "completes", "100%", []),
        (swarm(webseed=webseed_script({})), "completes", "no_metadata", "100%", []),
        (swarm(webseed=webseed_script(played("missing"))), "stalls", "no_metadata", "0%", list(range(16))),
        (swarm(webseed=webseed_script(played("corrupt"))), "stalls", "no_metadata", "75%", [1, 5, 9, 13]),
        (Swarm("empty", 0, 0), "completes", "no_metadata", "100%", []),
    ],
)
def test_promises(given_swarm: Swarm, outcome: str, magnet: str | None, available: str, never: list[int]) -> None:
    found = promise(given_swarm)
    assert (found["outcome"], found["magnet"], found["available"]) == (outcome, magnet, available)
    assert found["never_pieces"] == never


def grades(given_swarm: Swarm) -> dict[str, tuple[str, object]]:
    return {rule["rule"]: (rule["grade"], rule.get("value")) for rule in promise(given_swarm)["rules"]}


def test_what_takes_long_by_order_may_take_so_long() -> None:
    assert grades(swarm(HONEST))["completes-within"] == ("assert", 300 + 256)
    assert grades(swarm({"upload_limit": "16KiB/s", "after": "60s"}))["completes-within"] == ("assert", 300 + 60 + 1024)


def test_a_partial_seed_lacks_the_pieces_that_it_says_it_lacks() -> None:
    found = promise(swarm(played("partial")))
    held = held_pieces("item", 16, (0, 600_000))
    assert found["never_pieces"] == [index for index in range(16) if not held[index]]
    assert grades(swarm(played("partial")))["at-most"] == ("assert", "56.25%")


@pytest.mark.parametrize(
    "peers",
    [[played("corrupt-once")], [played("poison-offset"), HONEST], [played("duplicates"), HONEST], [played("flap")]],
)
def test_where_popular_clients_fail_completing_is_no_verdict(peers: list[dict[str, Any]]) -> None:
    assert grades(swarm(*peers))["completes-within"][0] == "tell"


def test_an_honest_peer_beside_it_makes_completing_a_rule() -> None:
    for name in ("flap", "corrupt", "snub", "reject-all", "bitfield-long", "length-2gib", "grow", "drop-some"):
        assert grades(swarm(played(name), SLOW))["completes-within"][0] == "assert", name


def test_no_client_keeps_a_connection_to_itself() -> None:
    assert grades(swarm(played("own-id"), HONEST))["own-id-dropped"] == ("assert", None)


@pytest.mark.parametrize(
    ("peers", "addresses", "faults"),
    [
        ([], [], []),
        ([{}], [1], []),
        ("corrupt", [], ["peers is 'corrupt'; a list like [{behaviour: corrupt}] would be right"]),
        ([{}], [], ["peers needs a host in group scripted_peers, and there is none"]),
        (
            [{}, {}],
            [1],
            [
                "peers has 2 peers, and 1 addresses play: clients take one peer an address in a torrent; add to "
                "scripted_peer_addresses, or ask for fewer peers"
            ],
        ),
        ([{}, {"choke": 1}], [2], ["peers: number 2: choke: 1 is none of open, never, cycle"]),
        ([{}, {}, {"calls": True}], [1, 2], []),
        (
            [{"behaviour": "ghost-port-0"}, {"calls": True}, {"calls": True}],
            [1, 2],
            [
                "peers has 3 peers with calls, pex, found_by or port-zero, which the tracker's own host plays, and "
                "none has more than 2 in scripted_peer_addresses"
            ],
        ),
    ],
)
def test_the_peers_of_an_entry(peers: Any, addresses: list[int], faults: list[str]) -> None:
    assert peers_faults(peers, [room(number) for number in addresses]) == faults


@pytest.mark.parametrize(
    ("peers", "rooms", "fault"),
    [
        ([{}, {"family": "ipv6"}], [room(1, 1)], ""),
        ([{}, {"family": "ipv6"}], [room(0, 2)], ""),
        ([{"family": "ipv6"}], [room(9)], "peers has 1 peers with family: ipv6, and 0 IPv6 addresses play"),
        ([{}, {"family": "ipv6"}], [room(0, 1)], "peers has 2 peers, and 1 addresses play"),
        ([{}, {}, {"family": "ipv6"}], [room(1, 9)], "peers has 3 peers, and 10 addresses play"),
        ([{"family": "ipv6", "calls": True}], [room(1, 1)], "peers: number 1: calls goes to where a client announced"),
        ([{"family": "ipv6", "reach": "mute"}], [room(1, 1)], "peers: number 1: a peer with reach: mute never gets"),
    ],
)
def test_peers_over_ipv6_alone(peers: Any, rooms: list[Room], fault: str) -> None:
    found = peers_faults(peers, rooms)
    assert (len(found), "".join(found)[: len(fault)]) == (bool(fault), fault)


def test_scripts_among_trackers_and_web_seeds() -> None:
    assert scripted_tiers_faults([[{"behaviour": "slow"}, "http://192.0.2.1/announce"]]) == []
    assert scripted_tiers_faults([[{"behaviour": "lazy"}]])[0].startswith(
        "trackers: {'behaviour': 'lazy'}: behaviour 'lazy' is not known"
    )
    assert webseed_faults(True) == webseed_faults(None) == webseed_faults({"behaviour": "slow"}) == []
    assert webseed_faults("yes")[0].startswith("webseed: 'yes' is no script")


def test_scripts_become_urls_in_their_places() -> None:
    tiers = [[{"behaviour": "mute"}, "udp://192.0.2.9:1/announce"], [{}]]
    assert split_tiers(tiers, "192.0.2.1:8086") == (
        [
            ["http://192.0.2.1:8086/announce/1-1/announce", "udp://192.0.2.9:1/announce"],
            ["http://192.0.2.1:8086/announce/2-1/announce"],
        ],
        {"1-1": {"behaviour": "mute"}, "2-1": {}},
    )


@given(st.integers(1, 9), st.integers(0, 1000), st.data())
def test_no_two_peers_share_an_address(number: int, turn: int, data: st.DataObject) -> None:
    addresses = [f"192.0.2.{each}" for each in range(number)]
    count = data.draw(st.integers(0, number))
    given_addresses = [peer["address"] for peer in assign_addresses([{}] * count, addresses, turn)]
    assert len(set(given_addresses)) == count


def test_the_promise_of_an_entry() -> None:
    size = Size("item", 16, 16 * 2**20)
    found = scripted_promise(size, peers=[{"behaviour": "stall"}], testimony="http://192.0.2.1:8086/testimony/x.json")
    assert (found["outcome"], found["available"]) == ("stalls", "56.25%")
    assert found["testimony"] == "http://192.0.2.1:8086/testimony/x.json"
    assert (
        scripted_promise(size, seeded=[(0, 1_000_000)], tiers=[["http://192.0.2.1/announce"]])["outcome"] == "completes"
    )
    assert scripted_promise(size, webseed=True)["outcome"] == "completes"
    assert scripted_promise(size, webseed={"behaviour": "missing"})["outcome"] == "stalls"
