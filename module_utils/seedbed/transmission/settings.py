"""Transmission's settings.json as data: read strictly, compared by meaning, merged without loss, written whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
import string
from typing import Any, Dict, Mapping, NamedTuple, NoReturn

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.files import read_file, write_atomically
from ansible.module_utils.seedbed.base.users import UserError, user_ids
from ansible.module_utils.seedbed.transmission.keys import Version, canonical, native

DaemonSettings = Dict[str, Any]

SALT_LENGTH = 16
SALT_LETTERS = string.ascii_letters + string.digits
HIDDEN = "(hidden)"
# What a word, number or escape of JSON begins with.
BEGUN = re.compile(r"(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|-|\.|[eE][-+]?|\\|\\?u?[0-9a-fA-F]{0,4})?")


class PasswordError(SeedbedError):
    """A password or salt that cannot be stored so that the daemon takes it."""


class BrokenSettings(SeedbedError):
    """A settings file that the daemon would misread or replace by its defaults; `path` and `line` say where.

    cut_off: it ends, or its content does, before it is whole, as what was written when power or space ran out.
    """

    def __init__(self, path: str, line: int, why: str, *, cut_off: bool = False) -> None:
        super().__init__(
            f"{path}, line {line}: {why}. Repair the file, or move it away and run again (the daemon then starts with "
            "the wanted settings and its defaults). Nothing was changed: on such a file the daemon would start without "
            "a password, on all addresses."
        )
        self.path, self.line, self.cut_off = path, line, cut_off


class ForeignLink(SeedbedError):
    """A link in the daemon's own directory that the daemon's user may have laid to mislead root."""


# --- the password


def stored_password(password: str, salt: str | None = None) -> str:
    """Return the form in which every version keeps and accepts a password: '{', SHA-1 of password and salt, salt."""
    if not password:
        raise PasswordError("the password is empty: the daemon would let everyone in who knows the user name")
    if salt is None:
        salt = "".join(secrets.choice(SALT_LETTERS) for _ in range(SALT_LENGTH))
    if not 8 <= len(salt) <= 16 or not set(salt) <= set(SALT_LETTERS):
        raise PasswordError(f"the salt is {salt!r}, expected 8 to 16 letters and digits")
    return "{" + hashlib.sha1((password + salt).encode()).hexdigest() + salt


def password_matches(stored: object, password: str) -> bool:
    """Return whether the daemon, holding this stored form, lets this password in."""
    if not isinstance(stored, str) or not stored.startswith("{") or len(stored) < 41:
        return False
    digest = hashlib.sha1((password + stored[41:]).encode()).hexdigest()
    return secrets.compare_digest(digest, stored[1:41])


# --- reading and writing


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def parse_settings(content: bytes, path: str) -> DaemonSettings:
    """Return the settings in a file's content; stricter than the daemon, which overwrites what it cannot read."""
    try:
        # utf-8-sig: 4.1 accepts a byte order mark, 3.00 refuses to start on it; what is written has none.
        settings = json.loads(content.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        cut_off = not content[error.end :].strip(b"\0")
        raise BrokenSettings(path, line, f"byte 0x{content[error.start]:02x} is not UTF-8", cut_off=cut_off) from error
    except json.JSONDecodeError as error:
        # A file system may have kept the length of what was not written, as zeros.
        rest = error.doc.rstrip("\0 \t\r\n")[error.pos :]
        cut_off = error.msg.startswith("Unterminated string") or bool(BEGUN.fullmatch(rest))
        raise BrokenSettings(path, error.lineno, f"{error.msg} (column {error.colno})", cut_off=cut_off) from error
    except ValueError as error:
        raise BrokenSettings(path, 1, str(error)) from error
    if not isinstance(settings, dict):
        raise BrokenSettings(path, 1, f"expected a JSON object, got {type(settings).__name__}")
    return settings


def read_trusted(path: str) -> bytes | None:
    """Return the file's content, None when there is none; refuse a link that may mislead root."""
    return read_file(_real(path))


def _real(path: str) -> str:
    """Return where the file lies: an administrator's link is followed, and stays one."""
    with contextlib.suppress(FileNotFoundError):
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode) and status.st_uid not in (0, os.geteuid()):
            raise ForeignLink(
                f"{path} is a symbolic link to {os.readlink(path)}, made by user {status.st_uid}; remove it, "
                "or make it root's if it belongs there"
            )
    return os.path.realpath(path)


def load_settings(path: str) -> DaemonSettings:
    """Return the settings of a file; none when it does not exist."""
    content = read_trusted(path)
    return {} if content is None else parse_settings(content, path)


def load_whole_settings(path: str) -> tuple[DaemonSettings, str]:
    """Return the settings of a file, and of one that was cut off none and where; any other broken file is refused."""
    try:
        return load_settings(path), ""
    except BrokenSettings as error:
        if not error.cut_off:
            raise
        return {}, f"{path} ends before it is whole, in line {error.line}"


def render_settings(settings: DaemonSettings) -> bytes:
    """Return the file as 3.00 writes it itself: sorted, four spaces, ASCII."""
    return (json.dumps(settings, indent=4, sort_keys=True) + "\n").encode()


def write_trusted(path: str, content: bytes, uid: int, gid: int, mode: int = 0o600) -> None:
    """Replace the file in one step; refuse a link that may mislead root."""
    write_atomically(_real(path), content, mode=mode, owner=(uid, gid), durable=True)


