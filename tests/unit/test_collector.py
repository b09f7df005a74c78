"""What the portal's collector asks and leaves: metrics that Prometheus takes, a day's history, a file for each item."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.evidence import history
from ansible.module_utils.seedbed.evidence.history import STEP, STEPS, read_history, with_values
from ansible.module_utils.seedbed.evidence.metrics import Family, LabNow, Sample, exposition, families, statistics
from ansible.module_utils.seedbed.programs import collector
from ansible.module_utils.seedbed.programs.collector import Collector, CollectorConfig
from ansible.module_utils.seedbed.torrent import bencode
from ansible.module_utils.seedbed.transmission.rpc import RpcDenied, RpcUnreachable

ROOT = Path(__file__).resolve().parents[2]
A, B = "0a" * 20, "0b" * 20
STATISTICS = """<?xml version="1.0" encoding="UTF-8"?>
<stats>
  <tracker_id>7</tracker_id><uptime>90</uptime>
  <torrents><count_mutex>2</count_mutex></torrents>
  <peers><count>5</count></peers>
  <seeds><count>3</count></seeds>
  <completed><count>4</count></completed>
  <connections>
    <tcp><accept>9</accept><announce>6</announce><scrape>1</scrape></tcp>
    <udp><overall>8</overall><connect>2</connect><announce>2</announce><scrape>0</scrape></udp>
  </connections>
  <debug>
    <renew><count interval="00">3</count></renew>
    <http_error><count code="302 Redirect">0</count><count code="400 Parse Error">2</count></http_error>
  </debug>
