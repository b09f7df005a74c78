# ruff: noqa: S101 - a suite asserts
"""How a tester's suite uses swarms that misbehave by script: what your client must do, and what the lab saw it do.

PYTHONPATH=tools pytest -p pytest_seedbed docs/examples/test_swarms.py --seedbed-portal http://PORTAL:8000/ \
    --seedbed-client 'aria2c --seed-time=0 --dir={directory} {torrent}'

The client has to run on this machine: the lab knows it by its address. With pytest-xdist, `-n 16` watches sixteen at a
time. docs/pytest-plugin.md tells what the fixtures do.
"""

import pytest

GIVES_UP_AFTER = 5  # times that a client may take a piece from a peer that has sent it wrong each time


@pytest.mark.seedbed(scripted=True, ways="torrent")
def test_keeps_what_no_client_may_break(item, download):
    """The first grade of every promise: right bytes, no more than there is, and all of it in time."""
    download(item)


@pytest.mark.seedbed(scripted=True, ways="torrent")
def test_gives_up_on_a_peer_that_corrupts(item, download):
    """No rule of the protocol, but of politeness: who sends a piece wrong again and again is left alone."""
    if all(peer["behaviour"] != "corrupt" for peer in item["swarm"]["peers"]):
        pytest.skip("nobody corrupts here")
    done = download(item, judge=False)
    blocks = -(-item["piece_length"] // 16384)
    for visit in done.visits:
        for number, peer in visit["peers"].items():
            for piece, wrong in peer["corrupt_sent"].items():
                times = wrong / blocks
                assert times <= GIVES_UP_AFTER, f"took bad piece {piece} {times:.0f} times from peer {number}"
    assert done.visits, "the lab has not seen your client: does it run on this machine?"
