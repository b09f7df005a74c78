"""Images of test hosts: built once for each recipe. podman, mmdebstrap and apt are stood in for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

BUILD = Path(__file__).resolve().parents[2] / "roles" / "container_host" / "files" / "build_image"
PROGRAMS = {
    # Images are files, "exists" is asked for them; each build is noted.
    "podman": """
        case "$1 $2" in
            "image exists") exec test -e "images/${3//\\//_}" ;;
            import*) image=$4 ;;
            build*) while [ "$1" != --tag ]; do [ "$1" != --file ] || cp "$2" recipe; shift; done; image=$2 ;;
        esac
        touch "images/${image//\\//_}"; echo "$image" >>built""",
    "mmdebstrap": ":",
    "apt-get": ":",
    "apt-config": "cat settings",
}
# Releases that no build on this machine waits for.
BARE, COMPILER = ["tested"], ["tested", "make", "gcc"]


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that runs the script and returns the lines that it prints."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "images").mkdir()
    for name, code in PROGRAMS.items():
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/bash\n{code}\n", encoding="utf-8")
        program.chmod(0o755)

    def run(*arguments: str, settings: str = "", program: Path = BUILD) -> list[str]:
        (tmp_path / "settings").write_text(settings, encoding="utf-8")
        environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
        done = subprocess.run(
            [str(program), *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    return run


def built(directory: Path) -> list[str]:
    return (directory / "built").read_text(encoding="utf-8").splitlines()


def test_an_image_is_built_once(build: Callable[..., list[str]], tmp_path: Path) -> None:
    first, second = build(*BARE), build(*BARE)
    assert first == ["built", *second]
    assert built(tmp_path) == second
    assert second[0].startswith("localhost/seedbed-host:tested-")


def test_packages_come_on_top_of_the_bare_image(build: Callable[..., list[str]], tmp_path: Path) -> None:
    _, image = build(*COMPILER)
    (bare,) = build(*BARE)
    assert built(tmp_path) == [bare, image]
    assert image.startswith(f"{bare}-")
    recipe = (tmp_path / "recipe").read_text(encoding="utf-8")
    assert recipe.startswith(f"FROM {bare}\n")
    assert "--no-install-recommends make gcc;" in recipe


def test_the_order_of_packages_does_not_matter(build: Callable[..., list[str]]) -> None:
    assert build("tested", "make", "gcc")[-1:] == build("tested", "gcc", "make")


@pytest.mark.parametrize("arguments", [BARE, COMPILER])
def test_another_recipe_is_another_image(build: Callable[..., list[str]], tmp_path: Path, arguments: list[str]) -> None:
    changed = tmp_path / "build_image"
    changed.write_text(BUILD.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    changed.chmod(0o755)
    images = [
        build(*arguments),
        build(*arguments, settings='Acquire::http::Proxy "http://192.0.2.1:3128";'),
        build(*arguments, program=changed),
        build("tested2", *arguments[1:]),
        build(*arguments, "zlib1g-dev"),
    ]
    assert len({image[-1] for image in images}) == len(images)
