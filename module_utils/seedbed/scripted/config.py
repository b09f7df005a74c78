"""The daemon's configuration: one JSON file, checked as a whole before anything of it counts."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any, Callable, Mapping

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import read_file
from ansible.module_utils.seedbed.base.text import is_text, quoted
from ansible.module_utils.seedbed.scripted.peer_script import PEERS
from ansible.module_utils.seedbed.scripted.tracker_script import TRACKERS
from ansible.module_utils.seedbed.scripted.webseed_script import WEBSEEDS
from ansible.module_utils.seedbed.torrent.model import ScriptedConfig, ScriptedTorrent

SHOWN = 20  # faults of one file that are told
_TORRENT = (
    "info_hash",
    "info_hash_v2",
    "torrent",
    "seed",
    "source",
    "period",
    "peers",
    "trackers",
    "webseed",
    "seeders",
)
_HASH, _LONG_HASH = re.compile("[0-9a-f]{40}"), re.compile("([0-9a-f]{64})?")
_NAME = re.compile("[A-Za-z0-9._-]{1,64}")


class ConfigError(SeedbedError):
    """A configuration that cannot be played; the text names every fault."""


def read_config(path: str) -> ScriptedConfig:
    """Return the configuration of a file; raise ConfigError with all that is wrong."""
    raw = read_file(path)
    if raw is None:
        raise ConfigError(f"{path} is not there")
    try:
        config = json.loads(raw)
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from error
    faults = config_faults(config)
    if faults:
        raise ConfigError(f"{path}: {_told(faults)}")
    checked: ScriptedConfig = config
    return checked


def _told(faults: list[str]) -> str:
    more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
    return "; ".join([*faults[:SHOWN], *more])


def next_config(
    raw: bytes | None, *, port: int, addresses: list[str], networks: list[str], torrents: list[ScriptedTorrent] | None
) -> ScriptedConfig:
    """Return the configuration that follows the one that is in force; raise ConfigError where it could not be played.

    raw: the file that is in force, None without one. Without torrents those of it stay, but for those that have a peer
    at an address that is no longer there.
    """
    if torrents is None:
        try:
            former = json.loads(raw or b"{}")
        except ValueError:  # nobody plays it: the catalogue will say anew what is played
            former = {}
        torrents = [
            torrent
            for torrent in former.get("torrents", [])
            if {peer["address"] for peer in torrent.get("peers", [])} <= set(addresses)
        ]
    config: ScriptedConfig = {"port": port, "addresses": addresses, "networks": networks, "torrents": torrents}
    faults = config_faults(config)
    if faults:
        raise ConfigError(_told(faults))
    return config


def render_config(config: ScriptedConfig) -> bytes:
    """Return a configuration as its file has it: a line a torrent, the same text for the same torrents."""
    torrents = sorted(config["torrents"], key=lambda torrent: torrent["info_hash"])
    lines = ",\n".join(json.dumps(torrent, ensure_ascii=False, sort_keys=True) for torrent in torrents)
    head = json.dumps({key: config[key] for key in ("port", "addresses", "networks")})
    return f'{head[:-1]}, "torrents": [\n{lines}\n]}}\n'.encode()


def config_faults(config: Any) -> list[str]:
    """Return a sentence for everything that is wrong."""
    if not isinstance(config, Mapping):
        return ["is no mapping"]
    faults = [
        f"{quoted(key)} is not known" for key in config if key not in ("port", "addresses", "networks", "torrents")
    ]
    if not _is_number(config.get("port"), 0, 65535 - 8):
        faults.append(f"port is {quoted(config.get('port'))}; a number up to {65535 - 8} would be right")
    addresses = config.get("addresses")
    if not isinstance(addresses, list) or not addresses or not all(map(_is_address, addresses)):
        faults.append(f"addresses is {quoted(addresses)}; a list of this host's addresses would be right")
        addresses = []
    networks = config.get("networks", [])
    if not isinstance(networks, list) or not all(map(_is_network, networks)):
        faults.append(f"networks is {quoted(networks)}; a list like [192.0.2.0/24] would be right")
    torrents = config.get("torrents")
    if not isinstance(torrents, list):
        return [*faults, f"torrents is {quoted(torrents)}; a list would be right"]
    seen: set[str] = set()
    for number, torrent in enumerate(torrents):
        where = f"torrent {number}"
        if isinstance(torrent, Mapping) and isinstance(torrent.get("info_hash"), str):
            where = f"torrent {torrent['info_hash'][:40]}"
            if torrent["info_hash"] in seen:
                faults.append(f"{where} stands there twice")
            seen.add(torrent["info_hash"])
        faults += [f"{where}: {fault}" for fault in _torrent_faults(torrent, addresses)]
    return faults


def _is_number(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _accepts(read: Callable[[str], Any], value: Any) -> bool:
    try:
        read(value)
    except (ValueError, TypeError):
        return False
    return isinstance(value, str)


def _is_address(value: Any) -> bool:
    return _accepts(ipaddress.ip_address, value)


def _is_network(value: Any) -> bool:
    return _accepts(ipaddress.ip_network, value)


def _torrent_faults(torrent: Any, addresses: list[str]) -> list[str]:
    if not isinstance(torrent, Mapping):
        return ["is no mapping"]
    faults = [f"{quoted(key)} is not known" for key in torrent if key not in _TORRENT]
    for key, form in (("info_hash", _HASH), ("info_hash_v2", _LONG_HASH)):
        value = torrent.get(key, "")
        if not isinstance(value, str) or not form.fullmatch(value):
            faults.append(f"{key} is {quoted(value)}; hexadecimal digits in lower case would be right")
    if not is_text(torrent.get("torrent")):
        faults.append("torrent names no file")
    if not all(is_text(torrent.get(key, "")) for key in ("seed", "source")):
        faults.append("seed and source are texts")
    if not torrent.get("seed") and not torrent.get("source"):
        faults.append("there is neither a seed nor a source of its content")
    if not _is_number(torrent.get("period", 0), 0, 2**40):
        faults.append(f"period is {quoted(torrent['period'])}; a number of bytes would be right")
    faults += _peers_faults(torrent.get("peers", []), addresses)
    trackers = torrent.get("trackers", {})
    if not isinstance(trackers, Mapping) or not all(
        isinstance(name, str) and _NAME.fullmatch(name) for name in trackers
    ):
        faults.append("trackers is no mapping from names of letters and digits")
    else:
        faults += [f"tracker {name}: {fault}" for name, script in trackers.items() for fault in TRACKERS.faults(script)]
    if torrent.get("webseed") is not None:
        faults += [f"web seed: {fault}" for fault in WEBSEEDS.faults(torrent["webseed"])]
    seeders = torrent.get("seeders", [])
    if not isinstance(seeders, list) or not all(map(_is_seeder, seeders)):
        faults.append("seeders is no list of addresses with ports")
    return faults


def _is_seeder(seeder: Any) -> bool:
    return (
        isinstance(seeder, Mapping) and _is_address(seeder.get("address")) and _is_number(seeder.get("port"), 1, 65535)
    )


def _peers_faults(peers: Any, addresses: list[str]) -> list[str]:
    if not isinstance(peers, list):
        return ["peers is no list"]
    faults: list[str] = []
    used: set[str] = set()
    for number, peer in enumerate(peers):
        address = peer.get("address") if isinstance(peer, Mapping) else None
        if address not in addresses:
            faults.append(f"peer {number}: address {quoted(address)} is none of this host's")
        elif address in used:
            faults.append(f"peer {number}: {address} is taken by another peer; clients take one peer an address")
        used.add(str(address))
        script = peer.get("script") if isinstance(peer, Mapping) else None
        faults += [f"peer {number}: {fault}" for fault in PEERS.faults(script)]
    return faults
