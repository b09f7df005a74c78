"""A program of this package as one file that Python runs: the module with all that it imports, in a zip archive.

Made on the controller. The bytes follow from the sources alone, so that an unchanged program is no change on a host.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from typing import Iterator

from ansible.module_utils.seedbed.base.errors import SeedbedError

PACKAGE = "ansible.module_utils.seedbed"
_IMPORT = re.compile(rf"^ *from ({re.escape(PACKAGE)}[\w.]*) import ([^(\n]+|\([^)]+\))", re.MULTILINE)
_NAME = re.compile(r"\w+")
_START = "import sys\n\nfrom {module} import main\n\nsys.exit(main(sys.argv[1:]))\n"


class UnknownProgramError(SeedbedError):
    """There is no program of that name."""


def program_archive(root: str, name: str) -> bytes:
    """Return the archive of ``programs/NAME.py``; `root` is the directory of package seedbed.

    Run it as ``python3 FILE ARGUMENTS``: it calls the program's ``main`` with the arguments.
    """
    start = f"{PACKAGE}.programs.{name}"
    if _file_of(root, start) is None:
        raise UnknownProgramError(f"{root} has no programs/{name}.py")
    # The packages above ours have no file here, and need none.
    members = {"__main__.py": _START.format(module=start).encode(), "ansible/__init__.py": b""}
    members["ansible/module_utils/__init__.py"] = b""
    waiting = [start]
    while waiting:
        module = waiting.pop()
        path = _file_of(root, module)
        if path is None:
            continue
        member = os.path.join("ansible/module_utils/seedbed", os.path.relpath(path, root))
        if member not in members:
            with open(path, "rb") as file:
                members[member] = file.read()
            waiting += [module.rpartition(".")[0], *_imported(members[member])]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for member in sorted(members):
            archive.writestr(zipfile.ZipInfo(member), members[member], zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _file_of(root: str, module: str) -> str | None:
    """Return the file of a module or package; None for another's, and for what is no module."""
    if not f"{module}.".startswith(f"{PACKAGE}."):
        return None
    base = os.path.join(root, *module[len(PACKAGE) + 1 :].split("."))
    return next((path for path in (f"{base}.py", os.path.join(base, "__init__.py")) if os.path.isfile(path)), None)


def _imported(source: bytes) -> Iterator[str]:
    """Yield the names that a module imports from; what follows ``import`` may be a module, too.

    Read off its lines, as formatted: to parse them takes five times as long, and a name too many is no file.
    """
    for module, names in _IMPORT.findall(source.decode()):
        yield module
        yield from (f"{module}.{name}" for name in _NAME.findall(names))
