"""Get source archives that are pinned by SHA-256: from the distribution's deb-src archives or from mirrors.

Whoever delivers them is not trusted: an archive counts when its bytes have the pinned SHA-256, and not otherwise.
"""

from __future__ import annotations

import glob
import hashlib
import http.client
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from typing import Any, Sequence, TypedDict

from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.files import write_atomically

# One line a package index of the host's own sources, by apt's own reading of them, in whichever style they are written.
_TARGETS = "$(REPO_URI)|$(SOURCESENTRY)|$(COMPONENT)|$(ORIGIN)|$(LABEL)"


class SourceArchive(TypedDict):
    """An archive that is wanted (module source_archives)."""

    name: str
    sha256: str
    pin: str
    """The variable that sets the SHA-256, for messages."""
    package: str | None
    """The source package that holds it, for apt."""
    urls: list[str]
    """Its mirrors in turn."""


ARCHIVE_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "sha256": {"type": "str", "required": True},
    "pin": {"type": "str", "required": True},
    "package": {"type": "str"},
    "urls": {"type": "list", "elements": "str", "default": []},
}
"""The same as a module takes it from a playbook."""


class ArchiveError(SeedbedError):
    """An archive that cannot be had, or is not the pinned one."""

    def __init__(self, name: str, pin: str, why: str) -> None:
        super().__init__(f"{name}: {why}. Nothing was installed or changed; {pin} is the SHA-256 that it must have.")
        self.name = name


def sha256(path: str) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


@os_errors_reported()
def fetch_archives(archives: Sequence[SourceArchive], directory: str, suites: Sequence[str], timeout: float) -> None:
    """Fetch what is not in the directory yet: from one suite after the other, then from the archives' own addresses.

    An archive of the directory that is not the pinned one counts as missing. ArchiveError, with a line for every place
    that was tried, if none delivers the pinned bytes.
    """
    tried: dict[str, list[str]] = {archive["name"]: [] for archive in archives}
    missing = [archive for archive in archives if not _is_there(archive, directory)]
    for suite in suites:
        with tempfile.TemporaryDirectory(dir=directory, prefix="apt-") as place:
            reasons = fetch_from_apt(missing, place, suite) if missing else {}
            for archive in missing:
                if archive["name"] in reasons:
                    tried[archive["name"]].append(reasons[archive["name"]])
                else:
                    os.replace(os.path.join(place, archive["name"]), os.path.join(directory, archive["name"]))
        missing = [archive for archive in missing if archive["name"] in reasons]
    for archive in missing:
        tried[archive["name"]] += fetch_from_mirrors(archive, directory, timeout)
    lacking = [archive for archive in missing if not _is_there(archive, directory)]
    if lacking:
        name = lacking[0]["name"]
        raise ArchiveError(name, lacking[0]["pin"], "; ".join(tried[name]) or "it is in no place that could be asked")


def _is_there(archive: SourceArchive, directory: str) -> bool:
    path = os.path.join(directory, archive["name"])
    return os.path.isfile(path) and sha256(path) == archive["sha256"]


def fetch_from_mirrors(archive: SourceArchive, directory: str, timeout: float) -> list[str]:
    """Fetch an archive from the first of its addresses that delivers the pinned bytes; return why others did not."""
    reasons = []
    for url in archive["urls"]:
        try:
            with urllib.request.urlopen(url, timeout=timeout) as answer:
                data = answer.read()
        except (OSError, ValueError, http.client.HTTPException) as error:
            reasons.append(f"{url}: {error}")
            continue
        digest = hashlib.sha256(data).hexdigest()
        if digest == archive["sha256"]:
            write_atomically(os.path.join(directory, archive["name"]), data)
            break
        reasons.append(f"{url}: SHA-256 is {digest}, pinned is {archive['sha256']}")
    return reasons


