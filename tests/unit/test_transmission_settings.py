"""settings.json: read strictly, compared by meaning, merged without loss, written whole."""

from __future__ import annotations

import getpass
import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible.module_utils.seedbed.transmission.settings import (
    BrokenSettings,
    ForeignLink,
    PasswordError,
    SettingChange,
    access_fault,
    drifted_settings,
    load_settings,
    merge_settings,
    native_settings,
    parse_settings,
    password_matches,
    read_trusted,
    render_settings,
    same_setting,
    stored_password,
    write_trusted,
)
from hypothesis import given
from hypothesis import strategies as st
from transmission_password import transmission_password

OLD, NEW = (3, 0), (4, 1, 0)


@given(st.text(min_size=1), st.text("abcXYZ019", min_size=8, max_size=16))
def test_stored_password_lets_in_this_password_alone(password: str, salt: str) -> None:
    stored = stored_password(password, salt)
    assert stored.startswith("{") and stored.endswith(salt) and len(stored) == 41 + len(salt)
    assert password_matches(stored, password)
    assert not password_matches(stored, password + "x")


def test_salt_is_drawn_anew_when_none_is_given() -> None:
    assert stored_password("secret") != stored_password("secret")


@pytest.mark.parametrize(
    ("stored", "matches"),
    [
        ("{e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", True),  # SHA-1 of "secret", no salt
        ("{E5E9FA1BA31ECD1AE84F75CAAA474F3A663F05F4", False),  # no version accepts upper case
        ("e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", False),
        ("secret", False),
        ("{", False),
        (None, False),
        (17, False),
    ],
)
def test_only_the_daemons_own_form_counts(stored: object, matches: bool) -> None:
    assert password_matches(stored, "secret") is matches


def test_password_that_protects_nothing_is_refused() -> None:
    with pytest.raises(PasswordError, match="is empty"):
        stored_password("")
    with pytest.raises(PasswordError, match="the salt is 'a/b', expected 8 to 16 letters and digits"):
        stored_password("secret", "a/b")
    with pytest.raises(AnsibleFilterError, match="expected texts, got int"):
        transmission_password(1, salt="Xk3vTq9L")  # type: ignore[arg-type]
    with pytest.raises(AnsibleFilterError, match="the password is empty"):
        transmission_password("", salt="Xk3vTq9L")


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        (b"", 1, "Expecting value"),
        (b'{"a": 1,\n "b": 2,\n}', 3, "double quotes"),
        (b'{\n"a": 1\n"b": 2}', 3, "Expecting ',' delimiter"),
        (b'{"a": 1', 1, "Expecting ',' delimiter"),
        (b"[1, 2]", 1, "expected a JSON object, got list"),
        (b'{\n\n"a": "\xff"}', 3, "byte 0xff is not UTF-8"),
        (b'{"a": NaN}', 1, "NaN is no JSON"),
        (b"// a comment\n{}", 1, "Expecting value"),
    ],
)
def test_broken_file_is_refused_with_its_line(content: bytes, line: int, why: str) -> None:
    with pytest.raises(BrokenSettings, match="Repair the file, or move it away") as caught:
        parse_settings(content, "/etc/x.json")
    assert str(caught.value).startswith(f"/etc/x.json, line {line}: ")
    assert why in str(caught.value)
    assert caught.value.line == line


def test_wherever_a_file_was_cut_off_that_is_seen(tmp_path: Path) -> None:
    values = {"a": True, "b": [False, None, -1.5e-07, 1e22], "c": {"d\\": '"\n\u00e9\U0001f600'}, "e": 12}
    for whole in (render_settings(values), json.dumps(values, ensure_ascii=False).encode()):
        for length in range(len(whole.rstrip())):
            for tail in (b"", b"\0\0\0"):
                with pytest.raises(BrokenSettings) as caught:
                    parse_settings(whole[:length] + tail, "x")
                assert caught.value.cut_off, whole[:length]


@pytest.mark.parametrize("content", [b'{"a": tru}', b'{"a": 1,}', b'{"a": x', b'{"a": 1}}', b'{"a": "\xff"}', b"[1]"])
def test_a_slip_of_the_pen_is_not_taken_for_that(content: bytes) -> None:
    with pytest.raises(BrokenSettings) as caught:
        parse_settings(content, "x")
    assert not caught.value.cut_off


