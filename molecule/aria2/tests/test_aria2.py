"""aria2 as a service on Debian 12 and 13, used as a tester does: from a machine that is none of the hosts.

Its control port takes whoever knows the secret and nobody else; a magnet without trackers comes byte for byte, since
the service knows the lab's. A download that is cut off by a restart of the host goes on by itself. The secret is in no
command line, environment or journal. Switched off, unit, ports, queue and configuration are gone, what was downloaded
stays, and a second run changes nothing. A page of the portal may talk to it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from chromium import Browser
from selenium.webdriver.common.by import By

INVENTORY = "--inventory=molecule/aria2/inventory.yml"
HOSTS = ["hub", "leecher1"]
UNIT = "seedbed-aria2.service"
FILES = ["/etc/seedbed/aria2.conf", "/run/seedbed-aria2/aria2.conf"]
Wait = Callable[..., Any]

# An interface as small as can be: asks the RPC that its address names, with the secret that stands behind it.
PAGES = {
    "index.html": '<!doctype html><title>ui</title><p id="said"></p><script src="ui.js"></script>',
    "ui.js": """
const [place, word] = location.hash.slice(1).split(",");
const socket = new WebSocket(place);
const question = {jsonrpc: "2.0", id: "1", method: "aria2.getVersion", params: ["token:" + word]};
socket.onopen = () => socket.send(JSON.stringify(question));
socket.onmessage = ({data}) => {
  const answer = JSON.parse(data);
  document.getElementById("said").textContent = answer.error ? answer.error.message : answer.result.version;
};
""",
}


class RefusedError(Exception):
    """What aria2 says of a call that it does not carry out."""


@pytest.fixture(scope="module")
def secret(lab: Any) -> str:
    """The one that the run has made, as the summary names its place."""
    file = lab.directory / "leecher_rpc_secret"
    assert file.stat().st_mode & 0o777 == 0o600
    return str(file.read_text(encoding="utf-8").split()[0])


@pytest.fixture(scope="module")
def catalogue(lab: Any) -> dict[str, Any]:
    content = json.loads(lab.get(f"http://{lab.address('hub')}:8000/catalogue.json").body)
    return {item["name"]: item for item in content["items"]}


@pytest.fixture(scope="module")
def call(lab: Any, secret: str) -> Callable[..., Any]:
    addresses = {host: lab.address(host) for host in HOSTS}

    def called(host: str, method: str, *params: Any, secret: str | None = secret) -> Any:
        """What aria2 answers to a page of another origin, with a secret or without."""
        token = [] if secret is None else [f"token:{secret}"]
        asked = {"jsonrpc": "2.0", "id": "1", "method": method, "params": [*token, *params]}
        headers = {"Content-Type": "application/json", "Origin": "http://elsewhere.example"}
        where = f"http://{addresses[host]}:8084/jsonrpc"
        request = urllib.request.Request(where, json.dumps(asked).encode(), headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                return json.loads(answer.read())["result"]
        except urllib.error.HTTPError as error:
            raise RefusedError(json.loads(error.read())["error"]["message"]) from error

    return called


def finished(call: Callable[..., Any], host: str, info_hash: str) -> bool:
    """Whether a torrent's content has come; its metadata is a download of its own."""
    keys = ["status", "infoHash", "followedBy", "completedLength", "totalLength"]
    return any(
        each["infoHash"] == info_hash and not each.get("followedBy")
        for each in call(host, "aria2.tellStopped", 0, 100, keys)
        if each["status"] == "complete"
    )


def digest(host: Any, name: str) -> str:
    return str(host.check_output(f"sha256sum /srv/seedbed/downloads/{name}").split()[0])


@pytest.mark.parametrize("host", HOSTS)
def test_it_is_shut_in(lab: Any, shut_in: Callable[..., None], host: str) -> None:
    shut_in(lab[host], UNIT)
    assert lab[host].check_output(f"systemctl show --property=User --value {UNIT}") == "seedbed-leecher"


