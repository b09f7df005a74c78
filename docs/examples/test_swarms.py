# ruff: noqa: S101 - a suite asserts
"""How a tester's suite uses swarms that misbehave by script: what your client must do, and what the lab saw it do.

    pip install pytest
    PORTAL=http://PORTAL:8000/ CLIENT='aria2c --seed-time=0 --dir={directory} {torrent}' pytest test_swarms.py

CLIENT is the command that downloads {torrent}, a URL, into {directory}, and ends when it is done. It has to run on this
machine: the lab knows it by its address. ITEMS, names separated by commas, chooses some; the default is every item that
scripts play in and that is not hard. WATCH is for how many seconds a client is watched that cannot complete.
With pytest-xdist, `-n 16` watches sixteen at a time.
"""

import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import urllib.parse
import urllib.request

import pytest

PORTAL = os.environ["PORTAL"].rstrip("/") + "/"
CLIENT = os.environ.get("CLIENT", "aria2c --quiet --seed-time=0 --dir={directory} {torrent}")
WATCH = float(os.environ.get("WATCH", "60"))
GIVES_UP_AFTER = 5  # times that a client may take a piece from a peer that has sent it wrong each time
CATALOGUE = json.load(urllib.request.urlopen(PORTAL + "catalogue.json"))
assert CATALOGUE["schema_version"] == 2

SCRIPTED = [item for item in CATALOGUE["items"] if item["promise"]]
NAMES = os.environ.get("ITEMS", ",".join(item["name"] for item in SCRIPTED if not item["promise"]["hard"])).split(",")
SCRIPTED = [item for item in SCRIPTED if item["name"] in NAMES]
CORRUPT = [item for item in SCRIPTED if any(peer["behaviour"] == "corrupt" for peer in item["swarm"]["peers"])]


def download(item, directory, seconds):
    """Run your client for so long at most; return whether it ended by itself and well."""
    torrent = urllib.parse.urljoin(PORTAL, item["torrent"])
    command = [word.format(torrent=torrent, directory=directory) for word in shlex.split(CLIENT)]
    try:
        return subprocess.run(command, check=False, timeout=seconds).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def is_right(item, directory):
    """Return whether every byte is there, and right."""
    for file in item["files"]:
        path = directory / item["name"]
        if not item["single_file"]:
            path /= pathlib.PurePosixPath(file["path"])
        if not path.exists() or path.stat().st_size != file["length"]:
            return False
        if file["sha256"] and hashlib.sha256(path.read_bytes()).hexdigest() != file["sha256"]:
            return False
    return True


def seen_of(item, since=0.0):
    """Return what the lab says of an item: of visits that began since then."""
    told = json.load(urllib.request.urlopen(item["promise"]["testimony"]))
    visits = [visit for client in told["clients"] if client["client"] == told["you"] for visit in client["visits"]]
    return told, [visit for visit in visits if visit["began"] >= since]


@pytest.mark.parametrize("item", SCRIPTED, ids=lambda item: item["name"])
def test_keeps_what_no_client_may_break(item, tmp_path):
    """The first grade of every promise: right bytes, no more than there is, and all of it in time."""
    promise = item["promise"]
    asserted = {rule["rule"]: rule.get("value") for rule in promise["rules"] if rule["grade"] == "assert"}
    before, _visits = seen_of(item)

    ended = download(item, tmp_path, asserted.get("completes-within", WATCH))

    if "completes-within" in asserted:
        assert ended, f"not complete within {asserted['completes-within']} s"
    if ended:
        assert is_right(item, tmp_path), "your client says that it is done, and what lies there is wrong"
    elif promise["outcome"] != "completes":
        assert not is_right(item, tmp_path), "not every piece is to be had"
    # What it tells its peers, it has to have.
    _told, visits = seen_of(item, before["now"])
    has = {event["piece"] for visit in visits for event in visit["events"] if event["what"] == "have"}
    assert not has & set(promise["never_pieces"]), "it says that it has what nobody can have"
    most = round(float(promise["available"].rstrip("%")) * item["pieces"] / 100)
    assert all(peer["haves"] <= most for visit in visits for peer in visit["peers"].values())


@pytest.mark.parametrize("item", CORRUPT, ids=lambda item: item["name"])
def test_gives_up_on_a_peer_that_corrupts(item, tmp_path):
    """No rule of the protocol, but of politeness: who sends a piece wrong again and again is left alone."""
    before, _visits = seen_of(item)
    download(item, tmp_path, WATCH)
    told, visits = seen_of(item, before["now"])
    blocks = -(-told["torrent"]["piece_length"] // 16384)
    for visit in visits:
        for number, peer in visit["peers"].items():
            for piece, wrong in peer["corrupt_sent"].items():
                times = wrong / blocks
                assert times <= GIVES_UP_AFTER, f"took bad piece {piece} {times:.0f} times from peer {number}"
    assert visits, "the lab has not seen your client: does it run on this machine?"
