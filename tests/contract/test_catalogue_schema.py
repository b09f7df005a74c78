"""What is published is what the schema promises to testers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible.module_utils.seedbed.catalogue import publication
from ansible.module_utils.seedbed.catalogue.items import make_items
from ansible.module_utils.seedbed.catalogue.specs import resolve_entries
from ansible.module_utils.seedbed.torrent.odd import odd_entries

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "roles/portal/files/catalogue.schema.json").read_text(encoding="utf-8")
)
ENTRIES: list[dict[str, Any]] = [
    {"name": "plain.bin", "synthetic": {"size": "100KiB"}},
    {"name": "many", "synthetic": {"size": "100KiB", "files": 3}, "comment": "盲道"},
    {"name": "private", "synthetic": {"size": 1}, "private": True},
    {"name": "slow", "synthetic": {"size": 1}, "swarm": {"upload_limit": "100KiB/s"}},
    {"name": "hybrid", "synthetic": {"size": "40KiB", "files": 2}, "version": "hybrid"},
    {"name": "hash # and?", "synthetic": {"size": 9}},
]


def published(with_malformed: bool = False, with_odd: bool = False) -> dict[str, Any]:
    # Hashed by no host: the controller computes it.
    entries: list[Any] = ENTRIES + (odd_entries() if with_odd else [])
    held = [{"name": entry["name"], "download_dir": "/srv"} for entry in entries]
    trackers = [["http://192.0.2.1:8888/announce", "udp://192.0.2.1:8888/announce"]]
    made = make_items(
        resolve_entries(entries, seeders=["seeder1"], trackers=trackers),
        {"seeder1": {"payloads_json": json.dumps(held), "failures": []}},
        hosts=["seeder1"],
    )
    assert made["failures"] == []
    published = publication.published_files(
        made["items"], lab="seedbed", with_malformed=with_malformed, with_odd=with_odd
    )
    files = {file["path"]: file["content"] for file in published}
    assert {one["torrent"] for one in json.loads(base64.b64decode(files["catalogue.json"]))["malformed"]} == {
        path for path in files if path.startswith("malformed/") and path.endswith(".torrent")
    }
    told: dict[str, Any] = json.loads(base64.b64decode(files["catalogue.json"]))
    assert {one["torrent"] for one in told["odd"]} <= set(files)
    return told


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_what_is_published_is_what_the_schema_says() -> None:
    told = published()
    jsonschema.validate(told, SCHEMA)
    assert [item["name"] for item in told["items"]] == [entry["name"] for entry in ENTRIES]


def test_malformed_files_are_told_where_they_are_published() -> None:
    told = published(with_malformed=True)
    jsonschema.validate(told, SCHEMA)
    assert len(told["malformed"]) > 20
    assert published()["malformed"] == []


def test_odd_files_are_told_where_they_are_published() -> None:
    told = published(with_odd=True)
    jsonschema.validate(told, SCHEMA)
    assert len(told["odd"]) > 20
    assert len(told["items"]) == len(ENTRIES) + len(odd_entries())
    assert published()["odd"] == []


def test_the_schema_describes_every_key() -> None:
    described = set(SCHEMA["$defs"]["item"]["properties"])
    assert {key for item in published()["items"] for key in item} <= described


@pytest.mark.parametrize("key", SCHEMA["$defs"]["item"]["required"])
def test_the_schema_notices_what_is_missing(key: str) -> None:
    told = published()
    del told["items"][0][key]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, SCHEMA)
