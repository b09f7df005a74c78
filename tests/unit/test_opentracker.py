"""Faults of the tracker's variables, and the reading of what it says about itself."""

from __future__ import annotations

import hashlib
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.host import opentracker_state
from ansible.module_utils.seedbed.host.opentracker import DANGEROUS, faults
from ansible.module_utils.seedbed.host.opentracker_build import HARDENING, build_of
from ansible.module_utils.seedbed.host.opentracker_times import Told, replacements, unlike

PIN = "0" * 64
GOOD: dict[str, Any] = {
    "listen": ["::", "192.0.2.10"],
    "accesslist": "none",
    "accesslist_hashes": [],
    "stats_allow": ["127.0.0.1", "fc00::/7"],
    "stats_path": "stats",
    "proxies": [],
    "redirect_url": "",
    "udp_workers": 0,
    "nofile": 65536,
    "features": ["WANT_SYSLOGS"],
    "interval": 1800,
    "minimum_interval": 0,
    "peer_lifetime": 2700,
    "cc": "gcc -std=gnu89",
    "optimisation": "-O3 -march=native",
    "hardening": True,
    "source": "apt",
    "version": "1.0+git20250425.b20b0b8",
    "sha256": PIN,
    "urls": [],
    "archive": "",
    "libowfat_version": "0.34",
    "libowfat_sha256": PIN,
    "libowfat_urls": [],
    "libowfat_archive": "",
    "user": "opentracker",
    "prefix": "/opt/opentracker",
}


def test_good_settings_have_no_faults() -> None:
    assert faults(GOOD) == []
    assert faults({**GOOD, "accesslist": "black", "accesslist_hashes": ["aB" * 20]}) == []


@pytest.mark.parametrize("feature", sorted(DANGEROUS))
def test_dangerous_features_are_refused_with_the_reason(feature: str) -> None:
    assert faults({**GOOD, "features": [feature]}) == [
        f"opentracker_features has {feature}, which is refused: {DANGEROUS[feature]}; leave it out"
    ]


@pytest.mark.parametrize(
    ("change", "start"),
    [
        ({"features": ["WANT_RESTRICT_STATS"]}, "opentracker_features has WANT_RESTRICT_STATS, which follows from"),
        ({"features": ["WANT_TEA"]}, "opentracker_features has 'WANT_TEA', which opentracker does not know"),
        ({"listen": []}, "opentracker_listen is empty"),
        ({"listen": ["localhost"]}, "opentracker_listen has 'localhost', which is no IP address"),
        ({"listen": ["192.0.2.1:80"]}, "opentracker_listen has '192.0.2.1:80', which is no IP address"),
        ({"stats_allow": ["lan"]}, "opentracker_stats_allow has 'lan', which is no address or network"),
        ({"proxies": ["10.0.0.0/33"]}, "opentracker_proxies has '10.0.0.0/33', which is no address or network"),
        ({"proxies": [f"192.0.2.{n}" for n in range(63)]}, "opentracker_stats_allow and opentracker_proxies have 65"),
        (
            {"accesslist_hashes": ["aB" * 20]},
            "opentracker_accesslist_hashes is set, but",
        ),
        ({"accesslist": "white", "accesslist_hashes": ["ab"]}, "opentracker_accesslist_hashes has 'ab'; an info hash"),
        ({"sha256": "E" * 64}, f"opentracker_sha256 is '{'E' * 64}'; the SHA-256 of the archive is 64 lower-case"),
        ({"libowfat_sha256": ""}, "opentracker_libowfat_sha256 is ''; the SHA-256"),
        (
            {"source": "url", "urls": ["http://192.0.2.1/x"]},
            "opentracker_source is url, but opentracker_libowfat_urls is empty",
        ),
        ({"user": "Ä"}, "opentracker_user is 'Ä'; write a plain user name"),
        ({"prefix": "opt"}, "opentracker_prefix is 'opt'; write an absolute path"),
        ({"stats_path": "/stats"}, "opentracker_stats_path is '/stats'; write one path segment"),
        ({"redirect_url": "x"}, "opentracker_redirect_url is 'x'; write an http or https address"),
        ({"cc": "gcc; rm"}, "opentracker_cc is 'gcc; rm'; write a compiler"),
        ({"optimisation": "O3"}, "opentracker_optimisation is 'O3'; write compiler options"),
        ({"nofile": 100}, "opentracker_nofile is 100; write a number from 1024 up"),
        ({"udp_workers": -1}, "opentracker_udp_workers is -1; write a number from 0 up"),
        ({"interval": -5}, "opentracker_interval is -5; write a number of seconds"),
        ({"interval": 9}, "opentracker_interval is 9; write seconds from 10 to 43200"),
        ({"interval": 1801}, "opentracker_peer_lifetime is 2700, with opentracker_interval 1801; write seconds from"),
        ({"peer_lifetime": 86401}, "opentracker_peer_lifetime is 86401, with opentracker_interval 1800; write"),
        ({"minimum_interval": 1621}, "opentracker_minimum_interval is 1621, but clients may be told to announce every"),
    ],
)
def test_each_fault_is_one_sentence(change: dict[str, Any], start: str) -> None:
    found = faults({**GOOD, **change})
    assert len(found) == 1, found
    assert found[0].startswith(start)


