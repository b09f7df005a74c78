"""What can be known to be wrong with an opentracker before it is built: features that crash it, lines it would skip.

opentracker does not stop on a configuration that it does not understand; it goes on without the line, and without any
usable listen line it listens on port 6969 of all addresses. So all of it is checked here first.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.host import opentracker_times

FEATURES = {
    "WANT_COMPRESSION_GZIP_ALWAYS",
    "WANT_IP_FROM_QUERY_STRING",
    "WANT_KEEPALIVE",
    "WANT_LOG_NUMWANT",
    "WANT_MODEST_FULLSCRAPES",
    "WANT_SPOT_WOODPECKER",
    "WANT_SYSLOGS",
    "WANT_V4_ONLY",
}

DANGEROUS = {
    "WANT_DYNAMIC_ACCESSLIST": "one write to its delete pipe crashes the tracker at the next announce",
    "WANT_SYNC_LIVE": "it hands out garbage peers for IPv4, and a burst of IPv6 peers crashes it",
    "WANT_FULLLOG_NETWORKS": "any client can switch on logging without bounds",
    "WANT_LOG_NETWORKS": "it does not compile",
    "WANT_DEV_RANDOM": "it does not link on Linux",
    "WANT_ARC4RANDOM": "it needs a library that the role does not install, for nothing that a lab notices",
    "WANT_COMPRESSION_ZSTD": "it needs a library that the role does not install; gzip is built in",
    "WANT_NO_AUTO_FREE": "it is for a libowfat older than the one that the role builds",
}

# Features that follow from another variable: there they are switched on, and what they need comes along.
IMPLIED = {
    "WANT_ACCESSLIST_WHITE": "opentracker_accesslist: white",
    "WANT_ACCESSLIST_BLACK": "opentracker_accesslist: black",
    "WANT_RESTRICT_STATS": "opentracker_stats_allow",
    "WANT_IP_FROM_PROXY": "opentracker_proxies",
    "WANT_FULLSCRAPE": "nothing, it is built in",
    "WANT_COMPRESSION_GZIP": "nothing, it is built in",
}

MAX_NETWORKS = 64  # stats and proxies together; opentracker drops the rest


def faults(settings: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each fault of the role's variables; the keys are the variables without ``opentracker_``."""
    return [
        *_feature_faults(settings["features"]),
        *_address_faults(settings),
        *_hash_faults(settings),
        *_source_faults(settings),
        *_text_faults(settings),
        *opentracker_times.faults(settings),
    ]


def _feature_faults(features: Sequence[str]) -> list[str]:
    found = []
    for feature in features:
        if feature in DANGEROUS:
            found.append(f"opentracker_features has {feature}, which is refused: {DANGEROUS[feature]}; leave it out")
        elif feature in IMPLIED:
            found.append(f"opentracker_features has {feature}, which follows from {IMPLIED[feature]}; leave it out")
        elif feature not in FEATURES:
            right = ", ".join(sorted(FEATURES))
            found.append(f"opentracker_features has {feature!r}, which opentracker does not know; there are {right}")
    return found


def _address_faults(settings: Mapping[str, Any]) -> list[str]:
    found = []
    if not settings["listen"]:
        found.append("opentracker_listen is empty; name at least one address, such as '::' for all of them")
    for address in settings["listen"]:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            found.append(
                f"opentracker_listen has {address!r}, which is no IP address, and opentracker would take port 6969 "
                "instead; write an address such as 192.0.2.10 or '::', without port and brackets"
            )
    for variable in ("stats_allow", "proxies"):
        for network in settings[variable]:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                found.append(
                    f"opentracker_{variable} has {network!r}, which is no address or network; write one such as "
                    "192.0.2.0/24"
                )
    networks = len(settings["stats_allow"]) + len(settings["proxies"])
    if networks > MAX_NETWORKS:
        found.append(
            f"opentracker_stats_allow and opentracker_proxies have {networks} entries; opentracker drops those beyond "
            f"{MAX_NETWORKS}, so name larger networks"
        )
    return found


def _hash_faults(settings: Mapping[str, Any]) -> list[str]:
    found = []
    if settings["accesslist_hashes"] and settings["accesslist"] == "none":
        found.append(
            "opentracker_accesslist_hashes is set, but opentracker_accesslist is none; set it to white or black"
        )
    for info_hash in settings["accesslist_hashes"]:
        if not re.fullmatch("[0-9a-fA-F]{40}", str(info_hash)):
            found.append(f"opentracker_accesslist_hashes has {info_hash!r}; an info hash has 40 hexadecimal digits")
    return found


def _source_faults(settings: Mapping[str, Any]) -> list[str]:
    found = []
    for prefix in ("", "libowfat_"):
        pin = settings[prefix + "sha256"]
        if not re.fullmatch("[0-9a-f]{64}", str(pin)):
            found.append(
                f"opentracker_{prefix}sha256 is {pin!r}; the SHA-256 of the archive is 64 lower-case hexadecimal digits"
            )
        if settings["source"] == "url" and not settings[prefix + "urls"]:
            found.append(f"opentracker_source is url, but opentracker_{prefix}urls is empty; name at least one mirror")
        if settings["source"] == "controller":
            found += _archive_faults(f"opentracker_{prefix}archive", settings[prefix + "archive"], pin)
    return found


def _archive_faults(variable: str, path: str, pin: str) -> list[str]:
    """The archive is here, so it can be judged before any host is touched."""
    if not os.path.isfile(path):
        return [f"{variable} is {path!r}, and there is no such file on the controller; put the source archive there"]
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    if digest == pin:
        return []
    pinned = variable.replace("archive", "sha256")
    return [f"{variable} is {path!r}, whose SHA-256 is {digest}, but {pinned} is {pin}; get the right archive"]


def _text_faults(settings: Mapping[str, Any]) -> list[str]:
    found = []
    for variable, pattern, right in (
        ("user", "[a-z_][a-z0-9_-]{0,31}", "write a plain user name such as opentracker"),
        ("prefix", "/[A-Za-z0-9._/+-]*[A-Za-z0-9._+-]", "write an absolute path of letters, digits and ._/+-"),
        ("stats_path", "[A-Za-z0-9._-]{1,200}", "write one path segment such as stats, without a slash"),
        ("redirect_url", r"(https?://[^\s]{1,480})?", "write an http or https address, or nothing"),
        ("cc", "[A-Za-z0-9_./+=-]+( [A-Za-z0-9_./+=,-]+)*", "write a compiler, with options if need be"),
        ("optimisation", "-[A-Za-z0-9=-]+( -[A-Za-z0-9=-]+)*", "write compiler options such as -O3"),
        ("version", "[A-Za-z0-9.+~-]+", "write the version that stands in the source archive's name"),
        ("libowfat_version", "[A-Za-z0-9.+~-]+", "write the version that stands in the source archive's name"),
    ):
        value = settings[variable]
        if not re.fullmatch(pattern, str(value)):
            found.append(f"opentracker_{variable} is {value!r}; {right}")
    for variable, lowest in (("nofile", 1024), ("udp_workers", 0)):
        if not str(settings[variable]).isdigit() or int(settings[variable]) < lowest:
            found.append(f"opentracker_{variable} is {settings[variable]!r}; write a number from {lowest} up")
    return found
