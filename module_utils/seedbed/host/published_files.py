"""A set of published files, brought to what it should be and no further."""

from __future__ import annotations

import base64
import glob
import os
from typing import Mapping, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.files import link_atomically, write_atomically
from ansible.module_utils.seedbed.base.ownership import claim, known


class PublishError(SeedbedError):
    """A path or content that cannot be published."""


def _checked(path: str) -> str:
    if path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise PublishError(f"{path!r} is not a path below the directory")
    return path


def _decoded(path: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise PublishError(f"content of {path!r} is not base64") from None


def _differs(path: str, data: bytes, mode: int) -> bool:
    try:
        with open(path, "rb") as file:
            return os.fstat(file.fileno()).st_mode & 0o7777 != mode or file.read() != data
    except FileNotFoundError:
        return True


def _leads(path: str, target: str) -> bool:
    return os.path.islink(path) and os.readlink(path) == target


def _owned(directory: str, patterns: Sequence[str]) -> set[str]:
    """Return the paths below the directory that match a pattern."""
    found: set[str] = set()
    for pattern in patterns:
        where = os.path.join(glob.escape(directory), _checked(pattern))
        found.update(os.path.relpath(path, directory) for path in glob.glob(where))
        if os.path.basename(where).startswith("*"):  # which leaves hidden files out
            hidden = os.path.join(os.path.dirname(where), "." + os.path.basename(where))
            found.update(os.path.relpath(path, directory) for path in glob.glob(hidden))
    return found


@os_errors_reported()
def publish_files(
    directory: str,
    files: Mapping[str, str],
    *,
    links: Mapping[str, str] | None = None,
    owned: Sequence[str] = (),
    absent: Sequence[str] = (),
    mode: int = 0o644,
    role: str = "",
    check: bool = False,
) -> tuple[list[str], list[str]]:
    """Publish files (contents as base64) and links; return the paths written and those removed.

    Links come first, then files from the deepest folder up, in their order, and removals last: an index such as
    catalogue.json, which lies at the top, at no moment names what is not there. In check mode nothing is written.
    What is written for a role is noted as ours, and then nothing is removed that is not.
    """
    wanted = {_checked(path): _decoded(path, text) for path, text in files.items()}
    linked = {_checked(path): target for path, target in (links or {}).items()}
    new_links = [path for path, target in linked.items() if not _leads(os.path.join(directory, path), target)]
    new_files = [path for path, data in wanted.items() if _differs(os.path.join(directory, path), data, mode)]
    new_files.sort(key=lambda path: -path.count("/"))
    found = _owned(directory, owned)
    found.update(path for path in absent if os.path.lexists(os.path.join(directory, _checked(path))))
    removed = sorted(found - set(wanted) - set(linked))
    if role and removed:
        ours = known()
        removed = [path for path in removed if ours.has("files", os.path.join(directory, path))]
    if not check:
        written = [os.path.join(directory, path) for path in new_links + new_files]
        claim(role, {"directories": [directory], "files": written})
        for path in new_links + new_files:
            os.makedirs(os.path.dirname(os.path.join(directory, path)), mode=0o755, exist_ok=True)
        for path in new_links:
            link_atomically(os.path.join(directory, path), linked[path])
        for path in new_files:
            write_atomically(os.path.join(directory, path), wanted[path], mode=mode)
        for path in removed:
            os.unlink(os.path.join(directory, path))
    return new_links + new_files, removed
