# ruff: noqa: S101 - a suite asserts
"""How a tester's suite uses the lab: every healthy item, downloaded by your client, compared byte by byte.

    pip install pytest
    PORTAL=http://PORTAL:8000/ CLIENT='aria2c --seed-time=0 --dir={directory} {torrent}' pytest test_download.py

CLIENT is the command that downloads {torrent}, a URL or a magnet, into {directory} and ends when it is done.
ITEMS, names separated by commas, chooses some; the default is every healthy one.
"""

import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import urllib.parse
import urllib.request

import pytest

PORTAL = os.environ["PORTAL"].rstrip("/") + "/"
CLIENT = os.environ.get("CLIENT", "aria2c --quiet --seed-time=0 --bt-stop-timeout=60 --dir={directory} {torrent}")
CATALOGUE = json.load(urllib.request.urlopen(PORTAL + "catalogue.json"))
assert CATALOGUE["schema_version"] == 2

# What the lab promises to deliver whole and at full speed. Take others for tests of stalls, limits and errors.
HEALTHY = [
    item
    for item in CATALOGUE["items"]
    if item["swarm"]["seeders"] and item["swarm"]["available"] == "100%" and not item["swarm"]["upload_limit"]
    if not item["promise"]
]
NAMES = os.environ.get("ITEMS", ",".join(item["name"] for item in HEALTHY)).split(",")
HEALTHY = [item for item in HEALTHY if item["name"] in NAMES]
WAYS = [(item, "torrent") for item in HEALTHY] + [(item, "magnet") for item in HEALTHY if item["magnet"]]


@pytest.mark.parametrize(("item", "way"), WAYS, ids=[f"{item['name']}-{way}" for item, way in WAYS])
def test_every_byte_arrives(item, way, tmp_path):
    torrent = item["magnet"] if way == "magnet" else urllib.parse.urljoin(PORTAL, item["torrent"])
    command = [word.format(torrent=torrent, directory=tmp_path) for word in shlex.split(CLIENT)]
    subprocess.run(command, check=True, timeout=300)
    for file in item["files"]:
        path = (
            tmp_path / item["name"]
            if item["single_file"]
            else tmp_path / item["name"] / pathlib.PurePosixPath(file["path"])
        )
        assert path.stat().st_size == file["length"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