</stats>"""


def torrent(info_hash: str = A, **more: Any) -> dict[str, Any]:
    """Return a torrent as torrent-get shows it."""
    tracker = {
        "announce": "http://me:secret@192.0.2.1:8888/announce",
        "announceState": 1,
        "hasAnnounced": True,
        "lastAnnounceTime": 5,
        "lastAnnounceSucceeded": True,
        "lastAnnounceResult": "Success",
        "nextAnnounceTime": 9,
        "lastAnnouncePeerCount": 1,
        "seederCount": 1,
        "leecherCount": 0,
        "downloadCount": 2,
    }
    peer = {
        "address": "192.0.2.9",
        "port": 1,
        "clientName": "x",
        "flagStr": "U",
        "progress": 0.5,
        "rateToPeer": 7,
        "rateToClient": 0,
    }
    return {
        "hashString": info_hash,
        "name": "film",
        "status": 6,
        "error": 0,
        "errorString": "",
        "percentDone": 1.0,
        "haveValid": 100,
        "totalSize": 100,
        "leftUntilDone": 0,
        "rateUpload": 7,
        "rateDownload": 0,
        "uploadedEver": 300,
        "downloadedEver": 0,
        "corruptEver": 0,
        "uploadRatio": 3.0,
        "peersConnected": 1,
        "peersSendingToUs": 0,
        "peersGettingFromUs": 1,
        "pieceCount": 4,
        "pieceSize": 25,
        "activityDate": 1,
        "startDate": 1,
        "trackerStats": [tracker],
        "peers": [peer],
        **more,
    }


class Lab:
    """Trackers and daemons that answer from here, and what they were asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.torrents = [torrent()]
        self.asked: list[str] = []
        self.refusal: Exception | None = None
        self.answers: dict[str, bytes] = {
            "http://t/stats?mode=everything": STATISTICS.encode(),
            "http://s/status.json": b'{"torrents": 3, "connections": 2, "fault": ""}',
        }
        monkeypatch.setattr(collector, "fetch", self._fetch)
        monkeypatch.setattr(collector, "RpcClient", lambda *_arguments, **_more: self)
        self.published = tmp_path / "published"
        self.published.mkdir()
        self.publish({A: "film", B: 'odd "name"\\\n'})
        self.files = tmp_path / "files"
        self.files.mkdir()
        self.state = tmp_path / "state"
        self.state.mkdir()
        self.config: CollectorConfig = {
            "trackers": [
                {"name": "tracker1", "scrape": "http://t/scrape", "statistics": "http://t/stats?mode=everything"}
            ],
            "seeders": [{"name": "seeder1", "rpc": ("192.0.2.2", 8081), "login": ("seedbed", "secret")}],
            "scripted": [{"name": "play1", "status": "http://s/status.json"}],
            "published": str(self.published),
            "seconds": 10,
        }

    def publish(self, items: dict[str, str]) -> None:
        listed = [{"info_hash": info_hash, "name": name} for info_hash, name in items.items()]
        (self.published / "catalogue.json").write_text(json.dumps({"items": listed}), encoding="utf-8")

    def impair(self, *hosts: dict[str, Any]) -> None:
        (self.published / "impairments.json").write_text(json.dumps({"impairments": hosts}), encoding="utf-8")

    def _fetch(self, url: str) -> bytes:
        if url.startswith("http://t/scrape?"):
            self.asked.append(url)
            counts = {b"complete": 1, b"incomplete": 2, b"downloaded": 4}
            return bencode.encode({b"files": {bytes.fromhex(A): counts}})
        if url not in self.answers:
            raise OSError("nobody answers")
        return self.answers[url]

    def call(self, method: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        if self.refusal:
            raise self.refusal
        if method == "session-stats":
            return {"cumulative-stats": {"uploadedBytes": 12345}}
        fields = (arguments or {})["fields"]
        self.asked.append("at length" if "pieces" in fields else "in short")
        long = {
            "pieces": base64.b64encode(b"\x60").decode(),
            "files": [{"name": "f", "length": 100, "bytesCompleted": 50}],
        }
        return {"torrents": [{**each, **(long if "pieces" in fields else {})} for each in self.torrents]}

    def collector(self) -> Collector:
        return Collector(self.config, str(self.files), str(self.state))

    def metrics(self) -> str:
        return (self.files / "metrics").read_text(encoding="utf-8")

    def item(self, info_hash: str = A) -> dict[str, Any]:
        return json.loads((self.files / "items" / f"{info_hash}.json").read_text(encoding="utf-8"))


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    return Lab(monkeypatch, tmp_path)


def promtool(metrics: str) -> None:
    run = subprocess.run(
        [str(ROOT / ".venv" / "bin" / "promtool"), "check", "metrics"],
        input=metrics,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_statistics_are_read_by_their_places() -> None:
    found = statistics(STATISTICS)
    assert found["connections/udp/announce"] == 2
    assert (found["torrents/count_mutex"], found["uptime"], found["completed/count"]) == (2, 90, 4)
    assert found["debug/http_error/count 400"] == 2
    assert statistics("<html>no</p></html>") == {}


def test_metrics_are_what_prometheus_takes(lab: Lab) -> None:
    lab.impair(
        {"host": "seeder1", "impairment": "3g", "until": "2199-01-01T00:00:00Z"},
        {"host": "x", "impairment": "y", "until": "2001-01-01T00:00:00Z"},
    )
    lab.collector().look()
    metrics = lab.metrics()
    promtool(metrics)
    of_film = f'item="film",info_hash="{A}",tracker="tracker1"'
    for line in (
        'seedbed_tracker_up{tracker="tracker1"} 1',
        'seedbed_tracker_questions_total{tracker="tracker1",protocol="udp",question="announce"} 2',
        'seedbed_tracker_errors_total{tracker="tracker1",status="400"} 2',
        f"seedbed_item_seeders{{{of_film}}} 1",
        f"seedbed_item_leechers{{{of_film}}} 2",
        f"seedbed_item_completed_total{{{of_film}}} 4",
        f'seedbed_item_seeders{{item="odd \\"name\\"\\\\\\n",info_hash="{B}",tracker="tracker1"}} 0',
        'seedbed_seeder_uploaded_bytes_total{seeder="seeder1"} 12345',
        'seedbed_seeder_announce_failures{seeder="seeder1"} 0',
        f'seedbed_seeder_item_uploaded_bytes_total{{seeder="seeder1",item="film",info_hash="{A}"}} 300',
        'seedbed_scripted_torrents{host="play1"} 3',
        'seedbed_impaired_until_timestamp_seconds{host="seeder1",impairment="3g"} 7226582400',
    ):
        assert line in metrics.splitlines(), line
    assert 'host="x"' not in metrics


def test_promtool_refuses_what_is_no_metric() -> None:
    wrong = exposition([Family("seedbed_x", "counter", "Something.", [Sample({}, 1)])])
    with pytest.raises(AssertionError):
        promtool(wrong)


def test_who_is_away_is_down_and_not_zero(lab: Lab) -> None:
    lab.answers.clear()
    lab.refusal = RpcUnreachable("192.0.2.2:8081", "does not answer")
    lab.collector().look()
    metrics = lab.metrics()
    promtool(metrics)
    assert re.findall(r"^(\w+_up)\{.*\} (\d)$", metrics, re.MULTILINE) == [
        ("seedbed_tracker_up", "0"),
        ("seedbed_seeder_up", "0"),
        ("seedbed_scripted_up", "0"),
    ]
    assert "seedbed_item_" not in metrics and "seedbed_seeder_uploaded" not in metrics
    assert lab.item() == {"seeders": {}, "silent": ["seeder1"]}


def test_a_daemon_that_refuses_us_is_left_in_peace(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    collecting = lab.collector()
    lab.refusal = RpcDenied("192.0.2.2:8081", 401)
    collecting.look()
    lab.refusal = None
    collecting.look()
    assert "in short" not in lab.asked and lab.item()["silent"] == ["seeder1"]
    later = collector.time.monotonic() + collector.PEACE
    monkeypatch.setattr(collector.time, "monotonic", lambda: later)
    collecting.look()
    assert "in short" in lab.asked and lab.item()["silent"] == []


def test_an_item_is_told_from_inside_without_passwords(lab: Lab) -> None:
    lab.torrents = [torrent(haveValid=50, percentDone=0.5, status=4)]
    collecting = lab.collector()
    collecting.look()
    told = lab.item()["seeders"]["seeder1"]
    assert (told["state"], told["pieces"], told["files"]) == (
        "downloading",
        "YA==",
        [{"name": "f", "size": 100, "have": 50}],
    )
    assert told["trackers"][0]["announce"] == "http://(hidden)@192.0.2.1:8888/announce"
    assert "secret" not in "".join(path.read_text(encoding="utf-8") for path in lab.files.rglob("*") if path.is_file())
    # What is long is asked for once, until the seeder has more; of what is whole nobody needs a map.
    collecting.look()
    assert lab.asked.count("at length") == 1
    lab.torrents = [torrent()]
    collecting.look()
    assert lab.asked.count("at length") == 2
    assert "pieces" not in lab.item()["seeders"]["seeder1"]


def test_only_what_has_changed_is_written_and_what_is_gone_is_deleted(lab: Lab) -> None:
    collecting = lab.collector()
    collecting.look()
    before = (lab.files / "items" / f"{A}.json").stat().st_ino
    collecting.look()
    assert (lab.files / "items" / f"{A}.json").stat().st_ino == before
    lab.publish({B: "other"})
    collecting.look()
    assert [path.name for path in (lab.files / "items").iterdir()] == [f"{B}.json"]
    lab.publish({})
    collecting.look()
    assert "seedbed_items 0" in lab.metrics()


def test_a_thousand_torrents_are_scraped_in_few_questions(lab: Lab) -> None:
    lab.publish({f"{number:040x}": str(number) for number in range(120)})
    lab.collector().look()
    assert [url.count("info_hash=") for url in lab.asked if "scrape" in url] == [50, 50, 20]


def test_a_day_is_kept_and_outlives_the_program(lab: Lab) -> None:
    lab.collector().look()
    kept = json.loads((lab.state / "history.json").read_text(encoding="utf-8"))
    assert kept["values"] == {A: [3], B: [0]}
    again = lab.collector()
    lab.answers.clear()
    again.look()  # nobody answers: what was before stays
    assert json.loads((lab.files / "history.json").read_text(encoding="utf-8"))["values"][A][0] == 3


@pytest.mark.parametrize(
    ("passed", "value", "expected"),
    [
        (0, 9, [1, 9]),
        (0, None, [1, 2]),
        (1, 9, [1, 2, 9]),
        (3, 9, [1, 2, None, None, 9]),
        (STEPS + 5, 9, [*[None] * (STEPS - 1), 9]),
        (-1, 9, [9]),  # the clock was set back
    ],
)
def test_history_goes_in_steps(passed: int, value: int | None, expected: list[int | None]) -> None:
    before: history.History = {"step": STEP, "end": 1000, "values": {"x": [1, 2], "gone": [5]}}
    after = with_values(before, (1000 + passed) * STEP, {"x": value})
    assert (after["end"], after["values"]) == (1000 + passed, {"x": expected})


def test_a_history_of_another_form_is_begun_anew() -> None:
    whole = with_values(history.empty(), 5 * STEP, {"x": 1})
    assert read_history(json.loads(json.dumps(whole))) == whole
    for told in ({}, [], None, {**whole, "step": 1}, {**whole, "values": {"x": 1}}, {**whole, "end": "x"}):
        assert read_history(told) == history.empty()


def test_the_role_tells_the_collector_whom_to_ask(render: Callable[..., Any]) -> None:
    services = {
        "tracker1": {"tracker": {"port": 8888, "statistics": "stats"}, "scripted_peer": {"port": 8086}},
        "seeder1": {"seeder": {"rpc_port": 8081, "rpc_user": "seedbed"}},
    }
    hosts = {
        name: {"inventory_hostname": name, "lab_address": "2001:db8::1", "lab_services": offered}
        | {"transmission_rpc_password": "secret"}
        for name, offered in services.items()
    }
    template = (
        "{{ hosts | collector_settings(trackers=['tracker1'], seeders=['seeder1'], scripted=['tracker1', 'seeder1'],"
        " published='/srv', seconds='10') | to_json }}"
    )
    assert json.loads(render(template, hosts=hosts)) == {
        "trackers": [
            {
                "name": "tracker1",
                "scrape": "http://[2001:db8::1]:8888/scrape",
                "statistics": "http://[2001:db8::1]:8888/stats?mode=everything",
            }
        ],
        "seeders": [{"name": "seeder1", "rpc": ["2001:db8::1", 8081], "login": ["seedbed", "secret"]}],
        "scripted": [{"name": "tracker1", "status": "http://[2001:db8::1]:8086/status.json"}],
        "published": "/srv",
        "seconds": 10.0,
    }


def test_the_dashboard_asks_for_metrics_that_there_are(lab: Lab) -> None:
    lab.impair({"host": "seeder1", "impairment": "3g", "until": "2199-01-01T00:00:00Z"})
    lab.collector().look()
    known = set(re.findall(r"^# TYPE (\w+)", lab.metrics(), re.MULTILINE))
    dashboard = json.loads((ROOT / "docs" / "examples" / "grafana.json").read_text(encoding="utf-8"))
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"seedbed_\w+", target["expr"])
    }
    assert asked and asked <= known
    assert {panel["id"] for panel in dashboard["panels"]} == set(range(1, len(dashboard["panels"]) + 1))


def test_metrics_of_a_lab_without_anything(tmp_path: Path) -> None:
    nothing: LabNow = {
        "when": 1.0,
        "seconds": 0.1,
        "items": {},
        "trackers": [],
        "seeders": [],
        "scripted": [],
        "impaired": [],
    }
    promtool(exposition(families(nothing)))
