"""Faults of the tracker's variables, and the reading of what it says about itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.host import opentracker, opentracker_state

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
    assert opentracker.faults(GOOD) == []
    assert opentracker.faults({**GOOD, "accesslist": "black", "accesslist_hashes": ["aB" * 20]}) == []


@pytest.mark.parametrize("feature", sorted(opentracker.DANGEROUS))
def test_dangerous_features_are_refused_with_the_reason(feature: str) -> None:
    assert opentracker.faults({**GOOD, "features": [feature]}) == [
        f"opentracker_features has {feature}, which is refused: {opentracker.DANGEROUS[feature]}; leave it out"
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
    found = opentracker.faults({**GOOD, **change})
    assert len(found) == 1, found
    assert found[0].startswith(start)


def test_archives_on_the_controller_are_judged_before_any_host_is_touched(tmp_path: Path) -> None:
    present = tmp_path / "x.tar.xz"
    present.write_bytes(b"sources")
    settings = {**GOOD, "source": "controller", "archive": str(present), "libowfat_archive": str(tmp_path / "y")}
    digest = hashlib.sha256(b"sources").hexdigest()
    first, second = opentracker.faults(settings)
    assert first.startswith(f"opentracker_archive is '{present}', whose SHA-256 is {digest}, but opentracker_sha256 is")
    assert second.startswith(f"opentracker_libowfat_archive is '{tmp_path}/y', and there is no such file")


def test_the_role_asks_through_its_filter(render: Callable[..., Any]) -> None:
    [fault] = render("{{ settings | opentracker_faults }}", settings={**GOOD, "features": ["WANT_SYNC_LIVE"]})
    assert fault.startswith("opentracker_features has WANT_SYNC_LIVE, which is refused")


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
    assert opentracker_state.parse_version(text) == build


def test_the_compiler_is_told_with_its_options() -> None:
    assert opentracker_state.compiler("/nonexistent/cc -std=gnu89") == ""
    assert opentracker_state.compiler("true") == ""


def test_an_empty_host_has_an_empty_state(tmp_path: Path) -> None:
    state = opentracker_state.state(
        cc="/nonexistent/cc", prefix=str(tmp_path), user="no-such-user", port=1, unit="no-such.service", files=[]
    )
    assert (state["build"], state["builds"], state["running"], state["complaints"]) == ("", [], "", [])
    assert not state["active"]
    assert not state["user"]
