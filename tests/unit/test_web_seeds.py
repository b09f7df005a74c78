"""Web seeds: asked for HEAD and one range, compared, and judged by; hostile ones end by deadlines."""

from __future__ import annotations

import base64
import hashlib
import select
import socket
from contextlib import suppress
from typing import Any, Callable

import pytest
from ansible.module_utils.seedbed.doctor.choice import torrent_subject
from ansible.module_utils.seedbed.doctor.details import details
from ansible.module_utils.seedbed.doctor.web_samples import file_sample, piece_sample
from ansible.module_utils.seedbed.probe.web_seeds import WebOptions, ask_web_seeds, file_url
from ansible.module_utils.seedbed.torrent import bencode
from doctor_lab import HASH, HTTP, UDP, broken, judge
from hypothesis import given
from hypothesis import strategies as st
from loopback_trackers import raw_server

PATIENT = WebOptions(timeout=60.0, range_timeout=60.0)
CONTENT = bytes(range(256)) * 100
Reply = Callable[[str, str, tuple[int, int] | None], bytes]


def sha1s(content: bytes, length: int) -> str:
    hashes = [hashlib.sha1(content[at : at + length]).digest() for at in range(0, len(content), length)]
    return base64.b64encode(b"".join(hashes)).decode()


def single(content: bytes = CONTENT, length: int = 16384) -> Any:
    info = {"name": "a b", "single_file": True, "piece_length": length, "piece_hashes": sha1s(content, length)}
    return piece_sample(info, [{"path": [], "length": len(content), "pad": False}])  # type: ignore[typeddict-item]


def http(body: bytes, status: str, *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body) if length is None else length}", "", ""]
    return "\r\n".join(lines).encode() + body


def serving(files: dict[str, bytes], asked: list[str] | None = None) -> Reply:
    """A good server."""

    def reply(method: str, path: str, span: tuple[int, int] | None) -> bytes:
        if asked is not None:
            asked.append(f"{method} {path}")
        if path not in files:
            return http(b"", "404 Not Found")
        content = files[path]
        if method == "HEAD":
            return http(b"", "200 OK", length=len(content))
        assert span
        return http(content[span[0] : span[1] + 1], "206 Partial Content")

    return reply


def ask(reply: Reply | None, sample: Any, path: str = "/", url: str = "", options: WebOptions = PATIENT) -> Any:
    def serve(client: socket.socket) -> None:
        head = client.recv(65536).decode("latin-1")
        method, target, _ = head.split(" ", 2)
        ranges = [line.split("=")[1].split("-") for line in head.split("\r\n") if line.startswith("Range:")]
        assert reply
        answer = reply(method, target, (int(ranges[0][0]), int(ranges[0][1])) if ranges else None)
        with suppress(OSError):  # who has enough leaves
            client.sendall(answer)

    with raw_server(serve) as port:
        url = url or f"http://127.0.0.1:{port}{path}"
        [result] = ask_web_seeds([{"info_hash": HASH, "webseeds": [url, url], "sample": sample}], options)
    return result


def test_a_good_one_is_asked_for_one_piece() -> None:
    asked: list[str] = []
    result = ask(serving({"/dir/a%20b": CONTENT}, asked), single(), "/dir/")
    assert (result["ok"], result["compared"], result["remarks"]) == (True, "piece 0", []), result
    assert asked == ["HEAD /dir/a%20b", "GET /dir/a%20b"]
    assert ask(serving({"/file.iso": CONTENT}), single(), "/file.iso")["ok"]


def test_a_piece_that_lies_in_several_files_is_put_together() -> None:
    contents = [b"x" * 10000, b"y" * 4000, b"z" * 3000]
    stream = [{"path": ["d", f"{number}?"], "length": len(content), "pad": False}
              for number, content in enumerate(contents)]  # fmt: skip
    stream.insert(1, {"path": [".pad", "5"], "length": 500, "pad": True})
    whole = contents[0] + bytes(500) + contents[1] + contents[2]
    info = {"name": "n", "single_file": False, "piece_length": 2**20, "piece_hashes": sha1s(whole, 2**20)}
    sample = piece_sample(info, stream)  # type: ignore[typeddict-item, arg-type]
    files = {f"/n/d/{number}%3F": content for number, content in enumerate(contents)}
    for path in ("/", ""):
        assert ask(serving(files), sample, path)["compared"] == "piece 0"
    files["/n/d/2%3F"] = b"Z" * 3000
    assert ask(serving(files), sample)["reason"] == "wrong_hash"


