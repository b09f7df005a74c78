"""The answers of scripted web seeds (BEP 19)."""

from __future__ import annotations

import re
from typing import Callable
from urllib.parse import unquote

from ansible.module_utils.seedbed.scripted.http_talk import Body, Question, Reply
from ansible.module_utils.seedbed.scripted.link import Buffer
from ansible.module_utils.seedbed.scripted.messages import BLOCK
from ansible.module_utils.seedbed.scripted.served import ServedFile, ServedTorrent
from ansible.module_utils.seedbed.scripted.vocabulary import is_picked, next_hop
from ansible.module_utils.seedbed.scripted.webseed_script import WebseedScript

_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{0,19})")
_HTML = b"<!DOCTYPE html><title>Welcome</title><p>Please accept the terms to use this network."


def find_file(torrent: ServedTorrent, path: str) -> ServedFile | None:
    """Return the file that a path below the web seed names: the torrent's name, and the file's path in it."""
    parts = [unquote(part) for part in path.split("/")]
    for file in torrent.files:
        if [torrent.name, *file.path] == parts:
            return file
    return None


def webseed_reply(question: Question, rest: str, torrent: ServedTorrent, script: WebseedScript, asked: int) -> Reply:
    """Return the answer to a request for a file; ``rest`` is the path behind the torrent's hash."""
    hop = re.match(r"hop(\d{1,4})/", rest)
    number = int(hop.group(1)) if hop else 0
    rest = rest[hop.end() :] if hop else rest
    next_number = next_hop(number, script.redirects)
    if next_number:
        before = question.path[: len(question.path) - len(rest) - (len(hop.group(0)) if hop else 0)]
        return Reply(302, [("Location", f"{before}hop{next_number}/{rest}")])
    if script.times and asked > script.times:
        script = script._replace(status=200, answer="right", retry_after=0.0)
    if script.answer == "mute":
        return Reply(status=0)
    if script.status != 200:
        retry = [("Retry-After", f"{script.retry_after:.0f}")] if script.retry_after else []
        return Reply(script.status, retry, b"by script", delay=script.delay)
    if script.answer == "html":
        return Reply(200, [("Content-Type", "text/html")], _HTML, delay=script.delay)
    file = find_file(torrent, rest)
    if file is None:
        return Reply(404, body=b"no such file in this torrent")
    return _content(question, torrent, file, script)


def _content(question: Question, torrent: ServedTorrent, file: ServedFile, script: WebseedScript) -> Reply:
    start, end = 0, file.length
    headers = [("Content-Type", "application/octet-stream"), ("Accept-Ranges", "bytes")]
    status = 200
    wanted = _RANGE.fullmatch(question.headers.get("range", ""))
    if wanted and script.ranges != "ignored":
        start = int(wanted.group(1))
        end = min(end, int(wanted.group(2)) + 1) if wanted.group(2) else end
        if start >= end:
            return Reply(416, [("Content-Range", f"bytes */{file.length}")])
        shown = start + BLOCK if script.ranges == "wrong-header" else start
        headers.append(("Content-Range", f"bytes {shown}-{shown + end - start - 1}/{file.length}"))
        status = 206
    body = Body(end - start, _reader(torrent, file.start + start, script), script.upload_limit, script.close_after)
    return Reply(status, headers, stream=body, delay=script.delay)


def _reader(torrent: ServedTorrent, base: int, script: WebseedScript) -> Callable[[int, int], Buffer]:
    def read(offset: int, length: int) -> Buffer:
        data = torrent.stream.read(base + offset, length)
        if script.corrupt == "none":
            return data
        wrong = bytearray(data)
        piece = torrent.piece_length
        for at in range((base + offset) // piece * piece, base + offset + length, piece):
            # Its first byte that is in this part: a piece that comes in several is wrong in each.
            place = max(0, at - base - offset)
            if place < length and is_picked(script.pieces, at // piece):
                wrong[place] ^= 0xFF
        return wrong

    return read
