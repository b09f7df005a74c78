"""aria2's remote control on this host: JSON-RPC, with the secret that its configuration names."""

from __future__ import annotations

import http.client
import json
from typing import Any

from ansible.module_utils.seedbed.base.net import loopback
from ansible.module_utils.seedbed.clients.contract import ClientError, ClientSilent


def silent(port: int, why: object) -> ClientSilent:
    """Return the error of an aria2 that does not answer."""
    return ClientSilent(f"aria2 does not answer on port {port}: {why}")


def call(port: int, secret: str, method: str, *params: Any) -> Any:
    """Make one call and return its result."""
    request = {"jsonrpc": "2.0", "id": "1", "method": method, "params": ["token:" + secret, *params]}
    connection = http.client.HTTPConnection(loopback(), port, timeout=30)
    try:
        connection.request("POST", "/jsonrpc", json.dumps(request), {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
    except OSError as error:
        raise silent(port, error) from error
    except (http.client.HTTPException, ValueError) as error:
        raise ClientError(f"port {port} does not speak aria2's RPC: {error}") from error
    finally:
        connection.close()
    if "error" in answer:
        raise ClientError("{}: {}".format(method, answer["error"].get("message")))
    return answer["result"]
