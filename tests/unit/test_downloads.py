"""Downloads run side by side, are watched, and compared with the catalogue; the client is played by a script."""

from __future__ import annotations

import errno
import hashlib
import os
import pwd
import re
import socket
import stat
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.clients import downloads, unit
from ansible.module_utils.seedbed.clients.aria2 import Aria2, configuration, last_words
from ansible.module_utils.seedbed.clients.contract import Client, ClientError, ClientSettings, Order, Status
from ansible.module_utils.seedbed.clients.download_plan import PlannedDownload
from ansible.module_utils.seedbed.clients.downloads import (
    DownloadLimits,
    PortalError,
    compare_download,
    compare_files,
    in_order,
    run_downloads,
    without_features,
)
from ansible.module_utils.seedbed.clients.transmission import daemon_settings

CONTENT = b"forty-two bytes of content, more or less.."
SUM = hashlib.sha256(CONTENT).hexdigest()
METADATA = Status("metadata", 0, 1)
ACTIVE = Status("downloading", 0, 1)
COMPLETE = Status("complete", 42, 1)
HTTP, UDP = "http://192.0.2.1:8888/announce", "udp://192.0.2.1:8888/announce"


def item(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "info_hash": hashlib.sha1(name.encode()).hexdigest(),
        "magnet": f"magnet:?dn={name}&tr={quote(HTTP, safe='')}&tr={quote(UDP, safe='')}",
        "bare_magnet": f"magnet:?dn={name}",
        "torrent": f"torrents/{name}.torrent",
        "private": False,
        "piece_length": 16384,
        "trackers": [[HTTP], [UDP]],
        "size": len(CONTENT),
        "files": [{"path": name, "length": len(CONTENT), "sha256": SUM}],
    }


class Script(Client):
    """A client that answers each question about a download with the next line of its script."""

    name, features = "script", frozenset(("torrent", "magnet"))

    def __init__(self, directory: Path, scripts: dict[str, list[Status]], parallel: int = 16) -> None:
        super().__init__(ClientSettings(str(directory), "nobody", 8084, 8085, "", parallel, 60))
        self.scripts = scripts
        self.orders: dict[str, Order] = {}
        self.running: set[str] = set()
        self.most = 0

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing of it runs."""

    def add(self, order: Order) -> str:
        handle = order.torrent.decode() or order.magnet.partition("dn=")[2].partition("&")[0]
        self.orders[handle] = order
        self.running.add(handle)
        self.most = max(self.most, len(self.running))
        return handle

    def status(self, handle: str) -> Status:
        script = self.scripts[handle]
        return script.pop(0) if len(script) > 1 else script[0]

    def files(self, handle: str) -> list[str]:
        path = Path(self.orders[handle].directory) / handle
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"other bytes" if handle == "damaged" else CONTENT)
        return [str(path)]

    def remove(self, handle: str) -> None:
        self.running.discard(handle)

    def last_words(self, handle: str, info_hash: str) -> list[str]:
        return [f"last words of {handle}, {info_hash[:4]}"]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look without pause, and let the portal hand out a torrent that is just its name."""
    monkeypatch.setattr(downloads, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(
        downloads, "fetch_from_portal", lambda url: url.rsplit("/", 1)[1].replace(".torrent", "").encode()
    )


def go(script: Script, *jobs: PlannedDownload, stall: float = 5.0, keep: bool = False) -> list[dict[str, Any]]:
    return run_downloads(jobs, script, "http://192.0.2.1:8000/", DownloadLimits(stall, 20.0, keep))


def test_a_torrent_is_downloaded_compared_and_deleted(tmp_path: Path) -> None:
    script = Script(tmp_path, {"a": [ACTIVE, COMPLETE]})
    (result,) = go(script, PlannedDownload(item("a"), "torrent", "udp"))
    assert (result["ok"], result["step"], result["bytes"]) == (True, None, 42)
    assert list(result["seconds"]) == ["metadata", "first_byte", "download", "verified"]
    assert (result["client"], result["expected"], result["fault"]) == ("script", "completes", "")
    assert list(tmp_path.iterdir()) == []


def test_files_stay_where_they_are_wanted(tmp_path: Path) -> None:
    go(Script(tmp_path, {"a": [COMPLETE]}), PlannedDownload(item("a"), "torrent", "http"), keep=True)
    assert (tmp_path / "1" / "a").read_bytes() == CONTENT


def test_a_client_has_forgotten_a_download_before_its_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared, seen = threading.Event(), []

    class Slow(Script):
        def remove(self, handle: str) -> None:
            assert compared.wait(120)
            seen.append((tmp_path / "1" / handle).exists())

    def compare(*arguments: Any) -> str:
        try:
            return compare_download(*arguments)
        finally:
            compared.set()

    monkeypatch.setattr(downloads, "compare_download", compare)
    go(Slow(tmp_path, {"a": [COMPLETE]}), PlannedDownload(item("a"), "torrent", "http"))
    assert seen == [True]
    assert list(tmp_path.iterdir()) == []


def test_what_a_client_still_has_there_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, **_: Any) -> None:
        raise OSError(errno.ENOTEMPTY, "Directory not empty", path)

    monkeypatch.setattr(os, "rmdir", refuse)
    (result,) = go(Script(tmp_path, {"a": [COMPLETE]}), PlannedDownload(item("a"), "torrent", "http"))
    assert result["ok"], result
    assert [path.name for path in tmp_path.rglob("*")] == ["1"]


