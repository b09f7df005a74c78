"""What a version that kept no record has left on a host, as far as it is recognisably ours.

Ours is what carries our mark: a unit or drop-in with the head that Ansible writes and our description, and what stands
at the paths of our defaults beside it. All else counts as somebody else's: other directories that variables named, the
packages, Transmission's settings.
"""

from __future__ import annotations

import glob
import os
import pwd
from types import MappingProxyType
from typing import Mapping, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.files import read_file
from ansible.module_utils.seedbed.base.owned_record import Owned
from ansible.module_utils.seedbed.base.systems import FAMILIES

UNITS = "/etc/systemd/system"
HEAD = b"Ansible managed"


class Mark(NamedTuple):
    """A file with texts that only we have written, and what stands beside it. Paths may be shell patterns."""

    role: str
    file: str
    texts: Sequence[bytes]
    things: dict[str, Sequence[str]]
    users: Sequence[str] = ()
    states: Mapping[str, str] = MappingProxyType({})


PORTAL = "/srv/seedbed/portal"
TRANSMISSION = f"{UNITS}/transmission-daemon.service.d"

MARKS = (
    Mark(
        "lab_firewall",
        f"{UNITS}/seedbed-firewall.service",
        [HEAD, b"Description=Firewall of the lab"],
        {
            "units": ["seedbed-firewall.service"],
            "tables": ["inet seedbed"],
            "files": [f"{UNITS}/seedbed-firewall.service", "/etc/seedbed/firewall.nft*"],
            "directories": ["/etc/seedbed"],
        },
    ),
    Mark(
        "opentracker",
        f"{UNITS}/opentracker.service",
        [HEAD, b"Description=BitTorrent tracker opentracker"],
        {
            "units": ["opentracker.service"],
            "files": [
                f"{UNITS}/opentracker.service",
                "/etc/opentracker.conf",
                "/etc/opentracker.*list",
                "/opt/opentracker/current",
            ],
            "trees": ["/opt/opentracker/releases"],
            "directories": ["/opt/opentracker"],
        },
        ["opentracker"],
    ),
    Mark(
        "transmission",
        f"{TRANSMISSION}/seedbed.conf",
        [HEAD],
        {
            "files": [f"{TRANSMISSION}/seedbed.conf"],
            "directories": [TRANSMISSION],
            # Not known as they were before.
            "kept": [family.transmission_settings for family in FAMILIES.values()],
        },
        states={"transmission-daemon.service": "inactive disabled"},
    ),
    Mark(
        "transmission_web",
        f"{TRANSMISSION}/seedbed.conf",
        [HEAD],
        {
            "files": [f"{TRANSMISSION}/seedbed-web-ui.conf"],
            "trees": ["/opt/seedbed/transmission-web"],
            "directories": ["/opt/seedbed"],
        },
    ),
    Mark(
        "flood",
        f"{UNITS}/seedbed-flood.service",
        [HEAD, b"Description=Flood, a web interface of the lab"],
        {
            "units": ["seedbed-flood.service"],
            "files": [f"{UNITS}/seedbed-flood.service"],
            "trees": ["/opt/seedbed/flood", "/var/lib/seedbed-flood"],
            "directories": ["/opt/seedbed"],
        },
        ["seedbed-flood"],
    ),
    Mark(
        "portal",
        f"{UNITS}/seedbed-portal.service",
        [HEAD, b"Description=Portal of the lab"],
        {
            "units": ["seedbed-portal.service"],
            "files": [f"{UNITS}/seedbed-portal.service", "/etc/nginx/seedbed-portal.*", f"{PORTAL}/index.*.html"]
            + [f"{PORTAL}/{name}" for name in ("qr/*.svg", "portal.css", "portal.js", "favicon.svg")]
            + [f"{PORTAL}/catalogue.schema.json"],
            "trees": ["/opt/seedbed/aria2-ui", "/var/log/seedbed-portal", "/var/log/private/seedbed-portal"],
            "directories": [PORTAL, f"{PORTAL}/qr", "/srv/seedbed", "/opt/seedbed"],
        },
    ),
    Mark(
        "catalogue",
        f"{PORTAL}/catalogue.json",
        [b'"schema_version"'],
        {
            "files": [f"{PORTAL}/{name}" for name in ("catalogue.json", "payload", "torrents/*.torrent")]
            + [f"{PORTAL}/malformed/*.torrent", f"{PORTAL}/malformed/index.tsv"],
            "directories": [f"{PORTAL}/torrents", f"{PORTAL}/malformed"],
        },
    ),
    Mark(
        "catalogue",
        f"{TRANSMISSION}/seedbed.conf",
        [HEAD],
        {
            "trees": ["/srv/seedbed/state", "/srv/seedbed/payload/.seedbed"],
            "content": ["/srv/seedbed/state", "/srv/seedbed/payload"],
            "directories": ["/srv/seedbed/payload", "/srv/seedbed"],
        },
    ),
    Mark(
        "leecher",
        "/etc/passwd",
        [b"\nseedbed-leecher:"],
        {"trees": ["/srv/seedbed/leecher"], "content": ["/srv/seedbed/leecher"], "directories": ["/srv/seedbed"]},
        ["seedbed-leecher"],
    ),
)


def recognised(marks: Sequence[Mark] = MARKS) -> Owned:
    """Return what of ours is on the host; nothing on one that never had the lab."""
    owned = Owned()
    for mark in marks:
        content = read_file(mark.file) or b""
        if not all(text in content for text in mark.texts):
            continue
        for kind, names in mark.things.items():
            patterns = [name for name in names if not name.startswith("/") or glob.glob(name) or os.path.islink(name)]
            paths = [path for name in patterns for path in (glob.glob(name) or [name])]
            owned.add(mark.role, {kind: paths})
        owned.add(mark.role, {"users": [name for name in mark.users if _made_by_us(name)], "states": mark.states})
    return owned


def _made_by_us(name: str) -> bool:
    """Return whether a user is as we have made ours: a number of the system's, no home, no shell."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        return False
    homes = ("/nonexistent", "/var/lib/seedbed-flood")
    return 0 < user.pw_uid < 1000 and user.pw_dir in homes and user.pw_shell.endswith("nologin")
