"""RC4 by OpenSSL where it is, which is 250 times as fast as Python's own arithmetic."""

from __future__ import annotations

import ctypes
from typing import Any, Union

from ansible.module_utils.seedbed.probe.peer_encryption import Rc4

# Python itself is linked to one of them; asking the linker for the name would start a process.
_LIBRARIES = ("libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so")
_STATE_BYTES = 4096  # RC4_KEY has 258 integers
_SKIPPED = 1024


def _load() -> Any | None:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            library.RC4_set_key.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
            library.RC4.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
        except (OSError, AttributeError):  # not there, or built without RC4
            continue
        library.RC4_set_key.restype = library.RC4.restype = None
        return library
    return None


_LIBRARY = _load()


class LibraryRc4:
    """The stream cipher by OpenSSL, its first 1024 bytes dropped as the protocol demands."""

    def __init__(self, library: Any, key: bytes) -> None:
        self._library = library
        self._state = ctypes.create_string_buffer(_STATE_BYTES)
        self._address = ctypes.addressof(self._state)
        library.RC4_set_key(self._address, len(key), key)
        self.crypt(bytes(_SKIPPED))

    def crypt(self, data: bytes) -> bytes:
        """Encrypt or decrypt what comes next in the stream."""
        if not data:
            return b""
        out = bytearray(data)
        place = ctypes.addressof(ctypes.c_char.from_buffer(out))
        self._library.RC4(self._address, len(out), place, place)
        return bytes(out)


Cipher = Union[LibraryRc4, Rc4]


def _library_works() -> bool:
    """A build may have the functions and refuse to work: then Python's own has to do."""
    sample, key = bytes(64), b"a key of the test"
    return _LIBRARY is not None and LibraryRc4(_LIBRARY, key).crypt(sample) == Rc4(key).crypt(sample)


USES_LIBRARY = _library_works()


def cipher(key: bytes) -> Cipher:
    """Return a cipher at the start of its stream."""
    return LibraryRc4(_LIBRARY, key) if USES_LIBRARY else Rc4(key)
