"""How opentracker and libowfat are compiled, and the name of the build that comes of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Mapping, TypedDict

from ansible.module_utils.seedbed.host.opentracker_times import Replacement, replacements

HARDENING = "-fPIE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"
HARDENED_LINK = "-pie -Wl,-z,relro,-z,now"


class Build(TypedDict):
    """One build: its name, what is replaced in the sources, `make`'s arguments and environment."""

    id: str
    replacements: list[Replacement]
    libowfat_arguments: list[str]
    arguments: list[str]
    environment: dict[str, str]


def build_of(settings: Mapping[str, Any], compiler: str) -> Build:
    """Return the build of these settings (the role's variables without ``opentracker_``) by this compiler.

    Whatever goes into a build is in its name: sources, features, flags, compiler and target. So two builds of one name
    are the same, and one that is installed need not be compiled again.
    """
    # libowfat needs a GNU dialect from 1999 on and breaks with that of 2023; behind a strict dialect opentracker lacks
    # the declarations that _GNU_SOURCE brings. The last -std counts, so both stand behind the given compiler.
    cc = f"CC={settings['cc']} -std=gnu99 -D_GNU_SOURCE"
    hardening = HARDENING if settings["hardening"] else ""
    # An installed dietlibc would hijack the build without DIET=. libowfat's Makefile ignores the environment.
    libowfat_arguments = ["DIET=", cc, f"DEFINE=-D_REENTRANT {hardening}"]
    # opentracker's Makefile appends to what comes from the environment, but replaces its own by what is an argument.
    arguments = [cc, f"OPTS_production={settings['optimisation']}"]
    environment = {
        "CFLAGS": hardening,
        "LDFLAGS": HARDENED_LINK if settings["hardening"] else "",
        "FEATURES": " ".join(f"-D{feature}" for feature in _features(settings)),
    }
    replaced = replacements(settings)
    parts = [
        settings["sha256"],
        settings["libowfat_sha256"],
        libowfat_arguments,
        arguments,
        environment,
        compiler,
        # Nothing where nothing is replaced: such a build keeps the name that it had before anything could be.
        *[list(each.values()) for each in replaced],
    ]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return Build(
        id=f"{settings['version']}-{digest[:8]}",
        replacements=replaced,
        libowfat_arguments=libowfat_arguments,
        arguments=arguments,
        environment=environment,
    )


def _features(settings: Mapping[str, Any]) -> list[str]:
    """Return the compile-time features: those asked for, and those that other variables imply."""
    features = {*settings["features"], "WANT_RESTRICT_STATS"}
    if settings["accesslist"] != "none":
        features.add(f"WANT_ACCESSLIST_{settings['accesslist'].upper()}")
    if settings["proxies"]:
        features.add("WANT_IP_FROM_PROXY")
    return sorted(features)
