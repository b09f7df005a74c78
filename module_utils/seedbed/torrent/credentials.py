"""User names and passwords inside of URLs: never shown."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

HIDDEN = "(hidden)"
_USERINFO = re.compile(r"(?<=://)[^/?#\s\"]*@")
# Where no address follows, the password may hold what should have been escaped.
_ANYTHING = re.compile(r"(?<=://)[^\s\"]*@")


def without_password(text: str) -> str:
    """Return a URL, or a text in which URLs stand, without users and passwords."""
    try:
        _ = urlsplit(text).port
    except ValueError:
        return _ANYTHING.sub(f"{HIDDEN}@", text)
    return _USERINFO.sub(f"{HIDDEN}@", text)


def magnet_without_passwords(magnet: str) -> str:
    """Return a magnet whose trackers and web seeds are asked without users and passwords: it is shown to everybody."""
    head, question, query = magnet.partition("?")
    fields = [_field_without_password(field) for field in query.split("&")]
    return head + question + "&".join(fields)


def _field_without_password(field: str) -> str:
    key, _, value = field.partition("=")
    url = unquote(value)
    shown = without_password(url)
    return field if shown == url else f"{key}={quote(shown.replace(f'{HIDDEN}@', ''), safe='')}"