def test_a_magnet_is_followed_from_its_metadata_to_its_content(tmp_path: Path) -> None:
    script = Script(tmp_path, {"m": [METADATA, METADATA, ACTIVE, COMPLETE]})
    (result,) = go(script, PlannedDownload(item("m"), "magnet", "http"))
    assert result["ok"]
    assert result["seconds"]["metadata"] <= result["seconds"]["first_byte"]
    assert script.orders["m"] == Order(f"{tmp_path}/1", magnet=f"magnet:?dn=m&tr={quote(HTTP, safe='')}"), (
        "without the trackers of the other kind"
    )


def test_to_a_bare_magnet_the_trackers_are_told_apart(tmp_path: Path) -> None:
    script = Script(tmp_path, {"m": [COMPLETE]})
    go(script, PlannedDownload(item("m"), "bare_magnet", "udp"))
    assert script.orders["m"] == Order(f"{tmp_path}/1", magnet="magnet:?dn=m", trackers=[UDP])


def test_the_same_swarm_is_entered_once_at_a_time(tmp_path: Path) -> None:
    script = Script(tmp_path, {"a": [ACTIVE, COMPLETE], "b": [COMPLETE]})
    results = go(script, PlannedDownload(item("a"), "torrent", "http"), PlannedDownload(item("a"), "torrent", "udp"))
    assert [result["ok"] for result in results] == [True, True]
    assert script.most == 1


def test_no_more_run_side_by_side_than_allowed(tmp_path: Path) -> None:
    names = "abcdef"
    script = Script(tmp_path, {name: [ACTIVE, ACTIVE, COMPLETE] for name in names}, parallel=2)
    results = go(script, *(PlannedDownload(item(name), "torrent", "http") for name in names))
    assert all(result["ok"] for result in results)
    assert script.most == 2


@pytest.mark.parametrize(
    ("via", "status", "step", "said"),
    [
        ("torrent", Status("downloading"), "connect", "no progress for 0 s with no peer that answered"),
        ("torrent", Status("downloading", 7, 1), "stall", "no progress for 0 s with 1 connections, 16 % there"),
        ("magnet", METADATA, "metadata", "no progress for 0 s with 1 connections"),
        ("torrent", Status("failed", 0, 1, "disk full"), "connect", "disk full"),
    ],
)
def test_a_failure_names_its_step(tmp_path: Path, via: str, status: Status, step: str, said: str) -> None:
    script = Script(tmp_path, {"x": [status], "good": [ACTIVE, COMPLETE]})
    failed, good = go(
        script, PlannedDownload(item("x"), via, "http"), PlannedDownload(item("good"), "torrent", "http"), stall=0.05
    )
    words = [said, f"last words of x, {failed['info_hash'][:4]}"]
    assert (failed["ok"], failed["step"], failed["words"]) == (False, step, words)
    assert failed["fault"] == "; ".join(words)
    assert good["ok"], "the others go on"


