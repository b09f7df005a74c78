"""Files and directories of this machine: written whole or not at all, and known again by their stat."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import tempfile
from typing import Any, NamedTuple, Sequence

# A file changed within this time before its stat was taken may change again without its times moving.
RACY_NS = 2_000_000_000
PART = ".seedbed-part-"  # begins the name of a file that is not in its place yet
_tidied: set[str] = set()  # directories in which this process has looked for what killed writers left


class Stat(NamedTuple):
    """What tells that a file is still the same; ctime also catches a restored mtime."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


def stat_of(path: str) -> Stat | None:
    """Return the stat of a regular file, None if there is none."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


def is_racy(stats: Sequence[Stat], taken_ns: int) -> bool:
    """Return whether a file was so fresh when its stat was taken that the stat proves nothing."""
    return any(max(each.mtime_ns, each.ctime_ns) > taken_ns - RACY_NS for each in stats)


def digest(*parts: Any) -> str:
    """Return a short name for everything that a result depends on."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def make_directory(path: str) -> None:
    """Make a directory that every daemon may enter, whatever our umask."""
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

    durable: also after a power cut, at the price of waiting for the disk. What fails leaves nothing behind, and what a
    kill leaves behind goes with the next write into that directory.
    """
    directory = os.path.dirname(path) or "."
    _remove_stale_parts(directory)
    descriptor, part = _new_part(directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            if owner:
                os.fchown(descriptor, *owner)
            if durable:
                os.fsync(descriptor)
            os.replace(part, path)  # while it is still locked
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        if isinstance(error, OSError) and not error.filename:  # as where there is no space
            error.filename = path
        raise


def link_atomically(path: str, target: str) -> None:
    """Replace a symbolic link, or whatever file is there, in one step."""
    # A link cannot be locked; one that a kill has left makes way for the next of its name.
    part = os.path.join(os.path.dirname(path), f"{PART}link-{digest(os.path.basename(path))}")
    remove_files([part])
    os.symlink(target, part)
    try:
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


def _new_part(directory: str) -> tuple[int, str]:
    """Open a new file beside the one that it will replace, locked for as long as it is open."""
    while True:
        descriptor, part = tempfile.mkstemp(dir=directory, prefix=PART)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, part
        os.close(descriptor)  # another process took it for a leftover before it was locked


def _remove_stale_parts(directory: str) -> None:
    """Remove what killed writers have left in a directory: parts that nobody has locked. Once a process is enough."""
    if directory in _tidied:
        return
    _tidied.add(directory)
    for name in os.listdir(directory):
        if not name.startswith(PART):
            continue
        part = os.path.join(directory, name)
        with contextlib.suppress(OSError):  # another user's, a link, or at work
            descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(part)
            finally:
                os.close(descriptor)


def remove_files(paths: Sequence[str]) -> bool:
    """Delete those of the files that exist; return whether there were any."""
    existing = [path for path in paths if os.path.lexists(path)]
    for path in existing:
        os.unlink(path)
    return bool(existing)
