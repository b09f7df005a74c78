"""What clients make of data that is no bencode by the letter."""

from __future__ import annotations

import hashlib

from ansible.module_utils.seedbed.torrent.bencode import Reading, encode
from ansible.module_utils.seedbed.torrent.notes import Notes

_DEPTH = {"Transmission 4": 31, "aria2": 50}

# Kind: what it is; what clients do where it stands outside of the info dictionary; what they do inside, where that is
# more than taking another info hash.
_KINDS = {
    "order": ("a key out of order", "clients take keys in any order, strict parsers may not", ""),
    "duplicate": (
        "a key that stands there twice",
        "some clients take its first value, others its last",
        "Transmission 4 takes its last value, others the first, and aria2 ends",
    ),
    "zero": ("a number with a leading zero", "Transmission refuses the torrent", "Transmission refuses the torrent"),
    "minus zero": ("the number -0", "clients take it for 0, strict parsers may not", ""),
    "length zero": ("the length of a text with a leading zero", "clients load it, strict parsers may not", ""),
    "sign": (
        "a number with a plus sign or spaces",
        "libtorrent and Transmission 4 refuse the torrent",
        "libtorrent and Transmission 4 refuse the torrent",
    ),
}


def hashed_section(reading: Reading, section: bytes) -> bytes:
    """Return the info dictionary as those who load the torrent hash it.

    libtorrent and Transmission 4 hash its bytes as they stand, Transmission 3.00 and aria2 write it anew.
    """
    start, end = reading.head.spans[b"info"]
    written_anew_alone = any(start <= at < end for at in reading.oddities.get("sign", []))
    return encode(reading.head.value[b"info"]) if written_anew_alone else section


def note_oddities(reading: Reading, section: bytes, notes: Notes) -> None:
    """Note what is odd in the bencode of a file. section: its info dictionary as clients hash it."""
    start, end = reading.head.spans[b"info"]
    for kind, places in reading.oddities.items():
        what, outside, inside = _KINDS[kind]
        for at in places:
            if start <= at < end:
                clients = inside or _other_hash(reading, section)
                notes.add(f"{what} at byte {at}, in the info dictionary", clients, kind=f"{kind} inside", harm=True)
            else:
                notes.add(f"{what} at byte {at}", outside, kind=kind)
    for client, depth in _DEPTH.items():
        if reading.depth > depth:
            notes.add(
                f"{reading.depth} lists and dictionaries in each other",
                f"{client} reads {depth} and refuses the torrent",
                kind=f"depth of {client}",
                harm=True,
            )


def _other_hash(reading: Reading, section: bytes) -> str:
    anew = encode(reading.head.value[b"info"])
    if anew == section:
        return "strict parsers may refuse it"
    return f"Transmission 3.00 and aria2 write it anew: for them the info hash is {hashlib.sha1(anew).hexdigest()}"
