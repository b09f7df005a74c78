"""The pytest plugin that comes with the lab, against a portal on loopback and clients that keep or break promises."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.clients.expectation import expectation
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.scripted.swarm_script import Size, scripted_promise
from pytest_seedbed import Catalogue, Download, Held, Item, Limits, PortalError, command_client, fetch
from scripted_items import PIECES, published_item, serve
from scripted_lab import PIECE, make_torrent

ROOT = Path(__file__).resolve().parents[2]
HTTP = "http://127.0.0.1:9/announce"

# A client that writes a share of what it is asked for, piece after piece, and then does what it is told.
WRITER = """
import pathlib, sys, time
truth, directory, share, then = sys.argv[1:5]
truth = pathlib.Path(truth).read_bytes()
size, pause = round(len(truth) * int(share) / 100), float(sys.argv[5]) if len(sys.argv) > 5 else 0
with (pathlib.Path(directory) / "item").open("wb") as file:
    for at in range(0, size, 16384):
        file.write(truth[at : min(size, at + 16384)])
        file.flush()
        time.sleep(pause)  # a client that takes its time
if then == "wrong":
    (pathlib.Path(directory) / "item").write_bytes(bytes(len(truth)))
if then == "stay":
    time.sleep(600)  # one that seeds until it is ended
print("last words")
sys.exit(then == "fail")
"""


def plain(**more: Any) -> dict[str, Any]:
    """Return the item of torrent `item` of make_torrent, which a seeder has; swarm: what differs in its swarm."""
    swarm = {"seeders": ["s"], **more.pop("swarm", {})}
    return published_item("item", "0" * 40, **{"trackers": [[HTTP]], **more, "swarm": swarm})


class Portal:
    """A portal on loopback whose catalogue a test sets."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory, self.url = directory, url
        self.truth = directory / "truth"
        self.writer = directory / "writer.py"

    def publish(self, *items: dict[str, Any], version: int = 2) -> Catalogue:
        text = json.dumps({"schema_version": version, "items": items})
        (self.directory / "catalogue.json").write_text(text, encoding="utf-8")
        return Catalogue(self.url)

    def client(self, share: int, then: str, pause: float = 0) -> str:
        """Return the command of a client that writes that share, and then ends, stays or fails."""
        return f"{sys.executable} {self.writer} {self.truth} {{directory}} {share} {then} {pause}"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    directory = tmp_path / "portal"
    (directory / "torrents").mkdir(parents=True)
    make_torrent(directory / "torrents")
    with serve(directory) as url:
        made = Portal(directory, url)
        made.truth.write_bytes(content.read(content.file_key("item", ()), 0, PIECES * PIECE))
        made.writer.write_text(WRITER, encoding="utf-8")
        yield made


