"""Action plugin catalogue_items: the torrents of a catalogue, ready to seed and to publish."""

from __future__ import annotations

import os
from typing import Any

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.constants import ANSIBLE_HOME
from ansible.errors import AnsibleActionFail
from ansible.module_utils.seedbed.base.errors import SeedbedError, os_errors_reported
from ansible.module_utils.seedbed.base.files import read_file, write_atomically
from ansible.module_utils.seedbed.base.sizes import format_size
from ansible.module_utils.seedbed.catalogue.addresses import seeder_peer, webseed_base
from ansible.module_utils.seedbed.catalogue.impairments import named
from ansible.module_utils.seedbed.catalogue.items import make_items
from ansible.module_utils.seedbed.catalogue.payload_cache import PayloadCache
from ansible.module_utils.seedbed.catalogue.publication import host_torrents, published_files
from ansible.module_utils.seedbed.torrent.model import Item, Payload, Peer, Spec, from_json, to_json
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

ITEMS = "items.json"
SHOWS_RESULTS = 3  # -vvv
SPEC = {
    "resolved_json": {"type": "str", "required": True},
    "results": {"type": "dict", "required": True},
    "seeders": {"type": "list", "elements": "str", "default": []},
    "absent": {"type": "list", "elements": "str", "default": []},
    "directory": {"type": "path", "default": ""},
    "scripted_peers": {"type": "list", "elements": "str", "default": []},
    "portals": {"type": "list", "elements": "str", "required": True},
    "lab": {"type": "str", "required": True},
    "malformed": {"type": "bool", "default": False},
    "odd": {"type": "bool", "default": False},
    "impairments": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(SPEC)
        hostvars = (task_vars or {})["hostvars"]
        cache = PayloadCache(os.path.join(ANSIBLE_HOME, "seedbed"))

        def compute(spec: Spec) -> Payload:
            Display().v(f"{spec['name']}: hashed by no host, so the controller computes it")
            return cache(spec)

        results = arguments["results"]
        try:
            made = make_items(
                from_json(arguments["resolved_json"]),
                results,
                hosts=list(results),
                webseed_urls=[webseed_base(hostvars[name]) for name in arguments["portals"]],
                compute=compute,
                former=self._former(arguments["directory"]),
                absent=arguments["absent"],
                peers=self._peers(arguments, hostvars),
            )
            self._remember(arguments, made["items"])
        except SeedbedError as error:
            raise AnsibleActionFail(str(error)) from error
        items = made["items"]
        files = published_files(
            items,
            lab=arguments["lab"],
            with_malformed=arguments["malformed"],
            with_odd=arguments["odd"],
            impairments=named(arguments["impairments"]),
        )
        Display().v(f"{len(items)} items, {format_size(sum(item['size'] for item in items))}")
        return {
            **result,
            "changed": False,
            "items_json": to_json(items),
            "torrents_json": {host: to_json(host_torrents(items, host, made["gone"])) for host in results},
            "files_json": to_json(files),
            "gone": made["gone"],
            "failures": made["failures"],
            "notes": made["notes"],
            # The lines above say it; the texts are for programs.
            "_ansible_verbose_override": self._display.verbosity < SHOWS_RESULTS,
        }

    @staticmethod
    def _peers(arguments: dict[str, Any], hostvars: Any) -> dict[str, Peer]:
        """Return where the seeders serve peers, which only trackers that are scripts have to be told."""
        if not arguments["scripted_peers"]:
            return {}
        found = {name: seeder_peer(hostvars[name]) for name in arguments["seeders"] if name in arguments["results"]}
        return {name: peer for name, peer in found.items() if peer}

    @staticmethod
    def _former(directory: str) -> list[Item]:
        """Return the items of the last run that had all its hosts."""
        raw = read_file(os.path.join(directory, ITEMS)) if directory else None
        try:
            return list(from_json((raw or b"[]").decode()))
        except ValueError:  # half a disk, or a hand: the next run with all its seeders makes it anew
            return []

    def _remember(self, arguments: dict[str, Any], items: list[Item]) -> None:
        if (
            not arguments["directory"]
            or self._task.check_mode
            or {
                *arguments["seeders"],
                *arguments["scripted_peers"],
            }
            - set(arguments["results"])
        ):
            return
        with os_errors_reported():
            os.makedirs(arguments["directory"], mode=0o700, exist_ok=True)
            write_atomically(os.path.join(arguments["directory"], ITEMS), to_json(items).encode(), mode=0o600)