@pytest.mark.parametrize("host", HOSTS)
def test_nobody_gets_in_without_the_secret(call: Callable[..., Any], host: str) -> None:
    for wrong in (None, "", "wrong"):
        with pytest.raises(RefusedError, match="Unauthorized"):
            call(host, "aria2.getVersion", secret=wrong)
    assert call(host, "aria2.getVersion")["version"]


@pytest.mark.parametrize("host", HOSTS)
def test_the_secret_is_shown_to_nobody(lab: Any, secret: str, host: str) -> None:
    shown = lab[host].check_output("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | base64 -w0; true")
    assert secret.encode() not in base64.b64decode(shown)
    assert secret not in lab[host].check_output(f"systemctl show {UNIT}; journalctl --no-pager")
    modes = lab[host].check_output(f"stat --format='%a %U' {' '.join(FILES)}").splitlines()
    assert modes == ["600 root", "400 seedbed-leecher"]


@pytest.mark.parametrize("host", HOSTS)
def test_what_the_variables_say_holds(lab: Any, call: Callable[..., Any], host: str) -> None:
    options = call(host, "aria2.getGlobalOption")
    tracker = f"{lab.address('hub')}:8888/announce"
    wanted = {
        "max-concurrent-downloads": "5", "split": "5", "max-connection-per-server": "1", "min-split-size": "20971520",
        "seed-time": "0", "file-allocation": "none", "bt-enable-lpd": "false", "disable-ipv6": "false",
        "enable-peer-exchange": "false", "dir": "/srv/seedbed/downloads", "listen-port": "8085",
        "bt-tracker": f"http://{tracker},udp://{tracker}", "max-overall-download-limit": "4194304",
    }  # fmt: skip
    assert {key: options[key] for key in wanted} == wanted


@pytest.mark.parametrize("host", HOSTS)
def test_a_bare_magnet_comes_byte_for_byte(
    lab: Any, call: Callable[..., Any], catalogue: dict[str, Any], wait_until: Wait, host: str
) -> None:
    item = catalogue["small"]
    assert "tr=" not in item["bare_magnet"]
    call(host, "aria2.addUri", [item["bare_magnet"]])
    wait_until(lambda: finished(call, host, item["info_hash"]), what="the download is complete")
    assert digest(lab[host], "small") == item["files"][0]["sha256"]


@pytest.mark.parametrize("host", HOSTS)
def test_a_restart_of_the_host_keeps_the_queue(
    lab: Any, call: Callable[..., Any], catalogue: dict[str, Any], wait_until: Wait, host: str
) -> None:
    item = catalogue["large"]
    call(host, "aria2.addUri", [item["magnet"]])

    def bytes_of_it() -> int:
        active = call(host, "aria2.tellActive", ["infoHash", "completedLength", "followedBy", "totalLength"])
        ours = [each for each in active if each["infoHash"] == item["info_hash"]]
        return max((int(each["completedLength"]) for each in ours if int(each["totalLength"]) > 1 << 20), default=0)

    before = wait_until(bytes_of_it, what="its first bytes are here")
    assert before < item["size"]
    booted = lab[host].check_output("systemctl show --property=InvocationID --value " + UNIT)
    container = f"{lab.directory.name}-{host}"
    subprocess.run(["podman", "restart", "--time", "60", container], check=True, capture_output=True)

    def answers() -> bool:
        try:
            return bool(call(host, "aria2.getVersion"))
        except OSError:
            return False

    wait_until(answers, what="aria2 is back")
    assert lab[host].check_output("systemctl show --property=InvocationID --value " + UNIT) != booted
    wait_until(lambda: finished(call, host, item["info_hash"]), seconds=240, what="it went on by itself")
    assert digest(lab[host], "large") == item["files"][0]["sha256"]


@pytest.fixture(scope="module")
def switched_off(lab: Any) -> list[subprocess.CompletedProcess[str]]:
    run = (INVENTORY, "molecule/aria2/switch.yml", "--extra-vars", '{"leecher_persistent": false}')
    return [lab.playbook(*run, "--diff") for _ in range(2)]