@given(st.lists(st.tuples(st.integers(0, 70), st.booleans()), min_size=1, max_size=12), st.sampled_from([16, 32]))
def test_a_sample_is_a_whole_piece_in_few_files(files: list[tuple[int, bool]], length: int) -> None:
    stream = [{"path": [str(number)], "length": size, "pad": pad} for number, (size, pad) in enumerate(files)]
    contents = [bytes(size) if pad else bytes([number + 1]) * size for number, (size, pad) in enumerate(files)]
    whole = b"".join(contents)
    info = {"name": "n", "single_file": False, "piece_length": length, "piece_hashes": sha1s(whole, length)}
    sample = piece_sample(info, stream)  # type: ignore[typeddict-item, arg-type]
    if not any(size for size, pad in files if not pad):
        assert sample is None
        return
    assert sample and any(not part["pad"] for part in sample["ranges"])
    if sample["hash"]:
        data = b"".join(
            contents[int(part["path"][0])][part["offset"] : part["offset"] + part["size"]] for part in sample["ranges"]
        )
        assert hashlib.sha1(data).hexdigest() == sample["hash"]


def test_an_item_of_the_catalogue_is_compared_by_its_smallest_file() -> None:
    files = [{"path": "big", "length": 9000, "sha256": "x"}, {"path": "no", "length": 0, "sha256": ""},
             {"path": "d/small", "length": 5, "sha256": hashlib.sha256(b"small").hexdigest()}]  # fmt: skip
    sample = file_sample({"name": "item", "single_file": False, "files": files})
    assert ask(serving({"/item/d/small": b"small"}), sample)["compared"] == "d/small"
    assert ask(serving({"/item/d/small": b"smell"}), sample)["reason"] == "wrong_hash"
    assert file_sample({"name": "item", "single_file": False, "files": files[1:2]}) is None
    large = file_sample({"name": "i", "single_file": True, "files": [{"path": "i", "length": 2**40, "sha256": "x"}]})
    assert large and (large["hash"], large["ranges"][0]["size"]) == ("", 16384)


def whole_file(method: str, _path: str, _span: Any) -> bytes:
    return http(CONTENT[:100] if method == "GET" else b"", "200 OK", length=100)


