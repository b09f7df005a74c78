"""A daemon whose torrents got other trackers is restarted once: until then it breaks magnets.

Transmission 3.00 and 4.1.0-beta.2 go on with the length that the metainfo had before a tracker list of another length
was set: they send wrong metadata or none (BEP 9). Neither a check nor a stop and start of the torrent mends it.
"""

from __future__ import annotations

import contextlib
import os
import time

from ansible.module_utils.seedbed.base.errors import os_errors_reported
from ansible.module_utils.seedbed.base.files import write_atomically
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.transmission.rpc import RpcUnreachable
from ansible.module_utils.seedbed.transmission.torrent_rpc import TorrentRpc

MARKS = "/run/seedbed"  # gone after a reboot, as the fault is
PATIENCE = 90.0  # seconds for a daemon that reads thousands of torrents
POLL = 0.2


class OwedRestart:
    """The restart that a unit owes; it is written down first, so that a run that is cut off leaves it to the next."""

    def __init__(self, unit: str) -> None:
        self._unit = Unit(unit)
        self._mark = os.path.join(MARKS, f"{unit}.retargeted")

    @property
    def due(self) -> bool:
        """Return whether it was written down and has not been done."""
        return os.path.exists(self._mark)

    @os_errors_reported()
    def note(self) -> None:
        """Write down that it is owed, before any tracker is changed."""
        os.makedirs(os.path.dirname(self._mark), mode=0o755, exist_ok=True)
        write_atomically(self._mark, b"")

    @os_errors_reported()
    def pay(self, daemon: TorrentRpc) -> None:
        """Restart the unit and return when its daemon has read its torrents."""
        self._unit.restart()
        daemon.rpc.close()
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                daemon.all_torrents()
                break
            except RpcUnreachable:
                if time.monotonic() > deadline or not self._unit.active():
                    raise
            time.sleep(POLL)  # between two questions; the deadline above bounds the wait
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._mark)
