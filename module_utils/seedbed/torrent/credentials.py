"""User names and passwords inside of URLs: never shown."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

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
