"""The keys of Transmission's settings.json: their type and range, which the daemon itself never checks.

A port of 70000 becomes 4464, a word where a number belongs becomes 0, a bind address with brackets becomes 0.0.0.0,
all without a word in the log. Spelling is kebab-case, for every version, but for the few keys that exist in snake_case
only.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from typing import Any, Callable, Iterable, List, Mapping, NamedTuple, Tuple, Union

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.transmission.whitelist import whitelist

Value = Union[bool, int, float, str, List[Any], None]
Version = Tuple[int, ...]


class SettingError(SeedbedError):
    """A setting that the daemon would misread; `key` and `value` as they were given."""

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(f"is {value!r}, expected {expected}")
        self.key, self.value, self.expected = key, value, expected


class Key(NamedTuple):
    """What a key holds: `read` turns what a person wrote into the native value or raises ValueError."""

    expected: str
    read: Callable[[Any], Value]
    versions: str = "3.00-"


def _flag(value: Any) -> bool:
    text = str(value).lower()  # a bool, or the text of one from --extra-vars
    if text not in ("true", "false", "yes", "no", "on", "off"):
        raise ValueError
    return text in ("true", "yes", "on")


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError
    return float(value)


def _whole(low: int, high: int, what: str = "") -> Key:
    def read(value: Any) -> int:
        number = _number(value)
        if number != int(number) or not low <= number <= high:
            raise ValueError
        return int(number)

    return Key(f"{what or 'a whole number'} from {low} to {high}", read)


def _decimal(value: Any) -> float:
    number = _number(value)
    if not 0 <= number <= 1e6:
        raise ValueError
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return str(value)


def _optional_text(value: Any) -> str:
    return "" if value is None else _text(value)  # as 4.1.4 writes it itself


def _matching(pattern: str, expected: str) -> Key:
    def read(value: Any) -> str:
        if not re.fullmatch(pattern, _text(value)):
            raise ValueError
        return str(value)

    return Key(expected, read)


def _words(*names: str) -> Key:
    """Words that stand for 0, 1, 2 ...: written as numbers, the only form that every version reads."""

    def read(value: Any) -> int:
        if isinstance(value, str) and value in names:
            return names.index(value)
        return int(_whole(0, len(names) - 1).read(value))  # type: ignore[arg-type]

    return Key("one of " + ", ".join(names), read)


def _mask(value: Any) -> int:
    # As a number: text becomes 0 on 3.00, and every file world-writable.
    mask = int(value, 8) if isinstance(value, str) else int(_whole(0, 0o777).read(value))  # type: ignore[arg-type]
    if not 0 <= mask <= 0o777:
        raise ValueError
    return mask


def _address(value: Any) -> str:
    return str(ipaddress.ip_address(_text(value)))


def _optional_address(value: Any) -> str:
    return "" if value == "" else _address(value)


def _networks(value: Any) -> str:
    if isinstance(value, str):
        if "/" in value:
            raise ValueError
        return str(value)
    return whitelist(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError
    return list(value)


FLAG = Key("true or false", _flag)
NUMBER = Key("a number from 0 to 1000000", _decimal)
TEXT = Key("a text", _text)
FOLDER = _matching(r"|/.*", "an absolute path")
PORT = _whole(1, 65535, "a port")
RATE = _whole(0, 4294966, "kB/s")  # more wraps round on 3.00
COUNT = _whole(0, 65535)  # peers, minutes, queue lengths: more wraps round on 3.00
MINUTE_OF_DAY = _whole(0, 1439, "minutes after midnight")


def _table() -> dict[str, Key]:
    kinds: dict[Key, str] = {
        FLAG: """alt-speed-enabled alt-speed-time-enabled blocklist-enabled dht-enabled download-queue-enabled
            idle-seeding-limit-enabled incomplete-dir-enabled lpd-enabled peer-port-random-on-start pex-enabled
            port-forwarding-enabled queue-stalled-enabled ratio-limit-enabled rename-partial-files
            rpc-authentication-required rpc-enabled rpc-host-whitelist-enabled rpc-whitelist-enabled
            scrape-paused-torrents-enabled script-torrent-done-enabled seed-queue-enabled speed-limit-down-enabled
            speed-limit-up-enabled start-added-torrents trash-original-torrent-files utp-enabled watch-dir-enabled""",
        FLAG._replace(versions="3.00-3.99"): "prefetch-enabled",
        FLAG._replace(versions="4.0-"): """announce-ip-enabled anti-brute-force-enabled script-torrent-added-enabled
            script-torrent-done-seeding-enabled sequential_download start_paused tcp-enabled watch-dir-force-generic""",
        FLAG._replace(versions="4.1.1-"): "torrent_complete_verify_enabled",
        PORT: "peer-port peer-port-random-high peer-port-random-low rpc-port",
        RATE: "alt-speed-down alt-speed-up speed-limit-down speed-limit-up",
        MINUTE_OF_DAY: "alt-speed-time-begin alt-speed-time-end",
        _whole(0, 127, "a sum of days (Sunday 1, Monday 2, ... Saturday 64)"): "alt-speed-time-day",
        COUNT: """download-queue-size idle-seeding-limit peer-limit-global peer-limit-per-torrent queue-stalled-minutes
            seed-queue-size upload-slots-per-torrent""",
        _whole(0, 4096, "MiB"): "cache-size-mb",
        COUNT._replace(versions="4.0-"): "anti-brute-force-threshold reqq sleep-per-seconds-during-verify",
        COUNT._replace(versions="3.00-3.99"): "peer-id-ttl-hours",
        NUMBER: "ratio-limit",
        FOLDER: "download-dir incomplete-dir script-torrent-done-filename watch-dir",
        FOLDER._replace(versions="4.0-"): """pidfile script-torrent-added-filename
            script-torrent-done-seeding-filename""",
        TEXT: "blocklist-url peer-congestion-algorithm rpc-host-whitelist",
        TEXT._replace(versions="4.0-"): "default-trackers",
        Key("a text", _optional_text, "4.0-"): "proxy_url",
        _words("tolerated", "preferred", "required"): "encryption",
        _words("off", "fast", "full"): "preallocation",
        Key("octal text such as '022'", _mask): "umask",
        Key("an IPv4 or IPv6 address without brackets", _address): "rpc-bind-address",
        Key(
            "an IPv4 or IPv6 address without brackets, or ''", _optional_address
        ): "bind-address-ipv4 bind-address-ipv6",
        Key("an IPv4 or IPv6 address", _optional_address, "4.0-"): "announce-ip",
        Key(
            "networks in CIDR form, or a text of the daemon's own patterns (no CIDR there)", _networks
        ): "rpc-whitelist",
        _matching(r"/(.*/)?", "a path that begins and ends with '/'"): "rpc-url",
        _matching(r"[^:]+", "a name without ':' (who has one can never log in)"): "rpc-username",
        _matching(r"0[0-7]{3}", "octal text such as '0750'")._replace(versions="4.0-"): "rpc-socket-mode",
        _matching(
            r"lowcost|throughput|lowdelay|default|le", "one of lowcost, throughput, lowdelay, default, le"
        ): "peer-socket-tos",
        _matching(r"fast|full", "one of fast, full")._replace(versions="4.0-"): "torrent-added-verify-mode",
        _matching(r"utp|tcp", "one of utp, tcp")._replace(versions="4.1-4.1.0"): "preferred_transport",
        Key("a list of utp, tcp", _list, "4.1.1-"): "preferred_transports",
    }
    return {name: key for key, names in kinds.items() for name in names.split()}


KEYS = _table()

# What the role decides itself, or what the daemon overwrites: never a setting of one's own.
REFUSED = {
    "message-level": "the unit's command line decides the log level",
    "rpc-password": "set transmission_rpc_password",
    "rpc-authentication-required": "the daemon of a lab always asks for a password",
    "rpc-enabled": "without its RPC nobody can give the daemon torrents",
}

_BY_KEBAB = {name.replace("_", "-"): name for name in KEYS}


def canonical(name: str) -> str:
    """Return the spelling that every version reads, of a key written in kebab-case or snake_case."""
    kebab = str(name).replace("_", "-")
    return _BY_KEBAB.get(kebab, kebab if kebab in REFUSED else str(name))


def native(name: str, value: Any) -> Value:
    """Return the value with the one JSON type that every version reads. An unknown key's value passes as it is."""
    key = KEYS.get(canonical(name))
    if key is None:
        return value  # type: ignore[no-any-return]
    try:
        return key.read(value)
    except SeedbedError as error:
        raise SettingError(name, value, f"{key.expected} ({error})") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise SettingError(name, value, key.expected) from error


