"""One Debian 13 host in every group: tracker, seeder, portal and leecher share an address.

The run has ended with a download of the box from itself, over HTTP and UDP; the tracker hands out the box's own address
and never loopback; the firewall has every port of the budget open to others and none besides. That download goes on
beside aria2 as a service.

Flood, beside the daemon's own interface, lets nobody in without its password and shows the torrents with it; it takes
no second administrator and shows its secrets to nobody. The portal serves an interface for aria2 that may talk to the
leecher and to nobody else. New passwords are taken, and no log, process, file or proxy gets to see one. Flood switched
off is gone, and in the end so is everything.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import secrets
import socketserver
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Browser
from selenium.webdriver.common.keys import Keys

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = "--inventory=molecule/all_in_one/inventory.yml"
PASSWORDS = ["only for this test", "another one for this test"]

GET_HEX = """
import json, sys, urllib.request
print(json.dumps(urllib.request.urlopen(sys.argv[1], timeout=120).read().hex()))
"""

# Prints what Flood answers to one question, asked with a session of the account that is given, or without.
FLOOD = """
import http.cookiejar, json, sys, urllib.error, urllib.request
path, account, body = (json.loads(word) for word in sys.argv[1:])
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request("http://127.0.0.1:8083/api/" + path, data, {"Content-Type": "application/json"})
    try:
        answer = opener.open(request, timeout=120)
        return [answer.status, json.loads(answer.read())]
    except urllib.error.HTTPError as error:
        return [error.code, None]
if account is not None:
    assert ask("auth/authenticate", account)[0] == 200
print(json.dumps(ask(path, body)))
"""

# Prints which processes show a secret in their command line or environment; the secrets come as hex, so that this one
# does not.
SHOWN = """
import json, pathlib, sys
secrets = [bytes.fromhex(word) for word in sys.argv[1:]]
shown = []
for name in ("cmdline", "environ"):
    for file in pathlib.Path("/proc").glob("[0-9]*/" + name):
        try:
            content = file.read_bytes()
        except OSError:
            continue
        shown += [str(file) for secret in secrets if secret in content]
print(json.dumps(shown))
"""

HEAD = """
import json, sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=120)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, dict(answer.headers), answer.read().decode()]))
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
    tcp, udp = {8000, 8081, 8082, 8083, 8084, 8085, 8201, 8888}, {8082, 8085, 8201, 8888}
    for protocol, ports in {"tcp": tcp, "udp": udp}.items():
        opened = lab["box"].check_output(f"nft list set inet seedbed open_{protocol}")
        assert {int(port) for port in re.findall(r"\d{4}", opened)} == ports


def flood(lab, path: str, account: dict | None = None, body: dict | None = None) -> list:
    return lab.python("box", FLOOD, *(json.dumps(word) for word in (path, account, body)))


ACCOUNT = {"username": "seedbed", "password": "another one for this test"}


def test_flood_shows_the_torrents_to_its_user(lab, wait_until):
    def seeding() -> set[str]:
        status, answer = flood(lab, "torrents", ACCOUNT)
        assert status == 200
        torrents = answer["torrents"].values()
        return {t["name"] for t in torrents if t["percentComplete"] == 100 and "seeding" in t["status"]}

    # Flood asks the daemon every few seconds.
    wait_until(lambda: seeding() == {"single", "many"}, what="Flood lists both torrents as seeding")


def test_flood_shows_the_torrents_in_a_browser(lab):
    place = f"http://{lab.address('box')}:8083/"
    with Browser() as browser:
        browser.screen(1280, 800)
        browser.get(place)
        for name, text in ACCOUNT.items():
            (field,) = browser.wait("it asks who comes", lambda name=name: browser.find(f"input[name={name}]"))
            field.send_keys(text)
        field.send_keys(Keys.ENTER)

        def listed() -> bool:
            return {"single", "many"} <= set(browser.execute_script("return document.body.innerText").splitlines())

        browser.wait("it lists the torrents", listed)
        # Right after a login Flood now and then leaves its curtain over the list; whoever comes with a session sees it.
        browser.refresh()
        curtain = ".application__loading-overlay"
        browser.wait("the list is in sight", lambda: listed() and not browser.find(curtain))
        browser.keep("flood")
        assert [url for url in browser.requests() if not url.startswith((place, "data:"))] == []


