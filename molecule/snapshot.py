"""What a host is, as far as the lab could change it: runs there, prints lines that can be compared."""

from __future__ import annotations

import hashlib
import os
import subprocess

PLACES = ("/etc", "/var/lib", "/srv", "/opt", "/usr/local", "/home")
# Lists of packages that an update fetches, the package manager's own notes, caches, clocks and seeds.
PASSING = (
    "/etc/ld.so.cache",
    "/etc/passwd-",
    "/etc/group-",
    "/etc/shadow-",
    "/etc/gshadow-",
    "/etc/subuid-",
    "/etc/subgid-",
    "/var/lib/apt/",
    "/var/lib/dpkg/",
    "/var/lib/systemd/",
    "/var/lib/private",
)
# What a daemon of theirs writes while it runs.
ALIVE = ("/var/lib/", "/etc/shadow", "/etc/gshadow")


def output(*argv: str) -> list[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def content(path: str) -> str:
    if os.path.islink(path):
        return "-> " + os.readlink(path)
    if not os.path.isfile(path) or path.startswith(ALIVE):
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def paths() -> list[str]:
    found = []
    for place in PLACES:
        for directory, names, files in os.walk(place):
            found += [os.path.join(directory, name) for name in (*names, *files)]
    return sorted(path for path in found if not path.startswith(PASSING))


for line in output("dpkg-query", "--show", "--showformat=${db:Status-Abbrev} ${Package} ${Version}\n"):
    print("package", line)
for database in ("passwd", "group"):
    for line in sorted(output("getent", database)):
        print(database, line)
for line in sorted(output("systemctl", "list-unit-files", "--no-legend", "--plain")):
    print("unit", " ".join(line.split()[:2]))
for line in sorted(
    output("systemctl", "list-units", "--type=service", "--state=active,failed", "--no-legend", "--plain")
):
    if not line.startswith(("user", "apt-", "systemd-", "dpkg-", "e2scrub", "fstrim", "logrotate", "man-db")):
        print("service", " ".join(line.split()[:4]))
for line in output("nft", "--stateless", "list", "ruleset"):
    print("rule", line)
for path in paths():
    status = os.lstat(path)
    print("file", path, oct(status.st_mode), status.st_uid, status.st_gid, content(path))
