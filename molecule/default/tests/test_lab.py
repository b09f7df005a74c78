"""The lab as `make lab` leaves it: tracker1 (tracker and portal), seeder1, leecher1.

The tracker answers over both protocols and both families and knows one seeder of every torrent; the seeder holds every
byte; the portal publishes what a test suite needs. From another host the declared ports answer and no other port of the
range does. Every item can be fetched in every way. Faults end in one sentence, and nothing else breaks. At the end the
lab offers every kind of entry, which a person sees and uses in a browser.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from ansible.module_utils.seedbed.clients.contract import ClientSettings
from ansible.module_utils.seedbed.clients.unit import guards
from ansible.module_utils.seedbed.probe import announce
from ansible.module_utils.seedbed.transmission.rpc import RpcClient, RpcDenied
from client import session, wanted

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = "--inventory=inventories/local"
UNKNOWN = "01" * 20
ANNOUNCER = "seedbed-announcer.service"


def url(address: str, port: int, path: str = "/", scheme: str = "http") -> str:
    return f"{scheme}://[{address}]:{port}{path}" if ":" in address else f"{scheme}://{address}:{port}{path}"


def portal(lab: Any, path: str = "/") -> str:
    return url(lab.address("tracker1"), 8000, path)


def catalogue(lab: Any) -> list[dict[str, Any]]:
    """Return the items of catalogue.json, as a tester's suite fetches it."""
    answer = lab.get(portal(lab, "/catalogue.json"))
    assert answer.status == 200
    return json.loads(answer.body)["items"]


@pytest.fixture(scope="module")
def published(lab: Any) -> list[dict[str, Any]]:
    """Return the catalogue as the first run has left it."""
    return catalogue(lab)


def scrape(trackers: list[str], info_hash: str) -> list[dict[str, Any]]:
    """Return what this machine, which is none of the hosts, is told by trackers."""
    questions = [announce.Question(tracker, "scrape", info_hash) for tracker in trackers]
    answers = announce.ask(questions, announce.AnnounceOptions(timeout=30))
    assert all(answer["ok"] for answer in answers), answers
    return answers


def tracker(lab: Any, port: int = 8888) -> str:
    return url(lab.address("tracker1"), port, "/announce")


def seeders(lab: Any, item: dict[str, Any], port: int = 8888) -> int:
    (answer,) = scrape([tracker(lab, port)], item["info_hash"])
    return answer["seeders"]


def test_tracker_answers_over_both_protocols_and_both_families(lab: Any) -> None:
    # Not those of its scripted peers: over UDP the tracker answers from the host's own address alone.
    peers = (lab.directory / "spare_addresses").read_text(encoding="utf-8").split()
    found = [each for each in lab["tracker1"].check_output("hostname -I").split() if each not in peers]
    addresses = [next(each for each in found if (":" in each) == ipv6) for ipv6 in (False, True)]
    trackers = [url(address, 8888, "/announce", scheme) for address in addresses for scheme in ("http", "udp")]
    assert [answer["known"] for answer in scrape(trackers, UNKNOWN)] == [False] * 4


def test_tracker_knows_one_seeder_of_every_torrent(lab: Any, published: list[dict[str, Any]], wait_until: Any) -> None:
    assert len(published) == 7
    for item in published:
        wait_until(lambda item=item: seeders(lab, item) == 1, what=f"one seeder of {item['name']}")


def rpc(lab: Any, user: str, password: str, method: str, **arguments: Any) -> dict[str, Any]:
    with contextlib.closing(RpcClient(lab.address("seeder1"), 8081, (user, password), timeout=120)) as client:
        return client.call(method, arguments)


def test_seeder_holds_every_byte(lab: Any, published: list[dict[str, Any]]) -> None:
    fields = ["hashString", "status", "leftUntilDone", "haveValid", "totalSize", "trackerStats"]
    answer = rpc(lab, "seedbed", lab.rpc_password, "torrent-get", fields=fields)
    torrents = {torrent["hashString"]: torrent for torrent in answer["torrents"]}
    assert set(torrents) == {item["info_hash"] for item in published}
    for item in published:
        torrent = torrents[item["info_hash"]]
        assert (torrent["status"], torrent["leftUntilDone"]) == (6, 0), item["name"]
        assert torrent["haveValid"] == torrent["totalSize"] == item["size"]
        assert all(tracker["lastAnnounceSucceeded"] for tracker in torrent["trackerStats"] if not tracker["isBackup"])


