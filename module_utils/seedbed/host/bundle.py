"""Collect on one machine the archives that hosts without a way out need, each by its SHA-256."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from typing import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from ansible.module_utils.seedbed.base.commands import run
from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.host.source_archives import (
    ArchiveError,
    SourceArchive,
    fetch_archives,
    sha256,
)

SUMS = "SHA256SUMS"


def archive_name(archive: str) -> str:
    """Return the file name of an archive: a URL, a path, or npm:NAME@VERSION as `npm pack` calls it."""
    if archive.startswith("npm:"):
        name, version = archive[len("npm:") :].rsplit("@", 1)
        return f"{name.lstrip('@').replace('/', '-')}-{version}.tgz"
    return os.path.basename(urlsplit(archive).path if re.match("https?://", archive) else archive)


@os_errors_reported()
def collect(archives: Sequence[SourceArchive], directory: str, *, suite: str, timeout: float = 30) -> list[str]:
    """Have every archive in the directory, with their sums beside; return the names of those that were fetched."""
    fetched = []
    for archive in archives:
        path = os.path.join(directory, archive["name"])
        if not (os.path.exists(path) and sha256(path) == archive["sha256"]):
            _fetch(archive, path, suite, timeout)
            fetched.append(archive["name"])
    lines = sorted(f"{archive['sha256']}  {archive['name']}\n" for archive in archives)
    with open(os.path.join(directory, SUMS), "w", encoding="utf-8") as file:
        file.writelines(lines)
    return fetched


def _fetch(archive: SourceArchive, path: str, suite: str, timeout: float) -> None:
    """Fetch one archive by the first way that delivers the right bytes."""
    tried = []
    for way, fetch in _ways(archive, suite, timeout).items():
        with tempfile.TemporaryDirectory(dir=os.path.dirname(path), prefix=".bundle-") as work:
            try:
                fetch(work)
                found = os.path.join(work, archive["name"])
                digest = sha256(found)
                if digest == archive["sha256"]:
                    os.chmod(found, 0o644)
                    os.replace(found, path)
                    return
                tried.append(f"{way}: SHA-256 is {digest}, pinned is {archive['sha256']}")
            except (SeedbedError, OSError) as error:
                tried.append(f"{way}: {error}")
    raise ArchiveError(archive["name"], archive["pin"], "; ".join(tried) or "nobody says where it is")


def _ways(archive: SourceArchive, suite: str, timeout: float) -> Mapping[str, Callable[[str], None]]:
    ways: dict[str, Callable[[str], None]] = {}
    if archive["package"] and shutil.which("apt-get"):
        packaged: SourceArchive = {**archive, "urls": []}
        ways[f"source package of {suite}"] = lambda work: fetch_archives([packaged], work, [suite], timeout)
    for url in archive["urls"]:
        if url.startswith("npm:"):
            ways[url] = lambda work, url=url: _pack(url[len("npm:") :], work)  # type: ignore[misc]
        elif re.match("https?://", url):
            one: SourceArchive = {**archive, "urls": [url]}
            ways[url] = lambda work, one=one: fetch_archives([one], work, [], timeout)  # type: ignore[misc]
        else:
            ways[url] = lambda work, url=url: _copy(url, os.path.join(work, archive["name"]))  # type: ignore[misc]
    return ways


def _pack(package: str, work: str) -> None:
    run(["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", work, package])


def _copy(path: str, target: str) -> None:
    shutil.copyfile(path, target)
