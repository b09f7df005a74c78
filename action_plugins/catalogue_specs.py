"""Action plugin catalogue_specs: what each host has to hold of the catalogue."""

from __future__ import annotations

import os
from typing import Any

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../module_utils"))

from ansible.errors import AnsibleActionFail
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.catalogue.addresses import player, playing_rooms, tracker_tier
from ansible.module_utils.seedbed.catalogue.faults import catalogue_faults
from ansible.module_utils.seedbed.catalogue.menu import menu_entries
from ansible.module_utils.seedbed.catalogue.specs import holders_of, host_specs, resolve_entries
from ansible.module_utils.seedbed.torrent.model import Tiers, to_json
from ansible.module_utils.seedbed.torrent.odd import odd_entries
from ansible.module_utils.seedbed.torrent.torrent_files import TorrentFiles, torrent_reader
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

HOSTS = {"type": "list", "elements": "str", "required": True}
SHOWS_RESULTS = 3  # -vvv
SPEC = {
    "variables": {"type": "dict", "required": True},
    "seeders": HOSTS,
    "portals": HOSTS,
    "trackers": HOSTS,
    "scripted_peers": {**HOSTS, "required": False, "default": []},
    "reachable": HOSTS,
    "absent": {**HOSTS, "required": False, "default": []},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(SPEC)
        variables = arguments["variables"]
        torrents = TorrentFiles(torrent_reader(variables.get("catalogue_torrent_dir") or "."))
        hostvars = (task_vars or {})["hostvars"]
        faults = catalogue_faults(
            variables,
            seeders=arguments["seeders"],
            rooms=playing_rooms([hostvars[name] for name in arguments["scripted_peers"]]),
            torrents=torrents,
        )
        if faults:
            return {**result, "failed": True, "msg": faults}
        asked = [
            [name for name in arguments[group] if name in arguments["reachable"]]
            for group in ("seeders", "portals", "scripted_peers")
        ]
        try:
            lab: Tiers = variables.get("catalogue_trackers") or [
                tracker_tier(hostvars[name]) for name in arguments["trackers"]
            ]
            entries = [
                *variables.get("catalogue_torrents", []),
                *menu_entries(
                    variables.get("catalogue_menu", []), trackers=lab, scripted=bool(arguments["scripted_peers"])
                ),
                *(odd_entries() if variables.get("catalogue_odd") is True else []),
            ]
            resolved = resolve_entries(
                entries,
                seeders=asked[0],
                portals=asked[1],
                trackers=lab,
                torrents=torrents,
                all_trackers=not set(arguments["trackers"]) & set(arguments["absent"]),
                players=[player(hostvars[name]) for name in asked[2]],
            )
        except SeedbedError as error:
            raise AnsibleActionFail(str(error)) from error
        # Who has no entries is asked, too: it gives up what it had.
        hosts = dict.fromkeys([*asked[0], *asked[2], *(name for entry in resolved for name in holders_of(entry))])
        specs = {host: host_specs(resolved, host) for host in hosts}
        for host, found in specs.items():
            Display().v(f"{host} holds {len(found)} of {len(resolved)} entries")
        return {
            **result,
            "changed": False,
            "specs_json": {host: to_json(found) for host, found in specs.items()},
            "webseeds": any(entry["portals"] for entry in resolved),
            "resolved_json": to_json(resolved),
            # The lines above say it; the texts are for programs.
            "_ansible_verbose_override": self._display.verbosity < SHOWS_RESULTS,
        }
