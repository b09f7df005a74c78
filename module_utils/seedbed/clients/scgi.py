"""XML-RPC over SCGI on a unix socket: how rtorrent is told what to do."""

from __future__ import annotations

import socket
import xmlrpc.client
from typing import Any
from xml.parsers.expat import ExpatError

from ansible.module_utils.seedbed.clients.contract import ClientError, ClientSilent

TIMEOUT = 30.0


class Fault(ClientError):
    """A call that was refused; `code` is rtorrent's."""

    def __init__(self, method: str, code: int, why: str) -> None:
        super().__init__(f"rtorrent answers {method} with: {why}")
        self.code = code


class ScgiClient:
    """Calls over a socket, each over a connection of its own, as SCGI has it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def call(self, method: str, *params: Any) -> Any:
        """Make one call and return its result."""
        body = xmlrpc.client.dumps(params, method).encode()
        try:
            answer = self._exchange(request(body))
        except OSError as error:
            raise ClientSilent(f"rtorrent does not answer at {self.path}: {error}") from error
        _head, _blank, text = answer.partition(b"\r\n\r\n")
        try:
            (result,), _name = xmlrpc.client.loads(text)
        except xmlrpc.client.Fault as fault:
            raise Fault(method, fault.faultCode, fault.faultString) from fault
        except (ExpatError, ValueError, xmlrpc.client.ResponseError) as error:
            raise ClientError(f"rtorrent answers {method} with what is no XML-RPC: {error}") from error
        return result

    def calls(self, *calls: tuple[str, tuple[Any, ...]]) -> list[Any]:
        """Make several calls in one, and return their results; the first that is refused refuses all."""
        told = [{"methodName": method, "params": list(params)} for method, params in calls]
        results = []
        for (method, _params), answer in zip(calls, self.call("system.multicall", told)):
            if isinstance(answer, dict):
                raise Fault(method, answer["faultCode"], answer["faultString"])
            results.append(answer[0])
        return results

    def _exchange(self, message: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT)
            connection.connect(self.path)
            connection.sendall(message)
            parts = []
            while part := connection.recv(1 << 16):
                parts.append(part)
            return b"".join(parts)


def request(body: bytes) -> bytes:
    """Return a request of SCGI: its header as a netstring of names and values, then the body."""
    fields = {"CONTENT_LENGTH": str(len(body)), "SCGI": "1", "REQUEST_METHOD": "POST", "CONTENT_TYPE": "text/xml"}
    head = "".join(f"{name}\0{value}\0" for name, value in fields.items()).encode()
    return b"%d:%s,%s" % (len(head), head, body)
