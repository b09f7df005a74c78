"""What the daemon would misread is refused before any host is touched."""

from __future__ import annotations

import fnmatch
import ipaddress
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.seedbed.transmission.keys import SettingError, canonical, native, setting_faults, unread_keys
from ansible.module_utils.seedbed.transmission.whitelist import NetworkError, whitelist
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader
from ansible.template import Templar, trust_as_template
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("key", "given", "stored"),
    [
        ("rpc-port", 8081, 8081),
        ("rpc-port", "8081", 8081),
        ("peer_port", 8082.0, 8082),
        ("dht-enabled", "no", False),
        ("pex_enabled", True, True),
        ("ratio-limit", "1.15", 1.15),
        ("encryption", "required", 2),
        ("encryption", 0, 0),
        ("preallocation", "off", 0),
        ("umask", "022", 18),
        ("umask", "0002", 2),
        ("rpc-bind-address", "::", "::"),
        ("rpc-whitelist", "10.*,192.168.?.*", "10.*,192.168.?.*"),
        ("incomplete-dir", "", ""),
        ("peer-socket-tos", "default", "default"),
        ("peer-socket-tos", "le", "le"),
        ("proxy_url", None, ""),
        ("a-key-of-tomorrow", {"nested": [1]}, {"nested": [1]}),
    ],
)
def test_value_gets_the_type_that_every_version_reads(key: str, given: Any, stored: Any) -> None:
    assert native(key, given) == stored
    assert type(native(key, given)) is type(stored)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("rpc-port", 70000, "is 70000, expected a port from 1 to 65535"),
        ("rpc-port", 0, "is 0, expected a port from 1 to 65535"),
        ("rpc-port", True, "is True, expected a port from 1 to 65535"),
        ("rpc-port", "many", "is 'many', expected a port from 1 to 65535"),
        ("speed-limit-up", 5_000_000_000, "is 5000000000, expected kB/s from 0 to 4294966"),
        ("speed-limit-up", 1.5, "is 1.5, expected kB/s from 0 to 4294966"),
        ("dht-enabled", 2, "is 2, expected true or false"),
        ("umask", "888", "is '888', expected octal text such as '022'"),
        ("encryption", "sometimes", "is 'sometimes', expected one of tolerated, preferred, required"),
        (
            "peer-socket-tos",
            "reliability",
            "is 'reliability', expected one of lowcost, throughput, lowdelay, default, le",
        ),
        ("rpc-url", "/bt", "is '/bt', expected a path that begins and ends with '/'"),
        ("rpc-username", "a:b", "is 'a:b', expected a name without ':' (who has one can never log in)"),
        ("download-dir", "~/dl", "is '~/dl', expected an absolute path"),
        ("rpc-bind-address", "[::1]", "is '[::1]', expected an IPv4 or IPv6 address without brackets"),
        ("rpc-bind-address", "localhost", "is 'localhost', expected an IPv4 or IPv6 address without brackets"),
        (
            "rpc-whitelist",
            "10.0.0.0/8",
            "is '10.0.0.0/8', expected networks in CIDR form, or a text of the daemon's own patterns (no CIDR there)",
        ),
        (
            "rpc-whitelist",
            ["10.0.0.1/8"],
            "is ['10.0.0.1/8'], expected networks in CIDR form, or a text of the daemon's own patterns (no CIDR there)"
            " ('10.0.0.1/8' is no network: 10.0.0.1/8 has host bits set)",
        ),
    ],
)
def test_value_that_the_daemon_misreads_is_refused(key: str, value: Any, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        native(key, value)
    assert str(caught.value) == message
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("rpc_port", "rpc-port"),
        ("rpc-port", "rpc-port"),
        ("proxy-url", "proxy_url"),
        ("start_paused", "start_paused"),
        ("rpc_password", "rpc-password"),
        ("preferred-transports", "preferred_transports"),
        ("key_of_tomorrow", "key_of_tomorrow"),
    ],
)
def test_both_spellings_are_written_in_the_one_that_is_read(given: str, written: str) -> None:
    assert canonical(given) == written


