"""Have the kernel tell which rule ends a packet.

A table of ours marks what comes to some ports, and nft writes its way down.
"""

from __future__ import annotations

import contextlib
import re
import time
from typing import Mapping, Sequence

from ansible.module_utils.seedbed.base.commands import CommandError, run
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import read_file, remove_files
from ansible.module_utils.seedbed.base.systemd import SANDBOX, Unit, run_transient, unit_options
from ansible.module_utils.seedbed.torrent.model import TracedPort

TABLE = "inet seedbed_trace"
UNIT = Unit("seedbed-trace.service")
OUTPUT = "/run/seedbed-trace"
# Of root's powers nft needs one, over the host's own network, and no root for it.
POWER = (
    "DynamicUser=yes",
    "PrivateUsers=no",
    "AmbientCapabilities=CAP_NET_ADMIN",
    "CapabilityBoundingSet=CAP_NET_ADMIN",
    "RestrictAddressFamilies=",
    "RestrictAddressFamilies=AF_NETLINK",
    "IPAddressDeny=any",
    "PrivateMounts=yes",
    "UMask=0077",
)
# A busy port must not fill the disk: this many packets a second are followed.
RATE = 20


class TraceError(SeedbedError):
    """The kernel's tracing could not be had."""


def rules(ports: Sequence[Mapping[str, object]]) -> str:
    """Return the table that has packets to these ports (`protocol`, `port`) followed."""
    marks = "".join(
        f"\t\t{port['protocol']} dport {port['port']} limit rate {RATE}/second meta nftrace set 1\n" for port in ports
    )
    return f"table {TABLE} {{\n\tchain c {{\n\t\ttype filter hook prerouting priority -350\n{marks}\t}}\n}}\n"


def start(ports: Sequence[Mapping[str, object]], seconds: int) -> None:
    """Follow packets for at most so many seconds; whatever happens, the table goes when the unit ends."""
    collect()
    properties = [
        f"RuntimeMaxSec={seconds}",
        f"StandardOutput=file:{OUTPUT}",
        f"ExecStopPost=-/usr/sbin/nft delete table {TABLE}",
    ]
    run_transient(UNIT.name, unit_options([*SANDBOX, *POWER, *properties]), ["nft", "monitor", "trace"])
    _wait_until_it_listens(seconds)
    run(["nft", "-f", "-"], rules(ports))


def collect() -> dict[tuple[str, int], TracedPort]:
    """Stop and return where the packets to each port ended."""
    with contextlib.suppress(CommandError):  # none was started
        UNIT.stop()
    text = (read_file(OUTPUT) or b"").decode("utf-8", "replace")
    remove_files([OUTPUT])
    return read_trace(text)


def _wait_until_it_listens(seconds: int) -> None:
    """Wait until nft has subscribed: what comes before is lost."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        table = (read_file("/proc/net/netlink") or b"").decode("ascii", "replace")
        if any(line.split()[1:4:2] == _SUBSCRIBED for line in table.splitlines()):
            return
        time.sleep(0.05)  # between two looks; the end above bounds the wait
    raise TraceError("nft monitor did not start to listen")


# Protocol and groups in the kernel's table of netlink sockets: NETLINK_NETFILTER, and NFNLGRP_NFTRACE, the ninth.
_SUBSCRIBED = ["12", "00000100"]


def read_trace(text: str) -> dict[tuple[str, int], TracedPort]:
    """Return by protocol and port the rule that ended the last packet; `where` is empty for one that came through."""
    ports: dict[str, tuple[str, int]] = {}
    found: dict[tuple[str, int], TracedPort] = {}
    for line in text.splitlines():
        match = re.match(r"trace id (\w+) (\S+ \S+ \S+) (.*)$", line)
        if not match:
            continue
        packet, where, said = match[1], match[2], match[3].strip()
        port = re.search(r"\b(tcp|udp) dport (\d+)", said) if said.startswith("packet:") else None
        if port:
            key = ports[packet] = (port.group(1), int(port.group(2)))
            found.setdefault(key, {"protocol": key[0], "port": key[1], "where": "", "rule": ""})
        ended = re.match(r"rule (.*) \(verdict drop\)$|(policy drop)", said)
        if ended and packet in ports:
            key = ports[packet]
            found[key] = {"protocol": key[0], "port": key[1], "where": where, "rule": ended.group(1) or ended.group(2)}
    return found
