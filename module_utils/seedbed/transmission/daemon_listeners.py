"""The ports that a daemon's variables open, for firewall and preflight."""

from __future__ import annotations

from typing import TypedDict

MAX_PORT = 65535


class DaemonListener(TypedDict):
    """What listens: the variable to blame, the port, its protocols, and the unit that holds it."""

    variable: str
    port: object
    protocols: list[str]
    unit: str


def daemon_listeners(
    unit: str, *, rpc_port: object, peer_port: object, random: bool, first: object, last: object
) -> list[DaemonListener]:
    """Return the RPC port and each port that the daemon may take for its peers, first and last of a range included.

    What is no port is returned as it is: the preflight names it.
    """
    peers, variable = [peer_port], "transmission_peer_port"
    if random:
        peers, variable = [first, last], "transmission_peer_port_random_first"
        if str(first).isdigit() and str(last).isdigit():
            # One beyond the largest port is enough to be refused.
            peers = list(range(int(str(first)), min(int(str(last)), MAX_PORT + 1) + 1))
    rpc = DaemonListener(variable="transmission_rpc_port", port=rpc_port, protocols=["tcp"], unit=unit)
    return [rpc, *(DaemonListener(variable=variable, port=port, protocols=["tcp", "udp"], unit=unit) for port in peers)]
