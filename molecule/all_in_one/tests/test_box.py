"""One Debian 13 host in every group: tracker, seeder, portal and leecher share an address.

The run has ended with a download of the box from itself, over HTTP and UDP; the tracker hands out the box's own address
and never loopback; the firewall has every port of the budget open to others and none besides.
"""

from __future__ import annotations

import json
import re

GET_HEX = """
import json, sys, urllib.request
print(json.dumps(urllib.request.urlopen(sys.argv[1], timeout=5).read().hex()))
"""


def test_box_has_downloaded_from_itself(lab):
    proof = json.loads((lab.directory / "acceptance" / "box.json").read_text(encoding="utf-8"))
    assert {done["tracker"] for done in proof["downloads"]} == {"http", "udp"}
    assert all(done["ok"] for done in proof["downloads"])


def test_tracker_never_hands_out_loopback(lab):
    catalogue = json.loads(lab["box"].file("/srv/seedbed/portal/catalogue.json").content_string)
    info_hash = re.sub("(..)", r"%\1", catalogue["items"][0]["info_hash"])
    announce = f"http://{lab.address('box')}:8888/announce?info_hash={info_hash}&peer_id={'x' * 20}&port=1&left=1"
    try:
        answer = bytes.fromhex(lab.python("box", GET_HEX, announce))
        peers = answer.split(b"5:peers", 1)[1].split(b":", 1)[1]
        own = bytes(int(part) for part in lab.address("box").split("."))
        assert own + (8082).to_bytes(2, "big") in peers
        assert bytes([127, 0, 0, 1]) not in peers
    finally:
        lab.python("box", GET_HEX, announce + "&event=stopped")


def test_firewall_opens_the_whole_budget_and_nothing_else(lab):
    for protocol, ports in {"tcp": {8000, 8081, 8082, 8085, 8888}, "udp": {8082, 8085, 8888}}.items():
        opened = lab["box"].check_output(f"nft list set inet seedbed open_{protocol}")
        assert {int(port) for port in re.findall(r"\d{4}", opened)} == ports