def unread_keys(names: Iterable[str], version: Version) -> list[str]:
    """Return those of the keys that a daemon of this version does not read."""

    def reads(key: Key) -> bool:
        first, _dash, last = key.versions.partition("-")
        return _numbers(first) <= version and (not last or version[: len(_numbers(last))] <= _numbers(last))

    return sorted(name for name in names if name in KEYS and not reads(KEYS[name]))


def _numbers(text: str) -> Version:
    return tuple(int(part) for part in text.split("."))


def setting_faults(own: Mapping[str, Any], variables: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what is wrong, a sentence each.

    variables: the keys that each variable sets; own: the open dict.
    """
    found = []
    for variable, keys in variables.items():
        sentences = dict.fromkeys(_fault(key, value) for key, value in keys.items())
        found += [f"{variable} {fault}" for fault in sentences if fault]
    owners = {key: variable for variable, keys in variables.items() for key in keys}
    found += _range_fault(variables, owners)
    seen: dict[str, str] = {}
    for name, value in own.items():
        key = canonical(name)
        fault = _own_fault(key, value, owners)
        if key in seen:
            fault = f"is the same key as {seen[key]}; keep one of them"
        if fault:
            found.append(f"transmission_settings.{name} {fault}")
        seen[key] = name
    return found


def _range_fault(variables: Mapping[str, Mapping[str, Any]], owners: Mapping[str, str]) -> list[str]:
    values = {key: value for keys in variables.values() for key, value in keys.items()}
    low, high = values.get("peer-port-random-low"), values.get("peer-port-random-high")
    if low is None or high is None or _fault("peer-port", low) or _fault("peer-port", high) or int(low) <= int(high):
        return []
    # 3.00 then draws ports outside of both.
    return [f"{owners['peer-port-random-high']} is {high}, expected at least {owners['peer-port-random-low']}, {low}"]


def _own_fault(key: str, value: Any, owners: Mapping[str, str]) -> str:
    if key in owners:
        return f"has a variable of its own; set {owners[key]}"
    if key in REFUSED:
        return f"cannot be set here: {REFUSED[key]}"
    if key in KEYS:
        return _fault(key, value)
    near = difflib.get_close_matches(key.replace("_", "-").lower(), _BY_KEBAB, n=1, cutoff=0.8)
    # Other names may be keys of a version that is newer than this table.
    return f"is no setting; did you mean {_BY_KEBAB[near[0]]}?" if near else ""


def _fault(key: str, value: Any) -> str:
    try:
        native(key, value)
    except SettingError as error:
        return str(error)
    return ""
