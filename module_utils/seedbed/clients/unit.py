"""The transient unit in which a client runs: guarded, without rights, ended by systemd should we not do it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from typing import IO, Callable, Iterator, Mapping, Sequence

from ansible.module_utils.seedbed.base.commands import CommandError
from ansible.module_utils.seedbed.base.systemd import SANDBOX, Unit, run_transient, unit_options
from ansible.module_utils.seedbed.base.users import give_directory, user_ids
from ansible.module_utils.seedbed.clients.contract import ClientError, ClientSettings, ClientSilent

UNIT = "seedbed-leecher.service"
WATCH = "seedbed-leecher-watch.service"
START_SECONDS = 30.0
TAIL = 4096  # bytes of what it wrote that are looked at
READY_SECONDS = 120.0  # a busy host takes its time to start a daemon
POLL = 0.1


def guards(settings: ClientSettings, *, makes_code: bool = False) -> list[str]:
    """Return the options of systemd-run that take a client's rights, and end it should we not do it."""
    properties = [
        f"User={settings.user}",
        *([f"RuntimeMaxSec={settings.seconds}"] if settings.seconds else []),
        *([f"BindsTo={settings.bound_to}", f"After={settings.bound_to}"] if settings.bound_to else []),
        f"ReadWritePaths={settings.directory}",
        f"WorkingDirectory={settings.directory}",
        # Clients keep their state below the home of whoever runs them.
        *(f"Environment={name}={settings.directory}" for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")),
        *SANDBOX,
        *["MemoryDenyWriteExecute=no"] * makes_code,
    ]
    return unit_options(properties)


@contextlib.contextmanager
def watch() -> Iterator[str]:
    """Run a unit that ends with this process, however that ends; return its name. What is bound to it ends with it.

    A download goes on for as long as it comes, so no time can be given to systemd after which it ends a client that was
    left alone.
    """
    guarded = unit_options([*SANDBOX, "DynamicUser=yes"])
    command = ["systemd-run", "--quiet", "--collect", "--pipe", "--wait", "--unit", WATCH, *guarded, "cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as held:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not Unit(WATCH).active():
                if held.poll() is not None or time.monotonic() > deadline:
                    raise ClientError(f"{WATCH} could not be started")
                time.sleep(POLL)  # between two questions; the deadline above bounds the wait
            yield WATCH
        finally:
            held.communicate()  # closes its input, which is its end


class ClientUnit:
    """A client's process, as a unit that is gone when it ends; makes_code: it makes code of its own as it runs."""

    def __init__(self, settings: ClientSettings, program: str, *, makes_code: bool = False) -> None:
        self.settings, self._program = settings, program
        self._guards = guards(settings, makes_code=makes_code)
        self.unit = Unit(UNIT)

    def run(
        self, files: Mapping[str, str], argv: Sequence[str], ask: Callable[[], object], seconds: float = READY_SECONDS
    ) -> None:
        """Start the client and return when it answers `ask`; whatever goes wrong, nothing of it goes on running."""
        self.own(files)
        self.start(argv)
        try:
            self._wait(ask, time.monotonic() + seconds)
        except BaseException:
            self.stop()
            raise

    def _wait(self, ask: Callable[[], object], deadline: float) -> None:
        while True:
            try:
                ask()
                return
            except ClientSilent:
                if not self.unit.active() or time.monotonic() > deadline:
                    raise
                time.sleep(POLL)  # between two questions; the deadline bounds the wait

    def own(self, files: Mapping[str, str]) -> None:
        """Write files into the client's directory, readable for its user alone, and give it all to that user."""
        owner = user_ids(self.settings.user)
        for name, text in files.items():
            self.hand_over(os.path.join(self.settings.directory, name), text.encode())
        # Last: from here on that user may put something else in a file's place.
        give_directory(self.settings.directory, owner)

    def hand_over(self, path: str, content: bytes) -> None:
        """Write a file for the client, readable for its user alone."""
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(content)
            os.fchown(file.fileno(), *user_ids(self.settings.user))

    def make_directory(self, path: str) -> None:
        """Make a directory for the client, where there is none."""
        os.makedirs(path, mode=0o755, exist_ok=True)
        give_directory(path, user_ids(self.settings.user))

    def start(self, argv: Sequence[str]) -> None:
        """Start the client."""
        try:
            run_transient(UNIT, self._guards, argv)
        except CommandError as error:
            raise self._not_started(error.message) from error

    def talk(self, argv: Sequence[str], *, stdout: int, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the client with its standard input, output and errors in our hands."""
        command = ["systemd-run", "--quiet", "--collect", "--pipe", "--wait", "--unit", UNIT]
        return subprocess.Popen([*command, *self._guards, *argv], stdin=subprocess.PIPE, stdout=stdout, stderr=errors)

    def stop(self) -> None:
        """End the client."""
        with contextlib.suppress(CommandError):  # it has ended by itself
            self.unit.stop()

    def _not_started(self, why: str) -> ClientError:
        return ClientError(f"{self._program} could not be started as {UNIT}: {why}")


def last_lines(errors: IO[bytes], count: int = 3) -> list[str]:
    """Return the last lines of what a client wrote to its standard error."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - TAIL))
    return errors.read().decode(errors="replace").strip().splitlines()[-count:]
