"""Makes the way to and from this host bad, for as long as was said, and good again."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import time
from typing import Any, NamedTuple, Sequence

from ansible.module_utils.seedbed.base.commands import NOT_RUN, CommandError, run
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import read_file, remove_files, write_atomically
from ansible.module_utils.seedbed.base.ownership import claim, opened
from ansible.module_utils.seedbed.base.systemd import Unit
from ansible.module_utils.seedbed.host import impairment as plans
from ansible.module_utils.seedbed.host import way_back
from ansible.module_utils.seedbed.host.impairment import Impairment, Place
from ansible.module_utils.seedbed.host.nft_table import live_listing, replacing
from ansible.module_utils.seedbed.torrent.model import HostImpairment

STATE = "/run/seedbed-impairment.json"  # gone after a boot, as everything else of it
TIMER = "seedbed-impairment-end"
UNCLAIMED = "0:"
"""The handle of what the kernel itself puts at the root of a device."""


class ImpairmentError(SeedbedError):
    """It cannot be done on this host; nothing was changed."""


class Plan(NamedTuple):
    """What can be done of what was asked for, and what the kernel has nothing for."""

    impairment: Impairment
    place: Place
    lacking: list[str]


def devices_of(addresses: Sequence[str]) -> list[str]:
    """Return the devices that have these addresses."""
    shown = json.loads(run(["ip", "-j", "address", "show"]))
    return sorted(
        {
            link["ifname"]
            for link in shown
            for address in link.get("addr_info", [])
            if address.get("local") in addresses and link["ifname"] != "lo"
        }
    )


def users_of(units: Sequence[str]) -> list[int]:
    """Return the numbers of the users that services run as; root's programs are not the lab's alone."""
    users = (Unit(unit).user() for unit in units)
    return sorted({user[0] for user in users if user and user[0]})


def plan(wanted: Impairment, place: Place) -> Plan:
    """Try it in a network namespace of its own, and look for what others have put in its place; change nothing."""
    if not place.devices:
        raise ImpairmentError(
            "no network device of this host has an address of the lab; name devices in impairment_devices"
        )
    foreign = [f"{device} ({root})" for device in place.devices for root in roots(device) if not _is_free(root)]
    if foreign:
        raise ImpairmentError(
            f"somebody else shapes what leaves by {', '.join(foreign)}, and that would be overwritten; end it "
            "(tc qdisc del dev DEVICE root), or name other devices in impairment_devices"
        )
    lacking = []
    if wanted.delay and not _does(["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]):
        lacking.append(f"{plans.words(wanted._replace(loss=0, rate=0))}: its kernel has no netem")
        wanted = wanted._replace(delay=0, jitter=0)
    if wanted.empty:
        raise ImpairmentError(f"nothing of {wanted.name} can be done here: {lacking[0]}")
    script = " && ".join(map(shlex.join, plans.commands(wanted, "lo"))) + " && nft -f -"
    run(["unshare", "--net", "sh", "-c", script], plans.rules(wanted, place))
    return Plan(wanted, place, lacking)


def _does(argv: Sequence[str]) -> bool:
    """Return whether the kernel knows what a command of tc adds."""
    try:
        run(["unshare", "--net", *argv])
    except CommandError as error:
        if error.status == NOT_RUN:
            raise
        return False
    return True


def roots(device: str) -> list[str]:
    """Return kind and handle of what stands at the root of a device."""
    shown = json.loads(run(["tc", "-j", "qdisc", "show", "dev", device]))
    return [f"{qdisc['kind']} {qdisc['handle']}" for qdisc in shown if qdisc.get("root")]


def _is_free(root: str) -> bool:
    return root.split()[1] in (UNCLAIMED, plans.HANDLE)


def ours() -> list[str]:
    """Return the devices that have our tree."""
    shown = json.loads(run(["tc", "-j", "qdisc", "show"]))
    return sorted({qdisc["dev"] for qdisc in shown if qdisc.get("root") and qdisc["handle"] == plans.HANDLE})


def begin(todo: Plan, seconds: int, role: str) -> HostImpairment:
    """Carry it out in place of what there was. The way back is armed first: whoever dies on the way leaves nothing."""
    impairment, place = todo.impairment, todo.place
    claim(role, {"tables": [plans.TABLE], "files": [STATE]})
    ends = plans.ending(sorted({*ours(), *place.devices}))
    script = "; ".join([*(shlex.join(argv) for argv in ends), shlex.join(["rm", "-f", STATE])])
    # What fails because it is gone already is no failure of the timer's.
    way_back.arm(TIMER, seconds, ["sh", "-c", f"{{ {script}; }} 2>/dev/null; true"])
    _end_all()
    state = HostImpairment(
        impairment=impairment.name,
        words=plans.words(impairment),
        until=int(time.time()) + seconds,
        lacking=todo.lacking,
    )
    try:
        for device in place.devices:
            for argv in plans.commands(impairment, device):
                run(argv)
        run(["nft", "-f", "-"], replacing(plans.TABLE, plans.rules(impairment, place)))
        write_atomically(STATE, json.dumps(state).encode(), mode=0o644)
    except BaseException:
        _end_all()
        raise
    return state


def end(role: str) -> None:
    """End what there is, now, and strike it out of the record of what is ours."""
    _end_all()
    way_back.disarm(TIMER)
    with opened() as owned:
        owned.forget(role, "tables", [plans.TABLE])
        owned.forget(role, "files", [STATE])


def _end_all() -> None:
    for argv in plans.ending(ours()):
        with contextlib.suppress(CommandError):  # not there
            run(argv)
    remove_files([STATE])


def present() -> bool:
    """Return whether there is anything to end; a host without the programs cannot have any."""
    if os.path.lexists(STATE):
        return True
    return bool(shutil.which("tc") and ours()) or bool(shutil.which("nft") and live_listing(plans.TABLE))


def current() -> HostImpairment | None:
    """Return what befalls this host now; None for nothing, also where somebody has flushed the rules."""
    content = read_file(STATE)
    if content is None or not live_listing(plans.TABLE):
        return None
    state: Any = json.loads(content.decode())
    found: HostImpairment = state
    return found if found["until"] > time.time() else None
