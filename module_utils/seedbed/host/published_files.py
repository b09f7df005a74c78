"""A set of published files, brought to what it should be and no further."""

from __future__ import annotations

import base64
import binascii
import glob
import os
from typing import Mapping, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import write_atomically


class PublishError(SeedbedError):
    """A path or content that cannot be published."""


def _checked(path: str) -> str:
    if path.startswith("/") or any(part in ("", ".", "..") for part in path.split("/")):
        raise PublishError(f"{path!r} is not a path below the directory")
    return path


def _differs(path: str, data: bytes, mode: int) -> bool:
    try:
        with open(path, "rb") as file:
            return os.fstat(file.fileno()).st_mode & 0o7777 != mode or file.read() != data
    except FileNotFoundError:
        return True


def _write(path: str, data: bytes, mode: int) -> None:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    write_atomically(path, data, mode=mode)


def _leads(path: str, target: str) -> bool:
    return os.path.islink(path) and os.readlink(path) == target


def _link(path: str, target: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    part = os.path.join(os.path.dirname(path), f".part-{os.getpid()}")
    os.symlink(target, part)
    os.rename(part, path)


def publish(
    directory: str,
    files: Mapping[str, str],
    *,
    links: Mapping[str, str] | None = None,
    owned: Sequence[str] = (),
    absent: Sequence[str] = (),
    mode: int = 0o644,
    check: bool = False,
) -> tuple[list[str], list[str]]:
    """Paths that were (or, in check mode, would be) written, and those removed. Contents are base64."""
    wanted = {}
    for path, text in files.items():
        try:
            wanted[_checked(path)] = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise PublishError(f"content of {path!r} is not base64") from None
    written = [path for path, data in sorted(wanted.items()) if _differs(os.path.join(directory, path), data, mode)]
    linked = {_checked(path): target for path, target in (links or {}).items()}
    written += [path for path, target in sorted(linked.items()) if not _leads(os.path.join(directory, path), target)]
    found: set[str] = set()
    for pattern in owned:
        where = os.path.join(glob.escape(directory), _checked(pattern))
        found.update(os.path.relpath(path, directory) for path in glob.glob(where))
        if os.path.basename(where).startswith("*"):  # which leaves hidden files out
            hidden = os.path.join(os.path.dirname(where), "." + os.path.basename(where))
            found.update(os.path.relpath(path, directory) for path in glob.glob(hidden))
    found.update(path for path in absent if os.path.lexists(os.path.join(directory, _checked(path))))
    removed = sorted(found - set(wanted) - set(linked))
    if not check:
        for path in written:
            if path in wanted:
                _write(os.path.join(directory, path), wanted[path], mode)
            else:
                _link(os.path.join(directory, path), linked[path])
        for path in removed:
            os.unlink(os.path.join(directory, path))
    return written, removed
