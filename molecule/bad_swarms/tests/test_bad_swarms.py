"""Bad swarms as the catalogue orders them, played by play1 and judged by three clients of each of two releases.

The daemon runs shut in, at addresses of its own. Every client takes every item at once: what an item promises is what
it gets, and every byte is right. What the daemon testifies is what the packets were. What it plays is read again
without a word to those whom it does not concern; a file that cannot be played changes nothing. It outlives the worst
clients. The doctor calls what was ordered ordered, and says so when the daemon is gone.
"""

from __future__ import annotations

import base64
import json
import shlex
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.base.net import Deadline
from ansible.module_utils.seedbed.base.sizes import WHOLE, parse_share
from ansible.module_utils.seedbed.probe.peer_wire import Wire

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = ROOT / "molecule" / "bad_swarms"
INVENTORY = f"--inventory={SCENARIO}/inventory.yml"
UNIT, CONFIG = "seedbed-scripted.service", "/etc/seedbed/scripted.json"
CLIENTS = [(host, client) for host in ("client12", "client13") for client in ("aria2", "libtorrent", "transmission")]
METADATA = 300  # seconds that a client gets for metadata, as promises give it for the rest
OWN_PORT = 20000  # of clients: outside the lab's range
Items = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def items(lab: Any) -> Items:
    """The items that scripts play in."""
    answer = lab.get(f"http://{lab.address('play1')}:8000/catalogue.json")
    return {item["name"]: item for item in json.loads(answer.body)["items"] if item["promise"]}


def status(lab: Any) -> dict[str, Any]:
    return dict(json.loads(lab.get(f"http://{lab.address('play1')}:8086/status.json").body))


def spare(lab: Any) -> list[str]:
    """Addresses that nobody has: the scenario's inventory gives the first ones to play1."""
    return (lab.directory / "spare_addresses").read_text(encoding="utf-8").split()[8:]


def told(lab: Any, item: dict[str, Any], client: str) -> dict[str, Any]:
    """What the daemon testifies of the last visit of a client, by number of the peer."""
    answer = lab.get(f"{item['promise']['testimony']}?client={client}")
    assert answer.status == 200, answer.body
    [found] = json.loads(answer.body)["clients"]
    return dict(found["visits"][-1]["peers"])


# -- the clients ------------------------------------------------------------------------------------------------------


def rule(item: dict[str, Any], name: str) -> Any:
    """The value of a rule of the first grade, True for one without; nothing where the promise does not have it."""
    found = [each for each in item["promise"]["rules"] if (each["grade"], each["rule"]) == ("assert", name)]
    return found[0].get("value", True) if found else 0


def by_magnet(item: dict[str, Any]) -> bool:
    return item["name"].startswith("metadata-") and bool(item["magnet"])


def limits(item: dict[str, Any]) -> dict[str, int]:
    """The seconds in which a client has to have an item, and its metadata; 0 where that is not asserted."""
    if not by_magnet(item):
        return {"metadata": 0, "whole": rule(item, "completes-within")}
    if not rule(item, "metadata-comes"):
        return {"metadata": 0, "whole": 0}
    whole = rule(item, "completes-within")
    return {"metadata": METADATA, "whole": whole + METADATA if whole else 0}


def asked(lab: Any, item: dict[str, Any]) -> dict[str, Any]:
    """What a client is given of an item."""
    torrent = base64.b64encode(lab.get(f"http://{lab.address('play1')}:8000/{item['torrent']}").body).decode()
    return {"torrent": torrent, "magnet": item["magnet"] if by_magnet(item) else "", **limits(item)}


def downloaded(lab: Any, host: str, client: str, chosen: Items, address: str, *, count: bool = False) -> dict[str, Any]:
    """Have a client of a host take items from an address of its own."""
    place, number = f"/srv/judges-{client}{'-counted' if count else ''}", CLIENTS.index((host, client))
    lab[host].check_output(f"rm -rf {place}; ip address replace {address}/32 dev eth0")
    words = {"items": {name: asked(lab, item) for name, item in chosen.items()}, "count": count, "peer_port": 8086}
    source = shlex.quote((SCENARIO / "judges.py").read_text(encoding="utf-8"))
    command = f"python3 -c {source} {client} {address} {OWN_PORT + 2 * number} {place}"
    ssh = ["ssh", "-F", str(lab.directory / "ssh_config"), host, command]
    done = subprocess.run(ssh, input=json.dumps(words), capture_output=True, text=True, check=False, timeout=3000)
    assert done.returncode == 0, f"{client} on {host}: {done.stderr[-3000:]}"
    return dict(json.loads(done.stdout))


