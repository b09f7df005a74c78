"""The descriptor of a recipe without a file on any disk: content is computable, so its hashes are."""

from __future__ import annotations

from ansible.module_utils.seedbed.payload.descriptor import describe
from ansible.module_utils.seedbed.payload.hashing import hash_one
from ansible.module_utils.seedbed.payload.inspection import inspect_entry
from ansible.module_utils.seedbed.payload.manifest import Manifests
from ansible.module_utils.seedbed.payload.placement import PayloadHost
from ansible.module_utils.seedbed.torrent.model import Payload, Spec


def virtual_payload(spec: Spec, *, processes: int = 0) -> Payload:
    """Return what module catalogue_payload would return for a synthetic entry, at the speed of computing it.

    Raise HashError if any part of it could not be computed.
    """
    entry = inspect_entry({**spec, "virtual": True}, PayloadHost("/nonexistent", Manifests("/nonexistent")))
    entry.digests = hash_one(entry.hash_work("", written=False), processes=processes)
    return describe(entry)
