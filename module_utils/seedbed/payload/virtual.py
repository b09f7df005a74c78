"""The descriptor of a recipe without a file on any disk: content is computable, so its hashes are."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.module_utils.seedbed.payload.hashing import hash_all
from ansible.module_utils.seedbed.payload.manifest import Manifests
from ansible.module_utils.seedbed.payload.placement import Host, look
from ansible.module_utils.seedbed.payload.store import describe
from ansible.module_utils.seedbed.torrent.model import Payload


def virtual_payload(spec: Mapping[str, Any], *, processes: int = 0) -> Payload:
    """What module catalogue_payload would return for a synthetic entry, at the speed of computing it."""
    entry = look(spec, Host("/nonexistent", Manifests("/nonexistent")))
    (entry.digests,), _failed = hash_all([entry.work("", written=False)], processes=processes)
    described: Any = describe(entry)
    payload: Payload = described
    return payload