def test_web_interface_asks_for_the_password(lab: Any) -> None:
    assert lab.get(url(lab.address("seeder1"), 8081, "/transmission/web/")).status == 401
    # The password that the package comes with opens nothing.
    with pytest.raises(RpcDenied) as refusal:
        rpc(lab, "transmission", "transmission", "session-get")
    assert refusal.value.status == 401


def test_password_is_stored_hashed(lab: Any) -> None:
    stored = json.loads(lab["seeder1"].file("/etc/transmission-daemon/settings.json").content_string)
    assert stored["rpc-password"].startswith("{")
    assert lab.rpc_password not in json.dumps(stored)


def test_private_torrent_has_no_magnet(published: list[dict[str, Any]]) -> None:
    (private,) = [item for item in published if item["private"]]
    assert private["magnet"] is None
    assert all(item["magnet"].startswith("magnet:?xt=urn:btih:") for item in published if item is not private)


def test_torrent_files_are_served_with_their_type(lab: Any, published: list[dict[str, Any]]) -> None:
    for item in published:
        answer = lab.get(portal(lab, "/" + item["torrent"]))
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-bittorrent")
        assert answer.body.startswith(b"d8:announce")


@pytest.mark.parametrize(
    ("host", "port"), [("tracker1", 8000), ("tracker1", 8888), ("seeder1", 8081), ("seeder1", 8082), ("seeder1", 22)]
)
def test_declared_ports_answer_another_host(lab: Any, host: str, port: int) -> None:
    assert lab.answers(lab.address(host), port)


def test_no_other_port_of_the_range_answers_another_host(lab: Any, wait_until: Any) -> None:
    seeder = lab["seeder1"]
    seeder.check_output("systemd-run --quiet --unit undeclared python3 -m http.server 8500")
    try:
        listener = "ss --no-header --listening --numeric --tcp 'sport = :8500'"
        wait_until(lambda: seeder.check_output(listener), what="the listener on 8500")
        assert not lab.answers(lab.address("seeder1"), 8500)
    finally:
        seeder.check_output("systemctl stop undeclared")


def test_firewall_survives_a_restart_of_its_unit(lab: Any) -> None:
    before = lab["seeder1"].check_output("nft list table inet seedbed")
    lab["seeder1"].check_output("systemctl restart seedbed-firewall")
    assert lab["seeder1"].check_output("nft list table inet seedbed") == before


def test_every_item_can_be_fetched_in_every_way(lab: Any, published: list[dict[str, Any]], tmp_path: Path) -> None:
    report = tmp_path / "downloads.json"
    variables = f"download_items=all download_json={os.path.relpath(report, ROOT)}"
    run = lab.playbook(INVENTORY, "playbooks/download.yml", "-e", variables, "-e", "leecher_progress_seconds=3")
    assert run.returncode == 0, run.stdout[-3000:]
    # How far they are was told while they ran: for the leecher, and a line for each that was under way.
    told = re.findall(r"^leecher1: aria2: \d+ of \d+ downloads have ended.*$", run.stdout, re.MULTILINE)
    assert len(told) > 2, run.stdout[-3000:]
    line = r"^    one-file\.bin +(torrent|magnet) over (http|udp) +[a-z]+ +\d+ %  .*B/s +\d+ peers?$"
    assert re.search(line, run.stdout, re.MULTILINE)
    downloads = json.loads(report.read_text(encoding="utf-8"))["downloads"]
    fetched = {(done["name"], done["via"], done["tracker"]) for done in downloads if done["ok"]}
    ways = [(via, tracker) for via in ("torrent", "magnet") for tracker in ("http", "udp")]
    assert fetched == {
        (item["name"], via, tracker)
        for item in published
        for via, tracker in ways
        if not (item["private"] and via == "magnet")
    }