def test_a_download_that_goes_on_outlives_any_time_to_stand_still(tmp_path: Path) -> None:
    script = Script(tmp_path, {"a": [*(Status("downloading", count, 1) for count in range(42)), COMPLETE]})
    seen: list[float] = []

    def look(downloads: Any) -> None:
        seen.append(time.monotonic())
        time.sleep(0.02)  # what makes it slow: all of it takes longer than it may stand still

    job = PlannedDownload(item("a"), "torrent", "http")
    (result,) = run_downloads([job], script, "http://192.0.2.1:8000/", DownloadLimits(0.5, 0.0, False), look)
    assert result["ok"]
    assert seen[-1] - seen[0] > 0.5


def test_a_time_for_all_can_be_set(tmp_path: Path) -> None:
    statuses = [Status("downloading", count, 1) for count in range(10**5)]
    job = PlannedDownload(item("a"), "torrent", "http")
    limits = DownloadLimits(120.0, 0.05, False)
    (result,) = run_downloads([job], Script(tmp_path, {"a": statuses}), "http://192.0.2.1:8000/", limits)
    assert (result["step"], result["words"][0]) == ("stall", "the run's 0 s were over")


def test_all_are_looked_at_from_before_the_first_until_the_last_was_compared(tmp_path: Path) -> None:
    script = Script(tmp_path, {"a": [METADATA, ACTIVE, Status("downloading", 7, 1), COMPLETE], "b": [COMPLETE]}, 1)
    jobs = [PlannedDownload(item("a"), "magnet", "http"), PlannedDownload(item("b"), "torrent", "http")]
    seen: list[list[str]] = []
    run_downloads(
        jobs,
        script,
        "http://192.0.2.1:8000/",
        DownloadLimits(120.0, 0.0, False),
        lambda downloads: seen.append([download.state for download in downloads]),
    )
    assert seen[0] == ["waiting", "waiting"]
    states = [state for state, _ in seen]
    assert [states.index(state) for state in ("waiting", "metadata", "connecting", "downloading")] == [0, 1, 2, 3]


def test_what_looks_can_end_it(tmp_path: Path) -> None:
    def enough(_: Any) -> None:
        raise ClientError("enough")

    job = PlannedDownload(item("a"), "torrent", "http")
    with pytest.raises(ClientError, match=r"^enough$"):
        run_downloads([job], Script(tmp_path, {}), "http://192.0.2.1:8000/", DownloadLimits(5, 0, False), enough)


def test_a_client_ends_with_its_time_or_with_the_unit_that_it_is_bound_to() -> None:
    settings = ClientSettings("/srv", "nobody", 8084, 8085, "", 16, 60)
    words = [word for word in unit.guards(settings) if re.match("--property=(RuntimeMax|BindsTo|After)", word)]
    assert words == ["--property=RuntimeMaxSec=60"]
    bound = settings._replace(seconds=0, bound_to="other.service")
    words = [word for word in unit.guards(bound) if re.match("--property=(RuntimeMax|BindsTo|After)", word)]
    assert words == ["--property=BindsTo=other.service", "--property=After=other.service"]


def test_other_bytes_fail_at_verify(tmp_path: Path) -> None:
    (result,) = go(Script(tmp_path, {"damaged": [COMPLETE]}), PlannedDownload(item("damaged"), "torrent", "http"))
    assert result["step"] == "verify"
    assert result["words"] == [
        f"damaged: expected SHA-256 {SUM}, got {hashlib.sha256(b'other bytes').hexdigest()}",
    ]


