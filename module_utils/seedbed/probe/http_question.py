"""One HTTP request to one address, read to its end or to a deadline."""

from __future__ import annotations

import base64
import socket
import ssl
import zlib
from typing import Mapping, NamedTuple
from urllib.parse import SplitResult, quote, unquote_to_bytes, urljoin, urlsplit

from ansible.module_utils.seedbed.base.net import Address, Deadline, NetError, net_error, open_tcp, resolve, try_each
from ansible.module_utils.seedbed.probe.http_answer import HttpAnswer
from ansible.module_utils.seedbed.torrent.credentials import HIDDEN, without_password

MAX_ANSWER = 8 * 1024 * 1024
MAX_REDIRECTS = 5
_SAFE = "".join(map(chr, range(33, 127)))  # what goes into a request as it is


class Answer(NamedTuple):
    """What came back, unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    address: str
    own_address: str
    redirects: list[str]
    remarks: list[str]


class HttpRequest(NamedTuple):
    """What is asked of an address, and how much of an answer is read; unpack: as clients do with trackers' answers."""

    method: str = "GET"
    headers: Mapping[str, str] = {"Accept-Encoding": "gzip"}
    max_body: int = MAX_ANSWER
    unpack: bool = True


PLAIN = HttpRequest()


def ask_http(url: str, family: str, deadline: Deadline, request: HttpRequest = PLAIN) -> Answer:
    """Ask, with redirects; proxies of the environment are left aside, since clients' announces must not use them."""
    redirects: list[str] = []
    while True:
        answer, address, own = _ask_any(url, family, deadline, request)
        location = answer.headers.get("location", "")
        if answer.status not in (301, 302, 303, 307, 308) or not location:
            body = bytes(answer.body)
            if request.unpack:
                body = _unpack(answer.headers.get("content-encoding", ""), body, request.max_body, address)
            return Answer(answer.status, answer.headers, body, address, own, redirects, answer.remarks)
        url = _redirected(url, location, address)
        redirects.append(without_password(url))
        if len(redirects) > MAX_REDIRECTS:
            raise NetError("redirect", f"more than {MAX_REDIRECTS} redirects, the last one to {redirects[-1]}", address)


def _redirected(url: str, location: str, address: str) -> str:
    """Return the address that one redirects to; user and password are for the host alone that they were given for."""
    try:
        target = urljoin(url, location)
        parts, former = urlsplit(target), urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
        here = (parts.scheme, parts.hostname, parts.port) == (former.scheme, former.hostname, former.port)
        if good and here and "@" in former.netloc and "@" not in parts.netloc:
            target = parts._replace(netloc=former.netloc).geturl()
    except ValueError:  # brackets that do not match, a port beyond 65535
        target, good = location, False
    if not good:
        shown = without_password(target)
        raise NetError("redirect", f"redirected to {shown}, which is no HTTP address", address)
    return target


def _ask_any(url: str, family: str, deadline: Deadline, request: HttpRequest) -> tuple[HttpAnswer, str, str]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = resolve(parts.hostname or "", port, family, deadline)
    return try_each(addresses, deadline, lambda address, share: _ask_one(parts, address, share, request))


def _ask_one(
    parts: SplitResult, address: Address, deadline: Deadline, request: HttpRequest
) -> tuple[HttpAnswer, str, str]:
    answer = HttpAnswer(request.max_body, head_alone=request.method == "HEAD")
    sock = open_tcp(address, deadline)
    try:
        if parts.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=parts.hostname)
        own = sock.getsockname()[0]
        sock.settimeout(deadline.left())
        sock.sendall(_head(parts, request))
        _read(sock, deadline, answer)
    except ssl.SSLError as error:
        raise NetError("tls", f"no TLS connection ({error.reason or error})") from error
    except OSError as error:
        raise net_error(error, deadline) from error
    finally:
        sock.close()
    return answer, address[1][0], own


def _head(parts: SplitResult, request: HttpRequest) -> bytes:
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    userinfo, at, host = parts.netloc.rpartition("@")
    headers = {"Host": _ascii_host(host), "User-Agent": "seedbed", **request.headers, "Connection": "close"}
    if at and userinfo != HIDDEN:
        user, _, password = userinfo.partition(":")
        secret = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        headers["Authorization"] = "Basic " + base64.b64encode(secret).decode("ascii")
    lines = [f"{request.method} {quote(target, safe=_SAFE)} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _ascii_host(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return quote(host, safe=_SAFE)


def _read(sock: socket.socket, deadline: Deadline, answer: HttpAnswer) -> None:
    began = False
    while True:
        try:
            sock.settimeout(deadline.left())
            data = sock.recv(65536)
        except ConnectionResetError:
            if not began:
                raise
            data = b""  # it answered before it had read all: the answer shows what it is
        except (socket.timeout, NetError) as error:
            if not began:
                raise
            raise NetError("timeout", f"its answer does not end within {deadline.seconds:.2g} s") from error
        began = True
        if not data:
            answer.end()
            return
        if answer.feed(data):
            return


def _unpack(encoding: str, body: bytes, max_body: int, address: str) -> bytes:
    """Return a body without its compression, as the header names it. A small bomb stays small."""
    named = any(name in encoding.lower() for name in ("gzip", "deflate"))
    if not named and not body.startswith(b"\x1f\x8b"):
        return body
    # gzip or zlib by their own marks, and deflate without any.
    for bits in (47, -15) if "deflate" in encoding.lower() else (47,):
        unpacker = zlib.decompressobj(wbits=bits)
        try:
            data = unpacker.decompress(body, max_body)
        except zlib.error as error:
            failure = error
            continue
        if unpacker.unconsumed_tail:
            raise NetError("too_long", f"an answer of more than {max_body} bytes", address)
        if not named:
            raise NetError("not_gzip", "the answer is gzip, and no Content-Encoding says so: clients do not unpack it")
        return data
    raise NetError(
        "not_gzip", f"a {encoding or 'gzip'} answer that cannot be unpacked ({failure})", address
    ) from failure
