"""Filters of role catalogue: sentences about what is wrong, before a run and after it."""

from __future__ import annotations

import os
from typing import Any, Callable

import ansible.module_utils

ansible.module_utils.__path__.append(os.path.realpath(f"{__file__}/../../../../module_utils"))

from ansible.module_utils.seedbed.catalogue.addresses import playing_rooms
from ansible.module_utils.seedbed.catalogue.faults import catalogue_faults
from ansible.module_utils.seedbed.catalogue.publication import unseeded_sentences


class FilterModule:
    """The role's own.

    variables | catalogue_faults(seeders=names, rooms=numbers), variables of hosts | catalogue_rooms,
    results by seeder | catalogue_unseeded
    """

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "catalogue_faults": catalogue_faults,
            "catalogue_rooms": playing_rooms,
            "catalogue_unseeded": unseeded_sentences,
        }
