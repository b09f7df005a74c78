"""Bencoded values as JSON and YAML can hold them, and back, without a loss.

Raw bytes that are not UTF-8 become a dictionary of the one key `!binary` with their base64. So does a key, as the text
`!binary:` and its base64, and one that begins like that itself: what the data holds is never taken for such a form.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Mapping

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.text import quoted

MARK = "!binary"


class BinaryFormError(SeedbedError):
    """A value that is marked as base64 and is none."""

    def __init__(self, value: Any) -> None:
        super().__init__(f"{quoted(value)} is marked {MARK}, but is not base64")


def as_text(value: Any) -> Any:
    """Return a decoded value in text alone."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {MARK: base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {_text_key(key): as_text(member) for key, member in value.items()}
    if isinstance(value, list):
        return [as_text(member) for member in value]
    return value


def _text_key(key: bytes) -> str:
    try:
        text = key.decode()
    except UnicodeDecodeError:
        text = MARK
    return f"{MARK}:{base64.b64encode(key).decode()}" if text.startswith(MARK) else text


def from_text(value: Any) -> Any:
    """Return the value whose text form this is."""
    if isinstance(value, Mapping):
        if set(value) == {MARK}:
            return _raw(value[MARK])
        return {_raw_key(key): from_text(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [from_text(member) for member in value]
    return value


def _raw_key(key: Any) -> Any:
    return _raw(key[len(MARK) + 1 :]) if isinstance(key, str) and key.startswith(f"{MARK}:") else key


def _raw(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise BinaryFormError(text) from None
