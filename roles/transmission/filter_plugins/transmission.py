"""What role transmission asks of its variables."""

from __future__ import annotations

import os
from typing import Any, Callable, Iterable, Mapping

import ansible.module_utils

_ROLE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
ansible.module_utils.__path__.append(os.path.join(os.path.dirname(os.path.dirname(_ROLE)), "module_utils"))

from ansible.module_utils.seedbed.base.services import endpoint, service
from ansible.module_utils.seedbed.transmission.daemon_listeners import daemon_listeners
from ansible.module_utils.seedbed.transmission.keys import setting_faults


def transmission_faults(own: object, *, variables: Mapping[str, Mapping[str, Any]], password: str) -> list[str]:
    """Return what is wrong with the settings, a sentence each, and with a password that is missing.

    own: settings in kebab-case or snake_case, as an operator writes them; variables: the keys of the settings file that
    variables have to themselves, and the values that they give them.
    """
    faults = []
    if not isinstance(password, str) or not password:
        faults.append("transmission_rpc_password is missing; set it to a text of your choice, best in a vault")
    if not isinstance(own, Mapping):
        faults.append("transmission_settings is no dictionary of keys and values")
    return faults + setting_faults(own if isinstance(own, Mapping) else {}, variables)


def watched_trackers(hosts: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return what the announcer has to know of the lab's trackers, from the variables of their hosts."""
    places = [(endpoint(host, "tracker"), service(host, "tracker")["statistics"]) for host in hosts]
    return [{"place": place, "statistics": f"http://{place}/{path}?mode=everything"} for place, path in places]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "transmission_faults": transmission_faults,
            "transmission_listeners": daemon_listeners,
            "watched_trackers": watched_trackers,
        }
