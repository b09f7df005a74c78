"""Action plugin catalogue_items: the torrents of a catalogue, ready to seed and to publish."""

from __future__ import annotations

import os
from typing import Any

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.constants import ANSIBLE_HOME
from ansible.errors import AnsibleActionFail
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.sizes import format_size
from ansible.module_utils.seedbed.catalogue.addresses import webseed_base
from ansible.module_utils.seedbed.catalogue.items import make_items
from ansible.module_utils.seedbed.catalogue.payload_cache import PayloadCache
from ansible.module_utils.seedbed.catalogue.publication import host_torrents, published_files
from ansible.module_utils.seedbed.torrent.model import Payload, Spec, from_json, to_json
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

SHOWS_RESULTS = 3  # -vvv
SPEC = {
    "resolved_json": {"type": "str", "required": True},
    "results": {"type": "dict", "required": True},
    "portals": {"type": "list", "elements": "str", "required": True},
    "lab": {"type": "str", "required": True},
    "malformed": {"type": "bool", "default": False},
    "odd": {"type": "bool", "default": False},
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
            )
        except SeedbedError as error:
            raise AnsibleActionFail(str(error)) from error
        items = made["items"]
        files = published_files(
            items, lab=arguments["lab"], with_malformed=arguments["malformed"], with_odd=arguments["odd"]
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
