"""A lab with an authority of its own: portal and tracker are served to those who trust it, under every name of theirs.

Whoever announces over TLS is handed out with his own address, whatever he says of himself.

The keys are root's, and no run shows one. A portal whose certificate was taken away gets another, and a lab that wants
no TLS any more has nothing left of it.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.probe.announce import AnnounceOptions, Question, ask

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = "--inventory=molecule/tls/inventory.yml"
PORTAL, TRACKER = 8443, 8444
INFO_HASH = "e7" * 20
# Announces over TLS as somebody else, and prints the answer.
ANNOUNCE = """
import json, ssl, sys, urllib.request
ca, url, forged = sys.argv[1:]
context = ssl.create_default_context(cadata=ca)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
request = urllib.request.Request(url, headers={"X-Forwarded-For": forged})
print(json.dumps(opener.open(request, timeout=120).read().hex()))
"""


def addresses(host: Any) -> list[str]:
    """The host's IPv4 and IPv6 address on the lab's network."""
    found = [address for address in host.check_output("hostname -I").split() if not address.startswith("fe80")]
    return [next(a for a in found if "." in a), next(a for a in found if ":" in a)]


def fetch(lab: Any, address: str, port: int, path: str, *, name: str = "", trusting: bool = True) -> bytes:
    """What this machine, which is none of the hosts, is answered by whoever proves to be `name`."""
    context = ssl.create_default_context(cafile=str(lab.directory / "tls/ca.crt") if trusting else None)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    plain = socket.create_connection((address, port), timeout=120)
    with plain, context.wrap_socket(plain, server_hostname=name or address) as sock:
        sock.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        return b"".join(iter(lambda: sock.recv(65536), b""))


@pytest.fixture(scope="module")
def tracker(lab: Any) -> list[str]:
    return addresses(lab["tracker1"])


def test_who_trusts_the_authority_is_served_under_every_name(lab: Any, tracker: list[str]) -> None:
    for address in tracker:
        for name in (*tracker, "tracker1", "lab.example"):
            answer = fetch(lab, address, PORTAL, "/catalogue.json", name=name)
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            assert b'"single"' in answer
    with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid for"):
        fetch(lab, tracker[0], PORTAL, "/", name="other.example")


def test_nobody_else_is(lab: Any, tracker: list[str]) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed|unable to get local issuer"):
        fetch(lab, tracker[0], PORTAL, "/", trusting=False)


def announce(lab: Any, host: str, base: str, *, forged: str, event: str = "started") -> bytes:
    query = f"info_hash={'%e7' * 20}&peer_id=-TE0000-{'x' * 12}&port=8082&uploaded=0&downloaded=0&left=0&compact=1"
    ca = (lab.directory / "tls/ca.crt").read_text(encoding="utf-8")
    return bytes.fromhex(lab.python(host, ANNOUNCE, ca, f"{base}/announce?{query}&event={event}", forged))


def told(lab: Any, tracker: str) -> set[str]:
    """The peers that somebody else is told of over plain HTTP, and who goes again."""
    question = Question(f"http://{tracker}:8888/announce", "announce", INFO_HASH)
    (answer,) = ask([question], AnnounceOptions())
    assert answer["ok"], answer
    return {peer["address"] for peer in answer["peers"]}


def test_who_announces_over_tls_is_handed_out_with_his_own_address(lab: Any, tracker: list[str]) -> None:
    ours = set()
    for address in tracker:
        base = f"https://{f'[{address}]' if ':' in address else address}:{TRACKER}"
        assert b"8:interval" in announce(lab, "leecher1", base, forged="192.0.2.99")
        ours |= {a for a in addresses(lab["leecher1"]) if (":" in a) == (":" in address)}
        assert told(lab, tracker[0]) == ours
    # Who goes by himself is believed no more.
    announce(lab, "leecher1", f"http://{tracker[0]}:8888", forged="192.0.2.99")
    assert told(lab, tracker[0]) == ours
    assert not any(ipaddress.ip_address(address).is_loopback for address in ours)
    scrape = fetch(lab, tracker[0], TRACKER, f"/scrape?info_hash={'%e7' * 20}")
    assert b"8:completei2e" in scrape, scrape
    for address in tracker:
        base = f"https://{f'[{address}]' if ':' in address else address}:{TRACKER}"
        announce(lab, "leecher1", base, forged="192.0.2.99", event="stopped")
    assert told(lab, tracker[0]) == set()


def test_a_tracker_over_tls_tells_nothing_but_peers(lab: Any, tracker: list[str]) -> None:
    assert fetch(lab, tracker[0], TRACKER, "/stats?mode=everything").startswith(b"HTTP/1.1 404 ")
    with pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed|unable to get local issuer"):
        fetch(lab, tracker[0], TRACKER, "/scrape", trusting=False)


def test_what_speaks_tls_is_shut_in(lab: Any, shut_in: Any) -> None:
    assert "seedbed-tracker-tls.service" in shut_in(lab["tracker1"])


def test_the_authority_is_handed_out(lab: Any, tracker: list[str]) -> None:
    answer = lab.get(f"http://{tracker[0]}:8000/ca.crt")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-x509-ca-cert")
    assert answer.body.strip() == (lab.directory / "tls/ca.crt").read_bytes().strip()


def test_web_seeds_and_links_are_as_they_were(lab: Any, tracker: list[str]) -> None:
    assert lab.get(f"http://{tracker[0]}:8000/catalogue.json").status == 200
    assert b"https://" not in lab.get(f"http://{tracker[0]}:8000/catalogue.json").body


def test_the_keys_are_for_nobody_to_read(lab: Any) -> None:
    host = lab["tracker1"]
    for name in ("seedbed-portal", "seedbed-tracker-tls"):
        assert host.check_output(f"stat -c '%U %a' /etc/nginx/{name}.pem") == "root 600"
        owner, mode = host.check_output(f"stat -c '%U %a' /run/{name}/tls.pem").split()
        assert (owner, mode) == (host.check_output(f"stat -c %U /run/{name}"), "400")
        assert host.run(f"runuser -u nobody -- cat /etc/nginx/{name}.pem /run/{name}/tls.pem").stdout == ""
    kept = lab.directory / "tls"
    assert {file.name: f"{file.stat().st_mode & 0o777:o}" for file in kept.iterdir()} == {
        "ca.crt": "644",
        "ca.key": "600",
        "tracker1.pem": "600",
    }
    assert f"{kept.stat().st_mode & 0o777:o}" == "700"
    # The authority's own stays where it was made.
    assert host.run(f"grep -rlF -e '{secret_line(kept / 'ca.key')}' /etc /run /opt /srv").stdout == ""


def secret_line(file: Path) -> str:
    return file.read_text(encoding="utf-8").split("PRIVATE KEY-----")[1].split()[0]


def test_a_lost_certificate_is_made_anew_and_no_key_is_shown(lab: Any, tracker: list[str]) -> None:
    file = lab.directory / "tls/tracker1.pem"
    former = secret_line(file)
    file.unlink()
    run = lab.playbook(INVENTORY, "-vvv", "--diff", "-e", "lab_acceptance=never", "playbooks/site.yml")
    assert run.returncode == 0, run.stdout[-5000:]
    assert "tracker1 has no certificate" in run.stdout
    assert secret_line(file) != former
    assert fetch(lab, tracker[0], PORTAL, "/catalogue.json").startswith(b"HTTP/1.1 200 ")
    assert fetch(lab, tracker[0], TRACKER, f"/scrape?info_hash={'%e7' * 20}").startswith(b"HTTP/1.1 200 ")
    said = run.stdout + run.stderr + lab["tracker1"].check_output("journalctl --no-pager")
    assert "https://" in run.stdout
    for key in (former, secret_line(file), secret_line(lab.directory / "tls/ca.key")):
        assert key not in said
        assert key[:40] not in said
    assert "BEGIN PRIVATE" not in said


def test_a_certificate_of_the_operators_own_that_cannot_be_is_refused(lab: Any) -> None:
    wrong = f"lab_tls_certificate={lab.directory}/tls/ca.crt lab_tls_key={lab.directory}/tls/tracker1.pem"
    run = lab.playbook(INVENTORY, "-e", wrong, "playbooks/preflight.yml")
    assert run.returncode != 0
    assert "which is not the key of lab_tls_certificate" in run.stdout


def test_switched_off_nothing_is_left(lab: Any, tracker: list[str]) -> None:
    off = [INVENTORY, "-e", "lab_acceptance=never portal_tls=false opentracker_tls=false", "playbooks/site.yml"]
    run = lab.playbook(*off)
    assert run.returncode == 0, run.stdout[-5000:]
    host = lab["tracker1"]
    assert host.run("systemctl cat seedbed-tracker-tls.service").rc != 0
    left = "-name 'seedbed-tracker-tls*' -o -name 'seedbed-portal*.pem' -o -name 'seedbed-*ca.crt'"
    assert host.run(f"find /etc /run {left}").stdout == ""
    assert host.run("ls /run/seedbed-portal/tls.pem").rc != 0
    assert host.run("grep -E 'ssl|ca.crt' /etc/nginx/seedbed-portal.conf").stdout == ""
    assert host.run("grep access.proxy /etc/opentracker.conf").stdout == ""
    said = host.check_output("nft list set inet seedbed open_tcp") + host.check_output("ss -ltnH")
    owned = host.file("/var/lib/seedbed/owned.json").content_string
    assert [port for port in (PORTAL, TRACKER) if str(port) in said] == []
    assert host.run("find /var/log -name 'seedbed-tracker-tls*'").stdout == ""
    assert "seedbed-tracker-tls" not in owned
    assert lab.get(f"http://{tracker[0]}:8000/catalogue.json").status == 200
    again = lab.playbook(*off)
    assert set(re.findall(r"changed=(\d+)", again.stdout)) == {"0"}, again.stdout[-5000:]
