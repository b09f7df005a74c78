"""The lab as `make lab` leaves it: tracker1 (tracker and portal), seeder1, leecher1.

The tracker answers over both protocols and both families and knows one seeder of every torrent; the seeder holds every
byte; the portal publishes what a test suite needs. From another host the declared ports answer and no other port of the
range does. Every item can be fetched in every way. Faults end in one sentence, and nothing else breaks. At the end the
lab offers every kind of entry, which a person sees and uses in a browser.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = "--inventory=inventories/local"

GET = """
import json, sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=5)
    print(json.dumps([answer.status, answer.headers["Content-Type"], answer.read().decode("latin-1")]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, "", ""]))
"""

UDP_CONNECT = """
import json, os, socket, struct, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
asker = socket.socket(family, socket.SOCK_DGRAM)
asker.settimeout(5)
number = int.from_bytes(os.urandom(4), "big")
asker.sendto(struct.pack(">QII", 0x41727101980, 0, number), (sys.argv[1], 8888))
action, echoed = struct.unpack_from(">II", asker.recv(64))
print(json.dumps([action, echoed == number]))
"""

KNOCK = """
import json, socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()
    print(json.dumps("open"))
except OSError as error:
    print(json.dumps("closed"))
"""

RPC = """
import base64, json, sys, urllib.error, urllib.request
url, user, password, body = sys.argv[1:]
headers = {"Authorization": "Basic " + base64.b64encode((user + ":" + password).encode()).decode()}
try:
    urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers))
except urllib.error.HTTPError as error:
    assert error.code == 409, error.code
    headers["X-Transmission-Session-Id"] = error.headers["X-Transmission-Session-Id"]
print(urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers)).read().decode())
"""


@pytest.fixture(scope="module")
def published(lab):
    """catalogue.json, as a tester's suite fetches it."""
    status, _, body = lab.python("leecher1", GET, f"http://{lab.address('tracker1')}:8000/catalogue.json")
    assert status == 200
    return json.loads(body.encode("latin-1").decode("utf-8"))


def addresses(lab, host):
    return lab[host].check_output("hostname -I").split()[:2]


def url(address, port, path):
    return f"http://[{address}]:{port}{path}" if ":" in address else f"http://{address}:{port}{path}"


def scraped(lab, item, port=8888):
    info_hash = "".join(f"%{item['info_hash'][at : at + 2]}" for at in range(0, 40, 2))
    return lab.python("leecher1", GET, url(lab.address("tracker1"), port, f"/scrape?info_hash={info_hash}"))[2]


def test_tracker_answers_over_both_protocols_and_both_families(lab):
    found = addresses(lab, "tracker1")
    assert {":" in address for address in found} == {True, False}
    for address in found:
        unknown = "%01" * 20
        status, _, body = lab.python("leecher1", GET, url(address, 8888, f"/scrape?info_hash={unknown}"))
        assert (status, body) == (200, "d5:filesdee")
        assert lab.python("leecher1", UDP_CONNECT, address) == [0, True]


def test_tracker_knows_one_seeder_of_every_torrent(lab, published, wait_until):
    assert len(published["items"]) == 7
    for item in published["items"]:
        wait_until(lambda item=item: "8:completei1e" in scraped(lab, item), what=f"one seeder of {item['name']}")


def test_seeder_holds_every_byte(lab, published):
    body = {
        "method": "torrent-get",
        "arguments": {"fields": ["hashString", "status", "leftUntilDone", "haveValid", "totalSize", "trackerStats"]},
    }
    address = url(lab.address("seeder1"), 8081, "/transmission/rpc")
    answer = lab.python("leecher1", RPC, address, "seedbed", lab.rpc_password, json.dumps(body))
    torrents = {torrent["hashString"]: torrent for torrent in answer["arguments"]["torrents"]}
    assert set(torrents) == {item["info_hash"] for item in published["items"]}
    for item in published["items"]:
        torrent = torrents[item["info_hash"]]
        assert (torrent["status"], torrent["leftUntilDone"]) == (6, 0), item["name"]
        assert torrent["haveValid"] == torrent["totalSize"] == item["size"]
        assert all(tracker["lastAnnounceSucceeded"] for tracker in torrent["trackerStats"] if not tracker["isBackup"])


def test_web_interface_asks_for_the_password(lab):
    page = url(lab.address("seeder1"), 8081, "/transmission/web/")
    assert lab.python("leecher1", GET, page)[0] == 401
    # The password that the package comes with opens nothing.
    stranger = lab["leecher1"].run(f"python3 -c '{RPC}' {page} transmission transmission '{{}}'")
    assert "AssertionError: 401" in stranger.stderr


def test_password_is_stored_hashed(lab):
    stored = json.loads(lab["seeder1"].file("/etc/transmission-daemon/settings.json").content_string)
    assert stored["rpc-password"].startswith("{")
    assert lab.rpc_password not in json.dumps(stored)


