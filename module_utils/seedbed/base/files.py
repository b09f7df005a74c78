"""Files and directories of this machine: written whole or not at all, and known again by their stat."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from typing import Any, NamedTuple, Sequence

# A file changed within this time before it was looked at may change again without its times moving.
RACY_NS = 2_000_000_000


class Stat(NamedTuple):
    """What tells that a file is still the one that was seen; ctime also catches a restored mtime."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


def stat_of(path: str) -> Stat | None:
    """The stat of a regular file, or None."""
    try:
        seen = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if seen.st_mode & 0o170000 != 0o100000:
        return None
    return Stat(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino, seen.st_dev)


def is_racy(stats: list[Stat], looked_ns: int) -> bool:
    """Whether a file was so fresh when it was looked at that its stat proves nothing."""
    return any(max(stat.mtime_ns, stat.ctime_ns) > looked_ns - RACY_NS for stat in stats)


def digest(*parts: Any) -> str:
    """A short name for everything that a result depends on."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def make_directory(path: str) -> None:
    """A directory that every daemon may enter, whatever our umask."""
    if os.path.isdir(path):
        return
    make_directory(os.path.dirname(path))
    try:
        os.mkdir(path)
    except FileExistsError:  # another call was first
        return
    os.chmod(path, 0o755)  # noqa: S103 - the daemon that seeds is another user


def read_file(path: str) -> bytes | None:
    """Return a file's content, None if there is no such file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_atomically(
    path: str, data: bytes, *, mode: int = 0o644, owner: tuple[int, int] | None = None, durable: bool = False
) -> None:
    """Replace a file in one step: whoever reads it sees the old content or the new, never a part.

    durable: also after a power cut, at the price of waiting for the disk. What fails leaves nothing behind.
    """
    handle, part = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            if owner:
                os.fchown(file.fileno(), *owner)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise


def remove_files(paths: Sequence[str]) -> bool:
    """Delete those of the files that exist; return whether there were any."""
    there = [path for path in paths if os.path.lexists(path)]
    for path in there:
        os.unlink(path)
    return bool(there)
