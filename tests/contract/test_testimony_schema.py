"""What a daemon testifies is what schema and documentation promise to testers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from scripted_lab import ScriptedLab, fetch_block, make_torrent, peers, shake, wait_until

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "roles/portal/files/testimony.schema.json").read_text(encoding="utf-8"))
[EXAMPLE] = re.findall(r"```json\n(.*?)```", (ROOT / "docs/testimony.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The testimony of a client that does all that a client can do."""
    directory = tmp_path_factory.mktemp("told")
    scripts = peers({"behaviour": "corrupt", "pieces": [3]}, {"calls": True}, {"reach": "close"})
    torrent = {**make_torrent(directory), "peers": scripts, "trackers": {"1-1": {}}, "webseed": {}}
    quoted = "".join(f"%{byte:02x}" for byte in bytes.fromhex(torrent["info_hash"]))
    with ScriptedLab(directory, torrent) as lab:
        asked = f"info_hash={quoted}&peer_id=-XX0000-abcdefghijkl&port=9&left=1048576"
        lab.get(f"/announce/1-1/announce?{asked}&event=started")
        lab.get(f"/webseed/{torrent['info_hash']}/item", Range="bytes=0-9")
        wire = shake(lab, torrent)
        with wire.sock:
            wire.send_message(2)
            wire.send_message(4, (5).to_bytes(4, "big"))
            for begin in (0, 16384, 0, 16384, 0, 16384):
                fetch_block(wire, 3, begin)
        wait_until(lambda: lab.seen(torrent)["closes"], "the end")
        return lab.testimony(torrent, "?words=en")


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_what_is_told_is_what_the_schema_says(told: Any) -> None:
    jsonschema.validate(told, SCHEMA)
    [client] = told["clients"]
    [visit] = client["visits"]
    assert (client["client"], told["you"], visit["web_requests"]) == ("127.0.0.1", "127.0.0.1", 1)
    assert {event["what"] for event in visit["events"]} >= {"announce", "calls", "closed", "connected", "have", "web"}
    words = visit["words"][1]["text"]
    assert "connected once; got 96 KiB in 6 blocks, the first after" in words
    assert "; asked for bad piece 3 three times; said once that it has a piece, then left after" in words


def test_the_schema_describes_every_key(told: Any) -> None:
    def described(schema: Any, value: Any) -> None:
        if "$ref" in schema:
            schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        for key, each in value.items() if isinstance(value, dict) and "properties" in schema else ():
            assert key in schema["properties"] or schema is SCHEMA["$defs"]["event"], key
            described(schema["properties"].get(key, {}), each)
        for each in value if isinstance(value, list) else ():
            described(schema.get("items", {}), each)

    described(SCHEMA, told)
    described(SCHEMA["$defs"]["peer"], told["clients"][0]["visits"][0]["peers"]["0"])


def test_the_documented_example_is_what_is_told(told: Any) -> None:
    example = json.loads(EXAMPLE)
    jsonschema.validate(example, SCHEMA)
    assert set(example) == set(told)
    ours, theirs = (each["clients"][0]["visits"][0] for each in (example, told))
    assert set(ours) == set(theirs)
    assert set(ours["peers"]["0"]) == set(theirs["peers"]["0"])
    known = {json.dumps(sorted(event)) for event in theirs["events"]}
    assert {json.dumps(sorted(event)) for event in ours["events"]} <= known


@pytest.mark.parametrize("key", SCHEMA["required"])
def test_the_schema_notices_what_is_missing(told: Any, key: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({other: told[other] for other in told if other != key}, SCHEMA)
