"""The suite for scripted swarms that docs/for-testers.md shows: good clients pass it, bad ones of each kind fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from scripted_items import published, serve
from scripted_lab import PATIENCE, ScriptedLab, make_torrent, peers

ROOT = Path(__file__).resolve().parents[2]
ARIA2 = (
    "aria2c --no-conf --quiet --seed-time=0 --enable-dht=false --enable-dht6=false --bt-enable-lpd=false "
    "--dir={directory} {torrent}"
)
STUBBORN = f"{sys.executable} {ROOT}/tests/fixtures/stubborn_client.py {{torrent}} {{directory}}"
ITEMS: dict[str, dict[str, Any]] = {
    "honest": {"behaviour": "healthy"},
    "corrupt": {"behaviour": "corrupt", "pieces": [3, 11]},
    "partial": {"behaviour": "partial"},
}
Suite = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """Run the suite against a lab of these items, with a client."""
    directory = tmp_path_factory.mktemp("portal")
    (directory / "torrents").mkdir()
    torrents = {
        name: {**make_torrent(directory / "torrents", name), "peers": peers(script), "trackers": {"1-1": {}}}
        for name, script in ITEMS.items()
    }
    with ScriptedLab(directory, *torrents.values()) as lab, serve(directory) as url:
        items = [published(lab, torrents[name], name, {}) for name in ITEMS]
        for item in items:
            path = directory / item["torrent"]
            # With the tracker, which does not belong to the info hash.
            path.write_bytes(
                b"d8:announce%d:%b" % (len(item["trackers"][0][0]), item["trackers"][0][0].encode())
                + path.read_bytes()[1:]
            )
        told = {"schema_version": 2, "lab": "here", "items": items, "malformed": []}
        schema = json.loads((ROOT / "roles/portal/files/catalogue.schema.json").read_text(encoding="utf-8"))
        jsonschema.validate(told, schema)
        (directory / "catalogue.json").write_text(json.dumps(told), encoding="utf-8")

        def run(client: str, *names: str, chosen: str = "") -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=/", f"-k={chosen}"]
            options = {"portal": url, "client": client, "items": ",".join(names), "watch": "4"}
            told = ["-p", "pytest_seedbed", *(f"--seedbed-{name}={value}" for name, value in options.items())]
            return subprocess.run(
                [*command, *told, str(ROOT / "docs/examples/test_swarms.py")],
                env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), "no_proxy": "*"},
                capture_output=True,
                text=True,
                timeout=2 * PATIENCE,
                check=False,
            )

        yield run


def test_a_good_client_passes(suite: Suite) -> None:
    done = suite(ARIA2, *ITEMS)
    assert done.returncode == 0, done.stdout
    assert "4 passed, 2 skipped" in done.stdout


def test_a_client_that_never_gives_up_on_a_corrupting_peer_fails(suite: Suite) -> None:
    done = suite(STUBBORN, "corrupt", chosen="gives_up")
    assert done.returncode == 1, done.stdout
    assert "took bad piece 3 " in done.stdout
    assert " times from peer 0" in done.stdout


def test_a_client_that_only_takes_its_time_is_not_blamed_for_it(suite: Suite) -> None:
    done = suite(STUBBORN, "honest", "partial", chosen="keeps_what")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("manner", "why"),
    [
        ("liar", "the client says that it is done, and what lies there is not all of it, or wrong"),
        ("boaster", "has, or says that it has, piece 3, which nobody can have"),
    ],
)
def test_a_client_that_claims_what_it_cannot_have_fails(suite: Suite, manner: str, why: str) -> None:
    done = suite(f"{STUBBORN} {manner}", "corrupt", chosen="keeps_what")
    assert done.returncode == 1, done.stdout
    assert why in done.stdout


@pytest.mark.parametrize("client", ["true", "false"])
def test_a_client_that_does_nothing_fails(suite: Suite, client: str) -> None:
    done = suite(client, "honest", chosen="keeps_what")
    assert done.returncode == 1, done.stdout
