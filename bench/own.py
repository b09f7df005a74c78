"""What the lab's engine does, as a process of its own, so that it is measured like any other tool.

hash DIRECTORY PIECE_LENGTH v1|hybrid  prints the info hashes of what lies there
make DIRECTORY BYTES FILES             makes content from a recipe there and hashes it, with SHA-256 of each file
generate BYTES                         computes content on one core and throws it away
scripted CONFIGURATION                 plays scripted peers until it is told to stop
"""

# ruff: noqa: E402 - the package has to be set up before anything is imported from it
from __future__ import annotations

import base64
import os
import sys
import types

# The modules' own way to import, without Ansible: AnsiballZ does the same on a host.
for name, path in (
    ("ansible", []),
    ("ansible.module_utils", [os.path.join(os.path.dirname(__file__), "../module_utils")]),
):
    package = types.ModuleType(name)
    package.__path__ = path
    sys.modules[name] = package

from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.payload.hashing import HashWork, hash_one
from ansible.module_utils.seedbed.payload.inspection import walk_directory
from ansible.module_utils.seedbed.payload.layouts import ContentFile
from ansible.module_utils.seedbed.payload.placement import PayloadHost
from ansible.module_utils.seedbed.payload.sources import Source
from ansible.module_utils.seedbed.torrent.metainfo import torrent_metainfo


def hash_tree(path: str, piece_length: int, version: str) -> None:
    single = os.path.isfile(path)
    files = [ContentFile((), os.path.getsize(path))] if single else walk_directory(path)
    sources = [Source(file.length, "/".join((path, *file.path))) for file in files]
    hybrid = version == "hybrid"
    digests = hash_one(HashWork(sources, piece_length, hybrid=hybrid, single=single, checksums=False))
    listed = [{"path": list(file.path), "length": file.length} for file in files]
    for number, file in enumerate(listed if hybrid else []):
        file["root"] = base64.b64encode(digests.roots[number]).decode()
        file["layer"] = base64.b64encode(digests.layers[number]).decode()
    payload = {
        "name": os.path.basename(path),
        "single_file": single,
        "piece_length": piece_length,
        "pieces": base64.b64encode(digests.pieces).decode(),
        "length": sum(file.length for file in files),
        "files": listed,
        "hybrid": hybrid,
    }
    made = torrent_metainfo(payload)
    print(made["info_hash"], made["info_hash_v2"])


def make_tree(path: str, size: int, files: int) -> None:
    from ansible.module_utils.seedbed.payload.manifest import Manifests  # noqa: PLC0415 - not of what hashing costs
    from ansible.module_utils.seedbed.payload.store import Store  # noqa: PLC0415

    sizes = {"size": size} if files == 1 else {"files": files, "size": size, "layout": "nested", "fanout": 10}
    store = Store(PayloadHost(path, Manifests(os.path.join(path, ".state"))))
    spec = {"name": "made", "kind": "synthetic", "state": "present", "hash": True, "recipe": {**sizes, "seed": "bench"}}
    store.inspect([spec])
    store.run()
    if store.failures:
        sys.exit(store.failures[0]["reason"])


def generate(size: int) -> None:
    key = content.file_key("bench", ())
    for offset in range(0, size, content.GROUP_BYTES):
        content.read(key, offset, content.GROUP_BYTES)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "hash":
        hash_tree(arguments[0], int(arguments[1]), arguments[2])
    elif what == "make":
        make_tree(arguments[0], int(arguments[1]), int(arguments[2]))
    elif what == "scripted":
        from ansible.module_utils.seedbed.scripted.daemon import main

        sys.exit(main(arguments))
    else:
        generate(int(arguments[0]))