def test_private_torrent_has_no_magnet(published):
    (private,) = [item for item in published["items"] if item["private"]]
    assert private["magnet"] is None
    assert all(item["magnet"].startswith("magnet:?xt=urn:btih:") for item in published["items"] if item is not private)


def test_torrent_files_are_served_with_their_type(lab, published):
    for item in published["items"]:
        status, kind, body = lab.python("leecher1", GET, url(lab.address("tracker1"), 8000, "/" + item["torrent"]))
        assert (status, kind) == (200, "application/x-bittorrent")
        assert body.startswith("d8:announce")


@pytest.mark.parametrize(
    ("host", "port"), [("tracker1", 8000), ("tracker1", 8888), ("seeder1", 8081), ("seeder1", 8082), ("seeder1", 22)]
)
def test_declared_ports_answer_another_host(lab, host, port):
    assert lab.python("leecher1", KNOCK, lab.address(host), port) == "open"


def test_no_other_port_of_the_range_answers_another_host(lab, wait_until):
    seeder = lab["seeder1"]
    seeder.check_output("systemd-run --quiet --unit undeclared python3 -m http.server 8500")
    try:
        own = lab.address("seeder1")
        wait_until(lambda: lab.python("seeder1", KNOCK, own, 8500) == "open", what="the listener on 8500")
        assert lab.python("leecher1", KNOCK, own, 8500) == "closed"
    finally:
        seeder.check_output("systemctl stop undeclared")


def test_firewall_survives_a_restart_of_its_unit(lab):
    before = lab["seeder1"].check_output("nft list table inet seedbed")
    lab["seeder1"].check_output("systemctl restart seedbed-firewall")
    assert lab["seeder1"].check_output("nft list table inet seedbed") == before


def test_every_item_can_be_fetched_in_every_way(lab, published, tmp_path: Path):
    report = tmp_path / "downloads.json"
    variables = f"download_items=all download_json={os.path.relpath(report, ROOT)}"
    run = lab.playbook(INVENTORY, "playbooks/download.yml", "-e", variables)
    assert run.returncode == 0, run.stdout[-3000:]
    downloads = json.loads(report.read_text(encoding="utf-8"))["downloads"]
    fetched = {(done["name"], done["via"], done["tracker"]) for done in downloads if done["ok"]}
    ways = [(via, tracker) for via in ("torrent", "magnet") for tracker in ("http", "udp")]
    assert fetched == {
        (item["name"], via, tracker)
        for item in published["items"]
        for via, tracker in ways
        if not (item["private"] and via == "magnet")
    }


def test_restarted_tracker_knows_the_seeders_again_after_a_run(lab, published):
    lab["tracker1"].check_output("systemctl restart opentracker")
    run = lab.playbook(INVENTORY, "playbooks/site.yml", "--extra-vars=lab_acceptance=never")
    assert run.returncode == 0, run.stdout[-3000:]
    for item in published["items"]:
        assert "8:completei1e" in scraped(lab, item), item["name"]


def test_moved_tracker_keeps_every_info_hash(lab, published):
    run = lab.playbook(
        INVENTORY, "playbooks/site.yml", "--extra-vars=lab_acceptance=never", "--extra-vars=opentracker_port=8889"
    )
    assert run.returncode == 0, run.stdout[-3000:]
    _, _, body = lab.python("leecher1", GET, url(lab.address("tracker1"), 8000, "/catalogue.json"))
    moved = json.loads(body.encode("latin-1").decode("utf-8"))["items"]
    assert {item["info_hash"] for item in moved} == {item["info_hash"] for item in published["items"]}
    assert all(":8889/announce" in tracker for item in moved for tier in item["trackers"] for tracker in tier)
    for item in moved:
        assert "8:completei1e" in scraped(lab, item, port=8889), item["name"]
    assert lab.python("leecher1", KNOCK, lab.address("tracker1"), 8888) == "closed"


def test_missing_source_is_named_and_the_other_entries_are_done(lab):
    run = lab.playbook(INVENTORY, "playbooks/site.yml", "-e", "@molecule/default/vars/showcase.yml")
    assert run.returncode != 0
    assert "seeder1: missing.mkv: /srv/media/missing.mkv does not exist" in run.stdout
    entries = yaml.safe_load((ROOT / "molecule/default/vars/showcase.yml").read_text(encoding="utf-8"))[
        "catalogue_torrents"
    ]
    _, _, body = lab.python("leecher1", GET, url(lab.address("tracker1"), 8000, "/catalogue.json"))
    items = json.loads(body.encode("latin-1").decode("utf-8"))["items"]
    assert [item["name"] for item in items] == [entry["name"] for entry in entries if entry["name"] != "missing.mkv"]


def test_portal_serves_and_shows_all_of_it_in_a_real_browser(lab):
    environment = {
        "SEEDBED_PORTAL": url(lab.address("tracker1"), 8000, "/"),
        "SEEDBED_INVENTORY": "inventories/local",
        "SEEDBED_LAB": lab.directory.name,
    }
    run = subprocess.run(
        ["pytest", "--exitfirst", "tests/browser"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
    )
    assert run.returncode == 0, run.stdout[-5000:]
