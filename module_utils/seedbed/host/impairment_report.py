"""What people are told of impairments, measured where that can be done."""

from __future__ import annotations

import time
from typing import Mapping, Sequence

from ansible.module_utils.seedbed.probe.link import Measured
from ansible.module_utils.seedbed.torrent.model import HostImpairment


def clock(until: int) -> str:
    """Return a time of the day, the controller's."""
    return time.strftime("%H:%M", time.localtime(until))


def lacking_lines(lacking: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Return what hosts leave out of what was asked for."""
    return [
        {"severity": "warning", "text": f"note  {host} leaves out {what}; all else is done"}
        for host, found in lacking.items()
        for what in found
    ]


def notice_lines(impairments: Mapping[str, HostImpairment | None]) -> list[dict[str, str]]:
    """Return what befalls hosts just now."""
    return [
        {"severity": "warning", "text": f"note  {host} is impaired: {_told(found)} (playbooks/impair.yml)"}
        for host, found in impairments.items()
        if found
    ]


def _told(found: HostImpairment) -> str:
    return f"{found['impairment']} ({found['words']}) until {clock(found['until'])}"


def line(
    host: str, current: HostImpairment | None, measured: Measured | None, *, meter: str, fault: str = ""
) -> dict[str, str]:
    """Return what was begun or ended on a host; measured: on the way to `meter`; fault: why that is nothing."""
    if current is None:
        return {"severity": "ok", "text": f"{host}: nothing impairs it"}
    what = f"to {meter}: {measured_words(measured)}" if measured else "not measured, as no other leecher is there"
    if fault:
        what = f"not measured: on {meter} {fault}"
    return {"severity": "warning", "text": f"{host}: {_told(current)}; {what}"}


def measured_words(measured: Measured) -> str:
    """Return what was measured, for people."""
    udp = measured["lost"]
    if not measured["reached"]:
        return "no connection came about"
    parts = []
    if measured["mbit"] is not None:
        parts.append(f"{measured['mbit']:g} Mbit/s")
    if measured["milliseconds"] is not None:
        parts.append(f"{measured['milliseconds']:g} ms there and back")
    if udp is not None:
        parts.append("no UDP" if udp >= 100 else f"{udp:g}% of the datagrams lost")
        if udp < 100 and not measured["large"]:
            parts.append("no large ones")
    return ", ".join(parts) + " measured"