@pytest.mark.parametrize(
    ("reply", "reason", "words"),
    [
        (serving({}), "http_status", "HTTP status 404 for /a%20b"),
        (serving({"/a%20b": CONTENT[:-1]}), "wrong_length", "the file has 25599 bytes there, and 25600 in the torrent"),
        (serving({"/a%20b": CONTENT[::-1]}), "wrong_hash", "piece 0 is not the torrent's: damaged or other content"),
        (lambda method, path, span: http(CONTENT if span else b"", "200 OK", length=len(CONTENT)), "no_range",
         "it sends more than the range that was asked for: clients need ranges"),
        (lambda method, path, span: http(b"x" if span else b"", "200 OK", length=1 if span else len(CONTENT)),
         "no_range", "it answers a range with HTTP status 200, not 206: clients need ranges"),
        (lambda method, path, span: http(b"x", "206 Partial Content") if span else http(b"", "405 No", length=9),
         "wrong_length", "1 bytes came of a range of 16384"),
        (lambda method, path, span: http(b"", "302 Found", "Location: ftp://me:secret@x/"), "redirect",
         "redirected to ftp://(hidden)@x/, which is no HTTP address"),
        (lambda method, path, span: http(b"", "302 Found", "Location: /a%20b"), "redirect", "more than 5 redirects"),
        (lambda method, path, span: b"SSH-2.0\r\n", "not_http", "the answer is no HTTP"),
        (lambda method, path, span: b"", "reset", "the connection was closed without an answer"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_web_seed_is_a_reason(reply: Reply, reason: str, words: str) -> None:
    result = ask(reply, single())
    assert (result["ok"], result["reason"]) == (False, reason), result
    assert result["message"].startswith(words)


@pytest.mark.parametrize("url", ["ftp://x/", "http://[x/", "/file", "http://u:sec/ret@x/", ""])
def test_no_web_address_is_a_reason(url: str) -> None:
    [result] = ask_web_seeds([{"info_hash": HASH, "webseeds": [url], "sample": single()}], PATIENT)
    assert result["reason"] == "bad_url"
    assert "ret@" not in repr(result)


def test_what_clients_take_is_taken_with_a_remark() -> None:
    result = ask(whole_file, single(CONTENT[:100]))
    assert result["ok"] and "answers a range with the whole file" in result["remarks"][0], result

    def without_head(method: str, path: str, span: tuple[int, int] | None) -> bytes:
        good = serving({"/a%20b": CONTENT})
        return http(b"", "405 Method Not Allowed", length=9) if method == "HEAD" else good(method, path, span)

    result = ask(without_head, single())
    assert result["ok"], result
    assert result["remarks"] == ["it answers HEAD with HTTP status 405; clients ask for ranges alone"]


def test_a_compressed_file_is_no_compressed_answer() -> None:
    content = b"\x1f\x8b" + CONTENT
    assert ask(serving({"/a%20b": content}), single(content))["ok"]


def test_one_that_never_ends_is_left() -> None:
    def drip(client: socket.socket) -> None:
        method = client.recv(65536)[:4]
        client.sendall(http(b"", "206 Partial Content" if method == b"GET " else "200 OK", length=len(CONTENT)))
        with suppress(OSError):  # the other side ends it
            while method == b"GET ":
                client.sendall(b"x")
                select.select([], [], [], 0.01)

    with raw_server(drip) as port:
        seed = {"info_hash": HASH, "webseeds": [f"http://127.0.0.1:{port}/"], "sample": single()}
        [result] = ask_web_seeds([seed], WebOptions(timeout=30, range_timeout=0.5))  # type: ignore[list-item]
    assert (result["ok"], result["reason"]) == (False, "timeout"), result


def test_where_files_lie() -> None:
    sample = single()
    assert file_url("http://x/d/", sample, []) == "http://x/d/a%20b"
    assert file_url("http://x/d", sample, []) == "http://x/d"
    assert file_url("http://x", {**sample, "single_file": False}, ["ä", "?"]) == "http://x/a%20b/%C3%A4/%3F"


# -- the verdict ------------------------------------------------------------------------------------------------------

SEED = "http://192.0.2.7/d/"
GOOD = {"url": SEED, "info_hash": HASH, "ok": True, "reason": "", "message": "", "compared": "piece 0", "remarks": []}
BAD = {**GOOD, "ok": False, "reason": "http_status", "message": "HTTP status 404 for /d/x"}
FOREIGN = [("item.swarm", None), ("item.webseeds", [SEED])]
NOBODY = [("view.trackers.0.peers", []), ("view.trackers.1.peers", []), ("view.peers", [])]
TRACKERLESS = [("view.trackers", []), ("item.trackers", []), ("view.peers", [])]
SEEDLESS = [("item.swarm", {"seeders": []}), ("item", {"size": 100, "webseeds": [SEED]})]


@pytest.mark.parametrize(
    ("changes", "answers", "verdict", "severity"),
    [
        ([*FOREIGN, *NOBODY], [GOOD], "healthy", "ok"),
        ([*FOREIGN, *TRACKERLESS], [GOOD], "healthy", "ok"),
        ([*FOREIGN, *NOBODY], [BAD], "web_seed_broken", "fault"),
        ([*FOREIGN, *NOBODY], [BAD, {**GOOD, "url": "http://192.0.2.8/"}], "web_seed_broken", "warning"),
        (FOREIGN, [BAD], "web_seed_broken", "warning"),
        (FOREIGN, [GOOD], "healthy", "ok"),
        ([*FOREIGN, *NOBODY], [], "nobody", "fault"),
        ([*FOREIGN, *NOBODY], [{**GOOD, "info_hash": "2b" * 20}], "nobody", "fault"),
        ([*FOREIGN, *[(f"view.trackers.{n}", {"ok": False, "reason": "dns", "message": "no"}) for n in (0, 1)]], [GOOD],
         "tracker_dns", "warning"),
        ([*SEEDLESS, *NOBODY], [GOOD], "healthy", "ok"),
        ([*SEEDLESS, *NOBODY], [BAD], "web_seed_broken", "fault"),
        ([("seeders.seeder1.info.torrents.0", {"state": "stopped"})], [GOOD], "torrent_paused", "warning"),
        ([], [BAD], "web_seed_broken", "warning"),
    ],
)  # fmt: skip
def test_who_serves_is_enough(changes: Any, answers: list[Any], verdict: str, severity: str) -> None:
    result = judge(broken(("view.webseeds", answers), *changes))
    assert (result["verdict"], result["severity"]) == (verdict, severity), result


def test_a_web_seed_alone_is_remarked_on_and_shown() -> None:
    seen = broken(("view.webseeds", [{**GOOD, "remarks": ["odd"]}, {**BAD, "url": "http://x/"}]), *FOREIGN, *NOBODY)
    result = judge(seen)
    assert result["remarks"] == [
        f"no peer that was met has all of it: a client with its .torrent gets it from the web seed {SEED}",
        f"{SEED}: odd",
    ]
    lines = [line["text"] for line in details([seen["item"]], [], [], "leecher1", seen["view"]["webseeds"])]
    assert lines[2:6] == [
        "  web seeds",
        f"    {SEED}  serves ranges, piece 0 is right",
        "      note: odd",
        "    http://x/  http_status: HTTP status 404 for /d/x",
    ]


def test_a_torrent_file_with_web_seeds_has_a_sample(tmp_path: Any) -> None:
    info = {"length": len(CONTENT), "name": "x", "piece length": 16384,
            "pieces": base64.b64decode(sha1s(CONTENT, 16384))}  # fmt: skip
    path = tmp_path / "x.torrent"
    path.write_bytes(bencode.encode({"announce": HTTP, "info": info, "url-list": ["http://a/", "http://b/x"]}))
    subject = torrent_subject(str(path))
    assert subject["webseeds"] == ["http://a/", "http://b/x"]
    assert subject["sample"] and subject["sample"]["what"] == "piece 0"
    path.write_bytes(bencode.encode({"announce": UDP, "info": info}))
    assert "sample" not in torrent_subject(str(path))
