"""A program as one file: it runs by itself, with what it imports and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible.module_utils.seedbed.host.program_archive import UnknownProgramError, program_archive

PACKAGE = Path(__file__).resolve().parents[2] / "module_utils" / "seedbed"
PROGRAMS = sorted(path.stem for path in (PACKAGE / "programs").glob("[!_]*.py"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_starts_alone(name: str, tmp_path: Path) -> None:
    file = tmp_path / "program.pyz"
    file.write_bytes(program_archive(str(PACKAGE), name))
    module = f"ansible.module_utils.seedbed.programs.{name}"
    code = f"import sys; sys.path.insert(0, {str(file)!r}); import {module} as program; print(program.main)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("<function main"), done.stderr
    # Without arguments it says so, and not that something could not be imported.
    done = subprocess.run([sys.executable, "-I", "-S", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "ImportError" not in done.stderr
    assert "ModuleNotFoundError" not in done.stderr


def test_it_has_what_it_imports_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "seedbed"
    for path, text in {
        "__init__.py": "",
        "base/__init__.py": "",
        "base/used.py": "from ansible.module_utils.seedbed.base import deep\nVALUE = deep.VALUE",
        "base/deep.py": "VALUE = 'it runs'",
        "base/unused.py": "",
        "programs/__init__.py": "",
        "programs/tell.py": "from ansible.module_utils.seedbed.base.used import VALUE\n"
        "def main(words): print(VALUE, *words)",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    archive = program_archive(str(root), "tell")
    assert archive == program_archive(str(root), "tell")
    file = tmp_path / "tell.pyz"
    file.write_bytes(archive)
    names = {name.rpartition("seedbed/")[2] for name in zipfile.ZipFile(file).namelist() if "seedbed/" in name}
    assert names == {
        *("__init__.py", "base/__init__.py", "base/used.py", "base/deep.py"),
        *("programs/__init__.py", "programs/tell.py"),
    }
    assert subprocess.check_output([sys.executable, "-I", str(file), "here"], text=True) == "it runs here\n"


def test_an_unknown_program_is_named() -> None:
    with pytest.raises(UnknownProgramError, match=r"has no programs/nothing\.py"):
        program_archive(str(PACKAGE), "nothing")
