"""A client behind a program that speaks lines of JSON: the way in for any client that the lab does not know.

Each line that the program reads is one request, and it answers each with one line, in order (docs/clients.md):

    {"do": "start", "directory": ..., "control_port": 8084, "peer_port": 8085, "address": "", "parallel": 16,
     "finds": [], "dht_nodes": []}
    {"do": "add", "id": "1", "directory": ..., "torrent": "/path or empty", "magnet": "", "trackers": [], "files": []}
    {"do": "status", "id": "1"}  ->  {"state": "downloading", "bytes": 4096, "peers": 2, "error": ""}
    {"do": "files", "id": "1"}   ->  {"files": ["/path", ...]}
    {"do": "remove", "id": "1"}
    {"do": "stop"}

An answer with the key ``refused`` is a refusal, with its reason; to all others, more keys than asked for do no harm.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import subprocess
import tempfile
import time
from typing import IO, Any, Mapping, Sequence

from ansible.module_utils.seedbed.base.text import quoted
from ansible.module_utils.seedbed.clients.contract import (
    FEATURES,
    STATES,
    Client,
    ClientError,
    ClientSettings,
    ClientSilent,
    Order,
    Status,
)
from ansible.module_utils.seedbed.clients.unit import ClientUnit, last_lines

ANSWER_SECONDS = 30
START_SECONDS = 120  # a busy host takes its time to start a daemon
END_SECONDS = 5
LONGEST_LINE = 16 << 20
OURS = ("user", "seconds", "secret", "bound_to")  # settings that are no business of the program


class Talk:
    """A program's standard input and output, line by line."""

    def __init__(self, program: subprocess.Popen[bytes]) -> None:
        self._program = program
        self._heard = b""

    def send(self, line: bytes) -> None:
        """Write a line; raise OSError where nobody reads any more."""
        pipe = self._program.stdin
        if pipe is not None:
            pipe.write(line)
            pipe.flush()

    def line(self, seconds: float) -> bytes:
        """Return the next line; raise OSError at the program's end, ClientSilent where there is none in that time."""
        pipe = self._program.stdout
        deadline = time.monotonic() + seconds
        while pipe is not None and b"\n" not in self._heard:
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise ClientSilent(f"no answer within {seconds:.0f} s")
            part = os.read(pipe.fileno(), 1 << 16)
            if not part or len(self._heard) > LONGEST_LINE:
                raise OSError
            self._heard += part
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def close(self, last: bytes = b"") -> None:
        """Say something last, and wait a moment for the program's end."""
        with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
            self._program.communicate(last, timeout=END_SECONDS)


class LinesClient(Client):
    """A program of somebody's, run as a client of the lab."""

    def __init__(
        self,
        settings: ClientSettings,
        name: str,
        argv: Sequence[str],
        *,
        features: frozenset[str] = frozenset(FEATURES),
        files: Mapping[str, str] | None = None,
        makes_code: bool = False,
    ) -> None:
        super().__init__(settings)
        self.name, self.features = name, features
        self._argv, self._files = argv, files or {}
        self._process = ClientUnit(settings, name, makes_code=makes_code)
        self._talk: Talk | None = None
        self._errors: IO[bytes] = io.BytesIO()
        self._number = 0

    def __enter__(self) -> LinesClient:
        """Start the program and have it get ready."""
        self._process.own(dict(self._files))
        self._errors = tempfile.TemporaryFile()
        self._talk = Talk(self._process.talk(self._argv, stdout=subprocess.PIPE, errors=self._errors))
        shown = self.settings._asdict()
        try:
            self._ask("start", **{key: shown[key] for key in shown if key not in OURS})
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the program, by its own will or not."""
        if self._talk:
            self._talk.close(b'{"do": "stop"}\n')
            self._process.stop()
            self._talk.close()
        self._errors.close()

    def add(self, order: Order) -> str:
        """Begin a download; a .torrent is handed over as a file of the client's user."""
        self._number += 1
        handle = str(self._number)
        path = ""
        if order.torrent:
            path = os.path.join(self.settings.directory, f"{handle}.torrent")
            self._process.hand_over(path, order.torrent)
        self._process.make_directory(order.directory)
        told = {"directory": order.directory, "trackers": list(order.trackers), "files": list(order.files)}
        self._ask("add", id=handle, torrent=path, magnet=order.magnet, **told)
        return handle

    def status(self, handle: str) -> Status:
        """Return how a download stands."""
        answer = self._ask("status", id=handle)
        state, count, peers = answer.get("state"), answer.get("bytes", 0), answer.get("peers", 0)
        if state not in STATES:
            raise self._wrong(f"state {quoted(state)}; one of {', '.join(STATES)} would be right")
        if not all(isinstance(number, int) and not isinstance(number, bool) for number in (count, peers)):
            raise self._wrong(f"bytes {quoted(count)} and peers {quoted(peers)}; whole numbers would be right")
        return Status(state, count, peers, str(answer.get("error") or ""))

    def files(self, handle: str) -> list[str]:
        """Return the paths of a download's files."""
        files = self._ask("files", id=handle).get("files")
        if not isinstance(files, list) or not all(isinstance(path, str) for path in files):
            raise self._wrong(f"files {quoted(files)}; a list of paths would be right")
        return files

    def remove(self, handle: str) -> None:
        """Have the program forget a download."""
        self._ask("remove", id=handle)

    def _ask(self, request: str, **more: Any) -> dict[str, Any]:
        """Return the program's answer to one request."""
        if self._talk is None:
            raise ClientSilent(f"{self.name} has not been started")
        try:
            self._talk.send(json.dumps({"do": request, **more}).encode() + b"\n")
            line = self._talk.line(START_SECONDS if request == "start" else ANSWER_SECONDS)
        except OSError:
            raise self._ended() from None
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            said = quoted(line[:200].decode(errors="replace"))
            raise self._wrong(f"{said} to {request}; a line of JSON would be right")
        if "refused" in answer:
            raise ClientError(f"{self.name}: {answer['refused']}")
        return answer

    def _ended(self) -> ClientSilent:
        """Return the error of a program that is gone, with its last words."""
        if self._talk:
            self._talk.close()
        words = last_lines(self._errors)
        return ClientSilent(f"{self.name} has ended: " + ("; ".join(words) or "without a word"))

    def _wrong(self, what: str) -> ClientError:
        return ClientError(f"{self.name} answers {what}")