def test_who_has_downloaded_is_the_seeder_of_the_next_one(
    lab: Any, published: list[dict[str, Any]], wait_until: Any, tmp_path: Path
) -> None:
    """libtorrent, on this machine, has it from the lab's seeder; aria2 completes from libtorrent alone."""
    item = min((item for item in published if item["magnet"]), key=lambda item: item["size"])
    first = session()
    torrent = first.add_torrent(wanted(portal(lab, "/" + item["torrent"]), str(tmp_path)))
    wait_until(lambda: torrent.status().is_seeding, what="the first leecher to have it")
    wait_until(lambda: seeders(lab, item) == 2, what="the first leecher to count as a seeder")
    lab["seeder1"].check_output("systemctl stop transmission-daemon")
    try:
        wait_until(lambda: seeders(lab, item) == 1, what="the seeder to have said good-bye")
        chosen = {"torrent": item["name"], "by": "torrent", "download_trackers": ["http"]}
        run = lab.playbook(INVENTORY, "playbooks/download.yml", f"--extra-vars={json.dumps(chosen)}")
    finally:
        lab["seeder1"].check_output("systemctl start transmission-daemon")
    for each in published:
        wait_until(lambda each=each: seeders(lab, each) > (each is item), what=f"the seeder of {each['name']} again")
    assert run.returncode == 0, run.stdout[-3000:]
    assert torrent.status().all_time_upload >= item["size"]


def test_the_doctors_verdict_stands_beside_a_failure(lab: Any, tmp_path: Path) -> None:
    files = {"download_json": str(tmp_path / "d.json"), "download_junit": str(tmp_path / "d.xml")}
    chosen = {"torrent": "one-file.bin", "download_trackers": ["http"], "leecher_stall_seconds": 20, "by": "torrent"}
    lab["tracker1"].check_output("systemctl stop opentracker")
    try:
        run = lab.playbook(INVENTORY, "playbooks/download.yml", f"--extra-vars={json.dumps({**files, **chosen})}")
    finally:
        lab["tracker1"].check_output("systemctl start opentracker")
    assert run.returncode != 0
    (failed,) = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))["downloads"]
    assert (failed["step"], failed["doctor"]["verdict"]) == ("connect", "tracker_down"), failed
    assert failed["doctor"]["remedy"] == "systemctl start opentracker there"
    said = "doctor: tracker_down: the tracker's service is not running on tracker1"
    assert said in run.stdout
    assert said in str(ElementTree.parse(tmp_path / "d.xml").findtext(".//failure"))


def test_restarted_tracker_knows_the_seeders_again_by_itself(
    lab: Any, published: list[dict[str, Any]], wait_until: Any
) -> None:
    lab["tracker1"].check_output("systemctl restart opentracker")
    questions = [announce.Question(tracker(lab), "scrape", item["info_hash"]) for item in published]

    def all_known() -> bool:
        # It may not listen yet.
        return all(answer.get("seeders") == 1 for answer in announce.ask(questions, announce.AnnounceOptions()))

    wait_until(all_known, what="the announces of every torrent")
    said = "has been restarted: announced [0-9]* of [0-9]* torrents anew"
    assert lab["seeder1"].run(f"journalctl --unit={ANNOUNCER} | grep -q '{said}'").rc == 0