def broken(item: dict[str, Any], got: dict[str, Any]) -> list[str]:
    """What of a promise's first grade was not kept."""
    promise, faults = item["promise"], []
    if got["wrong"]:
        faults.append(f"takes wrong pieces for right: {got['wrong'][:5]}")
    if got["complete"] and got["sha256"] != item["files"][0]["sha256"]:
        faults.append("is complete, and not every byte is right")
    if len(got["has"]) * WHOLE > parse_share(promise["available"]) * item["pieces"]:
        faults.append(f"has {len(got['has'])} of {item['pieces']} pieces, more than {promise['available']}")
    if set(got["has"]) & set(promise["never_pieces"]):
        faults.append("has pieces that nobody gives rightly")
    given = limits(item)
    if given["whole"] and not got["complete"]:
        faults.append(
            f"is not complete within {given['whole']} s: {len(got['has'])} of {item['pieces']}, {got['said']}"
        )
    if given["metadata"] and not got["metadata"]:
        faults.append("has no metadata")
    if by_magnet(item) and promise["magnet"] == "no_metadata" and got["metadata"]:
        faults.append("has metadata that nobody gives rightly")
    return faults


# -- the story --------------------------------------------------------------------------------------------------------


def test_the_daemon_is_shut_in_and_plays_at_its_own_addresses(lab: Any, items: Items, shut_in: Any) -> None:
    host = lab["play1"]
    shut_in(host, UNIT, "seedbed-addresses.service")
    names = "--property=LimitNOFILE --property=CPUWeight --property=Restart"
    shown = dict(line.split("=") for line in host.check_output(f"systemctl show {names} {UNIT}").splitlines())
    assert (shown["LimitNOFILE"], shown["CPUWeight"], shown["Restart"]) == ("65536", "20", "on-failure")
    assert status(lab)["torrents"] == len(items)
    spares = (lab.directory / "spare_addresses").read_text(encoding="utf-8").split()
    ours = [*spares[:8], spares[-1]]
    assert set(ours) < set(host.check_output("hostname -I").split())
    # The host's own connections leave from its own address, as before.
    route = host.check_output(f"ip -json route get {lab.address('client12')}")
    assert json.loads(route)[0]["prefsrc"] == lab.address("play1")
    made = json.loads(host.check_output("cat /var/lib/seedbed/owned.json"))["made_for"]["scripted_peer"]
    assert made["units"] == ["seedbed-addresses.service", UNIT]
    assert "/var/lib/seedbed/scripted" in made["trees"]


def test_what_misbehaves_before_a_handshake_does_so_at_ports_of_its_own(lab: Any) -> None:
    """From a client's host: refused is refused, and from what is dropped nothing comes."""
    code = """
import json, socket, sys
found = {}
for port in range(8086, 8095):
    sock = socket.socket()
    sock.settimeout(5)
    try:
        sock.connect((sys.argv[1], port))
        found[port] = "open"
    except OSError as error:
        found[port] = type(error).__name__
print(json.dumps(found))
"""
    found = lab.python("client13", code, lab.address("play1"))
    assert [found[str(port)] for port in range(8086, 8093)] == ["open"] * 7
    assert found["8093"] == "ConnectionRefusedError"
    assert found["8094"] in ("timeout", "TimeoutError")