@pytest.mark.parametrize("path", ["torrents", "auth/users", "client/connection-test", "directory-list?path=/"])
def test_flood_tells_a_stranger_nothing(lab, path):
    assert flood(lab, path) == [401, None]


def test_flood_takes_no_other_password(lab):
    assert flood(lab, "auth/authenticate", None, {**ACCOUNT, "password": PASSWORDS[0]}) == [401, None]


def test_flood_takes_no_second_administrator_from_a_stranger(lab):
    client = {"client": "Transmission", "type": "rpc", "version": 1, "url": "http://x/", "username": "", "password": ""}
    wish = {"username": "stranger", "password": "stranger", "client": client, "level": 10}
    assert flood(lab, "auth/register", None, wish)[0] in (401, 403)
    assert [user["username"] for user in flood(lab, "auth/users", ACCOUNT)[1]] == ["seedbed"]


def test_flood_runs_as_a_user_of_its_own_who_alone_sees_its_secrets(lab):
    box = lab["box"]
    pid = box.check_output("systemctl show --property=MainPID --value seedbed-flood.service")
    assert box.check_output(f"stat --format=%U /proc/{pid}") == "seedbed-flood"
    assert box.check_output("stat --format='%U %a' /var/lib/seedbed-flood") == "seedbed-flood 700"
    assert box.check_output("stat --format='%U %a' /var/lib/seedbed-flood/db/users.db") == "seedbed-flood 600"
    assert lab.python("box", SHOWN, *(password.encode().hex() for password in PASSWORDS)) == []
    # The announcer's file and the collector's, which root alone can read, have that of the daemon.
    in_clear = f"grep -rFl -e '{PASSWORDS[0]}' -e '{PASSWORDS[1]}' /etc /opt"
    kept = ["/etc/seedbed/announcer.json", "/etc/seedbed/collector.json"]
    assert sorted(box.run(in_clear).stdout.split()) == kept
    assert box.run(f"journalctl --unit=seedbed-flood.service | grep -F '{PASSWORDS[1]}'").rc == 1


# Looks at every process of the machine, those of its containers too, until its input ends; prints which show a secret.
SAMPLE = """
import json, pathlib, select, sys
secrets = [bytes.fromhex(word) for word in sys.argv[1:]]
shown, rounds = set(), 0
while not select.select([sys.stdin], [], [], 0.1)[0]:
    rounds += 1
    for name in ("cmdline", "environ"):
        for file in pathlib.Path("/proc").glob("[0-9]*/" + name):
            try:
                content = file.read_bytes()
            except OSError:
                continue
            if any(secret in content for secret in secrets):
                shown.add(name + ": " + content.replace(b"\\0", b" ").decode(errors="replace")[:200])
print(json.dumps([sorted(shown), rounds]))
"""


# Who may know the daemon's password: the announcer and the portal's collector, each in root's file and its own copy of
# it, and Flood; and the secret of its RPC: aria2, likewise.
KEEPERS = [
    "/etc/seedbed/announcer.json",
    "/etc/seedbed/aria2.conf",
    "/etc/seedbed/collector.json",
    "/run/seedbed-announcer/config.json",
    "/run/seedbed-aria2/aria2.conf",
    "/run/seedbed-collector/config.json",
    "/var/lib/seedbed-flood/db/users.db",
]


