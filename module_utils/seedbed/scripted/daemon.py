"""The daemon that plays what a configuration says. SIGHUP has it read its file again, SIGTERM ends it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import resource
import signal
import sys

from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.base.systemd import notify
from ansible.module_utils.seedbed.payload import content
from ansible.module_utils.seedbed.scripted.config import read_config
from ansible.module_utils.seedbed.scripted.sockets import Sockets
from ansible.module_utils.seedbed.scripted.stage import LINKS, Stage

TRIM = 10.0  # seconds between two looks at what is remembered


def room_for_connections() -> int:
    """Take as many open files as the system allows; return how many connections that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return LINKS if soft == resource.RLIM_INFINITY else max(16, min(LINKS, soft - 128))


class Daemon:
    """A stage with the file that says what is played on it."""

    def __init__(self, path: str, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        config = read_config(path)
        content.prepare()
        self.stage = Stage(loop, room_for_connections())
        self._play()
        self.sockets = Sockets(self.stage, config["port"])
        self._trim()
        gc.freeze()  # what was read stays: the collector need not look at it again and again

    def _play(self) -> None:
        config = read_config(self._path)
        self.stage.networks = [ipaddress.ip_network(network) for network in config.get("networks", [])]
        self.stage.follow(*self.stage.program.follow(config["torrents"]))

    def _trim(self) -> None:
        self.stage.testimony.trim()
        self._timer = self.stage.loop.call_later(TRIM, self._trim)

    def reload(self) -> None:
        """Read the file again; a faulty one changes nothing, and is told in status and journal."""
        notify("RELOADING=1")
        try:
            self._play()
            self.stage.reload_fault = ""
        except SeedbedError as error:
            self.stage.reload_fault = str(error)
            print(f"the former configuration stays: {error}", file=sys.stderr, flush=True)
        notify("READY=1")

    def close(self) -> None:
        """Close everything."""
        self._timer.cancel()
        self.sockets.close()
        self.stage.close()


async def run(path: str) -> None:
    """Play until a signal says otherwise."""
    loop = asyncio.get_running_loop()
    daemon = Daemon(path, loop)
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    loop.add_signal_handler(signal.SIGHUP, daemon.reload)
    notify("READY=1")
    print(f"plays {len(daemon.stage.program.torrents)} torrents on port {daemon.stage.port}", flush=True)
    await over.wait()
    notify("STOPPING=1")
    daemon.close()


def main(arguments: list[str]) -> int:
    """Run as a program."""
    if len(arguments) != 1:
        print("usage: scripted CONFIGURATION", file=sys.stderr)
        return 2
    try:
        asyncio.run(run(arguments[0]))
    except SeedbedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