def test_archives_on_the_controller_are_judged_before_any_host_is_touched(tmp_path: Path) -> None:
    present = tmp_path / "x.tar.xz"
    present.write_bytes(b"sources")
    settings = {**GOOD, "source": "controller", "archive": str(present), "libowfat_archive": str(tmp_path / "y")}
    digest = hashlib.sha256(b"sources").hexdigest()
    first, second = faults(settings)
    assert first.startswith(f"opentracker_archive is '{present}', whose SHA-256 is {digest}, but opentracker_sha256 is")
    assert second.startswith(f"opentracker_libowfat_archive is '{tmp_path}/y', and there is no such file")


PINNED = {
    **GOOD,
    "sha256": "ebfc697143397d547776340124623ebb185b726c09130eaed98d8898777996d3",
    "libowfat_sha256": "d4330d373ac9581b397bc24a22ad1f7f5d58a7fe36d9d239fe352ceffc5d304b",
    "cc": "gcc",
    "optimisation": "-O3",
    "features": [],
}


def test_a_build_keeps_its_name_over_releases_of_the_role() -> None:
    """Another name for the same build would have every tracker of every lab compiled anew."""
    assert build_of(PINNED, "12.2.0 x86_64-linux-gnu")["id"] == "1.0+git20250425.b20b0b8-cd6a74be"


def test_a_build_is_compiled_as_its_settings_say() -> None:
    settings = {**PINNED, "features": ["WANT_SYSLOGS"], "accesslist": "white", "proxies": ["192.0.2.1"]}
    build = build_of(settings, "12.2.0 x86_64-linux-gnu")
    assert build["libowfat_arguments"] == [
        "DIET=",
        "CC=gcc -std=gnu99 -D_GNU_SOURCE",
        f"DEFINE=-D_REENTRANT {HARDENING}",
    ]
    assert build["arguments"] == ["CC=gcc -std=gnu99 -D_GNU_SOURCE", "OPTS_production=-O3"]
    assert build["environment"] == {
        "CFLAGS": HARDENING,
        "LDFLAGS": "-pie -Wl,-z,relro,-z,now",
        "FEATURES": "-DWANT_ACCESSLIST_WHITE -DWANT_IP_FROM_PROXY -DWANT_RESTRICT_STATS -DWANT_SYSLOGS",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": PIN},
        {"libowfat_sha256": PIN},
        {"cc": "clang"},
        {"optimisation": "-O2"},
        {"hardening": False},
        {"features": ["WANT_SYSLOGS"]},
        {"accesslist": "white"},
        {"accesslist": "black"},
        {"proxies": ["192.0.2.1"]},
        {"interval": 60},
        {"minimum_interval": 5},
        {"peer_lifetime": 4000},
    ],
)
def test_whatever_goes_into_a_build_is_in_its_name(change: dict[str, Any]) -> None:
    assert build_of({**PINNED, **change}, "12 x")["id"] != build_of(PINNED, "12 x")["id"]


def test_another_compiler_makes_another_build_and_another_port_does_not() -> None:
    assert build_of(PINNED, "12 x")["id"] != build_of(PINNED, "14 x")["id"]
    assert build_of({**PINNED, "nofile": 1, "listen": []}, "12 x") == build_of(PINNED, "12 x")


@pytest.mark.parametrize(
    ("listen", "ipv6", "places"),
    [
        (["::"], True, ["127.0.0.1:8888", "[::1]:8888"]),
        (["::"], False, ["127.0.0.1:8888"]),
        (["0.0.0.0"], True, ["127.0.0.1:8888"]),
        (["0.0.0.0", "::"], True, ["127.0.0.1:8888", "[::1]:8888"]),
        (["192.0.2.1", "2001:db8::1"], True, ["192.0.2.1:8888", "[2001:db8::1]:8888"]),
        (["127.0.0.1", "0.0.0.0"], True, ["127.0.0.1:8888"]),
        ([], True, []),
    ],
)
def test_the_tracker_is_asked_where_it_listens(listen: list[str], ipv6: bool, places: list[str]) -> None:
    assert opentracker_state.own_announce_urls(listen, 8888, ipv6=ipv6) == [
        f"{scheme}://{place}/announce" for scheme in ("http", "udp") for place in places
    ]