def test_a_portal_without_the_torrent_fails_that_item_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(url: str) -> bytes:
        raise PortalError(f"{url}: Not Found")

    monkeypatch.setattr(downloads, "fetch_from_portal", fetch)
    (result,) = go(Script(tmp_path, {}), PlannedDownload(item("a"), "torrent", "http"))
    assert (result["step"], result["words"]) == ("portal", ["http://192.0.2.1:8000/torrents/a.torrent: Not Found"])


def test_an_aria2_that_ended_is_told_at_once(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "log").write_text(LOG)
    dead = Aria2(ClientSettings(str(tmp_path), "nobody", port, 8085, "", 16, 60))
    (result,) = run_downloads(
        [PlannedDownload(item("m"), "magnet", "http")], dead, "http://192.0.2.1:8000/", DownloadLimits(5.0, 20.0, False)
    )
    assert (result["ok"], result["step"]) == (False, "metadata")
    assert result["words"][0].startswith(f"aria2 does not answer on port {port}: ")


def test_a_portal_that_hangs_up_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/catalogue.json"
        with pytest.raises(PortalError, match=rf"^{url}: IncompleteRead"):
            downloads.fetch_from_portal(url)
        thread.join(5)


def test_missing_files_and_wrong_numbers_of_files_are_told(tmp_path: Path) -> None:
    wanted = [{"path": "a", "sha256": SUM}]
    assert compare_files([], wanted) == "expected 1 files, got 0"
    assert compare_files([str(tmp_path / "a")], wanted) == "a: No such file or directory"


def test_padding_is_no_content() -> None:
    paths = ["/d/n/a", "/d/n/.pad/123", "/d/n/b.pad"]
    assert in_order(paths, [{"path": "a"}, {"path": "b.pad"}]) == ["/d/n/a", "/d/n/b.pad"]
    assert in_order(paths, [{"path": "a?"}, {"path": "b.pad"}]) == ["/d/n/a", "/d/n/b.pad"], "a name that was changed"


def test_files_are_compared_in_the_catalogues_order() -> None:
    paths = ["/d/n/sub/a", "/d/n/left over", "/d/n/a"]
    assert in_order(paths, [{"path": "a"}, {"path": "sub/a"}]) == ["/d/n/a", "/d/n/sub/a"]


LOG = """2026-01-02 03:04:05.678901 [NOTICE] [Dht.cc:82] IPv4 DHT: listening on UDP port 8085
2026-01-02 03:04:05.6 [ERROR] [Tracker.cc:130] GID#b3 - Tracker request http://t/announce?info_hash=%FF%00abc failed.
Exception: [DefaultBtAnnounce.cc:303] errorCode=1 Tracker returned failure reason: Requested download is not authorized.
2026-01-02 03:04:06.678901 [ERROR] [AbstractCommand.cc:403] CUID#7 - Download aborted. URI=...
Exception: [AbstractCommand.cc:403] errorCode=1 outer
  -> [SocketCore.cc:600] errorCode=1 Failed to establish connection, cause: Connection refused
2026-01-02 03:04:07.678901 [WARN] [Some.cc:1] Plain words.
"""


