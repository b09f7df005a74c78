"""The daemon as one file that a host's own Python runs: ``python3 -I -S FILE CONFIGURATION``.

Made on the controller, from the sources that lie there. The same sources make the same bytes, so that a host can tell
whether its file is the one that is wanted.
"""

from __future__ import annotations

import io
import os
import zipfile

_PACKAGES = ("base", "torrent", "probe", "payload", "scripted")
_ROOT = "ansible/module_utils/seedbed"  # the name under which they import each other
_MAIN = """import sys

from ansible.module_utils.seedbed.scripted.daemon import main

sys.exit(main(sys.argv[1:]))
"""
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def program() -> bytes:
    """Return the archive: the packages that the daemon is made of, and what starts it."""
    sources = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    files = {"__main__.py": _MAIN.encode()}
    for package in ("ansible", "ansible/module_utils", _ROOT):
        files[f"{package}/__init__.py"] = b""
    for package in _PACKAGES:
        for name in sorted(os.listdir(os.path.join(sources, package))):
            if name.endswith(".py"):
                with open(os.path.join(sources, package, name), "rb") as file:
                    files[f"{_ROOT}/{package}/{name}"] = file.read()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _NO_TIME)
            entry.external_attr = 0o644 << 16
            out.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return archive.getvalue()