def test_prometheus_takes_the_portals_metrics(lab: Any, published: list[dict[str, Any]], wait_until: Any) -> None:
    def metrics() -> str:
        answer = lab.get(portal(lab, "/metrics"))
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8" or answer.status == 404
        return str(answer.body.decode()) if answer.status == 200 else ""

    def all_told() -> bool:
        seeded = re.findall(r'^seedbed_item_seeders\{item="[^"]*",info_hash="(\w+)",.*\} 1$', metrics(), re.MULTILINE)
        return {item["info_hash"] for item in published} == set(seeded)

    wait_until(all_told, what="one seeder of every torrent in the metrics")
    promtool = [str(ROOT / ".venv" / "bin" / "promtool"), "check", "metrics"]
    run = subprocess.run(promtool, input=metrics(), capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert 'seedbed_scripted_up{host="tracker1"} 1' in metrics()


SERVICES = {
    "tracker1": {
        "opentracker",
        "seedbed-addresses",
        "seedbed-collector",
        "seedbed-firewall",
        "seedbed-portal",
        "seedbed-scripted",
    },
    "seeder1": {"seedbed-announcer", "seedbed-firewall", "transmission-daemon"},
    "leecher1": {"seedbed-firewall"},
}


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_shut_in(lab: Any, name: str, shut_in: Any) -> None:
    assert {unit.partition(".")[0] for unit in shut_in(lab[name])} == SERVICES[name]


def test_the_leechers_client_is_shut_in(lab: Any, shut_in: Any) -> None:
    """Its unit is there while it downloads; another program stands in for it."""
    settings = ClientSettings("/srv", "seedbed-leecher", 8084, 8085, "", 1, 600)
    words = " ".join(map(shlex.quote, guards(settings)))
    lab["leecher1"].check_output(f"systemd-run --quiet --collect --service-type=exec --unit stand-in {words} sleep 600")
    try:
        shut_in(lab["leecher1"], "stand-in.service")
    finally:
        lab["leecher1"].check_output("systemctl stop stand-in")


def test_the_announcers_password_is_roots(lab: Any) -> None:
    assert lab["seeder1"].check_output("stat -c '%U %a' /etc/seedbed/announcer.json") == "root 600"


def test_restarted_tracker_knows_the_seeders_again_after_a_run(lab: Any, published: list[dict[str, Any]]) -> None:
    lab["seeder1"].check_output(f"systemctl stop {ANNOUNCER}")
    lab["tracker1"].check_output("systemctl restart opentracker")
    run = lab.playbook(INVENTORY, "playbooks/site.yml", "--extra-vars=lab_acceptance=never")
    assert run.returncode == 0, run.stdout[-3000:]
    for item in published:
        assert seeders(lab, item) == 1, item["name"]


def test_moved_tracker_keeps_every_info_hash(lab: Any, published: list[dict[str, Any]]) -> None:
    run = lab.playbook(
        INVENTORY, "playbooks/site.yml", "--extra-vars=lab_acceptance=never", "--extra-vars=opentracker_port=8889"
    )
    assert run.returncode == 0, run.stdout[-3000:]
    moved = catalogue(lab)
    assert {item["info_hash"] for item in moved} == {item["info_hash"] for item in published}
    assert all(":8889/announce" in tracker for item in moved for tier in item["trackers"] for tracker in tier)
    for item in moved:
        assert seeders(lab, item, port=8889) == 1, item["name"]
    assert not lab.answers(lab.address("tracker1"), 8888)


def test_missing_source_is_named_and_the_other_entries_are_done(lab: Any) -> None:
    run = lab.playbook(INVENTORY, "playbooks/site.yml", "-e", "@molecule/default/vars/showcase.yml")
    assert run.returncode != 0
    assert "seeder1: missing.mkv: /srv/media/missing.mkv does not exist" in run.stdout
    entries = yaml.safe_load((ROOT / "molecule/default/vars/showcase.yml").read_text(encoding="utf-8"))[
        "catalogue_torrents"
    ]
    assert [item["name"] for item in catalogue(lab)] == [
        entry["name"] for entry in entries if entry["name"] != "missing.mkv"
    ]


def test_portal_serves_and_shows_all_of_it_in_a_real_browser(lab: Any) -> None:
    environment = {
        "SEEDBED_PORTAL": portal(lab),
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
        timeout=1800,
    )
    assert run.returncode == 0, run.stdout[-5000:]


def test_the_pytest_plugin_asserts_what_is_promised(lab: Any) -> None:
    """With aria2 on this machine: whole, standing still at 60 %, and nothing at all by .torrent and by magnet."""
    names = [
        item["name"] for item in catalogue(lab) if item["name"].startswith(("private", "stalls-at", "a-name-without"))
    ]
    client = (
        "aria2c --no-conf --quiet --seed-time=0 --enable-dht=false --bt-enable-lpd=false --dir={directory} {torrent}"
    )
    options = {"portal": portal(lab), "client": client, "items": ",".join(names), "stall": "30"}
    told = [f"--seedbed-{name}={value}" for name, value in options.items()]
    run = subprocess.run(
        [
            "pytest",
            "-v",
            "-p",
            "pytest_seedbed",
            *told,
            "-m",
            "torrent or no_metadata",
            "docs/examples/test_download.py",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "tools"},
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert run.returncode == 0, run.stdout[-5000:]
    assert "4 passed" in run.stdout