class Proxy(socketserver.ThreadingTCPServer):
    """What programs are told to be the way to everywhere: refuses, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        super().__init__(("0.0.0.0", 0), Refusal)


class Refusal(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        self.server.asked.append(self.request.recv(65536))
        self.request.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(scope="module")
def secrets_of_the_run() -> dict[str, str]:
    """New ones, which stand nowhere else on this machine."""
    names = ("transmission_rpc_password", "flood_password", "leecher_rpc_secret")
    return {name: f"only-here-{secrets.token_hex(8)}" for name in names}


@pytest.fixture(scope="module")
def variables(secrets_of_the_run, tmp_path_factory) -> Path:
    """The file that a run takes them from: its words stand in the list of processes."""
    file = tmp_path_factory.mktemp("secret") / "variables.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(secrets_of_the_run), encoding="utf-8")
    return file


@contextlib.contextmanager
def watched_processes(secrets_of_the_run: dict[str, str]) -> Iterator[list[str]]:
    """Look at all processes for secrets; what showed one stands in the list when the block has ended."""
    looking = [sys.executable, "-c", SAMPLE, *(secret.encode().hex() for secret in secrets_of_the_run.values())]
    shown: list[str] = []
    with subprocess.Popen(looking, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as eye:
        yield shown
        seen, rounds = json.loads(eye.communicate(b"\n")[0])
    shown += seen
    assert rounds > 20


@pytest.fixture(scope="module")
def watched_runs(lab, secrets_of_the_run, variables):
    """New passwords reach the lab, which is looked at and downloaded from: what was said, shown, and sent by proxy."""
    box = lab["box"]
    gateway = box.check_output("ip -4 route show default").split()[2]
    said = ""
    with Proxy() as proxy, watched_processes(secrets_of_the_run) as seen:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        way = f"http://{gateway}:{proxy.server_address[1]}"
        names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        box.check_output("printf %s >> /etc/environment", "".join(f"{name}={way}\n" for name in names))
        # A connection has the environment of its begin.
        hang_up = ["ssh", "-F", str(lab.directory / "ssh_config"), "-O", "exit", "box"]
        subprocess.run(hang_up, check=False)
        try:
            with pytest.MonkeyPatch.context() as patch:
                for name in names:
                    patch.setenv(name, way)
                for playbook in ("site", "doctor", "download"):
                    run = lab.playbook(INVENTORY, "-vvv", "--diff", f"-e@{variables}", f"playbooks/{playbook}.yml")
                    assert run.returncode == 0, run.stdout[-5000:]
                    said += run.stdout + run.stderr
        finally:
            box.check_output("sed -i '/_proxy=/Id' /etc/environment")
            subprocess.run(hang_up, check=False)
            proxy.shutdown()
    return said, seen, proxy.asked


def test_new_passwords_are_taken(lab, watched_runs, secrets_of_the_run):
    account = {"username": "seedbed", "password": secrets_of_the_run["flood_password"]}
    assert flood(lab, "client/connection-test", account) == [200, {"isConnected": True}]


def test_no_run_says_or_shows_a_secret(watched_runs, secrets_of_the_run):
    said, seen, _ = watched_runs
    assert [name for name, secret in secrets_of_the_run.items() if secret in said] == []
    assert seen == []


def test_nothing_that_has_a_secret_goes_through_a_proxy(watched_runs, secrets_of_the_run):
    _, _, asked = watched_runs
    assert [request for request in asked if b"8081" in request or b"8083" in request or b"8084" in request] == []
    assert not any(secret.encode() in request for secret in secrets_of_the_run.values() for request in asked)


def test_no_file_has_a_secret_but_those_of_three_services(lab, watched_runs, secrets_of_the_run, wait_until):
    patterns = "\n".join(secrets_of_the_run.values())
    box = lab["box"]
    box.check_output("umask 077 && printf %s > /run/patterns", patterns)
    places = "/etc /opt /srv /var /run /tmp /root /home /usr/local"
    look = f"grep -rFlf /run/patterns --exclude=patterns --devices=skip {places}"
    # A download that has just ended takes its program, with what it was told, away by itself.
    wait_until(lambda: sorted(box.run(look).stdout.split()) == KEEPERS, what="none but them has a secret")
    assert set(box.check_output(f"stat --format=%a {' '.join(KEEPERS)}").split()) <= {"400", "600"}
    assert box.run("systemctl show '*' | grep -Ff /run/patterns").rc == 1
    assert box.run("journalctl --no-pager | grep -Ff /run/patterns").rc == 1
    box.check_output("rm /run/patterns")
    home = Path(os.environ.get("ANSIBLE_HOME", "~/.ansible")).expanduser()
    for secret in secrets_of_the_run.values():
        for place in (lab.directory, home):
            kept = [path for path in place.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
            assert kept == []


def test_services_are_shut_in(lab, shut_in):
    ours = ("announcer", "aria2", "collector", "firewall", "flood", "portal")
    assert set(shut_in(lab["box"])) == {
        "opentracker.service",
        "transmission-daemon.service",
        *(f"seedbed-{name}.service" for name in ours),
    }


def test_the_daemons_own_interface_is_beside_it(lab):
    status, headers, _ = lab.python("box", HEAD, "http://127.0.0.1:8081/transmission/web/")
    assert (status, headers["Server"]) == (401, "Transmission")


@pytest.fixture(scope="module")
def interface(lab, tmp_path_factory) -> str:
    """The URL of an interface for aria2 from an archive; the same run has switched Flood off."""
    archive = tmp_path_factory.mktemp("archive") / "ui.tar.gz"
    pages = {"ui-1.0/index.html": b"<title>aria2 here</title>", "ui-1.0/js/ui.js": b"// nothing", "README": b"no page"}
    with tarfile.open(archive, "w:gz") as made:
        for name, content in pages.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    wanted = {
        "portal_aria2_ui_archive": str(archive),
        "portal_aria2_ui_sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "flood_enabled": False,
    }
    run = lab.playbook(INVENTORY, "molecule/all_in_one/interfaces.yml", "--extra-vars", json.dumps(wanted))
    assert run.returncode == 0, run.stdout + run.stderr
    return "http://127.0.0.1:8000/aria2/"


def policy(headers: dict) -> dict[str, str]:
    """The directives of a Content-Security-Policy."""
    return dict(directive.split(" ", 1) for directive in headers["Content-Security-Policy"].split("; "))


def test_the_interface_for_aria2_may_talk_to_the_leecher_alone(lab, interface, wait_until):
    # nginx takes a new configuration a moment after it was told to.
    wait_until(lambda: lab.python("box", HEAD, interface)[0] == 200, what="the interface is served")
    _, headers, page = lab.python("box", HEAD, interface)
    rpc = f"{lab.address('box')}:8084"
    assert page == "<title>aria2 here</title>"
    assert policy(headers)["connect-src"] == f"'self' http://{rpc} ws://{rpc}"
    assert policy(headers)["default-src"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert lab.python("box", HEAD, interface + "js/ui.js")[2] == "// nothing"
    assert lab.python("box", HEAD, interface + "README")[0] == 404


def test_the_portals_own_page_is_as_strict_as_before(lab, interface):
    _, headers, _ = lab.python("box", HEAD, "http://127.0.0.1:8000/")
    assert policy(headers)["connect-src"] == policy(headers)["style-src"] == "'self'"


def test_the_secret_of_the_rpc_is_not_published(lab, interface):
    assert lab["box"].run("grep -rF a-third-one-for-this-test /etc/nginx /srv/seedbed/portal /opt").rc == 1


def test_flood_is_gone_when_switched_off(lab, interface):
    box = lab["box"]
    assert box.run("systemctl cat seedbed-flood.service").rc != 0
    assert not box.run("ss --no-header --listening --numeric --tcp 'sport = :8083'").stdout
    for path in ("/opt/seedbed/flood", "/var/lib/seedbed-flood"):
        assert not box.file(path).exists
    assert box.run("id seedbed-flood").rc != 0


def test_the_lab_can_be_taken_back_and_then_there_is_nothing_to_take(lab, variables, secrets_of_the_run):
    run = (INVENTORY, "-vvv", "--diff", f"-e@{variables}", "playbooks/remove.yml", "--extra-vars=keep_content=false")
    with watched_processes(secrets_of_the_run) as shown:
        first, second = (lab.playbook(*run) for _ in range(2))
    said = first.stdout + first.stderr + second.stdout + second.stderr
    assert [name for name, secret in secrets_of_the_run.items() if secret in said] == []
    assert shown == []
    assert first.returncode == second.returncode == 0, first.stdout[-3000:] + second.stdout[-3000:]
    assert "changed=0 " in second.stdout, second.stdout[-3000:]
    box = lab["box"]
    ports = "'sport >= :8000 and sport <= :9000'"
    assert box.check_output(f"ss --no-header --listening --numeric --tcp --udp {ports}") == ""
    assert "inet seedbed" not in box.run("nft list tables").stdout
    assert not box.file("/var/log/seedbed-portal").exists
    ours = "'seedbed*' 'opentracker*' 'transmission-daemon*'"
    assert box.check_output(f"systemctl list-units --all --plain --no-legend {ours}") == ""
    before = (lab.directory / "before").read_text(encoding="utf-8").splitlines()
    assert lab.differences(before, lab.snapshot("box")) == []