def test_faults_name_the_variable_and_come_together() -> None:
    variables = {
        "my_port": {"rpc-port": 70000},
        "my_limit": {"speed-limit-up": -1, "speed-limit-up-enabled": True},
        "my_first": {"peer-port-random-low": 8200},
        "my_last": {"peer-port-random-high": 8100},
    }
    own = {
        "rpc_port": 8081,
        "rpc-password": "secret",
        "cache-size-mb": 99999,
        "cache_size_mb": 4,
        "cache-size": 4,
        "seedRatioLimit": 2,
        "x-lab-note": "kept",
    }
    assert setting_faults(own, variables) == [
        "my_port is 70000, expected a port from 1 to 65535",
        "my_limit is -1, expected kB/s from 0 to 4294966",
        "my_last is 8100, expected at least my_first, 8200",
        "transmission_settings.rpc_port has a variable of its own; set my_port",
        "transmission_settings.rpc-password cannot be set here: set transmission_rpc_password",
        "transmission_settings.cache-size-mb is 99999, expected MiB from 0 to 4096",
        "transmission_settings.cache_size_mb is the same key as cache-size-mb; keep one of them",
        "transmission_settings.cache-size is no setting; did you mean cache-size-mb?",
        "transmission_settings.seedRatioLimit is no setting; did you mean ratio-limit?",
    ]


def test_keys_of_other_versions_are_named() -> None:
    keys = ["rpc-port", "default-trackers", "prefetch-enabled", "preferred_transport", "preferred_transports"]
    assert unread_keys(keys, (3, 0)) == ["default-trackers", "preferred_transport", "preferred_transports"]
    assert unread_keys(keys, (4, 1, 0)) == ["preferred_transports", "prefetch-enabled"]
    assert unread_keys(keys, (4, 1, 4)) == ["preferred_transport", "prefetch-enabled"]


@pytest.mark.parametrize(
    ("network", "patterns"),
    [
        ("10.0.0.0/8", ["10.*"]),
        ("192.0.2.0/24", ["192.0.2.*"]),
        ("192.0.2.7/32", ["192.0.2.7"]),
        ("0.0.0.0/0", ["*"]),
        ("198.51.100.128/30", [f"198.51.100.{last}" for last in range(128, 132)]),
        ("fc00::/7", ["fc*", "fd*"]),
        ("2001:db8::/32", ["2001:db8:*"]),
        ("2001:db8:0:1::/64", ["2001:db8:*"]),
        ("2001:db8::1/128", ["2001:db8::1"]),
    ],
)
def test_network_becomes_shell_patterns(network: str, patterns: list[str]) -> None:
    listed = whitelist([network]).split(",")
    assert listed[:3] == ["127.0.0.1", "::ffff:127.0.0.1", "::1"]
    assert [text for text in listed[3:] if not text.startswith("::ffff:")] == patterns


@given(st.ip_addresses(), st.data())
def test_every_address_of_a_network_matches(address: Any, data: st.DataObject) -> None:
    least = 8 if address.version == 4 else 20
    prefix = data.draw(st.integers(least, address.max_prefixlen))
    network = ipaddress.ip_network((address, prefix), strict=False)
    listed = whitelist([str(network)]).split(",")
    assert any(fnmatch.fnmatchcase(str(address), pattern) for pattern in listed)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(8, 32))
def test_no_other_ipv4_address_matches(address: Any, other: Any, prefix: int) -> None:
    network = ipaddress.ip_network((address, prefix), strict=False)
    if other not in network and str(other) != "127.0.0.1":
        assert not any(fnmatch.fnmatchcase(str(other), pattern) for pattern in whitelist([str(network)]).split(","))


def test_what_is_no_network_is_named() -> None:
    with pytest.raises(NetworkError, match="'lan' is no network"):
        whitelist(["lan"])


def templated(text: str, **variables: Any) -> Any:
    """What the real Templar makes of a text."""
    for directory in ("filter_plugins", "roles/transmission/filter_plugins"):
        filter_loader.add_directory(str(ROOT / directory))
    return Templar(DataLoader(), variables).template(trust_as_template(text))


def test_private_filter_through_the_real_templar() -> None:
    text = "{{ own | transmission_faults(variables=taken, password=password) }}"
    assert templated(text, own={"cache_size_mb": -1}, taken={"my_port": {"rpc-port": 70000}}, password="x") == [
        "my_port is 70000, expected a port from 1 to 65535",
        "transmission_settings.cache_size_mb is -1, expected MiB from 0 to 4096",
    ]
    missing = "transmission_rpc_password is missing; set it to a text of your choice, best in a vault"
    assert templated(text, own={}, taken={}, password="") == [missing]
    assert templated(text, own={}, taken={}, password=["x"]) == [missing]
    assert templated(text, own={}, taken={}, password="x") == []
    no_dictionary = "transmission_settings is no dictionary of keys and values"
    assert templated(text, own=["x"], taken={}, password="") == [missing, no_dictionary]


def test_public_filter_through_the_real_templar() -> None:
    stored = templated("{{ 'correct horse' | transmission_password(salt='Xk3vTq9Lw2') }}")
    assert stored == "{22c84acb0257f041a199e4a4c64f7df24bf14304Xk3vTq9Lw2"
