"""Bencode: what it reads, what it refuses, and at which byte."""

from __future__ import annotations

import pytest
from ansible.module_utils.seedbed.torrent.bencode import (
    BencodeError,
    BencodeTypeError,
    decode,
    decode_head,
    decode_spans,
    encode,
)
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.binary(max_size=8), inner, max_size=5),
    max_leaves=30,
)


@given(VALUES)
def test_what_was_encoded_is_decoded(value: object) -> None:
    assert decode(encode(value)) == value


@given(VALUES, st.binary(max_size=20))
def test_what_data_begins_with_is_read_whatever_follows(value: object, more: bytes) -> None:
    raw = encode(value)
    assert decode_head(raw + more)[::2] == (value, len(raw))
    assert decode_head(raw).spans == decode_spans(raw)[1]


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_value_or_an_error(data: bytes) -> None:
    try:
        value = decode(data)
    except BencodeError as error:
        assert 0 <= error.offset <= len(data)
    else:
        assert encode(value) == data


@given(VALUES, st.data())
def test_damaged_data_never_crashes(value: object, data: st.DataObject) -> None:
    raw = bytearray(encode(value))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(raw), strict=False)
    except BencodeError as error:
        assert 0 <= error.offset <= len(raw)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "data ends too early at byte 0"),
        (b"i1", "integer without an end at byte 0"),
        (b"ie", "integer is not a number at byte 1"),
        (b"i-0e", "integer has a leading zero at byte 1"),
        (b"i01e", "integer has a leading zero at byte 1"),
        (b"i1_0e", "integer is not a number at byte 1"),
        (b"i" + b"9" * 5000 + b"e", "integer of more than 20 digits at byte 0"),
        (b"4:abc", "string of 4 bytes, but only 3 follow, at byte 0"),
        (b"99999999999999999999:x", "string of 99999999999999999999 bytes, but only 1 follow, at byte 0"),
        (b"1", "string length without a colon at byte 0"),
        (b"1x", "string length without a colon at byte 0"),
        (b"-1:a", "unexpected byte 0x2d at byte 0"),
        (b"l", "data ends too early at byte 1"),
        (b"di1ei2ee", "dictionary key is not a string at byte 1"),
        (b"d1:ae", "key without a value at byte 4"),
        (b"d1:bi1e1:ai1ee", "key b'a' out of order at byte 7"),
        (b"d1:ai1e1:ai1ee", "duplicate key b'a' at byte 7"),
        (b"i1ei2e", "3 more bytes after the end at byte 3"),
        (b"x", "unexpected byte 0x78 at byte 0"),
        (b"e", "unexpected byte 0x65 at byte 0"),
        (b"l" * 100, "nested deeper than 99 at byte 99"),
    ],
)
def test_errors_name_the_byte(data: bytes, message: str) -> None:
    with pytest.raises(BencodeError) as caught:
        decode(data)
    assert str(caught.value) == message


def test_a_million_brackets_end_at_once() -> None:
    with pytest.raises(BencodeError, match="nested deeper than 99 at byte 99"):
        decode(b"l" * 1_000_000)


def test_more_bytes_than_allowed_are_not_read() -> None:
    with pytest.raises(BencodeError, match="6 bytes are more than the 5 that are read, at byte 5"):
        decode(b"4:abcd", max_size=5)


def test_a_bomb_of_small_values_is_given_up() -> None:
    with pytest.raises(BencodeError, match="more than 4194304 values, keys and ends at byte 4194304"):
        decode(b"l" + b"le" * 5_000_000 + b"e")


def test_unsorted_keys_are_read_when_asked() -> None:
    assert decode(b"d1:bi1e1:ai2ee", strict=False) == {b"a": 2, b"b": 1}


def test_spans_tell_where_the_values_of_the_outermost_dictionary_lie() -> None:
    data = b"d1:ai1e4:infod1:xl1:yee1:zi2ee"
    _value, spans = decode_spans(data)
    assert {key: data[start:end] for key, (start, end) in spans.items()} == {
        b"a": b"i1e",
        b"info": b"d1:xl1:yee",
        b"z": b"i2e",
    }


@pytest.mark.parametrize("value", [1.5, None, True, {1: 2}, [object()]])
def test_values_without_a_form_are_refused(value: object) -> None:
    with pytest.raises(BencodeTypeError, match="cannot bencode"):
        encode(value)


def test_keys_are_sorted_as_raw_bytes() -> None:
    assert encode({"é": 1, "z": 2, b"\xff": 3}) == b"d1:zi2e2:\xc3\xa9i1e1:\xffi3ee"
