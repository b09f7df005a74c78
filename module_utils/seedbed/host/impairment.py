"""Bad weather for a host's lab ports: presets, and what kernel and packet filter have to be told for them.

One nftables table picks the packets, one htb tree holds them up. What is to be lost is not dropped by a rule: a drop
in `output` tells the sender with EPERM, which kills programs, and one in a queue has TCP send again at once. It goes
into a class of the tree with a `blackhole` for a queue, which takes packets and says that all is well. What no rule has
picked, SSH above all, passes the tree by at full speed.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple, Sequence

TABLE = "inet seedbed_impairment"
HANDLE = "5eed:"
HELD, LOST = HANDLE + "1", HANDLE + "2"
NONE = "none"
MAX_MINUTES = 24 * 60
UNSHAPED = 100_000
"""Mbit/s where only the delay counts."""
MTU = 1500  # bytes, to count packets by
EVERY = 5


class Impairment(NamedTuple):
    """What befalls the lab's ports of a host."""

    name: str
    delay: float = 0
    """Milliseconds that a packet is late, give or take `jitter`."""
    jitter: float = 0
    loss: float = 0
    """Percent of the packets."""
    gap: int = 0
    """Milliseconds for which all packets are lost, every `EVERY` seconds."""
    rate: float = 0
    """Mbit/s that the host sends; 0 for no limit."""
    mtu: int = 0
    """Bytes of the largest packet; 0 for no limit."""
    cut: str = ""
    """What does not get through at all: all, udp, tracker or peers."""

    @property
    def held(self) -> bool:
        """Return whether packets have to wait."""
        return bool(self.delay or self.rate)

    @property
    def empty(self) -> bool:
        """Return whether nothing happens."""
        return not (self.held or self.loss or self.gap or self.mtu or self.cut)


NUMBERS = ("delay", "jitter", "loss", "rate")
PRESETS = {
    preset.name: preset
    for preset in (
        Impairment("wifi", delay=5, jitter=2, loss=0.1),
        Impairment("wifi-bad", delay=40, jitter=15, loss=2, rate=20),
        Impairment("4g", delay=25, jitter=8, loss=0.5),
        Impairment("3g", delay=100, jitter=30, loss=2, rate=2),
        Impairment("satellite", delay=300, loss=1),
        Impairment("slow", rate=1),
        Impairment("lossy", loss=5),
        Impairment("bursts", gap=300),
        Impairment("mtu", mtu=1280),
        Impairment("offline", cut="all"),
        Impairment("udp-blocked", cut="udp"),
        Impairment("tracker-unreachable", cut="tracker"),
        Impairment("peers-unreachable", cut="peers"),
    )
}
LIMITS = {"delay": (0, 10_000), "jitter": (0, 10_000), "loss": (0, 90), "rate": (0.05, 10_000)}
UNITS = {"delay": "milliseconds", "jitter": "milliseconds", "loss": "percent", "rate": "Mbit/s"}


