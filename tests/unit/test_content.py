"""Synthetic content: the same bytes everywhere, any range alone, no block twice."""

from __future__ import annotations

import hashlib
import struct
import zlib

from ansible.module_utils.seedbed.payload import content
from hypothesis import given, settings
from hypothesis import strategies as st

KEY = content.file_key("seed", ("dir", "file"))
SAMPLE = content.read(KEY, 0, 3 * content.GROUP_BYTES // 2)


def test_the_format_has_not_drifted() -> None:
    # A change here changes every info hash of every lab: it needs a new content.FORMAT.
    assert KEY.hex() == "89bf101f79fba37e"
    assert hashlib.sha256(SAMPLE).hexdigest() == "4b09965530e66e19f32b81183ef8bddff8af445803c54fd35eac31862dd1be95"


def documented(seed: str, path: str, blocks: int) -> bytes:
    """The content as docs/catalogue.md describes it to a second implementation, step by step and nothing shared."""

    def xof(purpose: str, data: bytes, size: int) -> bytes:
        return hashlib.shake_128(f"seedbed-content-1/{purpose}/".encode() + data).digest(size)

    stream = xof("rows", b"", 256 * 16368)
    rows = [stream[16368 * number : 16368 * (number + 1)] for number in range(256)]
    words = struct.unpack("<65792I", xof("boxes", b"", 257 * 256 * 4))
    boxes = [sorted(range(256), key=lambda value, n=n: words[256 * n + value]) for n in range(257)]  # type: ignore[misc]
    seed_key = hashlib.blake2b(f"seedbed-content-1/seed/{seed}".encode(), digest_size=32).digest()
    file_key = hashlib.blake2b(path.encode(), digest_size=8, key=seed_key).digest()
    made = bytearray()
    for number in range(blocks):
        choices = xof("group", file_key + struct.pack("<Q", number // 64), 320)
        row, a, b, c, d = choices[5 * (number % 64) :][:5]
        made += bytes(boxes[256][byte] for byte in file_key + struct.pack("<Q", number))
        made += bytes(boxes[d][boxes[c][boxes[b][boxes[a][byte]]]] for byte in rows[row])
    return bytes(made)


def test_a_second_implementation_makes_the_same_bytes() -> None:
    assert documented("seed", "dir/file", 66) == SAMPLE[: 66 * content.BLOCK]


@settings(max_examples=60)
@given(st.integers(0, len(SAMPLE)), st.integers(0, 200_000))
def test_any_range_can_be_read_alone(offset: int, length: int) -> None:
    length = min(length, len(SAMPLE) - offset)
    assert content.read(KEY, offset, length) == SAMPLE[offset : offset + length]


def test_no_two_blocks_are_equal() -> None:
    blocks = [SAMPLE[at : at + content.BLOCK] for at in range(0, len(SAMPLE), content.BLOCK)]
    bodies = {block[content.STAMP :] for block in blocks}
    assert len(set(blocks)) == len(bodies) == len(blocks)


def test_it_does_not_compress() -> None:
    assert len(zlib.compress(SAMPLE, 9)) > 0.999 * len(SAMPLE)


def test_seed_and_path_both_matter() -> None:
    keys = {content.file_key(seed, path) for seed in ("a", "b") for path in ((), ("x",), ("x", "y"), ("x/y",))}
    assert len(keys) == 6  # a slash cannot be in a component, so x/y is the path x, y


def test_a_block_tells_where_it_belongs() -> None:
    block = SAMPLE[70 * content.BLOCK : 71 * content.BLOCK]
    assert content.decode_stamp(block) == (KEY, 70)


def test_far_offsets_beyond_32_bits() -> None:
    block = content.read(KEY, 2**45, content.BLOCK)
    assert content.decode_stamp(block) == (KEY, 2**45 // content.BLOCK)