SHAPES: list[dict[str, Any]] = [
    *(
        {"swarm": {"seeders": seeders, "available": available, "fetch_rest": rest, "upload_limit": limit}, **more}
        for seeders, available, rest, limit, more in itertools.product(
            ([], ["s"], ["s", "t"]), ("100%", "60%"), (False, True), (None, 1000), ({}, {"webseeds": ["http://w/"]})
        )
    ),
    *(
        {"promise": scripted_promise(Size("item", PIECES, PIECES * PIECE), peers=scripts, tiers=[[{}]], testimony="")}
        for scripts in (
            [{"behaviour": "healthy"}],
            [{"behaviour": "partial"}],
            [{"behaviour": "mute"}],
            [{"behaviour": "stall"}],
            [{"behaviour": "corrupt", "pieces": [3]}],
            [{"behaviour": "metadata-random"}],
            [{"behaviour": "corrupt", "pieces": [3]}, {"behaviour": "healthy"}],
        )
    ),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_expects_what_the_labs_own_downloads_expect(shape: dict[str, Any]) -> None:
    data = plain(**shape)
    for way in ("torrent", "magnet", "bare_magnet"):
        item, wanted = Item(None, data, way), expectation(data, way)  # type: ignore[arg-type]
        assert item.outcome == wanted.outcome
        if item.outcome in ("stalls", "completes"):
            assert (item.available, item.certain, item.limit) == (wanted.available, wanted.honest, wanted.limit)


PARTIAL = {"swarm": {"available": "60%"}}
NOBODY = {"swarm": {"seeders": []}}


@pytest.mark.parametrize(
    "case",
    [
        ({}, "torrent", 100, "end", ""),
        ({}, "magnet", 100, "end", ""),
        ({}, "torrent", 100, "fail", "has 100%, and everything was to be had: it ended with status 1"),
        ({}, "torrent", 50, "end", "the client says that it is done, and what lies there is not all of it, or wrong"),
        (
            {},
            "torrent",
            100,
            "wrong",
            "the client says that it is done, and what lies there is not all of it, or wrong",
        ),
        ({}, "torrent", 50, "stay", "has 50%, and everything was to be had: it stood still"),
        (PARTIAL, "torrent", 60, "stay", ""),
        (PARTIAL, "torrent", 60, "fail", ""),
        (PARTIAL, "torrent", 80, "stay", "has 78.12%, and at most 63.12% was to be had"),
        (PARTIAL, "torrent", 30, "stay", "stood still at 28.12%, and 60% is to be had"),
        (PARTIAL, "torrent", 100, "end", "is complete, and that was not to be: stalls"),
        ({"swarm": {"available": "60%", "fetch_rest": True}}, "torrent", 100, "end", ""),
        (NOBODY, "torrent", 0, "stay", ""),
        (NOBODY, "magnet", 0, "stay", ""),
        (NOBODY, "torrent", 10, "stay", "has 9.375%, and at most 0% was to be had"),
    ],
)
def test_promises_are_kept_or_broken(
    portal: Portal, tmp_path: Path, case: tuple[dict[str, Any], str, int, str, str]
) -> None:
    shape, way, share, then, fault = case
    (item,) = portal.publish(plain(**shape)).items([way])
    directory = tmp_path / "files"
    directory.mkdir()
    done = fetch(item, command_client(portal.client(share, then), tmp_path / "log"), directory, Limits(1.0, 60.0))
    assert done.fault == fault
    assert (done.status is None) == (then == "stay")


def test_a_download_that_goes_on_is_not_cut_off(portal: Portal, tmp_path: Path) -> None:
    (item,) = portal.publish(plain()).items(["torrent"])
    directory = tmp_path / "files"
    directory.mkdir()
    # Each piece comes sooner than a download may stand still, and all of them later.
    client = command_client(portal.client(100, "end", pause=0.08), tmp_path / "log")
    done = fetch(item, client, directory, Limits(2.0, 0.1))
    assert (done.fault, done.status) == ("", 0)
    assert done.seconds > 2.0


def test_a_limit_is_a_limit() -> None:
    item = Item(None, plain(swarm={"upload_limit": PIECE}), "torrent")  # type: ignore[arg-type]
    size, whole = item["size"], Held(True, item["size"], frozenset())
    assert Download(item, 0, size / PIECE, False, whole, []).fault == ""
    assert (
        Download(item, 0, 2.0, False, whole, []).fault
        == f"came at {size / 2:.0f} bytes a second, and {PIECE} is the limit"
    )


def test_a_callable_is_a_client_too(portal: Portal, tmp_path: Path) -> None:
    (item,) = portal.publish(plain()).items(["bare_magnet"])
    assert item.trackers == [HTTP]

    def client(item: Item, directory: Path) -> None:
        (directory / item.name).write_bytes(portal.truth.read_bytes())

    assert fetch(item, client, tmp_path, Limits(1.0, 1.0)).fault == ""


def test_only_a_portal_of_a_lab_is_taken(portal: Portal) -> None:
    with pytest.raises(PortalError, match=r"schema_version 1, and 2 is known here"):
        portal.publish(version=1)
    (portal.directory / "catalogue.json").write_text("<html>")
    with pytest.raises(PortalError, match=r"catalogue.json is not a catalogue of a lab$"):
        Catalogue(portal.url)
    with pytest.raises(PortalError, match="File not found"):
        Catalogue(portal.url + "other/")


# -- in pytest --------------------------------------------------------------------------------------------------------

SUITE = """
import pytest

def test_each(item, download):
    download(item)

@pytest.mark.seedbed(expects="stalls", ways=("torrent", "bare_magnet"))
def test_only_what_stalls(item):
    assert item.outcome == "stalls"

def test_the_whole(catalogue):
    assert catalogue.data["items"]
"""


@pytest.fixture
def suite(portal: Portal, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a tester's suite with the plugin."""
    path = tmp_path / "test_suite.py"
    path.write_text(SUITE, encoding="utf-8")

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        # No more of this project than the plugin: not its configuration, nor its paths.
        command = [sys.executable, "-m", "pytest", "-p", "pytest_seedbed", "-p", "no:cacheprovider", "--strict-markers"]
        chosen = ["--seedbed-stall=1", *options, str(path)]
        environment = {"PYTHONPATH": str(ROOT / "tools"), "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
        return subprocess.run(
            [*command, *chosen], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_a_suite_goes_through_the_items_and_chooses_by_what_has_to_happen(
    portal: Portal, suite: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    hard = scripted_promise(Size("x", PIECES, PIECES * PIECE), peers=[{}], tiers=[[{}]], testimony="")
    portal.publish(
        plain(),
        plain(name="sixty", **PARTIAL),
        plain(name="private", private=True, magnet=None, bare_magnet=None),
        plain(name="large", size=1 << 40),
        plain(name="hard", promise={**hard, "hard": True}),
    )
    url = f"--seedbed-portal={portal.url}"
    done = suite(url, "--seedbed-client=true", "--collect-only", "-q")
    assert [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line] == [
        "test_each[item-torrent]",
        "test_each[item-magnet]",
        "test_each[sixty-torrent]",
        "test_each[sixty-magnet]",
        "test_each[private-torrent]",
        "test_only_what_stalls[sixty-torrent]",
        "test_only_what_stalls[sixty-bare_magnet]",
        "test_the_whole",
    ]
    done = suite(url, "-m", "completes and magnet", "--collect-only", "-q")
    assert "test_each[item-magnet]\n" in done.stdout
    assert "1/8 tests collected" in done.stdout
    done = suite(url, "--seedbed-items=item,hard", "-k", "each", "--collect-only", "-q")
    assert "4/6 tests collected" in done.stdout

    done = suite(url, f"--seedbed-client={portal.client(100, 'end')}", "-m", "completes", "-k", "item")
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout
    assert list(tmp_path.glob("seedbed-*")) == []
    done = suite(url, f"--seedbed-client={portal.client(50, 'fail')}", "-k", "item-torrent")
    assert done.returncode == 1
    said = "item by torrent: has 50%, and everything was to be had: it ended with status 1 (files: "
    assert said in done.stdout
    assert "its last words:\n    last words" in done.stdout
    assert list(tmp_path.glob("seedbed-*/files/item")), "what was wrong can be looked at"


def test_what_is_missing_is_said(portal: Portal, suite: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    portal.publish(plain())
    url = f"--seedbed-portal={portal.url}"
    for options, said in (
        ((), "give --seedbed-portal or SEEDBED_PORTAL, the portal's address, such as http://192.0.2.10:8000/"),
        ((url,), "give --seedbed-client or SEEDBED_CLIENT, the command that downloads"),
        ((url, "--seedbed-items=itme"), "the catalogue has no item 'itme'"),
        ((url, "--seedbed-stall=long", "--seedbed-client=true"), "--seedbed-stall is 'long'; a number would be right"),
        (("--seedbed-portal=127.0.0.1:9",), "no catalogue: http://127.0.0.1:9/catalogue.json: "),
    ):
        done = suite(*options)
        assert done.returncode != 0
        assert said in done.stdout + done.stderr