def option_faults(name: Any, minutes: Any, numbers: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with what was asked for, a sentence each; numbers: empty texts where the preset's hold."""
    if name == NONE:
        return []
    if name not in PRESETS:
        return [f"impairment is {name!r}; choose {', '.join(PRESETS)}, or {NONE} to end what there is"]
    found = []
    if _number(minutes) is None or not 1 <= float(minutes) <= MAX_MINUTES:
        found.append(f"minutes is {minutes!r}; write a number from 1 to {MAX_MINUTES}")
    for key, value in numbers.items():
        if key not in LIMITS:
            return [f"numbers has {key!r}; it takes {', '.join(NUMBERS)}"]
        lowest, highest = LIMITS[key]
        number = _number(value)
        if value != "" and (number is None or not lowest <= number <= highest):
            found.append(f"impairment_{key} is {value!r}; write {UNITS[key]} from {lowest} to {highest}")
        elif value != "" and not any(getattr(PRESETS[name], key) for key in NUMBERS):
            found.append(f"impairment_{key} is set, but {name} has no such number; leave it out")
    if not found:
        wanted = impairment_of(name, numbers)
        if wanted.jitter > wanted.delay:
            found.append(f"impairment_jitter is {wanted.jitter:g}, more than the delay of {wanted.delay:g} ms")
        if wanted.empty:
            found.append(f"impairment is {name}, but its numbers are 0: nothing would happen")
    return found


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def impairment_of(name: str, numbers: Mapping[str, Any]) -> Impairment:
    """Return a preset with its numbers, or those given in their place."""
    preset = PRESETS[name]
    given = {**preset._asdict(), **{key: float(value) for key, value in numbers.items() if value != ""}}
    return Impairment(**given)


def words(impairment: Impairment) -> str:
    """Return the numbers for people: ``100 ms late, give or take 30, 2% lost, 2 Mbit/s``."""
    parts = []
    if impairment.delay:
        more = f", give or take {impairment.jitter:g}" if impairment.jitter else ""
        parts.append(f"{impairment.delay:g} ms late{more}")
    if impairment.loss:
        parts.append(f"{impairment.loss:g}% lost")
    if impairment.gap:
        parts.append(f"all lost for {impairment.gap} ms every {EVERY} s")
    if impairment.rate:
        parts.append(f"{impairment.rate:g} Mbit/s")
    if impairment.mtu:
        parts.append(f"packets of at most {impairment.mtu} bytes")
    if impairment.cut:
        parts.append(
            {
                "all": "nothing gets through",
                "udp": "no UDP gets through",
                "tracker": "nothing from or to trackers",
                "peers": "nothing from or to peers",
            }[impairment.cut]
        )
    return ", ".join(parts)


class Place(NamedTuple):
    """Where it happens: devices of the host, the lab's ports on them, and those who use any port."""

    devices: Sequence[str]
    first: int
    last: int
    spared: Sequence[int] = ()
    """Ports in between that are none of the lab's, SSH's among them."""
    trackers: Sequence[int] = ()
    web: Sequence[int] = ()
    """Ports that no peer listens on: the portal's, and those of web interfaces."""
    users: Sequence[int] = ()
    """Numbers of the users whose programs connect from any port to any port, as clients do."""


def rules(impairment: Impairment, place: Place) -> str:
    """Return the table in nft's own language."""
    protocols = "udp" if impairment.cut == "udp" else "{ tcp, udp }"
    ports = _set(place.trackers) if impairment.cut == "tracker" else f"{place.first}-{place.last}"
    spared = sorted({*place.spared, *(() if impairment.cut != "peers" else (*place.trackers, *place.web))})
    passed = [f"th {end} {_set(spared)} accept" for end in ("sport", "dport") if spared]
    picked = [f"th {end} {ports} goto" for end in ("sport", "dport")]
    users = [f"meta skuid {_set(place.users)} goto"] if place.users and impairment.cut != "tracker" else []
    devices = "{ " + ", ".join(f'"{device}"' for device in sorted(place.devices)) + " }"
    out = [f"meta l4proto {{ tcp, udp }} {line}" for line in passed]
    gap = ["set gap {", f"type nf_proto; flags dynamic, timeout; timeout {impairment.gap}ms;", "}"]
    lines = gap if impairment.gap else []
    lines += ["chain out {", "type filter hook output priority 300; policy accept;", f"oifname != {devices} accept"]
    lines += [*out, *(f"meta l4proto {protocols} {line} leaving" for line in (*picked, *users)), "}"]
    lines += ["chain leaving {", *_leaving(impairment), "}"]
    # What a host cannot answer has not come: only what shall not even be seen by a program needs a rule on its way in.
    if impairment.cut or impairment.mtu:
        lines += ["chain in {", "type filter hook input priority -300; policy accept;", f"iifname != {devices} accept"]
        lines += [*out, *(f"meta l4proto {protocols} {line} coming" for line in picked), "}"]
        lines += ["chain coming {", *_coming(impairment), "}"]
    return f"table {TABLE} {{\n" + "\n".join(lines) + "\n}\n"


def _set(numbers: Iterable[int]) -> str:
    return "{ " + ", ".join(map(str, sorted(set(numbers)))) + " }"


def _leaving(impairment: Impairment) -> list[str]:
    if impairment.cut:
        return [f"meta priority set {LOST}"]
    found = []
    if impairment.loss:
        found.append(f"numgen random mod 10000 < {round(impairment.loss * 100)} meta priority set {LOST} accept")
    if impairment.gap:
        # By time: so many packets in a row would be the whole of a minute for a connection that sends one at a time.
        found.append(f"limit rate {60 // EVERY}/minute burst 1 packets add @gap {{ meta nfproto }}")
        found.append(f"meta nfproto @gap meta priority set {LOST} accept")
    if impairment.mtu:
        found += [*_small_segments(impairment.mtu), f"{_large(impairment.mtu)} meta priority set {LOST} accept"]
    if impairment.held:
        found.append(f"meta priority set {HELD}")
    return found


def _coming(impairment: Impairment) -> list[str]:
    if impairment.cut:
        return ["drop"]
    return [*_small_segments(impairment.mtu), f"{_large(impairment.mtu)} drop"]


def _small_segments(mtu: int) -> list[str]:
    """Return rules by which both ends of a TCP connection agree on segments that fit: a packet of many of them is later
    cut up by the network card, so its own length tells nothing.
    """
    return [
        f"meta nfproto {family} tcp flags & (syn | rst) == syn tcp option maxseg size > {mtu - headers} "
        f"tcp option maxseg size set {mtu - headers}"
        for family, headers in (("ipv4", 40), ("ipv6", 60))
    ]


def _large(mtu: int) -> str:
    return f"meta l4proto udp meta length > {mtu}"


def commands(impairment: Impairment, device: str) -> list[list[str]]:
    """Return how the tree is put on a device."""
    add = [["qdisc", "add", "dev", device, "root", "handle", HANDLE, "htb", "default", "0"]]
    if impairment.held:
        rate = impairment.rate or UNSHAPED
        add.append(_class(device, HELD, rate))
        # Half a second's worth, as routers have, on top of what is under way.
        waiting = max(50, int(rate * 1_000_000 / 8 / MTU * (0.5 + 2 * impairment.delay / 1000)))
        queue = ["pfifo", "limit", str(min(waiting, 100_000))]
        if impairment.delay:
            queue[0] = "netem"
            queue += ["delay", f"{impairment.delay:g}ms", *([f"{impairment.jitter:g}ms"] if impairment.jitter else [])]
        add.append(["qdisc", "add", "dev", device, "parent", HELD, *queue])
    add.append(_class(device, LOST, UNSHAPED))
    add.append(["qdisc", "add", "dev", device, "parent", LOST, "blackhole"])
    return [["tc", *words] for words in add]


def _class(device: str, name: str, rate: float) -> list[str]:
    rated = ["htb", "rate", f"{int(rate * 1_000_000)}bit", "quantum", str(10 * MTU)]
    return ["class", "add", "dev", device, "parent", HANDLE, "classid", name, *rated]


def ending(devices: Sequence[str]) -> list[list[str]]:
    """Return how all of it goes, whatever of it is there; each may fail by itself."""
    return [
        *(["tc", "qdisc", "del", "dev", device, "root", "handle", HANDLE] for device in devices),
        ["nft", "delete", "table", *TABLE.split()],
    ]
