"""playbooks/remove.yml asks before content goes, and only there where somebody can answer."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A host that nobody can reach: the question comes before it.
COMMAND = ["ansible-playbook", "--inventory=nowhere.invalid,", "playbooks/remove.yml"]
QUESTION = "Leave it on the hosts? (yes or no)"


def on_a_terminal(*arguments: str, answer: bytes = b"") -> tuple[int, str]:
    """Run the playbook on a terminal; return its status and all that it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, answer)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux's way to say that nobody writes to the terminal any more
                break
            shown += part
    os.close(ours)
    return process.returncode, " ".join(shown.decode().split())


def test_on_a_terminal_it_asks_and_takes_only_yes_and_no() -> None:
    status, shown = on_a_terminal(answer=b"perhaps\n")
    assert QUESTION in shown
    assert "keep_content is perhaps; it takes yes or no" in shown
    assert status != 0


def test_who_says_it_at_once_is_not_asked() -> None:
    _, shown = on_a_terminal("--extra-vars=keep_content=true")
    assert QUESTION not in shown
    assert "it takes yes or no" not in shown
    assert "unreachable=1" in shown


def test_without_a_terminal_nobody_is_asked_and_content_stays(
    run_playbook: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = run_playbook("remove.yml", inventory="nowhere.invalid,")
    shown = done.stdout + done.stderr
    assert "it takes yes or no" not in shown
    assert "unreachable=1" in shown