def test_switched_off_it_is_gone_and_what_came_stays(
    lab: Any, secret: str, switched_off: list[subprocess.CompletedProcess[str]]
) -> None:
    first, second = switched_off
    assert first.returncode == second.returncode == 0, first.stdout[-3000:] + second.stdout[-3000:]
    assert second.stdout.count("changed=0 ") == len(HOSTS), second.stdout
    for name in HOSTS:
        host = lab[name]
        assert host.run(f"systemctl cat {UNIT}").rc != 0
        for path in (*FILES, "/var/lib/seedbed-aria2"):
            assert not host.file(path).exists
        ports = "'( sport = :8084 or sport = :8085 or sport = :8200 or sport = :8201 )'"
        assert host.check_output(f"ss --no-header --listening --numeric --tcp --udp {ports}") == ""
        opened = host.check_output("nft list table inet seedbed")
        assert "8085" in opened
        assert not {"8084", "8200", "8201"} & set(opened.replace(",", " ").split())
        assert host.file("/srv/seedbed/downloads/small").exists


@pytest.fixture(scope="module")
def switched_on(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Again, and with an interface on the portal."""
    archive = tmp_path_factory.mktemp("archive") / "ui.tar.gz"
    with tarfile.open(archive, "w:gz") as made:
        for name, text in PAGES.items():
            member = tarfile.TarInfo(f"ui-1.0/{name}")
            member.size = len(text.encode())
            made.addfile(member, io.BytesIO(text.encode()))
    pin = hashlib.sha256(archive.read_bytes()).hexdigest()
    wanted = {"portal_aria2_ui_archive": str(archive), "portal_aria2_ui_sha256": pin}
    return lab.playbook(INVENTORY, "molecule/aria2/switch.yml", "--diff", "-vvv", "--extra-vars", json.dumps(wanted))


def test_switched_on_again_it_is_back_and_no_run_says_the_secret(
    call: Callable[..., Any],
    secret: str,
    switched_off: list[subprocess.CompletedProcess[str]],
    switched_on: subprocess.CompletedProcess[str],
) -> None:
    assert switched_on.returncode == 0, switched_on.stdout[-3000:]
    for host in HOSTS:
        assert call(host, "aria2.getVersion")["version"]
    assert secret not in "".join(each.stdout + each.stderr for each in [*switched_off, switched_on])


def test_a_page_of_the_portal_talks_to_it(
    lab: Any, secret: str, switched_on: subprocess.CompletedProcess[str], wait_until: Wait
) -> None:
    """In a browser, which holds the page to the portal's content policy."""
    portal = f"http://{lab.address('hub')}:8000/aria2/"
    # nginx takes a new configuration a moment after it was told to.
    wait_until(lambda: lab.get(portal).status == 200, what="the interface is served")
    with Browser() as page:
        for host in HOSTS:
            for word, answer in ((secret, "1."), ("wrong", "Unauthorized"), ("", "Unauthorized")):
                page.get("about:blank")
                page.get(f"{portal}#ws://{lab.address(host)}:8084/jsonrpc,{word}")
                said = page.wait("aria2 has answered", lambda: page.find_element(By.ID, "said").text)
                assert said.startswith(answer), (host, said)


def test_all_of_it_can_be_taken_back(lab: Any) -> None:
    run = (INVENTORY, "playbooks/remove.yml", "--extra-vars=keep_content=false")
    first, second = (lab.playbook(*run) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stdout[-3000:] + second.stdout[-3000:]
    assert second.stdout.count("changed=0 ") == len(HOSTS), second.stdout
    for name in HOSTS:
        host = lab[name]
        assert host.run(f"systemctl cat {UNIT}").rc != 0
        for path in (*FILES, "/var/lib/seedbed-aria2", "/srv/seedbed/downloads"):
            assert not host.file(path).exists
        assert host.run("id seedbed-leecher").rc != 0
