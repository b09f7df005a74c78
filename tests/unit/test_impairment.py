"""Bad weather on order: what was asked for, what kernel and packet filter are told, and what people read of it."""

from __future__ import annotations

import base64
import importlib
import json
import socket
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.catalogue.impairments import merged, named, rendered
from ansible.module_utils.seedbed.catalogue.publication import published_files
from ansible.module_utils.seedbed.host import impairing
from ansible.module_utils.seedbed.host.impairment import (
    NUMBERS,
    PRESETS,
    Impairment,
    Place,
    commands,
    ending,
    impairment_of,
    option_faults,
    rules,
    words,
)
from ansible.module_utils.seedbed.host.impairment_report import lacking_lines, line, measured_words, notice_lines
from ansible.module_utils.seedbed.probe.link import Measured, Meter, end, measure
from ansible.module_utils.testing import patch_module_args

UNSET = dict.fromkeys(NUMBERS, "")
PLACE = Place(
    devices=["eth0"], first=8000, last=9000, spared=[22, 8022], trackers=[8888], web=[8000, 8081], users=[105]
)
ASKED = {"impairment": "slow", "words": "1 Mbit/s", "until": 1700000000, "lacking": []}


def run_module(name: str, capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        importlib.import_module(name).main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return {key: value for key, value in found.items() if key != "invocation"}


# -- what was asked for ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_can_be_asked_for(name: str) -> None:
    assert option_faults(name, "10", UNSET) == []
    assert words(impairment_of(name, UNSET))


@pytest.mark.parametrize(
    ("name", "minutes", "numbers", "fault"),
    [
        ("storm", 10, {}, "impairment is 'storm'; choose wifi, wifi-bad, 4g, 3g, satellite, slow, lossy, bursts, mtu,"),
        ("slow", 0, {}, "minutes is 0; write a number from 1 to 1440"),
        ("slow", "soon", {}, "minutes is 'soon'; write a number from 1 to 1440"),
        ("slow", 10, {"rate": 0}, "impairment_rate is 0; write Mbit/s from 0.05 to 10000"),
        ("slow", 10, {"rate": True}, "impairment_rate is True; write Mbit/s"),
        ("lossy", 10, {"loss": "100"}, "impairment_loss is '100'; write percent from 0 to 90"),
        ("lossy", 10, {"loss": 0}, "impairment is lossy, but its numbers are 0: nothing would happen"),
        ("4g", 10, {"jitter": 26}, "impairment_jitter is 26, more than the delay of 25 ms"),
        ("offline", 10, {"rate": 1}, "impairment_rate is set, but offline has no such number; leave it out"),
    ],
)
def test_a_bad_order_is_one_sentence(name: str, minutes: Any, numbers: dict[str, Any], fault: str) -> None:
    [found] = option_faults(name, minutes, {**UNSET, **numbers})
    assert found.startswith(fault)


def test_an_end_needs_nothing_else() -> None:
    assert option_faults("none", "", {"rate": "x"}) == []


def test_numbers_take_the_place_of_the_presets() -> None:
    assert impairment_of("3g", {**UNSET, "rate": "5", "loss": 0}) == Impairment("3g", delay=100, jitter=30, rate=5)
    assert words(impairment_of("3g", UNSET)) == "100 ms late, give or take 30, 2% lost, 2 Mbit/s"
    assert words(PRESETS["bursts"]) == "all lost for 300 ms every 5 s"


# -- what kernel and packet filter are told ----------------------------------------------------------------------------


def test_a_line_with_delay_loss_and_rate_is_one_tree_of_two_classes() -> None:
    """The commands for presets that need netem, which not every kernel has."""
    assert [" ".join(argv) for argv in commands(PRESETS["3g"], "eth0")] == [
        "tc qdisc add dev eth0 root handle 5eed: htb default 0",
        "tc class add dev eth0 parent 5eed: classid 5eed:1 htb rate 2000000bit quantum 15000",
        "tc qdisc add dev eth0 parent 5eed:1 netem limit 116 delay 100ms 30ms",
        "tc class add dev eth0 parent 5eed: classid 5eed:2 htb rate 100000000000bit quantum 15000",
        "tc qdisc add dev eth0 parent 5eed:2 blackhole",
    ]


@pytest.mark.parametrize(
    ("name", "queue"),
    [
        ("wifi", "netem limit 100000 delay 5ms 2ms"),
        ("wifi-bad", "netem limit 966 delay 40ms 15ms"),
        ("4g", "netem limit 100000 delay 25ms 8ms"),
        ("satellite", "netem limit 100000 delay 300ms"),
        ("slow", "pfifo limit 50"),
    ],
)
def test_what_is_held_up_waits_in_one_queue(name: str, queue: str) -> None:
    assert " ".join(commands(PRESETS[name], "eth0")[2]) == f"tc qdisc add dev eth0 parent 5eed:1 {queue}"


@pytest.mark.parametrize("name", ["lossy", "bursts", "mtu", "offline", "udp-blocked"])
def test_what_is_not_held_up_has_the_class_of_the_lost_alone(name: str) -> None:
    assert [argv[-1] for argv in commands(PRESETS[name], "eth0")] == ["0", "15000", "blackhole"]


def chain(name: str, text: str) -> list[str]:
    lines = text.splitlines()
    first = lines.index(f"chain {name} {{") + 1
    return lines[first : lines.index("}", first)]


def test_only_the_labs_ports_and_the_clients_of_its_services_are_picked() -> None:
    text = rules(PRESETS["3g"], PLACE)
    assert chain("out", text) == [
        "type filter hook output priority 300; policy accept;",
        'oifname != { "eth0" } accept',
        "meta l4proto { tcp, udp } th sport { 22, 8022 } accept",
        "meta l4proto { tcp, udp } th dport { 22, 8022 } accept",
        "meta l4proto { tcp, udp } th sport 8000-9000 goto leaving",
        "meta l4proto { tcp, udp } th dport 8000-9000 goto leaving",
        "meta l4proto { tcp, udp } meta skuid { 105 } goto leaving",
    ]
    assert chain("leaving", text) == [
        "numgen random mod 10000 < 200 meta priority set 5eed:2 accept",
        "meta priority set 5eed:1",
    ]
    assert "chain in " not in text


def test_bursts_lose_all_for_a_while() -> None:
    text = rules(PRESETS["bursts"], PLACE)
    assert chain("leaving", text) == [
        "limit rate 12/minute burst 1 packets add @gap { meta nfproto }",
        "meta nfproto @gap meta priority set 5eed:2 accept",
    ]
    assert "type nf_proto; flags dynamic, timeout; timeout 300ms;" in text


def test_a_host_that_is_offline_neither_sends_nor_is_heard() -> None:
    text = rules(PRESETS["offline"], PLACE)
    assert chain("leaving", text) == ["meta priority set 5eed:2"]
    assert chain("coming", text) == ["drop"]
    assert chain("in", text)[-2:] == [
        "meta l4proto { tcp, udp } th sport 8000-9000 goto coming",
        "meta l4proto { tcp, udp } th dport 8000-9000 goto coming",
    ]


@pytest.mark.parametrize(
    ("name", "picked"),
    [
        ("udp-blocked", ["meta l4proto udp th sport 8000-9000", "meta l4proto udp meta skuid { 105 }"]),
        ("tracker-unreachable", ["meta l4proto { tcp, udp } th dport { 8888 } goto leaving"]),
        ("peers-unreachable", ["th sport { 22, 8000, 8022, 8081, 8888 } accept", "th sport 8000-9000 goto"]),
    ],
)
def test_what_is_cut_off_is_no_more_than_was_asked_for(name: str, picked: list[str]) -> None:
    lines = "\n".join(chain("out", rules(PRESETS[name], PLACE)))
    assert all(each in lines for each in picked), lines
    assert ("skuid" in lines) == (name != "tracker-unreachable")


def test_small_packets_are_agreed_on_by_tcp_and_lost_of_udp() -> None:
    assert chain("coming", rules(PRESETS["mtu"], PLACE)) == [
        f"meta nfproto {family} tcp flags & (syn | rst) == syn tcp option maxseg size > {most} "
        f"tcp option maxseg size set {most}"
        for family, most in (("ipv4", 1240), ("ipv6", 1220))
    ] + [
        "meta l4proto udp meta length > 1280 drop",
    ]


def test_an_end_names_our_own_alone() -> None:
    assert [" ".join(argv) for argv in ending(["eth0"])] == [
        "tc qdisc del dev eth0 root handle 5eed:",
        "nft delete table inet seedbed_impairment",
    ]


# -- on a host ---------------------------------------------------------------------------------------------------------

Run = Callable[..., str]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A host whose commands are written down; `root` stands at the root of its device."""
    state: dict[str, Any] = {"ran": [], "root": {"kind": "noqueue", "handle": "0:"}, "netem": True, "live": ""}

    def run(argv: list[str], text: str | None = None) -> str:
        state["ran"].append(" ".join(argv))
        if argv[:2] == ["tc", "-j"]:
            return json.dumps([{"dev": "eth0", "root": True, **state["root"]}])
        if argv[:2] == ["ip", "-j"]:
            there = [("lo", "192.0.2.5"), ("eth0", "192.0.2.1"), ("eth1", "198.51.100.1")]
            return json.dumps([{"ifname": name, "addr_info": [{"local": local}]} for name, local in there])
        if "netem" in argv and "unshare" in argv and not state["netem"]:
            raise CommandError(argv, 2, "Error: Specified qdisc kind is unknown.")
        return ""

    monkeypatch.setattr(impairing, "run", run)
    monkeypatch.setattr(impairing, "live_listing", lambda table: state["live"])
    monkeypatch.setattr(impairing, "STATE", str(tmp_path / "state.json"))
    monkeypatch.setattr(impairing.way_back, "arm", lambda *words: state["ran"].append(f"armed {words[1]}"))
    monkeypatch.setattr(impairing.way_back, "disarm", lambda timer: True)
    monkeypatch.setattr(impairing, "claim", lambda role, things: state["ran"].append("written down"))
    return state


def test_it_is_for_the_devices_that_have_the_labs_addresses(host: dict[str, Any]) -> None:
    assert impairing.devices_of(["192.0.2.1", "192.0.2.5", "203.0.113.1"]) == ["eth0"]


def test_a_kernel_without_netem_does_the_rest(host: dict[str, Any]) -> None:
    assert impairing.plan(PRESETS["3g"], PLACE).lacking == []
    host["netem"] = False
    plan = impairing.plan(PRESETS["3g"], PLACE)
    assert plan.lacking == ["100 ms late, give or take 30: its kernel has no netem"]
    assert plan.impairment == Impairment("3g", loss=2, rate=2)
    with pytest.raises(
        impairing.ImpairmentError, match="nothing of satellite can be done here: 300 ms late: its kernel"
    ):
        impairing.plan(PRESETS["satellite"]._replace(loss=0), PLACE)


def test_what_others_have_set_up_is_refused(host: dict[str, Any]) -> None:
    host["root"] = {"kind": "tbf", "handle": "8001:"}
    with pytest.raises(impairing.ImpairmentError, match=r"somebody else shapes what leaves by eth0 \(tbf 8001:\)"):
        impairing.plan(PRESETS["slow"], PLACE)
    with pytest.raises(impairing.ImpairmentError, match="no network device of this host has an address of the lab"):
        impairing.plan(PRESETS["slow"], PLACE._replace(devices=[]))


def test_the_way_back_is_armed_before_anything_else(host: dict[str, Any]) -> None:
    host["root"]["handle"] = "5eed:"  # one that is there already
    plan = impairing.plan(PRESETS["slow"], PLACE)
    host["ran"].clear()
    state = impairing.begin(plan, 600, "impairment")
    done = [argv for argv in host["ran"] if "-j" not in argv.split()]
    assert done[:4] == [
        "written down",
        "armed 600",
        "tc qdisc del dev eth0 root handle 5eed:",
        "nft delete table inet seedbed_impairment",
    ]
    assert done[4].startswith("tc qdisc add dev eth0 root") and done[-1] == "nft -f -"
    host["live"] = "table"
    assert impairing.current() == state
    host["live"] = ""  # somebody has flushed the rules
    assert impairing.current() is None


def test_what_fails_half_way_leaves_nothing(host: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    plan = impairing.plan(PRESETS["slow"], PLACE)
    run: Run = impairing.run

    def failing(argv: list[str], text: str | None = None) -> str:
        if argv == ["nft", "-f", "-"]:
            raise CommandError(argv, 1, "no")
        return run(argv, text)

    monkeypatch.setattr(impairing, "run", failing)
    host["root"]["handle"] = "5eed:"
    host["ran"].clear()
    with pytest.raises(CommandError):
        impairing.begin(plan, 600, "impairment")
    assert host["ran"][-2:] == ["tc qdisc del dev eth0 root handle 5eed:", "nft delete table inet seedbed_impairment"]
    assert not Path(impairing.STATE).exists()


# -- what is measured, and told ----------------------------------------------------------------------------------------


def test_a_way_is_measured_over_tcp_and_udp() -> None:
    meter = Meter(0)
    counting = threading.Thread(target=meter.run, args=(120,))
    counting.start()
    try:
        measured = measure("127.0.0.1", meter.port, seconds=0.2)
    finally:
        end(meter.port)
        counting.join(timeout=120)
    assert not counting.is_alive()
    assert measured["reached"] and measured["large"]
    assert measured["milliseconds"] is not None and (measured["mbit"] or 0) > 0
    assert measured["lost"] is not None and measured["lost"] < 100


def test_where_nobody_counts_nothing_is_reached() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        measured = measure("127.0.0.1", closed.getsockname()[1], seconds=0.1, timeout=5)
    assert measured == Measured(reached=False, milliseconds=None, mbit=None, lost=None, large=None)
    assert measured_words(measured) == "no connection came about"


@pytest.mark.parametrize(
    ("lost", "large", "said"),
    [
        (0.0, True, "0.96 Mbit/s, 0.4 ms there and back, 0% of the datagrams lost measured"),
        (5.2, False, "0.96 Mbit/s, 0.4 ms there and back, 5.2% of the datagrams lost, no large ones measured"),
        (100.0, False, "0.96 Mbit/s, 0.4 ms there and back, no UDP measured"),
    ],
)
def test_what_was_measured_is_said_in_words(lost: float, large: bool, said: str) -> None:
    measured = Measured(reached=True, milliseconds=0.4, mbit=0.96, lost=lost, large=large)
    assert measured_words(measured) == said


def test_people_read_until_when_and_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.module_utils.seedbed.host.impairment_report.clock", lambda until: "14:05")
    current: Any = ASKED
    nothing = Measured(reached=False, milliseconds=None, mbit=None, lost=None, large=None)
    assert (
        line("s", current, nothing, meter="l")["text"]
        == "s: slow (1 Mbit/s) until 14:05; to l: no connection came about"
    )
    assert line("s", current, None, meter="")["text"].endswith("; not measured, as no other leecher is there")
    taken = line("s", current, nothing, meter="l", fault="port 1 cannot be had")
    assert taken["text"].endswith("; not measured: on l port 1 cannot be had")
    assert line("s", None, None, meter="l") == {"severity": "ok", "text": "s: nothing impairs it"}
    assert [each["text"] for each in notice_lines({"s": current, "t": None})] == [
        "note  s is impaired: slow (1 Mbit/s) until 14:05 (playbooks/impair.yml)"
    ]
    assert [each["text"] for each in lacking_lines({"s": ["a: no netem"], "t": []})] == [
        "note  s leaves out a: no netem; all else is done"
    ]


def test_testers_are_told_of_what_is_not_over() -> None:
    current: Any = ASKED
    [entry] = named({"s": current, "t": None})
    assert entry == {"host": "s", "impairment": "slow", "words": "1 Mbit/s", "until": "2023-11-14T22:13:20Z"}
    other: Any = {**entry, "host": "a"}
    assert merged([entry, other], ["s"], [], now=ASKED["until"] - 1.0) == [other]  # type: ignore[operator]
    assert merged([entry, other], ["b"], [{**other, "host": "b"}], now=1800000000) == [{**other, "host": "b"}]


# -- the modules -------------------------------------------------------------------------------------------------------


def test_the_modules_begin_and_end_it(host: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = {"impairment": "slow", "addresses": ["192.0.2.1"], "seconds": 600}
    planned = run_module("impairment", capsys, **arguments, _ansible_check_mode=True)
    assert (planned["changed"], planned["current"], planned["lacking"]) == (True, None, [])
    begun = run_module("impairment", capsys, **arguments)
    assert (begun["changed"], begun["current"]["words"]) == (True, "1 Mbit/s")
    host["live"] = "table"
    assert run_module("impairment_info", capsys)["current"] == begun["current"]
    assert run_module("impairment", capsys, impairment="storm")["failed"]
    fault = run_module("impairment", capsys, impairment="slow", numbers={"speed": 1})
    assert fault["msg"] == "numbers has 'speed'; it takes delay, jitter, loss, rate"


def test_an_end_is_no_change_where_there_is_nothing(
    host: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impairing, "end", lambda role: Path(impairing.STATE).unlink())
    assert not run_module("impairment", capsys, state="absent")["changed"]
    Path(impairing.STATE).write_text("{}")
    assert run_module("impairment", capsys, impairment="none")["changed"]
    assert not run_module("impairment", capsys, impairment="none")["changed"]


def test_a_portal_tells_what_is_new_and_keeps_what_lasts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def notice(**impairments: Any) -> dict[str, Any]:
        return run_module("impairment_notice", capsys, directory=str(tmp_path), impairments=impairments)

    assert notice(seeder1=None) == {**notice(seeder1=None), "changed": False, "impairments": []}
    catalogue = {"schema_version": 2, "lab": "盲道", "items": [], "impairments": []}
    (tmp_path / "catalogue.json").write_bytes(rendered(catalogue))
    (tmp_path / "impairments.json").write_bytes(rendered({"impairments": []}))
    assert not notice(seeder1=None)["changed"]
    slow = {**ASKED, "until": 4000000000}
    told = notice(seeder1=slow)
    assert told["changed"] and not notice(seeder1=slow)["changed"]
    assert notice(seeder2=slow)["impairments"] == [*told["impairments"], {**told["impairments"][0], "host": "seeder2"}]
    assert notice(seeder1=None, seeder2=None)["impairments"] == []
    assert (tmp_path / "catalogue.json").read_bytes() == rendered(catalogue)


def test_a_run_of_the_lab_writes_the_bytes_that_the_notice_has_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the second run of a lab would change its portal for as long as something is impaired."""
    slow: Any = {**ASKED, "until": 4000000000}
    for each in published_files([], lab="盲道", with_malformed=True, with_odd=True):
        path = tmp_path / each["path"]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(base64.b64decode(each["content"]))
    told = run_module("impairment_notice", capsys, directory=str(tmp_path), impairments={"seeder1": slow})
    assert told["changed"]
    again = published_files([], lab="盲道", with_malformed=True, with_odd=True, impairments=named({"seeder1": slow}))
    assert {each["path"]: base64.b64decode(each["content"]) for each in again} == {
        each["path"]: (tmp_path / each["path"]).read_bytes() for each in again
    }


def test_the_module_measures(capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter(0)
    counting = threading.Thread(target=meter.run, args=(120,))
    counting.start()
    taken = run_module("link_probe", capsys, state="counted", port=meter.port)
    assert taken["message"].startswith(f"port {meter.port} cannot be had: ")
    told = run_module("link_probe", capsys, state="measured", address="127.0.0.1", port=meter.port)
    assert told["measured"]["reached"]
    run_module("link_probe", capsys, state="ended", port=meter.port)
    counting.join(timeout=120)
    assert not counting.is_alive()
