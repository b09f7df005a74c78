"""Record the packets of one torrent on this host for a while, and leave them in a file.

It runs as a unit of its own, so that it ends, and what was changed for it is put back, whatever becomes of who asked:
with the word ``quiet`` this program is what has aria2 tell as little as before.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Sequence

from ansible.module_utils.seedbed.base.files import write_atomically
from ansible.module_utils.seedbed.base.packets import pcap
from ansible.module_utils.seedbed.base.systemd import notify
from ansible.module_utils.seedbed.evidence.aria2_log import change
from ansible.module_utils.seedbed.evidence.belonging import Recording, of_torrent, redacted
from ansible.module_utils.seedbed.host.capture import capture


def main(arguments: Sequence[str]) -> int:
    """Record until the time is over, or until it is told to end; the argument is the configuration itself."""
    if arguments[0] == "quiet":
        change(arguments[1], json.loads(arguments[2]))
        return 0
    config: Recording = json.loads(arguments[0])
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    taken = capture(
        config["ports"],
        seconds=config["seconds"],
        most=config["most"],
        ended=lambda: bool(told),
        ready=lambda: notify("READY=1"),
    )
    packets = of_torrent(map(redacted, taken.packets), bytes.fromhex(config["info_hash"]), config["tracker_ports"])
    about = {
        "packets": len(packets),
        "others": len(taken.packets) - len(packets),
        "left_out": taken.left_out,
        "lost": taken.lost,
        "full": taken.full,
    }
    write_atomically(os.path.join(config["directory"], "packets.pcap"), pcap(packets), mode=0o600)
    write_atomically(os.path.join(config["directory"], "packets.json"), json.dumps(about).encode(), mode=0o600)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