def test_every_client_gets_what_was_promised_and_every_byte_is_right(lab: Any, items: Items) -> None:
    with ThreadPoolExecutor(len(CLIENTS)) as pool:
        waiting = {who: pool.submit(downloaded, lab, *who, items, address) for who, address in zip(CLIENTS, spare(lab))}
        results = {who: future.result() for who, future in waiting.items()}
    matrix = {
        f"{client} of {host}": {
            name: {**got, "has": len(got["has"]), "broken": broken(items[name], got)}
            for name, got in result["items"].items()
        }
        for (host, client), result in results.items()
    }
    kept = ROOT / "artifacts" / f"{lab.directory.name}.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(matrix, indent=1), encoding="utf-8")
    faults = [
        f"{who}, {name}: {'; '.join(got['broken'])}"
        for who, found in matrix.items()
        for name, got in found.items()
        if got["broken"]
    ]
    assert faults == []
    for (_host, _client), address in zip(CLIENTS, spare(lab)):
        for name, item in items.items():
            if rule(item, "own-id-dropped"):
                own = [peer for peer in item["swarm"]["peers"] if peer["script"].get("behaviour") == "own-id"]
                seen = json.loads(lab.get(f"{item['promise']['testimony']}?client={address}").body)["clients"]
                # Of the whole menu and all clients together the daemon has forgotten a few by now.
                assert seen or len(items) > 100, name
                for client in seen:
                    peers = client["visits"][-1]["peers"]
                    assert peers.get(str(item["swarm"]["peers"].index(own[0])), {"blocks": 0})["blocks"] == 0, name


def test_a_peer_over_ipv6_alone_is_found_and_serves(lab: Any, items: Items) -> None:
    """By a client that is free to come from any of its host's addresses; those above come from one of IPv4."""
    item = items["peer-ipv6-only"]
    (peer,) = item["swarm"]["peers"]
    assert ":" in peer["address"]
    source = f"http://{lab.address('play1')}:8000/{item['torrent']}"
    options = "--quiet --seed-time=0 --bt-stop-timeout=120 --enable-dht=false --bt-enable-lpd=false --listen-port=20100"
    for host in ("client12", "client13"):
        lab[host].check_output(f"rm -rf /srv/six && aria2c {options} --dir=/srv/six {source}")
        sha256 = lab[host].check_output(f"sha256sum '/srv/six/{item['name']}'").split()[0]
        assert sha256 == item["files"][0]["sha256"]
    answer = json.loads(lab.get(item["promise"]["testimony"]).body)
    served = {seen["client"] for seen in answer["clients"] if seen["visits"][-1]["peers"].get("0", {}).get("blocks")}
    assert len([client for client in served if ":" in client]) == 2, answer


def test_the_testimony_is_what_the_packets_were(lab: Any, items: Items, wait_until: Any) -> None:
    # Not of those that a client breaks off with: what it did not read any more was sent all the same.
    chosen = {name: items[name] for name in ("peer-honest", "peer-partial-alone", "peer-drip-alone")}
    address = spare(lab)[len(CLIENTS)]
    counted = downloaded(lab, "client13", "libtorrent", chosen, address, count=True)["counted"]
    for name, item in chosen.items():
        wait_until(lambda item=item: told(lab, item, address)["0"]["open"] == 0, what=f"the end of {name}")
        seen = told(lab, item, address)["0"]
        ours = {key: seen[key] for key in ("requests", "haves", "cancels", "blocks", "bytes")}
        assert ours == counted[item["info_hash"]], name
        assert ours["blocks"] > 10, name


class Visitor:
    """A client of this machine at the first peer of an item."""

    def __init__(self, item: dict[str, Any]) -> None:
        peer = item["swarm"]["peers"][0]
        self.sock = socket.create_connection((peer["address"], peer["port"]), timeout=120)
        self.wire = Wire(self.sock, Deadline(600))
        hello = b"\x13BitTorrent protocol" + bytes(8) + bytes.fromhex(item["info_hash"])
        self.wire.send(hello + b"-XX0000-" + b"v" * 12)
        self.wire.receive(68)
        self.wire.send_message(2)
        while self.wire.message()[0] != 1:  # until it unchokes
            pass

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_error: object) -> None:
        self.sock.close()

    def is_served(self) -> bool:
        """Whether a block still comes."""
        self.wire.send_message(6, bytes(8) + (16384).to_bytes(4, "big"))
        while True:
            kind, payload = self.wire.message()
            if kind == 7:
                return len(payload) == 16384 + 8

    def is_closed(self) -> bool:
        self.sock.settimeout(120)
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True


