"""What of a torrent a web seed is asked for: as few files as a piece lies in, or a small file."""

from __future__ import annotations

import base64
from bisect import bisect_right
from itertools import accumulate
from typing import Any, Mapping, Sequence

from ansible.module_utils.seedbed.torrent.model import StreamFile, TorrentInfo, WebRange, WebSample

MAX_RANGES = 8
MAX_FILE = 4 * 1024 * 1024
HEAD_BYTES = 16384  # of a file that is too large to be read whole


def piece_sample(info: TorrentInfo, stream: Sequence[StreamFile]) -> WebSample | None:
    """Return a piece of a torrent that lies in the fewest files; None for a torrent without bytes."""
    length = info["piece_length"]
    starts = [0, *accumulate(file["length"] for file in stream)]
    total = starts[-1]
    hashes = base64.b64decode(info["piece_hashes"])
    if not total or len(hashes) != 20 * -(-total // length):
        return None
    wanted = {0} | {-(-start // length) for start in starts[:-1]}
    pieces = [index for index in sorted(wanted) if index * length < total]
    best = min(pieces, key=lambda index: _files_in(starts, index * length, min(total, (index + 1) * length)))
    begin, end = best * length, min(total, (best + 1) * length)
    ranges = _ranges(stream, starts, begin, end)
    if len(ranges) > MAX_RANGES or all(part["pad"] for part in ranges):
        return _head_sample(info["name"], info["single_file"], stream)
    return {
        "single_file": info["single_file"],
        "name": info["name"],
        "ranges": ranges,
        "digest": "sha1",
        "hash": hashes[20 * best : 20 * best + 20].hex(),
        "what": f"piece {best}",
    }


def _files_in(starts: Sequence[int], begin: int, end: int) -> int:
    return bisect_right(starts, end - 1) - bisect_right(starts, begin)


def _ranges(stream: Sequence[StreamFile], starts: Sequence[int], begin: int, end: int) -> list[WebRange]:
    found: list[WebRange] = []
    for number in range(bisect_right(starts, begin) - 1, len(stream)):
        first, last = max(begin, starts[number]), min(end, starts[number + 1])
        if starts[number] >= end or len(found) > MAX_RANGES:
            break
        if first < last:
            file = stream[number]
            found.append({"path": file["path"], "length": file["length"], "offset": first - starts[number],
                          "size": last - first, "pad": file["pad"]})  # fmt: skip
    return found


def _head_sample(name: str, single_file: bool, stream: Sequence[StreamFile]) -> WebSample | None:
    """Return the beginning of a file, which can be asked for and compared with nothing."""
    file = next((file for file in stream if file["length"] and not file["pad"]), None)
    if file is None:
        return None
    size = min(file["length"], HEAD_BYTES)
    part: WebRange = {"path": file["path"], "length": file["length"], "offset": 0, "size": size, "pad": False}
    return {"single_file": single_file, "name": name, "ranges": [part], "digest": "sha1", "hash": "", "what": ""}


def file_sample(item: Mapping[str, Any]) -> WebSample | None:
    """Return a small file of a catalogue's item, which has checksums of files and none of pieces."""
    files = [file for file in item["files"] if file["length"]]
    if not files:
        return None
    file = min(files, key=lambda entry: int(entry["length"]))
    path = [] if item["single_file"] else str(file["path"]).split("/")
    stream: list[StreamFile] = [{"path": path, "length": int(file["length"]), "pad": False}]
    sample = _head_sample(str(item["name"]), bool(item["single_file"]), stream)
    if sample and file["length"] <= MAX_FILE and file["sha256"]:
        sample["ranges"][0]["size"] = file["length"]
        sample["digest"], sample["hash"], sample["what"] = "sha256", str(file["sha256"]), str(file["path"])
    return sample
