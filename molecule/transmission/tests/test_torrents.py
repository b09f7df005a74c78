"""What somebody does to a seeder's content, on Transmission 3.00 and 4.1: each time check mode says what a run changes.

A file is damaged under a torrent that stands still, and nothing can be done about it; it is repaired, made again, taken
away, and brought back. In the end it seeds as it did.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from ansible.module_utils.seedbed.transmission.rpc import RpcClient
from ansible.module_utils.seedbed.transmission.torrent_status import TorrentStatus

SCENARIO = Path(__file__).resolve().parents[1]
# Transmission 3.00, and 4.1 with the new password that it has by now.
PASSWORDS = {"debian11": "only for {this} test:é", "debian13": "another one"}
SAMPLE = "f67a0bc6aa01377a78b5c775894d27d9968686b6"
FILE, SIZE = "/srv/sample.txt", 65536


class Seeders:
    """Both daemons with the sample; what happens, happens to both."""

    def __init__(self, lab: Any, wait_until: Callable[..., Any]) -> None:
        self.lab, self.wait_until = lab, wait_until
        self.clients = {
            name: RpcClient(lab.address(name), 8081, ("seedbed", password), timeout=120)
            for name, password in PASSWORDS.items()
        }

    def sh(self, command: str) -> None:
        for name in self.clients:
            self.lab[name].check_output(command)

    def call(self, method: str) -> None:
        for client in self.clients.values():
            client.call(method, {"ids": [SAMPLE]})

    def become(self, status: TorrentStatus, *, whole: bool = True, error: int = 0) -> None:
        """Wait until the daemons show the sample like this."""
        fields = ["status", "haveValid", "error"]
        for name, client in self.clients.items():

            def there(client: RpcClient = client) -> bool:
                (torrent,) = client.call("torrent-get", {"ids": [SAMPLE], "fields": fields})["torrents"]
                shown = (torrent["status"], torrent["haveValid"] == SIZE, torrent["error"])
                return shown == (status, whole, error)

            self.wait_until(there, seconds=120, what=f"the sample is {status.words} on {name}")

    def run(self, *expected: str, remade: bool = False) -> None:
        """Have the torrents, by a run that changes the expected ones and whose check mode says so."""
        variables = {"expected": expected, "remade": remade, "passwords": PASSWORDS}
        where = [f"--inventory={SCENARIO}/inventory.yml", f"--ssh-common-args=-F {self.lab.directory}/ssh_config"]
        hosts, extra = f"--limit={','.join(PASSWORDS)}", f"--extra-vars={json.dumps(variables)}"
        run = self.lab.playbook(*where, hosts, f"{SCENARIO}/torrents.yml", extra)
        assert run.returncode == 0, run.stdout


@pytest.fixture
def seeders(lab: Any, wait_until: Callable[..., Any]) -> Iterator[Seeders]:
    found = Seeders(lab, wait_until)
    yield found
    for client in found.clients.values():
        client.close()


def test_damaged_content_is_started_once_it_is_repaired(seeders: Seeders) -> None:
    seeders.call("torrent-stop")
    seeders.become(TorrentStatus.STOPPED)
    seeders.sh(f"cp -p {FILE} {FILE}.kept && printf X | dd of={FILE} conv=notrunc")
    seeders.call("torrent-verify")
    seeders.become(TorrentStatus.STOPPED, whole=False)
    seeders.run()
    seeders.become(TorrentStatus.STOPPED, whole=False)
    seeders.sh(f"mv {FILE}.kept {FILE}")
    seeders.run("sample.txt")
    seeders.become(TorrentStatus.SEEDING)


def test_content_that_was_made_again_is_read_again(seeders: Seeders) -> None:
    seeders.run("sample.txt", "lost.txt", remade=True)
    seeders.become(TorrentStatus.SEEDING)


def test_content_that_comes_back_is_started(seeders: Seeders) -> None:
    seeders.call("torrent-stop")
    seeders.become(TorrentStatus.STOPPED)
    seeders.sh(f"mv {FILE} {FILE}.kept")
    seeders.call("torrent-start")
    seeders.become(TorrentStatus.STOPPED, error=3)
    seeders.run()
    seeders.sh(f"mv {FILE}.kept {FILE}")
    seeders.run("sample.txt")
    seeders.become(TorrentStatus.SEEDING)
