"""One HTTP request to one address, read to its end or to a deadline (trackers answer in one piece and close)."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import zlib
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from ansible.module_utils.seedbed.base.net import Address, Deadline, NetError, net_error, open_tcp, resolve, try_each

MAX_ANSWER = 8 * 1024 * 1024
MAX_REDIRECTS = 5


class Answer(NamedTuple):
    """What came back, unpacked."""

    status: int
    body: bytes
    address: str
    own_address: str
    redirects: list[str]


def get(url: str, family: str, deadline: Deadline) -> Answer:
    """GET with redirects; proxies of the environment are left aside, since clients' announces must not use them."""
    redirects: list[str] = []
    while True:
        status, headers, body, address, own = _get_any(url, family, deadline)
        location = headers.get("location", "")
        if status not in (301, 302, 303, 307, 308) or not location:
            return Answer(status, _unpack(headers.get("content-encoding", ""), body, address), address, own, redirects)
        url = _redirected(url, location, address)
        redirects.append(url)
        if len(redirects) > MAX_REDIRECTS:
            raise NetError("redirect", f"more than {MAX_REDIRECTS} redirects, the last one to {url}", address)


def _redirected(url: str, location: str, address: str) -> str:
    try:
        target = urljoin(url, location)
        parts = urlsplit(target)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # brackets that do not match, a port beyond 65535
        target, good = location, False
    if not good:
        raise NetError("redirect", f"redirected to {target}, which is no HTTP address", address)
    return target


def _get_any(url: str, family: str, deadline: Deadline) -> tuple[int, dict[str, str], bytes, str, str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return try_each(
        resolve(host, port, family, deadline), deadline, lambda address, share: _get_one(url, address, share)
    )


def _get_one(url: str, address: Address, deadline: Deadline) -> tuple[int, dict[str, str], bytes, str, str]:
    parts = urlsplit(url)
    sock = open_tcp(address, deadline)
    try:
        if parts.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=parts.hostname)
        own = sock.getsockname()[0]
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        sock.sendall(
            f"GET {target} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nUser-Agent: seedbed\r\n"
            "Accept-Encoding: gzip\r\nConnection: close\r\n\r\n".encode("ascii", "backslashreplace")
        )
        raw = _read(sock, deadline)
    except ssl.SSLError as error:
        raise NetError("tls", f"no TLS connection ({error.reason or error})") from error
    except OSError as error:
        raise net_error(error, deadline) from error
    finally:
        sock.close()
    status, headers, body = parse_answer(raw)
    return status, headers, body, address[1][0], own


def _read(sock: socket.socket, deadline: Deadline) -> bytes:
    raw = bytearray()
    while len(raw) <= MAX_ANSWER:
        sock.settimeout(deadline.left())
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            if not raw:
                raise
            data = b""  # it answered before it had read all: the answer shows what it is
        raw += data
        if not data or _complete(raw):
            return bytes(raw)
    raise NetError("too_long", f"an answer of more than {MAX_ANSWER} bytes")


def _complete(raw: bytearray) -> bool:
    """Return whether a server that keeps the connection open has sent all."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    if not blank:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        # Python itself refuses numbers of thousands of digits.
        if name.strip().lower() == b"content-length" and value.strip().isdigit() and len(value) < 20:
            return len(body) >= int(value)
    return body.endswith(b"0\r\n\r\n") and b"chunked" in head.lower()


class _Recorded:
    """Stands in for the socket that http.client parses from."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._raw)


def parse_answer(raw: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers with lower-case names, body with the transfer encoding taken off."""
    if not raw:
        raise NetError("reset", "the connection was closed without an answer")
    response = http.client.HTTPResponse(_Recorded(raw))  # type: ignore[arg-type]
    try:
        response.begin()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    except http.client.HTTPException as error:
        raise NetError("not_http", f"the answer is no HTTP ({type(error).__name__})") from error


def _unpack(encoding: str, body: bytes, address: str) -> bytes:
    """Return a body without gzip, known by its mark too: some trackers do not name it. A small bomb stays small."""
    if "gzip" not in encoding.lower() and not body.startswith(b"\x1f\x8b"):
        return body
    unpacker = zlib.decompressobj(wbits=31)
    try:
        data = unpacker.decompress(body, MAX_ANSWER)
    except zlib.error as error:
        raise NetError("not_gzip", f"a gzip answer that cannot be unpacked ({error})", address) from error
    if unpacker.unconsumed_tail:
        raise NetError("too_long", f"an answer of more than {MAX_ANSWER} bytes", address)
    return data