def access_fault(path: str, owner: str, umask: Any) -> str:
    """Return why the daemon, or somebody else, has the wrong access to its file; umask: the daemon's setting.

    A file that it cannot read lets 4.1 start without a password, and 3.00 not at all. Whatever was granted to others,
    each version writes the file with its own mode at its exit: 0600, or what the umask leaves.
    """
    try:
        status = os.stat(_real(path))
        uid = user_ids(owner)[0]
    except (FileNotFoundError, NotADirectoryError, UserError):
        return ""  # it is made with the right ones
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != uid:
        whose = f"{path} belongs to user {status.st_uid} with mode {mode:04o}"
        return f"{whose}; it shall be {owner}'s, who runs the daemon"
    wanted = 0o600 | 0o666 & ~_mask(umask)
    if mode & 0o600 != 0o600:
        return f"{path} has mode {mode:04o}: {owner}, who runs the daemon, cannot both read and write it"
    if mode & ~wanted:
        return f"{path} has mode {mode:04o}, which grants more than the daemon itself would, {wanted:04o}"
    return ""


def _mask(umask: Any) -> int:
    try:
        return int(umask, 8) if isinstance(umask, str) else int(umask)
    except (TypeError, ValueError):
        return 0


# --- comparing and merging


def same_setting(key: str, current: Any, wanted: Any, version: Version) -> bool:
    """Return whether the daemon, reading `current`, behaves as with `wanted`."""
    if key == "umask" and isinstance(current, str):
        # 4.x writes octal text; 3.00 reads any text as 0.
        return bool(version >= (4,) and re.fullmatch("[0-7]+", current) and int(current, 8) == int(wanted))
    if key == "ratio-limit" and _is_number(current):
        # 3.00 cuts to four decimals at each start, and some values drift down a little each time.
        return bool(abs(current - wanted) < 0.005)
    if key == "peer-socket-tos" and [current, wanted] in (["default", "le"], ["le", "default"]):
        return True  # what 3.00 and 4.1 call their own; each takes the other's for it, and writes its own
    if key == "proxy_url":
        return bool((current or "") == (wanted or ""))
    if _is_number(current) and _is_number(wanted):
        return bool(current == wanted)
    return type(current) is type(wanted) and bool(current == wanted)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def native_settings(wanted: Mapping[str, Any]) -> DaemonSettings:
    """Return the wanted settings in native types and canonical spelling, without what the daemon rewrites at will."""
    settings = {canonical(key): native(key, value) for key, value in wanted.items()}
    address = settings.get("rpc-bind-address", "::")
    if address not in ("0.0.0.0", "::") and not isinstance(wanted.get("rpc-whitelist", ""), str):
        # A connection from the host itself then comes from that address, not from loopback.
        settings["rpc-whitelist"] = f"{settings['rpc-whitelist']},{address}"
    if settings.get("peer-port-random-on-start"):
        settings.pop("peer-port", None)  # 3.00 writes the drawn port here
    if settings.get("alt-speed-time-enabled"):
        settings.pop("alt-speed-enabled", None)  # the schedule switches it
    return settings


class SettingChange(NamedTuple):
    """One key before and after; a key that is not there is None."""

    key: str
    before: Any
    after: Any


def merge_settings(
    current: DaemonSettings, wanted: DaemonSettings, password: str | None, version: Version
) -> tuple[DaemonSettings, list[SettingChange]]:
    """Return the settings to write, and what differs; keys that nobody asked for stay as they are."""
    new = dict(current)
    for key, value in wanted.items():
        if key not in current or not same_setting(key, current[key], value, version):
            new[key] = value
    if password is not None and not password_matches(current.get("rpc-password"), password):
        new["rpc-password"] = stored_password(password)
    for key in _overriding(current, wanted):
        del new[key]
    keys = [
        key
        for key in sorted({**current, **new})
        if key not in current or key not in new or current[key] is not new[key]
    ]
    return new, [SettingChange(key, _shown(key, current.get(key)), _shown(key, new.get(key))) for key in keys]


def _overriding(current: DaemonSettings, wanted: DaemonSettings) -> list[str]:
    """Return the keys in the file that win over wanted ones: snake_case twins of kebab-case keys, from 4.1.4 on."""
    twins = [key.replace("-", "_") for key in wanted if "-" in key]
    if {"utp-enabled", "tcp-enabled"} & set(wanted) and "preferred_transports" not in wanted:
        twins.append("preferred_transports")
    if "rpc-username" in wanted:
        twins.append("rpc_password")
    return [key for key in twins if key in current]


def _shown(key: str, value: Any) -> Any:
    """Return what may stand in a diff: no password, and no credentials inside a URL."""
    if value is not None and key.replace("_", "-") == "rpc-password":
        return HIDDEN
    return re.sub(r"(?<=://)[^/?#\s]*(?=@)", HIDDEN, value) if isinstance(value, str) else value


# RPC calls some settings by other names, and encryption by words.
_RPC_NAMES = {"ratio-limit": "seedRatioLimit", "ratio-limit-enabled": "seedRatioLimited"}


def drifted_settings(session: Mapping[str, Any], wanted: DaemonSettings, version: Version) -> list[SettingChange]:
    """Return what the running daemon holds otherwise, because someone changed it over RPC after its start."""
    changes = []
    for key, value in wanted.items():
        name = _RPC_NAMES.get(key, key)
        if name in session and not same_setting(key, _live(key, session[name]), value, version):
            changes.append(SettingChange(key, _shown(key, _live(key, session[name])), _shown(key, value)))
    return changes


def _live(key: str, value: Any) -> Any:
    return native(key, value) if key == "encryption" else value
