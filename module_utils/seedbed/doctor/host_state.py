"""What one host says about itself, as the doctor keeps it."""

from __future__ import annotations

from typing import Any, Mapping, TypedDict

from ansible.module_utils.seedbed.torrent.model import ScriptedHost, Seeder, Tracker


class HostState(TypedDict):
    """What one host says about itself; None for what it is not, or does not have."""

    reached: bool
    tracker: Tracker | None
    seeder: Seeder | None
    scripted: ScriptedHost | None
    catalogue: str | None
    """The bytes of catalogue.json in base64."""


def host_state(
    answers: Mapping[str, Mapping[str, Any]],
    *,
    groups: list[str],
    address: str,
    ip: str,
    tracker_port: Any,
    tracker_interval: Any,
    peer_port: Any,
    addresses: list[str],
) -> HostState:
    """Return the state of one host.

    answers: results of the tasks `facts`, `tracker` (opentracker_info), `seeder` (seeder_info), `scripted`
    (scripted_info) and `catalogue` (slurp);
    those that were skipped have nothing. address: as it stands in announce addresses, perhaps a name; ip: as trackers
    hand it out. The ports are the inventory's; the daemon itself knows better. addresses: where it plays by script.
    """
    seeder = answers["seeder"]
    session = seeder.get("session") or {}
    return {
        "reached": not answers["facts"].get("unreachable"),
        "tracker": {
            "address": address,
            "port": int(tracker_port),
            "active": answers["tracker"].get("active"),
            "interval": int(tracker_interval),
        }
        if "trackers" in groups
        else None,
        "seeder": {
            "address": ip,
            "peer_port": int(session.get("peer-port") or peer_port),
            "info": dict(seeder) if "active" in seeder else None,  # type: ignore[typeddict-item]
        }
        if "seeders" in groups
        else None,
        "scripted": {
            "address": address,
            "addresses": [ip, *addresses],
            "info": dict(answers["scripted"]) if "active" in answers["scripted"] else None,  # type: ignore[typeddict-item]
        }
        if "scripted_peers" in groups
        else None,
        "catalogue": answers["catalogue"].get("content"),
    }
