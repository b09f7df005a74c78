"""aria2 as a service: its configuration and trackers, and the sentences about what would not work."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.seedbed.base.services import UnknownServiceError
from ansible.module_utils.seedbed.clients.aria2_service import (
    configuration_text,
    is_address,
    lab_trackers,
    service_faults,
    tracker_list,
)
from ansible.module_utils.seedbed.torrent.trackers import TrackersError

A, B = "http://192.0.2.1:8888/announce", "udp://192.0.2.1:8888/announce"
RIGHT: dict[str, Any] = {
    "leecher_dir": "/srv/l",
    "leecher_download_dir": "/srv/downloads",
    "leecher_max_concurrent_downloads": 1,
    "leecher_split": "9",
    "leecher_max_connection_per_server": 16,
    "leecher_min_split_size": "1MiB",
    "leecher_seed_time": 0,
    "leecher_tracker_list": "lab",
    "leecher_aria2_options": {},
}


def faults(file: str = "", text: str = "", **given: Any) -> list[str]:
    """Return what is wrong with these variables, all others being right."""
    return service_faults({**RIGHT, **given}, variables={"leecher_split": {"split": 5}}, file=file, text=text)


def test_what_is_right_has_no_faults() -> None:
    assert faults() == []


def test_the_configuration_has_one_option_a_line() -> None:
    options = {"enable-rpc": True, "bt-enable-lpd": False, "min-split-size": "20MiB", "interface": None}
    assert configuration_text(options, trackers=[A, B], secret="hush") == (
        f"enable-rpc=true\nbt-enable-lpd=false\nmin-split-size=20971520\nrpc-secret=hush\nbt-tracker={A},{B}\n"
    )
    assert "bt-tracker" not in configuration_text({}, trackers=[], secret="hush")


def test_the_labs_trackers_are_those_of_all_its_hosts() -> None:
    hosts = [
        {"inventory_hostname": "a", "lab_address": address, "lab_services": {"tracker": {"port": 8888}}}
        for address in ("192.0.2.1", "2001:db8::1")
    ]
    six = "://[2001:db8::1]:8888/announce"
    assert lab_trackers(hosts) == [A, f"http{six}", B, f"udp{six}"]
    with pytest.raises(UnknownServiceError, match="a has no tracker"):
        lab_trackers([{"inventory_hostname": "a", "lab_services": {}}])


@pytest.mark.parametrize(
    ("source", "text", "urls"),
    [
        ("lab", "", [A]),
        ([B, A, B], "", [B, A]),
        ([], "", []),
        ("", "", []),
        ("/a/file", f"# ours\n{A}\n\n  {B} , {A}\n", [A, B]),
        ("http://192.0.2.1/list", f"{A},{B}", [A, B]),
    ],
)
def test_trackers_come_from_the_lab_a_list_or_a_text(source: Any, text: str, urls: list[str]) -> None:
    assert tracker_list(source, lab=[A], text=text) == urls


def test_what_is_no_tracker_is_named_with_where_it_stands() -> None:
    with pytest.raises(TrackersError, match="leecher_tracker_list: /a/file: 'wss://x:1' is not an http, https or udp"):
        tracker_list("/a/file", lab=[], text=f"{A}\nwss://x:1\n")
    assert faults("/a/file", "wss://x:1", leecher_tracker_list="/a/file")[0].startswith(
        "leecher_tracker_list: /a/file: "
    )
    assert faults(leecher_tracker_list=["x"])[0].startswith(
        "leecher_tracker_list: 'x' is not an http, https or udp URL"
    )
    assert faults(leecher_tracker_list="/no/file") == [
        "leecher_tracker_list is '/no/file', which is neither lab, a list of URLs, the address of a list, nor a file "
        "on this machine"
    ]
    for right in ("lab", "", "https://192.0.2.1/list", [A]):
        assert faults(leecher_tracker_list=right) == []
    # It is a mapping or a number, what -e may bring.
    assert all("leecher_tracker_list" in faults(leecher_tracker_list=wrong)[0] for wrong in (5, {"a": 1}, [1], True))


def test_an_address_is_no_path() -> None:
    assert is_address("https://x/y")
    assert not any(map(is_address, ("/https://x", "lab", ["http://x"], 5)))


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"max-download-limit": "4M", "bt-max-peers": 5}, ""),
        ([], "leecher_aria2_options is no dictionary"),
        ({"split": 3}, "leecher_aria2_options.split cannot be set here: set leecher_split"),
        ({"rpc-secret": "x"}, "rpc-secret cannot be set here: set leecher_rpc_secret"),
        ({"on-x\nrpc-secret": "x"}, "which is no option"),
        ({"Split": 3}, "which is no option"),
        ({"user-agent": "a\nrpc-secret=b"}, "a text or a number of one line would be right"),
        ({"header": ["a"]}, "a text or a number of one line would be right"),
    ],
)
def test_own_options_are_neither_taken_nor_more_than_a_line(own: Any, sentence: str) -> None:
    found = faults(leecher_aria2_options=own)
    assert len(found) == bool(sentence)
    assert sentence in "".join(found)


def test_numbers_stay_within_what_aria2_takes() -> None:
    assert faults(leecher_split=0, leecher_max_connection_per_server=17) == [
        "leecher_split is 0; a number of at least 1 would be right",
        "leecher_max_connection_per_server is 17; a number from 1 to 16 would be right",
    ]


@pytest.mark.parametrize(("size", "number"), [("1MiB", 0), ("1GiB", 0), ("1MB", 1), ("2GiB", 1), ("x", 1)])
def test_the_least_part_is_a_size_that_aria2_takes(size: str, number: int) -> None:
    assert len(faults(leecher_min_split_size=size)) == number


def test_downloads_do_not_lie_where_files_are_deleted() -> None:
    assert faults(leecher_download_dir="/srv/l2") == []
    assert "not an absolute path" in faults(leecher_download_dir="here")[0]
    for inside in ("/srv/l", "/srv/l/", "/srv/l/x"):
        assert "inside leecher_dir" in faults(leecher_download_dir=inside)[0]
