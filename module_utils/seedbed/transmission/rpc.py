"""Transmission's RPC: one keep-alive connection, the legacy dialect that every version understands."""

from __future__ import annotations

import base64
import http.client
import json
import re
from typing import Any

from ansible.module_utils.seedbed.base.errors import SeedbedError

SESSION_HEADER = "X-Transmission-Session-Id"


class RpcError(SeedbedError):
    """The daemon was not asked, or did not do what it was asked; `where` is the address."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"Transmission's RPC at {where} {why}")
        self.where = where


class RpcUnreachable(RpcError):
    """Nothing answers there, or the connection broke."""


class RpcDenied(RpcError):
    """The daemon knows us and refuses: `status` 401 is the password, 403 the whitelist or too many failed logins."""

    def __init__(self, where: str, status: int) -> None:
        reasons = {
            401: "refuses the user name or the password (401)",
            403: "refuses this address: it is not in rpc-whitelist, or too many logins have failed (403)",
            421: "refuses the host name: it is not in rpc-host-whitelist (421)",
        }
        super().__init__(where, reasons[status])
        self.status = status


class RpcFailed(RpcError):
    """The daemon answered a call with something else than success; `result` is its word."""

    def __init__(self, where: str, method: str, result: str) -> None:
        super().__init__(where, f"answers {method} with: {result}")
        self.result = result


class RpcClient:
    """Calls to one daemon. The session id is learned from the first answer, and again after a restart."""

    def __init__(
        self, host: str, port: int, login: tuple[str, str], *, path: str = "/transmission/", timeout: float = 30
    ) -> None:
        self.where = f"{f'[{host}]' if ':' in host else host}:{port}"
        self.path = path
        token = base64.b64encode(":".join(login).encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout)

    def close(self) -> None:
        """End the connection; the next call opens a new one."""
        self._connection.close()

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[http.client.HTTPResponse, bytes]:
        try:
            try:
                return self._send(method, path, body)
            except (http.client.BadStatusLine, ConnectionResetError, BrokenPipeError):
                # The daemon closed the idle connection, or was restarted: HTTP allows that, a new connection mends it.
                self.close()
                return self._send(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise RpcUnreachable(self.where, f"does not answer ({error or type(error).__name__})") from error

    def _send(self, method: str, path: str, body: bytes | None) -> tuple[http.client.HTTPResponse, bytes]:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        return response, response.read()

    def call(self, method: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the `arguments` of the daemon's answer to one call."""
        body = json.dumps({"method": method, "arguments": arguments or {}}).encode()
        response, answer = self._exchange("POST", self.path + "rpc", body)
        if response.status == 409:
            self._headers[SESSION_HEADER] = response.getheader(SESSION_HEADER) or ""
            response, answer = self._exchange("POST", self.path + "rpc", body)
        if response.status in (401, 403, 421):
            raise RpcDenied(self.where, response.status)
        try:
            # 3.00 writes some file names with broken escapes: a bad name must not hide the other fields.
            reply = json.loads(answer.decode("utf-8", "replace"))
            result, fields = reply["result"], reply.get("arguments", {})
        except (ValueError, KeyError, TypeError) as error:
            raise RpcError(
                self.where, f"answers {response.status} {response.reason} without Transmission's JSON"
            ) from error
        if result != "success":
            raise RpcFailed(self.where, method, str(result))
        return dict(fields)

    def web_ui(self) -> int:
        """Return the HTTP status of the web interface's first page."""
        response, _page = self._exchange("GET", self.path + "web/", None)
        return response.status


def unbroken(text: str) -> str:
    """Return a name mended in which 3.00 has written U+1F331 as \\u1f331, which reads as U+1F33 and the digit 1."""
    return re.sub("([\u1000-\u1fff])([0-9a-f])", lambda found: chr(ord(found[1]) * 16 + int(found[2], 16)), text)


def version_of(session: dict[str, Any]) -> tuple[int, ...]:
    """Return (4, 1, 0) for the session's '4.1.0-beta.2 (b11bfd9712)'."""
    return parse_version(str(session.get("version", "")))


def version_text(session: dict[str, Any]) -> str:
    """Return '4.1.0-beta.2' for the session's '4.1.0-beta.2 (b11bfd9712)'."""
    return str(session.get("version", "")).split(" ")[0]


def parse_version(text: str) -> tuple[int, ...]:
    """Return the first dotted number in a text; () when there is none."""
    match = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()
