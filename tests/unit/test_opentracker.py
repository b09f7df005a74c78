"""Faults of the tracker's variables, and the reading of what it says about itself."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.host import opentracker_state
from ansible.module_utils.seedbed.host.opentracker import DANGEROUS, faults
from ansible.module_utils.seedbed.host.opentracker_build import HARDENING, build_of

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
        cc="/nonexistent/cc", prefix=str(tmp_path), user="no-such-user", port=1, unit="no-such.service", listen=["::"]
    ) == {
        "compiler": "",
        "builds": [],
        "running": "",
        "active": False,
        "user": False,
        "holders": [],
        "unanswered": [],
    }
