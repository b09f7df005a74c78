"""Get source archives that are pinned by SHA-256: from the distribution's deb-src archives or from mirrors.

Whoever delivers them is not trusted: an archive counts when its bytes have the pinned SHA-256, and not otherwise.
"""

from __future__ import annotations

import glob
import hashlib
import http.client
import os
import re
import subprocess
import urllib.request
from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError

# One line a package index of the host's own sources, by apt's own reading of them, in whichever style they are written.
_TARGETS = "$(REPO_URI)|$(SOURCESENTRY)|$(COMPONENT)|$(ORIGIN)|$(LABEL)"


class ArchiveError(SeedbedError):
    """An archive that cannot be had, or is not the pinned one."""

    def __init__(self, name: str, pin: str, why: str) -> None:
        super().__init__(f"{name}: {why}. Nothing was installed or changed; {pin} tells the SHA-256 that it must have.")
        self.name = name


def sha256(path: str) -> str:
    """The SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def from_mirrors(archives: Sequence[Mapping[str, Any]], directory: str, timeout: float) -> None:
    """Each archive from the first of its addresses that delivers the pinned bytes."""
    for archive in archives:
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
                with open(os.path.join(directory, archive["name"]), "wb") as file:
                    file.write(data)
                break
            reasons.append(f"{url}: SHA-256 is {digest}, pinned is {archive['sha256']}")
        else:
            raise ArchiveError(archive["name"], archive["pin"], "no mirror delivered it: " + "; ".join(reasons))


def from_apt(archives: Sequence[Mapping[str, Any]], directory: str, suite: str) -> None:
    """Each archive out of the suite's source packages, with an apt configuration that is made for this and thrown away.

    The exit status of ``apt-get source`` is not looked at: it fails when any file of a source package is missing from
    the mirror, and the packaging beside the archive is not needed.
    """
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
    ]
    updated = _run(["apt-get", "-q", *options, "update"], directory)
    fetched = [
        _run(["apt-get", "-q", *options, "source", "--download-only", f"{archive['package']}/{suite}"], directory)
        for archive in archives
    ]
    for archive, output in zip(archives, fetched):
        check_package(archive, directory, suite, updated + output)


def check_package(archive: Mapping[str, Any], directory: str, suite: str, output: str) -> None:
    """Find the archive among the downloaded files of its source package and judge its bytes."""
    path = os.path.join(directory, archive["name"])
    if not os.path.exists(path):
        others = [os.path.basename(other) for other in glob.glob(f"{directory}/{archive['package']}_*.orig.tar.*")]
        said = " ".join(re.findall(r"^E: .*", output, re.MULTILINE))
        why = (
            f"{suite} has {', '.join(others)} instead"
            if others
            else f"apt did not deliver it ({said or 'no word why'})"
        )
        raise ArchiveError(archive["name"], archive["pin"], why)
    digest = sha256(path)
    if digest != archive["sha256"]:
        raise ArchiveError(archive["name"], archive["pin"], f"SHA-256 is {digest}, pinned is {archive['sha256']}")


def _index_targets() -> str:
    """The host's package indexes; they are fetched when the host has none yet."""
    ask = ["apt-get", "indextargets", "--format", _TARGETS]
    targets = _run(ask)
    if not targets.strip():
        _run(["apt-get", "-q", "update"])
        targets = _run(ask)
    return targets


def repositories(targets: str) -> list[tuple[str, str]]:
    """(URI, entry) of the distribution's own archives among the host's sources, each URI once, in their order.

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
    """The keys that an entry of the host's sources names: a path, or a whole key; empty when it names none.

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
    """Source packages of the suite from (URI, keys), as a deb822 file; without keys the host's trusted ones count."""
    stanzas = []
    for uri, keys in sources:
        lines = ["Types: deb-src", f"URIs: {uri}", f"Suites: {suite}", "Components: main"]
        # A whole key follows in lines of its own, each indented.
        separator = "\n " if "\n" in keys else " "
        stanzas.append("\n".join([*lines, *([f"Signed-By:{separator}{keys}"] if keys else []), ""]))
    return "\n".join(stanzas)


def _run(command: list[str], directory: str = "/") -> str:
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
