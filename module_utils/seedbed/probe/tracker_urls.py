"""Announce addresses, as they stand in torrents: what is asked of them, and where."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from ansible.module_utils.seedbed.base.net import NetError
from ansible.module_utils.seedbed.torrent.credentials import without_password

BROWSERS = ("ws", "wss")


def host_of(tracker: str) -> str | None:
    try:
        return urlsplit(tracker.strip()).hostname
    except ValueError:
        return None


def split_tracker(tracker: str) -> SplitResult:
    """Return the parts of an address that can be asked, or raise why it cannot."""
    shown = repr(without_password(tracker))
    try:
        parts = urlsplit(tracker.strip())
        port = parts.port
    except ValueError as error:
        # What Python says of a port may be a part of the password.
        why = "its port is none" if "@" in tracker else error
        raise NetError("bad_url", f"{shown} is no tracker address: {why}") from None
    if parts.scheme in BROWSERS:
        raise NetError("for_browsers", f"{shown} is for browsers (WebTorrent) alone; other clients pass over it")
    if parts.scheme not in ("http", "https", "udp"):
        raise NetError("bad_url", f"{shown} is no http, https or udp address")
    if not parts.hostname or (parts.scheme == "udp" and not port):
        raise NetError("bad_url", f"{shown} lacks a {'port' if parts.hostname else 'host'}")
    return parts


def scrape_path(path: str) -> str:
    """Return the path to scrape at: only where the last part begins with ``announce`` is there one (BEP 48)."""
    head, slash, last = path.rpartition("/")
    if not slash or not last.startswith("announce"):
        raise NetError(
            "no_scrape", f"the tracker's path {path or '/'} does not end in /announce, so it has no scrape address"
        )
    return f"{head}/scrape{last[len('announce') :]}"


def with_query(parts: SplitResult, path: str, query: str) -> str:
    return parts._replace(path=path, query=f"{parts.query}&{query}" if parts.query else query, fragment="").geturl()


def url_data(parts: SplitResult) -> bytes:
    """Return path and query as options of a UDP announce (BEP 41); nothing where the address has none."""
    data = (parts.path + ("?" + parts.query if parts.query else "")).encode()
    if data in (b"", b"/"):
        return b""
    pieces = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"".join(b"\x02%c%b" % (len(piece), piece) for piece in pieces) + b"\0"
