"""Which torrents the doctor looks at."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Mapping, Sequence, TypedDict, cast
from urllib.parse import urlsplit

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.doctor.host_state import HostState
from ansible.module_utils.seedbed.doctor.options import TEXTS, item_names, option_faults
from ansible.module_utils.seedbed.doctor.web_samples import file_sample, piece_sample
from ansible.module_utils.seedbed.torrent import metainfo_reader
from ansible.module_utils.seedbed.torrent.credentials import magnet_without_passwords, without_password
from ansible.module_utils.seedbed.torrent.magnet_reader import read_magnet
from ansible.module_utils.seedbed.torrent.model import (
    PeerAddress,
    ScriptedHost,
    Seeder,
    Subject,
    Tracker,
    flatten_tiers,
    from_json,
    to_json,
)
from ansible.module_utils.seedbed.torrent.torrent_files import torrent_reader

_KEYS = ("name", "info_hash", "private", "trackers", "webseeds", "size")
_SWARM_KEYS = ("seeders", "available", "ranges", "fetch_rest")


class ChoiceError(SeedbedError):
    """Something that the doctor cannot look at."""


class Case(TypedDict):
    """What is looked at, and what the hosts say; JSON texts, which Ansible hands on as they are."""

    faults: list[str]
    subjects_json: str
    """For the verdicts: the torrents."""
    asked_json: str
    """For swarm_info: those whose swarm is asked. One that is played by script is left out unless it was named: its
    trackers and peers do what was ordered, and would put the doctor into their testimony."""
    addresses_json: str
    """For swarm_info: where the seeders should serve."""
    states_json: str
    """For the verdicts: seeders and trackers with their states."""


class States(TypedDict):
    """The lab's seeders and trackers by name."""

    seeders: dict[str, Seeder]
    trackers: dict[str, Tracker]
    scripted: dict[str, ScriptedHost]


