"""What testers are told of hosts that are impaired for a while."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from typing import Any, Iterable, Mapping, Sequence

from ansible.module_utils.seedbed.torrent.model import HostImpairment, NamedImpairment

_UTC = "%Y-%m-%dT%H:%M:%SZ"


def named(impairments: Mapping[str, HostImpairment | None]) -> list[NamedImpairment]:
    """Return those of hosts that have one, by the hosts' names."""
    return [
        NamedImpairment(
            host=host,
            impairment=found["impairment"],
            words=found["words"],
            until=datetime.fromtimestamp(found["until"], timezone.utc).strftime(_UTC),
        )
        for host, found in sorted(impairments.items())
        if found
    ]


def merged(
    known: Iterable[NamedImpairment], hosts: Sequence[str], new: Sequence[NamedImpairment], now: float | None = None
) -> list[NamedImpairment]:
    """Return what is known of other hosts and not over yet, and what is new of these."""
    moment = datetime.fromtimestamp(time.time() if now is None else now, timezone.utc).strftime(_UTC)
    kept = [each for each in known if each["host"] not in hosts and each["until"] > moment]
    return sorted([*kept, *new], key=lambda each: each["host"])


def rendered(content: Any) -> bytes:
    """Return what is published as JSON; the one way, so that whoever writes the same writes the same bytes."""
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()