def test_the_last_words_are_those_about_the_download(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_words(str(log)) == []
    log.write_text(LOG)
    refused = "Tracker returned failure reason: Requested download is not authorized."
    assert last_words(str(log)) == [
        refused,
        "Failed to establish connection, cause: Connection refused",
        "Plain words.",
    ]
    assert last_words(str(log), [b"\xff\0abc"]) == [refused]
    assert last_words(str(log), count=1) == ["Plain words."]


def test_the_configuration_leaves_only_the_tracker_to_find_peers(tmp_path: Path) -> None:
    settings = ClientSettings(str(tmp_path), "nobody", 8084, 8085, "192.0.2.9", 16, 60)
    lines = configuration(settings, "s3cret").splitlines()
    assert {"enable-peer-exchange=false", "bt-enable-lpd=false", "rpc-listen-all=false"} <= set(lines)
    assert {"rpc-secret=s3cret", "listen-port=8085", "dht-listen-port=8085", "interface=192.0.2.9"} <= set(lines)
    assert Aria2(settings).secret != Aria2(settings).secret


def test_what_else_may_find_peers_is_switched_on_by_name(tmp_path: Path) -> None:
    finds = {"finds": ["dht", "pex", "lpd"], "dht_nodes": ["192.0.2.1:8086"]}
    settings = ClientSettings(str(tmp_path), "nobody", 8084, 8085, "", 16, 60)._replace(**finds)  # type: ignore[arg-type]
    lines = configuration(settings, "s3cret").splitlines()
    assert {"enable-peer-exchange=true", "bt-enable-lpd=true", "dht-entry-point=192.0.2.1:8086"} <= set(lines)
    switches = {key: daemon_settings(settings, "")[f"{key}-enabled"] for key in ("dht", "pex", "lpd")}
    assert switches == {"dht": False, "pex": True, "lpd": True}
    client = Script(tmp_path, {})
    client.settings = settings
    able, skipped = without_features([PlannedDownload(item("a"), "torrent", "http")], client)
    assert (able, skipped[0]["skipped"]) == ([], "dht and pex and lpd")


def test_a_secret_that_was_given_opens_the_rpc_to_those_who_know_it(tmp_path: Path) -> None:
    settings = ClientSettings(str(tmp_path), "nobody", 8084, 8085, "", 16, 60, "known to testers")
    lines = configuration(settings, Aria2(settings).secret).splitlines()
    assert {"rpc-listen-all=true", "rpc-allow-origin-all=true", "rpc-secret=known to testers"} <= set(lines)


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of systemd, which starts nothing and says that everything runs."""
    asked: list[str] = []
    monkeypatch.setattr(unit, "run_transient", lambda unit, *_: asked.append(f"start {unit}"))
    monkeypatch.setattr(Unit, "active", lambda _self: True)
    monkeypatch.setattr(Unit, "stop", lambda self: asked.append(f"stop {self.name}"))
    return asked


def own_settings(directory: Path, port: int) -> ClientSettings:
    return ClientSettings(str(directory), pwd.getpwuid(os.getuid()).pw_name, port, 8085, "", 16, 60)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_aria2_is_stopped_where_something_else_answers_on_its_port(
    tmp_path: Path, systemd: list[str], answer: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(65536)
                client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        with pytest.raises(ClientError, match=f"^port {port} does not speak aria2's RPC"):
            Aria2(own_settings(tmp_path, port)).__enter__()
        thread.join(120)
    assert systemd == ["start seedbed-leecher.service", "stop seedbed-leecher.service"]


def test_aria2_is_stopped_when_its_start_is_interrupted(
    tmp_path: Path, systemd: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Aria2, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Aria2(own_settings(tmp_path, 1)).__enter__()
    assert systemd == ["start seedbed-leecher.service", "stop seedbed-leecher.service"]


def test_an_aria2_of_another_run_is_left_alone(
    tmp_path: Path, systemd: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise CommandError(["systemd-run"], 1, "Unit seedbed-leecher.service already exists.")

    monkeypatch.setattr(unit, "run_transient", refuse)
    with pytest.raises(ClientError, match="already exists"):
        Aria2(own_settings(tmp_path, 1)).__enter__()
    assert systemd == []


def test_the_configuration_is_given_away_before_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the directory is its user's, that user may put a link to somebody else's file in its place."""
    given: list[str] = []
    monkeypatch.setattr(os, "fchown", lambda descriptor, *_: given.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    conf = str(tmp_path / "aria2.conf")
    unit.ClientUnit(own_settings(tmp_path, 1), "aria2").own({"aria2.conf": "text"})
    assert given == [conf, str(tmp_path)]
    assert stat.S_IMODE(os.stat(conf).st_mode) == 0o600


def test_a_link_in_the_logs_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text(LOG)
    (tmp_path / "log").symlink_to(tmp_path / "theirs")
    assert last_words(str(tmp_path / "log")) == []