def faults_before_asking(options: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the options, one sentence each, as far as it is known before any host is asked."""
    faults = option_faults(options)
    if faults or not (options["doctor_torrent_file"] or options["doctor_magnet"]):
        return faults
    try:
        choose(options, None, "")
    except SeedbedError as error:
        return [str(error)]
    return []


def make_case(hosts: Mapping[str, Any], options: Mapping[str, Any], portal: str) -> Case:
    """Return what the doctor looks at; hosts: JSON text of each host's HostState, empty where its tasks failed."""
    known: dict[str, HostState] = {name: from_json(text) for name, text in hosts.items() if text}
    try:
        subjects, faults = choose(options, known.get(portal), portal), []
    except SeedbedError as error:
        subjects, faults = [], str(error).split("\n")
    hashes = {subject["info_hash"] for subject in subjects}
    seeders = {name: _only(state["seeder"], hashes) for name, state in known.items() if state["seeder"]}
    trackers = {name: state["tracker"] for name, state in known.items() if state["tracker"]}
    scripted = {name: state["scripted"] for name, state in known.items() if state["scripted"]}
    named = bool(item_names(options["doctor_items"]))
    addresses: dict[str, PeerAddress] = {
        name: {"address": seeder["address"], "peer_port": seeder["peer_port"]} for name, seeder in seeders.items()
    }
    return {
        "faults": faults,
        "subjects_json": to_json(subjects),
        "asked_json": to_json([subject for subject in subjects if named or not subject.get("promise")]),
        "addresses_json": to_json(addresses),
        "states_json": to_json({"seeders": seeders, "trackers": trackers, "scripted": scripted}),
    }


def _only(seeder: Seeder, hashes: set[str]) -> Seeder:
    """Return a seeder with the torrents that are looked at."""
    info = seeder["info"]
    if info is None:
        return seeder
    torrents = [torrent for torrent in info["torrents"] if torrent["info_hash"] in hashes]
    return {**seeder, "info": {**info, "torrents": torrents}}


def choose(options: Mapping[str, Any], state: HostState | None, portal: str) -> list[Subject]:
    """Return the torrents to look at, or raise what is wrong with the choice; state: that of the portal's host."""
    names, torrent_file, magnet = (options[variable] for variable in TEXTS)
    if torrent_file:
        return [torrent_subject(torrent_file)]
    if magnet:
        return [_magnet_subject(magnet)]
    if not portal:
        raise ChoiceError(
            "No host is in group portals, so there is no catalogue; look at one torrent with torrent_file or magnet."
        )
    if not state or not state["reached"]:
        raise ChoiceError(f"No catalogue: {portal}, the portal, cannot be reached by SSH.")
    if not state["catalogue"]:
        raise ChoiceError(f"No catalogue is on {portal}; run the site playbook.")
    return _named(catalogue_subjects(base64.b64decode(state["catalogue"]), portal), item_names(names))


def _magnet_subject(magnet: str) -> Subject:
    try:
        return read_magnet(magnet)
    except SeedbedError:
        return read_magnet(magnet_without_passwords(magnet))  # for the same reason, in a text without passwords


def _named(subjects: Sequence[Subject], names: Sequence[str]) -> list[Subject]:
    known = [subject["name"] for subject in subjects]
    faults = [
        f"torrent is {name!r}, which the catalogue does not have; it has {', '.join(known) or 'nothing'}"
        for name in names
        if name not in known
    ]
    if faults:
        raise ChoiceError("\n".join(faults))
    return [subject for subject in subjects if subject["name"] in names or not names]


def catalogue_subjects(raw: bytes, portal: str) -> list[Subject]:
    """Return the items of a catalogue.json, with the keys that the doctor needs."""
    try:
        return [_subject(item) for item in json.loads(raw)["items"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ChoiceError(f"catalogue.json on {portal} is not a catalogue of the lab; run the site playbook.") from None


def _subject(item: Mapping[str, Any]) -> Subject:
    """Return an item as a subject; what has other types than those of a catalogue raises a TypeError."""
    swarm = item.get("swarm")
    promise = swarm and {key: swarm[key] for key in _SWARM_KEYS if key in swarm}
    subject = cast("Subject", {**{key: item[key] for key in _KEYS if key in item}, "swarm": promise or swarm})
    seeders = (swarm or {}).get("seeders") or []
    texts = [subject["name"], subject["info_hash"], *seeders, *flatten_tiers(subject["trackers"])]
    if not all(isinstance(text, str) for text in texts) or not isinstance(subject["private"], bool):
        raise TypeError
    if not re.fullmatch("[0-9a-f]{40}", subject["info_hash"]):
        raise ValueError
    if item.get("promise"):
        subject = {**subject, "promise": item["promise"], "played_at": _places(item)}
    return {**subject, "sample": file_sample(item)} if subject.get("webseeds") else subject


def _places(item: Mapping[str, Any]) -> list[str]:
    """Return the addresses at which an item is played."""
    swarm = item["swarm"]
    urls = [item["promise"]["testimony"], *(told["url"] for told in [*swarm["trackers"], swarm["webseed"]] if told)]
    hosts = [urlsplit(url).hostname for url in urls]
    places = [*(peer["address"] for peer in swarm["peers"]), *(host for host in hosts if host)]
    return list(dict.fromkeys(places))


def torrent_subject(path: str) -> Subject:
    """Return any .torrent file of this machine as a subject."""
    try:
        data = torrent_reader("")(path)
    except SeedbedError as error:
        raise ChoiceError(f"torrent_file: {error}") from error
    try:
        read = metainfo_reader.read_torrent(data)
    except SeedbedError as error:
        raise ChoiceError(f"torrent_file is {path}, which is no .torrent: {without_password(str(error))}") from error
    info = read.info
    if info["version"] == "v2":
        raise ChoiceError(f"torrent_file is {path}, which is of version 2 alone; the doctor knows v1 and hybrid")
    return {
        "name": info["name"],
        "info_hash": info["info_hash"],
        "private": info["private"],
        "trackers": info["trackers"],
        "remarks": info["remarks"],
        "swarm": None,
        "size": info["size"],
        **({"webseeds": info["webseeds"], "sample": piece_sample(info, read.stream)} if info["webseeds"] else {}),
    }
