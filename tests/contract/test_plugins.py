"""Every plugin of ours is found by Ansible, documented so that ansible-doc renders it, and run by a test."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]
# What the authors of playbooks may count on.
PUBLIC = [
    "bdecode",
    "bencode",
    "info_hash_url",
    "magnet_link",
    "piece_length",
    "qr_svg",
    "scrape_url",
    "swarm_verdict",
    "torrent_info",
    "torrent_metainfo",
    "transmission_password",
]
# A link is a module's former name.
MODULES = sorted(path.stem for path in (ROOT / "library").glob("*.py") if not path.is_symlink())
CALLBACKS = sorted(path.stem for path in (ROOT / "callback_plugins").glob("*.py"))


def private_filters() -> dict[str, Any]:
    """Return the filters that one role alone calls, by name."""
    found: dict[str, Any] = {}
    for path in sorted(ROOT.glob("roles/*/filter_plugins/*.py")):
        spec = importlib.util.spec_from_file_location(f"filters_of_{path.stem}", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= module.FilterModule().filters()
    return found


PRIVATE = sorted(private_filters())


def rendered_filters(template: str) -> set[str]:
    """Return the filters that a Jinja template calls; none for a text that is no template."""
    if "{{" not in template and "{%" not in template:
        return set()
    try:
        tree = jinja2.Environment().parse(template)
    except jinja2.TemplateSyntaxError:
        return set()
    return {node.name for node in tree.find_all(jinja2.nodes.Filter)}


def texts_of_calls(tree: ast.Module) -> Iterator[str]:
    """Return the texts that a test hands to what it calls, named constants included."""
    constants: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            constants |= {name.id: node.value.value for name in node.targets if isinstance(name, ast.Name)}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call):
            for node in (part for argument in [*call.args, *call.keywords] for part in ast.walk(argument)):
                text = constants.get(node.id) if isinstance(node, ast.Name) else getattr(node, "value", None)
                if isinstance(text, str):
                    yield text


def rendered(source: str) -> set[str]:
    """Return the filters of the templates that a test renders."""
    return {name for text in texts_of_calls(ast.parse(source)) for name in rendered_filters(text)}


def called(source: str) -> set[str]:
    """Return what a test calls: a function, a module that it imports (`x_info.main()`) or names (`run("x_info")`)."""
    tree = ast.parse(source)
    functions = [call.func for call in ast.walk(tree) if isinstance(call, ast.Call)]
    owners = [function.value if isinstance(function, ast.Attribute) else function for function in functions]
    return {owner.id for owner in owners if isinstance(owner, ast.Name)} | set(texts_of_calls(tree))


@pytest.fixture(scope="module")
def run_by_tests() -> tuple[set[str], set[str]]:
    """Return what the tests render, and what they call: the sources are read once for all names."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    return set().union(*map(rendered, sources)), set().union(*map(called, sources))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('"""Tests x_info: {{ a | y }}."""\nimport x_info  # {{ a | y }}\nassert "x_info"', ""),
        ('expected = "{{ a | y }}"', ""),
        ('render("a | y")', ""),
        ("import x_info\nx_info.main()", "x_info"),
        ('run("x_info", port=1)', "x_info"),
        ("from y import y\ny(1)", "y"),
        ('render("{{ [a] | z(b | y) | length }}", a=1)', "y"),
        ('TEMPLATE = "{{ a | y }}"\nrender(TEMPLATE)', "y"),
    ],
)
def test_what_is_only_mentioned_is_not_run(source: str, names: str) -> None:
    assert " ".join((rendered(source) | called(source)) & {"x_info", "y"}) == names


@pytest.mark.parametrize("name", [*PUBLIC, *MODULES])
def test_plugin_is_run_by_a_test(run_by_tests: tuple[set[str], set[str]], name: str) -> None:
    assert name in run_by_tests[0] | run_by_tests[1]


@pytest.mark.parametrize("name", PRIVATE)
def test_private_filter_is_rendered_by_a_test(run_by_tests: tuple[set[str], set[str]], name: str) -> None:
    assert name in run_by_tests[0]


def test_the_public_filters_are_these() -> None:
    assert sorted(path.stem for path in (ROOT / "filter_plugins").glob("*.py")) == PUBLIC


def test_a_private_filter_hides_no_other() -> None:
    assert set(PRIVATE) & set(PUBLIC) == set()


def ansible_doc(kind: str, names: list[str]) -> dict[str, Any]:
    run = subprocess.run(
        ["ansible-doc", "--type", kind, "--json", *names],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "WARNING" not in run.stderr, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def pages() -> dict[str, dict[str, Any]]:
    return {
        kind: ansible_doc(kind, names)
        for kind, names in [("filter", PUBLIC), ("module", MODULES), ("callback", CALLBACKS)]
    }


@pytest.mark.parametrize(
    ("kind", "name"), [("filter", name) for name in PUBLIC] + [("module", name) for name in MODULES]
)
def test_plugin_is_documented(pages: dict[str, dict[str, Any]], kind: str, name: str) -> None:
    page = pages[kind][name]
    assert page["doc"]["short_description"]
    assert page["return"]
    for option, spec in page["doc"].get("options", {}).items():
        assert spec.get("type"), f"{name}: {option} has no type"
        assert spec.get("description"), f"{name}: {option} is not described"


@pytest.mark.parametrize("name", CALLBACKS)
def test_callback_is_documented(pages: dict[str, dict[str, Any]], name: str) -> None:
    assert pages["callback"][name]["doc"]["short_description"]


# What the examples take from a run.
ANSWERS: dict[str, Any] = {"results": []}
VARIABLES = {"swarm_verdict": {"catalogue": [], "answers": ANSWERS, "peers": ANSWERS}}


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_of_a_filter_work_as_they_are_written(
    pages: dict[str, dict[str, Any]], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film.torrent").write_bytes(
        b"d4:infod6:lengthi1e4:name4:film12:piece lengthi16384e6:pieces20:%bee" % bytes(20)
    )
    monkeypatch.chdir(tmp_path)
    called = set()
    for task in yaml.safe_load(pages["filter"][name]["examples"]):
        variables = {key: trusted(value) for key, value in {**VARIABLES.get(name, {}), **task.pop("vars", {})}.items()}
        templar = Templar(DataLoader(), variables)
        for arguments in (value for value in task.values() if isinstance(value, dict)):
            for text in arguments.values():
                called |= rendered_filters(str(text))
                assert templar.template(trusted(text)) not in ("", None)
    assert name in called


def trusted(value: Any) -> Any:
    """Return a value whose texts are templates, as they are in a playbook."""
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_take_its_options(pages: dict[str, dict[str, Any]], name: str) -> None:
    page, calls = pages["module"][name], []
    for task in yaml.safe_load(page["examples"]):
        if name in task:
            calls.append(task[name] or {})
    assert calls
    for call in calls:
        assert set(call) <= set(page["doc"].get("options", {}))
        assert {key for key, spec in page["doc"].get("options", {}).items() if spec.get("required")} <= set(call)


@pytest.mark.parametrize("name", PUBLIC)
def test_one_filter_a_file_named_after_it(name: str) -> None:
    source = (ROOT / "filter_plugins" / f"{name}.py").read_text(encoding="utf-8")
    assert f'return {{"{name}": {name}}}' in source


def test_filters_work_from_a_playbook_run() -> None:
    """The import of the shared package hangs on a mechanism of Ansible's own; it must keep working."""
    run = subprocess.run(
        ["ansible", "localhost", "-m", "ansible.builtin.debug", "-a", "msg={{ '4GiB' | piece_length }}"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "msg: 4194304" in run.stdout
    assert "No filter named" not in run.stdout + run.stderr
