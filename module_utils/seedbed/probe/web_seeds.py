"""Ask web seeds (BEP 19) as clients do: HEAD, and one range that is compared with what the torrent says."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Sequence
from urllib.parse import quote, urlsplit

from ansible.module_utils.seedbed.base.net import Deadline, NetError
from ansible.module_utils.seedbed.probe.http_question import Answer, HttpRequest, ask_http
from ansible.module_utils.seedbed.torrent.credentials import without_password
from ansible.module_utils.seedbed.torrent.model import Subject, WebRange, WebSample, WebSeedAnswer

MAX_WEB_SEEDS = 20  # of one torrent


class WebOptions(NamedTuple):
    """How to ask; the same for all of one call."""

    timeout: float = 5.0
    range_timeout: float = 25.0
    workers: int = 64


def ask_web_seeds(subjects: Sequence[Subject], options: WebOptions) -> list[WebSeedAnswer]:
    """Return what the web seeds of the torrents answer, asked side by side; nothing of torrents without a sample."""
    questions = [
        (subject["info_hash"], url, sample)
        for subject in subjects
        for sample in [subject.get("sample")]
        if sample
        for url in list(dict.fromkeys(subject.get("webseeds") or []))[:MAX_WEB_SEEDS]
    ]
    if not questions:
        return []
    with ThreadPoolExecutor(min(options.workers, len(questions))) as pool:
        return list(pool.map(lambda question: ask_web_seed(*question, options=options), questions))


def ask_web_seed(info_hash: str, url: str, sample: WebSample, *, options: WebOptions) -> WebSeedAnswer:
    """Return what one web seed answers; what is wrong with it is a reason, never an exception."""
    started = time.monotonic()
    result: WebSeedAnswer = {
        "url": without_password(url),
        "info_hash": info_hash,
        "ok": False,
        "reason": "",
        "message": "",
        "compared": "",
        "remarks": [],
    }
    try:
        base = _checked(url)
        first = next(part for part in sample["ranges"] if not part["pad"])
        _ask_head(file_url(base, sample, first["path"]), first, options, result)
        data = b"".join(_fetch(base, sample, part, options, result) for part in sample["ranges"])
        if sample["hash"]:
            if hashlib.new(sample["digest"], data).hexdigest() != sample["hash"]:
                raise NetError("wrong_hash", f"{sample['what']} is not the torrent's: damaged or other content")
            result["compared"] = sample["what"]
        result["ok"] = True
    except NetError as error:
        result["reason"], result["message"] = error.reason, str(error)
    result["seconds"] = round(time.monotonic() - started, 3)
    return result


def file_url(base: str, sample: WebSample, path: Sequence[str]) -> str:
    """Return where a file lies: below a directory under the torrent's own names, or at the address itself."""
    if sample["single_file"] and not base.endswith("/"):
        return base
    names = [sample["name"], *path]
    return base.rstrip("/") + "/" + "/".join(quote(name, safe="") for name in names)


def _checked(url: str) -> str:
    shown = repr(without_password(url))
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError:
        raise NetError("bad_url", f"{shown} is no web address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NetError("bad_url", f"{shown} is no http or https address, which the doctor asks alone")
    return url.strip()


def _ask_head(url: str, part: WebRange, options: WebOptions, result: WebSeedAnswer) -> None:
    """See that the file is as long as the torrent says; where there is no HEAD, the range alone tells."""
    answer = ask_http(url, "any", Deadline(options.timeout), HttpRequest("HEAD", {}, unpack=False))
    result["remarks"] += answer.remarks
    if answer.status != 200:
        result["remarks"].append(f"it answers HEAD with HTTP status {answer.status}; clients ask for ranges alone")
        return
    length = answer.headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) != part["length"]:
        name = "/".join(part["path"]) or "the file"
        raise NetError("wrong_length", f"{name} has {length[:20]} bytes there, and {part['length']} in the torrent")


def _fetch(base: str, sample: WebSample, part: WebRange, options: WebOptions, result: WebSeedAnswer) -> bytes:
    first, size = part["offset"], part["size"]
    if part["pad"]:
        return bytes(size)
    url = file_url(base, sample, part["path"])
    headers = {"Range": f"bytes={first}-{first + size - 1}"}
    try:
        answer = ask_http(
            url, "any", Deadline(options.range_timeout), HttpRequest(headers=headers, max_body=size, unpack=False)
        )
    except NetError as error:
        if error.reason != "too_long":
            raise
        raise NetError("no_range", "it sends more than the range that was asked for: clients need ranges") from error
    if answer.status == 200 and size == part["length"]:
        oddity = "it answers a range with the whole file (HTTP status 200); Transmission does not take that"
        if oddity not in result["remarks"]:
            result["remarks"].append(oddity)
    elif answer.status == 200:
        raise NetError("no_range", "it answers a range with HTTP status 200, not 206: clients need ranges")
    elif answer.status != 206:
        raise _status(answer, url)
    if len(answer.body) != size:
        raise NetError("wrong_length", f"{len(answer.body)} bytes came of a range of {size}")
    return answer.body


def _status(answer: Answer, url: str) -> NetError:
    return NetError("http_status", f"HTTP status {answer.status} for {urlsplit(url).path or '/'}")