def test_what_stays_as_it_is_goes_on_and_a_faulty_file_changes_nothing(lab: Any, items: Items, wait_until: Any) -> None:
    host, before = lab["play1"], status(lab)["torrents"]
    with Visitor(items["peer-honest"]) as stays, Visitor(items["peer-drip-alone"]) as goes:
        assert stays.is_served()
        host.check_output(f"cp -a {CONFIG} /var/tmp/scripted.json")
        drop = """
import json, sys
config = json.load(open(sys.argv[1]))
config["torrents"] = [each for each in config["torrents"] if each["info_hash"] != sys.argv[2]]
json.dump(config, open(sys.argv[1], "w"))
print("{}")
"""
        lab.python("play1", drop, CONFIG, items["peer-drip-alone"]["info_hash"])
        host.check_output(f"systemctl reload {UNIT}")
        wait_until(lambda: status(lab)["torrents"] == before - 1, what="the smaller catalogue")
        assert goes.is_closed()
        assert stays.is_served()
        for faulty in ("{", '{"port": 8086, "addresses": ["127.0.0.1"], "torrents": [{}]}'):
            host.check_output(f"printf %s {shlex.quote(faulty)} >{CONFIG}; systemctl reload {UNIT}")
            fault = wait_until(lambda: status(lab)["fault"], what="the fault in the status")
            assert CONFIG in fault
            assert status(lab)["torrents"] == before - 1
            assert stays.is_served()
        host.check_output(f"cp -a /var/tmp/scripted.json {CONFIG}; systemctl reload {UNIT}")
        wait_until(lambda: (status(lab)["torrents"], status(lab)["fault"]) == (before, ""), what="the whole catalogue")
        assert stays.is_served()


def test_the_worst_clients_do_not_bring_it_down(lab: Any, items: Items, wait_until: Any) -> None:
    host, item = lab["play1"], items["peer-honest"]
    show = f"systemctl show --property=MainPID --property=NRestarts --property=MemoryMax {UNIT}"
    before = host.check_output(show)
    peer = item["swarm"]["peers"][0]
    source = shlex.quote((SCENARIO / "hostile.py").read_text(encoding="utf-8"))

    def attack(how: str, number: int) -> str:
        words = f"{how} {peer['address']} {peer['port']} {item['info_hash']} {number}"
        return str(lab["client12"].check_output(f"python3 -c {source} {words}"))

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(attack, ("length", "loop", "length", "loop"), (64, 200_000, 64, 200_000)))
    assert len(done) == 4
    with ThreadPoolExecutor(4) as pool:
        done += list(
            pool.map(attack, ("crowd",) * 4, (2500,) * 4)
        )  # each of the test host's processes may open so many
    properties = dict(line.split("=") for line in before.splitlines())
    peak = host.check_output(f"grep VmHWM /proc/{properties['MainPID']}/status").split()[1]
    assert int(peak) * 1024 < int(properties["MemoryMax"]), done
    assert host.check_output(show) == before
    wait_until(lambda: status(lab)["connections"] < 50, what="room for others")
    with Visitor(item) as visitor:
        assert visitor.is_served()


def diagnosed(lab: Any, directory: Path) -> dict[str, dict[str, Any]]:
    """What the doctor says of each item, as client12 sees it."""
    path = directory / "verdicts.json"
    done = lab.playbook("playbooks/doctor.yml", INVENTORY, "-e", f"doctor_json={path}")
    assert path.exists(), done.stdout[-3000:]
    verdicts = json.loads(path.read_text(encoding="utf-8"))["verdicts"]
    return {verdict["item"]: verdict for verdict in verdicts if verdict["from"] == "client12"}


def test_the_doctor_calls_what_was_ordered_ordered_and_says_when_the_daemon_is_gone(
    lab: Any, items: Items, tmp_path: Path
) -> None:
    found = diagnosed(lab, tmp_path)
    assert {name: found[name]["verdict"] for name in items} == dict.fromkeys(items, "as_ordered")
    assert found["real.bin"]["verdict"] == "healthy"
    assert found["peer-partial-alone"]["cause"].startswith("a download stalls at")
    (tmp_path / "verdicts.json").unlink()
    lab["play1"].check_output(f"systemctl stop {UNIT}")
    try:
        found = diagnosed(lab, tmp_path)
    finally:
        lab["play1"].check_output(f"systemctl start {UNIT}")
    assert {name: found[name]["verdict"] for name in items} == dict.fromkeys(items, "scripted_down")
    assert found["real.bin"]["verdict"] == "healthy"
    assert found["peer-honest"]["cause"] == "the scripted peer is down: its daemon does not run on play1"