def fetch_from_apt(archives: Sequence[SourceArchive], directory: str, suite: str) -> dict[str, str]:
    """Fetch the archives out of the suite's source packages, with an apt configuration that is made for this alone.

    Return, by name, why one did not come. On a host without apt none does. The exit status of ``apt-get source`` does
    not count: it fails when any file of a source package is missing from the mirror, and the packaging beside the
    archive is not needed.
    """
    if not shutil.which("apt-get"):
        return {archive["name"]: f"this host has no apt for {suite}" for archive in archives}
    private = os.path.join(directory, "apt")
    for name in ("sources", "state/lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(private, name))
    with open(os.path.join(private, "sources", "source.sources"), "w", encoding="utf-8") as file:
        sources = [(uri, signed_by(entry)) for uri, entry in repositories(_index_targets())]
        file.write(deb_src(sources, suite))
    options = [
        "-o=Dir::Etc::sourcelist=/dev/null",
        f"-o=Dir::Etc::sourceparts={private}/sources",
        "-o=Dir::Etc::preferencesparts=/dev/null",
        f"-o=Dir::State={private}/state",
        "-o=Dir::State::status=/var/lib/dpkg/status",
        f"-o=Dir::Cache={private}/cache",
        # A mirror may lag behind; with the bytes pinned, a fresh signature adds nothing.
        "-o=Acquire::Check-Valid-Until=false",
        "-o=Acquire::Retries=3",
    ]
    updated = _output_of(["apt-get", "-q", *options, "update"], directory)
    fetched = [
        _output_of(["apt-get", "-q", *options, "source", "--download-only", f"{archive['package']}/{suite}"], directory)
        for archive in archives
    ]
    reasons = [package_fault(archive, directory, suite, updated + output) for archive, output in zip(archives, fetched)]
    return {archive["name"]: reason for archive, reason in zip(archives, reasons) if reason}


def package_fault(archive: SourceArchive, directory: str, suite: str, output: str) -> str:
    """Return why the archive is not among the downloaded files of its source package; empty if it is."""
    path = os.path.join(directory, archive["name"])
    if not os.path.exists(path):
        others = [os.path.basename(other) for other in glob.glob(f"{directory}/{archive['package']}_*.orig.tar.*")]
        complaints = " ".join(re.findall(r"^E: .*", output, re.MULTILINE))
        if others:
            return f"{suite} has {', '.join(others)} instead"
        return f"apt did not deliver it from {suite} ({complaints or 'without a reason'})"
    digest = sha256(path)
    if digest != archive["sha256"]:
        return f"{suite}: SHA-256 is {digest}, pinned is {archive['sha256']}"
    return ""


def _index_targets() -> str:
    """Return the host's package indexes; they are fetched when the host has none yet."""
    ask = ["apt-get", "indextargets", "--format", _TARGETS]
    targets = _output_of(ask)
    if not targets.strip():
        _output_of(["apt-get", "-q", "update"])
        targets = _output_of(ask)
    return targets


def repositories(targets: str) -> list[tuple[str, str]]:
    """Return (URI, entry) of the distribution's own archives among the host's sources, each URI once, in their order.

    A distribution's main archive calls itself the same in Origin and Label; its security archive and those of others
    do not carry the sources of another suite.
    """
    found: dict[str, str] = {}
    for line in targets.splitlines():
        if line.count("|") != 4:
            continue  # a warning of apt's
        uri, entry, component, origin, label = line.split("|")
        if component == "main" and origin == label and not uri.startswith("cdrom:"):
            found.setdefault(uri, entry)
    return list(found.items())


def signed_by(entry: str) -> str:
    """Return the keys that an entry of the host's sources names: a path, or a whole key; empty when it names none.

    Entries are named by apt: ``FILE.list:LINE`` in the one-line style, ``FILE.sources:STANZA`` in that of deb822.
    """
    path, _, number = entry.rpartition(":")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if path.endswith(".sources"):
        lines = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
        stanzas = [stanza for stanza in re.split(r"\n\s*\n", lines) if stanza.strip()]
        match = re.search(r"^Signed-By:(.*\n?(?:[ \t].*\n?)*)", stanzas[int(number) - 1], re.MULTILINE | re.IGNORECASE)
    else:
        match = re.search(r"\[[^]]*\bsigned-by=([^] \t]+)", text.splitlines()[int(number) - 1])
    return match.group(1).strip() if match else ""


def deb_src(sources: Sequence[tuple[str, str]], suite: str) -> str:
    """Return source packages of the suite, from (URI, keys), as a deb822 file; without keys the host's own count."""
    stanzas = []
    for uri, keys in sources:
        lines = ["Types: deb-src", f"URIs: {uri}", f"Suites: {suite}", "Components: main"]
        # A whole key follows in lines of its own, each indented.
        separator = "\n " if "\n" in keys else " "
        stanzas.append("\n".join([*lines, *([f"Signed-By:{separator}{keys}"] if keys else []), ""]))
    return "\n".join(stanzas)


def _output_of(command: list[str], directory: str = "/") -> str:
    """Return what a program prints on both streams, whether it fails or not."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,  # judged by what it delivered
    )
    return done.stdout.decode("utf-8", "replace")
