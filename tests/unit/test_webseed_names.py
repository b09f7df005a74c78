"""A portal serves web seeds under the torrent's own names, whatever names the daemon beside it looks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.catalogue.specs import host_specs, resolve_entries
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.payload.manifest import Manifests
from ansible.module_utils.seedbed.payload.placement import PayloadHost
from ansible.module_utils.seedbed.payload.store import Store

OLD = (3, 0)
ENTRIES: list[dict[str, Any]] = [
    {"name": "single: a?", "synthetic": {"size": "20KiB"}},
    {"name": "many.", "synthetic": {"size": "50KiB", "files": 10, "layout": "windows"}},
    {"name": "plain", "synthetic": {"size": "20KiB"}},
]


def made(root: Path, *entries: dict[str, Any], **groups: list[str]) -> Store:
    store = Store(PayloadHost(str(root / "payload"), Manifests(str(root / "state")), OLD))
    resolved = resolve_entries(entries, **{"seeders": ["h"], "portals": ["h"], **groups})
    store.inspect(host_specs(resolved, "h"))
    assert len(store.run()) == len(resolved)
    assert store.failures == []
    return store


def published(root: Path, entry: dict[str, Any], files: list[Any]) -> None:
    """Each file lies where the URL of a web seed leads (BEP 19), and is right."""
    for file in files:
        served = root.joinpath("payload", entry["name"], *file.path)
        assert served.read_bytes() == content.read(content.file_key(entry["name"], file.path), 0, file.length)


@pytest.mark.parametrize("seeders", [["h"], ["other"], []])
def test_names_that_the_old_daemon_changes_are_served_as_they_are(tmp_path: Path, seeders: list[str]) -> None:
    entries = [{**entry, "webseed": True} for entry in ENTRIES]
    store = made(tmp_path, *entries, seeders=seeders)
    for entry, found in zip(entries, store.entries, strict=True):
        published(tmp_path, entry, found.files)
    # Two names for the content where the daemon needs others, one where there is none.
    links = [path for path in (tmp_path / "payload").rglob("*") if path.is_symlink()]
    assert bool(links) == (seeders == ["h"])
    assert not (tmp_path / "payload" / "plain").is_symlink()
    assert made(tmp_path, *entries, seeders=seeders).changed == []


def test_a_web_seed_needs_no_daemon_that_can_load_it(tmp_path: Path) -> None:
    made(tmp_path, {**ENTRIES[1], "version": "hybrid", "webseed": True}, seeders=[])


def test_names_go_with_the_web_seed(tmp_path: Path) -> None:
    made(tmp_path, {**ENTRIES[1], "webseed": True})
    made(tmp_path, ENTRIES[1])
    assert [path for path in tmp_path.rglob("*") if path.is_symlink()] == []
    made(tmp_path)
    assert [path for path in (tmp_path / "payload").rglob("*") if path.is_file()] == []