def test_a_tracker_that_does_not_answer_is_named_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert opentracker_state.unanswered([f"http://127.0.0.1:{port}/announce"]) == [
        f"http://127.0.0.1:{port}/announce: nothing listens there (connection refused)"
    ]
    assert opentracker_state.unanswered([]) == []


@pytest.mark.parametrize(
    ("text", "build"),
    [
        (
            "https://example.org/gitweb/opentracker/commit/?id=1.0+git20250425.b20b0b8-d4b339af\n",
            "1.0+git20250425.b20b0b8-d4b339af",
        ),
        ("opentracker: not found", ""),
    ],
)
def test_the_build_tells_its_own_id(text: str, build: str) -> None:
    assert opentracker_state.parse_build(text) == build


def test_the_compiler_is_asked_with_its_options() -> None:
    assert opentracker_state.compiler("/nonexistent/cc -std=gnu89") == ""
    assert opentracker_state.compiler("true") == ""


def test_an_empty_host_has_an_empty_state(tmp_path: Path) -> None:
    assert opentracker_state.state(
        cc="/nonexistent/cc",
        prefix=str(tmp_path),
        user="no-such-user",
        port=1,
        unit="no-such.service",
        listen=["::"],
        announced="ab" * 20,
    ) == {
        "compiler": "",
        "builds": [],
        "running": "",
        "active": False,
        "user": False,
        "holders": [],
        "unanswered": [],
        "told": [],
    }


# Lines of the pinned sources, trackerlogic.h and trackerlogic.c, as opentracker's author wrote them.
SOURCES = {
    "trackerlogic.h": """
#define OT_CLIENT_REQUEST_INTERVAL      (60 * 30)
#define OT_CLIENT_REQUEST_VARIATION     (60 * 6)

#define OT_CLIENT_REQUEST_INTERVAL_RANDOM  \\
  (OT_CLIENT_REQUEST_INTERVAL - OT_CLIENT_REQUEST_VARIATION / 2)
#define OT_PEER_TIMEOUT               45
#define g_now_minutes (g_now_seconds / 60)
""",
    "trackerlogic.c": "erval,\n    erval / 2, peer_size;\nerval, erval / 2);",
}


def replaced(**settings: int) -> dict[str, str]:
    """The sources as they are compiled; whoever finds no text to replace fails, as the role does."""
    texts = dict(SOURCES)
    for each in replacements({**GOOD, **settings}):
        texts[each["file"]], count = re.subn(each["old"], each["new"], texts[each["file"]])
        assert count, each
    return texts


def test_what_is_opentrackers_own_is_left_alone() -> None:
    assert replaced() == SOURCES


def test_the_times_stand_in_the_sources_that_are_compiled() -> None:
    texts = replaced(interval=20, minimum_interval=3, peer_lifetime=90)
    assert texts["trackerlogic.h"].split("\n") == [
        "",
        "#define OT_CLIENT_REQUEST_INTERVAL (20)",
        "#define OT_CLIENT_REQUEST_VARIATION (4)",
        "",
        *SOURCES["trackerlogic.h"].split("\n")[4:6],
        "#define OT_PEER_TIMEOUT (90)",
        "#define g_now_minutes (g_now_seconds / 1)",
        "",
    ]
    assert texts["trackerlogic.c"] == "erval,\n    3, peer_size;\nerval, 3);"


@pytest.mark.parametrize("lifetime", [20, 59, 60, 119, 120, 121, 2699, 2701, 7199, 86400])
def test_a_lifetime_is_counted_in_one_byte_and_is_never_cut_short(lifetime: int) -> None:
    count, minute = (int(re.sub(r".*\D(\d+)\)$", r"\1", each["new"])) for each in
                     replacements({**GOOD, "peer_lifetime": lifetime}))  # fmt: skip
    assert count < 255
    assert lifetime <= count * minute < lifetime + minute <= lifetime + max(1, lifetime // 60)


def test_a_tracker_that_tells_other_times_is_found_out() -> None:
    http, udp = "http://192.0.2.1:8888/announce", "udp://192.0.2.1:8888/announce"
    settings = {**GOOD, "interval": 60, "minimum_interval": 0, "peer_lifetime": 120}
    told = [
        Told(tracker=http, interval=54, min_interval=27),
        Told(tracker=udp, interval=65, min_interval=None),
    ]
    assert unlike(settings, told) == []
    assert unlike({**settings, "minimum_interval": 5}, told) == [
        f"{http} lets clients announce again after 27 s, not 5"
    ]
    assert unlike(settings, [Told(tracker=udp, interval=1700, min_interval=None)]) == [
        f"{udp} has clients announce every 1700 s, not 60"
    ]
