"""Which trackers are asked and which peers are met."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

MAX_PEERS = 20  # of one torrent: enough to judge a swarm by


def questions(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each item with its trackers, once each; items without trackers are not asked about."""
    return [
        {
            "info_hash": item["info_hash"],
            "trackers": list(dict.fromkeys(url for tier in item["trackers"] for url in tier)),
        }
        for item in items
    ]


def peer_targets(
    items: Sequence[Mapping[str, Any]],
    answers: Sequence[Mapping[str, Any]],
    seeders: Mapping[str, Mapping[str, Any]],
    own: Sequence[Any],
) -> list[dict[str, Any]]:
    """Whom to meet: what the trackers hand out, and the seeders that should be there; not this host's own client."""
    targets = []
    for item in items:
        names = (item.get("swarm") or {}).get("seeders") or []
        wanted = [(seeders[name]["address"], seeders[name]["peer_port"]) for name in names if name in seeders]
        listed = [
            (peer["address"], peer["port"])
            for answer in answers
            if answer["info_hash"] == item["info_hash"] and answer["kind"] == "announce" and answer["ok"]
            for peer in answer["peers"]
        ]
        for address, port in list(dict.fromkeys(wanted + listed))[:MAX_PEERS]:
            if [address, port] != list(own):
                targets.append({"address": address, "port": int(port), "info_hash": item["info_hash"]})
    return targets