def test_file_with_byte_order_mark_is_read_and_absent_file_is_empty(tmp_path: Path) -> None:
    assert parse_settings(b'\xef\xbb\xbf{"a": "\xc3\xa9"}', "x") == {"a": "é"}
    assert load_settings(str(tmp_path / "none")) == {}


def test_write_replaces_the_target_of_a_link_and_leaves_no_rest(tmp_path: Path) -> None:
    target, link = tmp_path / "etc.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    write_trusted(str(link), render_settings({"b": "é", "a": [1]}), os.getuid(), os.getgid())
    assert link.is_symlink()
    assert target.read_text() == '{\n    "a": [\n        1\n    ],\n    "b": "\\u00e9"\n}\n'
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["etc.json", "link.json"]


def test_a_link_that_the_daemons_user_made_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, link = tmp_path / "cron", tmp_path / "settings.json"
    link.symlink_to(target)
    if os.getuid() == 0:
        os.chown(link, 12345, -1, follow_symlinks=False)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    refused = rf"^{link} is a symbolic link to {target}, made by user \d+; remove it"
    with pytest.raises(ForeignLink, match=refused):
        read_trusted(str(link))
    with pytest.raises(ForeignLink, match=refused):
        write_trusted(str(link), b"{}", os.getuid(), os.getgid())
    assert not target.exists()


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "settings.json"
    target.write_text("old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_trusted(str(target), b"new", os.getuid(), os.getgid())
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
    assert target.read_text() == "old"


@pytest.mark.parametrize(
    ("mode", "umask", "words"),
    [
        (0o600, 18, ""),  # as 3.00 writes it
        (0o644, "022", ""),  # as 4.1 does
        (0o640, 18, ""),
        (0o666, 0, ""),
        (0o664, "nonsense", ""),  # the daemon takes it for 0
        (0o664, 18, "has mode 0664, which grants more than the daemon itself would, 0644"),
        (0o644, "077", "has mode 0644, which grants more than the daemon itself would, 0600"),
        (0o4600, 18, "has mode 4600, which grants more"),
        (0o400, 18, "has mode 0400: "),
        (0o000, 18, "cannot both read and write it"),
    ],
)
def test_who_has_access_to_the_file(tmp_path: Path, mode: int, umask: Any, words: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{}")
    path.chmod(mode)
    found = access_fault(str(path), getpass.getuser(), umask)
    assert (words in found) if words else not found


def test_a_file_of_somebody_else_is_named_and_one_that_is_not_there_is_well(tmp_path: Path) -> None:
    path, link = tmp_path / "settings.json", tmp_path / "link"
    assert access_fault(str(path), getpass.getuser(), 18) == ""
    path.write_text("{}")
    link.symlink_to(path)
    path.chmod(0o600)
    assert access_fault(str(link), "no-such-user", 18) == ""  # of a package that is not installed yet
    other = next(user.pw_name for user in pwd.getpwall() if user.pw_uid != os.getuid())
    assert access_fault(str(link), other, 18) == (
        f"{link} belongs to user {os.getuid()} with mode 0600; it shall be {other}'s, who runs the daemon"
    )


@pytest.mark.parametrize(
    ("key", "current", "wanted", "version", "equal"),
    [
        ("rpc-port", 8081, 8081, OLD, True),
        ("rpc-port", "8081", 8081, NEW, False),
        ("rpc-port", True, 1, NEW, False),
        ("dht-enabled", 0, False, OLD, False),  # as the package ships it; the daemon writes real booleans
        ("ratio-limit", 1.1499, 1.15, OLD, True),
        ("ratio-limit", 2, 2.0, NEW, True),
        ("ratio-limit", 1.2, 1.15, NEW, False),
        ("umask", "022", 18, NEW, True),
        ("umask", "022", 18, OLD, False),  # 3.00 reads it as 0
        ("umask", 18, 18, OLD, True),
        ("umask", "abc", 18, NEW, False),
        ("umask", "089", 18, NEW, False),
        ("proxy_url", None, "", NEW, True),
        ("peer-socket-tos", "le", "default", NEW, True),
        ("peer-socket-tos", "default", "le", OLD, True),
        ("peer-socket-tos", "le", "lowcost", NEW, False),
        ("peer-socket-tos", 4, "le", NEW, False),
        ("peer-socket-tos", ["le"], "le", NEW, False),
        ("speed-limit-up", 77.0, 77, NEW, True),
        ("rpc-whitelist", "10.*", "10.*", OLD, True),
    ],
)
def test_same_meaning(key: str, current: Any, wanted: Any, version: tuple[int, ...], equal: bool) -> None:
    assert same_setting(key, current, wanted, version) is equal


def test_merge_keeps_what_nobody_asked_for() -> None:
    current = {"rpc-port": 9091, "alt-speed-up": 66, "theirs": {"nested": [1]}, "rpc-password": "transmission"}
    wanted = native_settings({"rpc_port": 8081, "dht-enabled": False})
    new, changes = merge_settings(current, wanted, "secret", OLD)
    assert {**new, "rpc-password": ""} == {
        "rpc-port": 8081,
        "alt-speed-up": 66,
        "theirs": {"nested": [1]},
        "dht-enabled": False,
        "rpc-password": "",
    }
    assert changes == [
        SettingChange("dht-enabled", None, False),
        SettingChange("rpc-password", "(hidden)", "(hidden)"),
        SettingChange("rpc-port", 9091, 8081),
    ]
    assert merge_settings(new, wanted, "secret", OLD) == (new, [])
    assert merge_settings(parse_settings(render_settings(new), "x"), wanted, "secret", NEW)[1] == []


def test_password_with_any_salt_is_unchanged_and_never_shown() -> None:
    for salt in ("Xk3vTq9L", "0123456789abcdef"):
        stored = {"rpc-password": stored_password("secret", salt)}
        assert merge_settings(stored, {}, "secret", NEW) == (stored, [])
    new, changes = merge_settings({"rpc_password": "plain"}, native_settings({"rpc-username": "me"}), "secret", NEW)
    assert "rpc_password" not in new
    assert "plain" not in repr(changes) and "secret" not in repr(changes)


def test_keys_that_would_win_over_ours_are_removed() -> None:
    current = {"peer-port": 8082, "peer_port": 51413, "utp-enabled": False, "preferred_transports": ["utp", "tcp"]}
    new, changes = merge_settings(current, native_settings({"peer-port": 8082, "utp-enabled": False}), None, (4, 1, 4))
    assert new == {"peer-port": 8082, "utp-enabled": False}
    assert [change.key for change in changes] == ["peer_port", "preferred_transports"]
    listed = native_settings({"utp-enabled": False, "preferred_transports": ["tcp"]})
    assert merge_settings(current, listed, None, (4, 1, 4))[0]["preferred_transports"] == ["tcp"]


def test_what_the_daemon_rewrites_at_will_is_not_compared() -> None:
    assert "peer-port" not in native_settings({"peer-port": 8082, "peer-port-random-on-start": True})
    assert "alt-speed-enabled" not in native_settings({"alt-speed-enabled": True, "alt-speed-time-enabled": True})


def test_host_may_reach_its_own_listening_address() -> None:
    own = native_settings({"rpc-bind-address": "198.51.100.7", "rpc-whitelist": ["192.0.2.0/24"]})
    assert own["rpc-whitelist"].split(",")[-1] == "198.51.100.7"


def test_credentials_inside_a_url_are_not_shown() -> None:
    wanted = native_settings({"proxy_url": "http://me:secret@192.0.2.1:3128", "blocklist-url": "https://one/list"})
    _, changes = merge_settings({"blocklist-url": "https://token@one/list"}, wanted, None, NEW)
    assert changes == [
        SettingChange("blocklist-url", "https://(hidden)@one/list", "https://one/list"),
        SettingChange("proxy_url", None, "http://(hidden)@192.0.2.1:3128"),
    ]
    session = {"blocklist-url": "https://token@one/list"}
    assert drifted_settings(session, wanted, NEW) == changes[:1]


def test_drift_of_the_running_daemon_is_seen() -> None:
    wanted = native_settings(
        {"speed-limit-up": 0, "ratio-limit-enabled": False, "encryption": "required", "umask": "022"}
    )
    session = {"speed-limit-up": 77.0, "seedRatioLimited": True, "encryption": "required", "version": "4.1.0"}
    assert drifted_settings(session, wanted, NEW) == [
        SettingChange("speed-limit-up", 77.0, 0),
        SettingChange("ratio-limit-enabled", True, False),
    ]


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())))
def test_a_merge_is_done_after_one_round(current: dict[str, Any]) -> None:
    wanted = native_settings({"rpc-port": 8081, "dht_enabled": False, "umask": "002"})
    new, _changes = merge_settings(current, wanted, "secret", NEW)
    again = json.loads(render_settings(new))
    assert merge_settings(again, wanted, "secret", NEW) == (again, [])
