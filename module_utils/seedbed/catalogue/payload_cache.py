"""What the controller computed before: the descriptors of recipes that no host has hashed."""

from __future__ import annotations

import contextlib
import json
import os

from ansible.module_utils.seedbed.base.files import digest, make_directory, write_atomically
from ansible.module_utils.seedbed.base.sizes import MIB
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.payload.virtual import virtual_payload
from ansible.module_utils.seedbed.torrent.model import Payload, Spec

SLOW = 64 * MIB  # less than this is computed in a tenth of a second
FORMAT = 2  # with 1, hashes of what could not be computed were kept as zeros


class PayloadCache:
    """Computes each recipe once: a recipe and the format of content determine everything about it."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def __call__(self, spec: Spec) -> Payload:
        path = os.path.join(self.directory, digest(FORMAT, content.FORMAT, spec) + ".json")
        try:
            with open(path, encoding="utf-8") as file:
                known: Payload = json.load(file)
                return known
        except (OSError, ValueError):  # not there, or cut off by a full disk
            payload = virtual_payload(spec)
        if payload["length"] >= SLOW:
            with contextlib.suppress(OSError):  # what cannot be kept is computed again
                make_directory(self.directory)
                write_atomically(path, json.dumps(payload).encode())
        return payload
