"""What ssh and sudo say when a host cannot be worked on, as sentences; and the command that opens a host's ports."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.seedbed.base.ssh import command, route, trouble, tunnel

HOST = {
    "inventory_hostname": "seeder1",
    "ansible_host": "192.0.2.21",
    "ansible_user": "ops",
    "ansible_ssh_common_args": "-o ProxyJump=guest@jump",
}
CLOSED = "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by UNKNOWN port 65535\r\n"
CHANGED = """
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Offending ED25519 key in /home/me/.ssh/known_hosts:1
  remove with:
  ssh-keygen -f "/home/me/.ssh/known_hosts" -R "192.0.2.21"
Host key verification failed.
"""


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "Host key verification failed.\r\n" + CLOSED,
            "The host key of jump host guest@jump is not known on this machine: log in there once by hand and compare "
            "it: ssh guest@jump",
        ),
        (
            "Host key verification failed.\r\n",
            "The host key of seeder1 (192.0.2.21) is not known on this machine: log in there once by hand and compare "
            "it: ssh -J guest@jump ops@192.0.2.21",
        ),
        (
            CHANGED,
            "seeder1 (192.0.2.21) shows another host key than it used to: find out why. Was it installed anew, forget "
            'the old key (ssh-keygen -f "/home/me/.ssh/known_hosts" -R "192.0.2.21") and log in once by hand: '
            "ssh -J guest@jump ops@192.0.2.21",
        ),
        (
            "guest@10.0.0.1: Permission denied (publickey,password).\r\n" + CLOSED,
            "jump host guest@jump does not let guest in (publickey,password): is the user right, and is the key in "
            "your agent (ssh-add -l)? Try by hand: ssh guest@jump",
        ),
        (
            "Permission denied, please try again.\r\nops@192.0.2.21: Permission denied (publickey).",
            "seeder1 (192.0.2.21) does not let ops in (publickey): is the user right, and is the key in your agent "
            "(ssh-add -l)? Try by hand: ssh -J guest@jump ops@192.0.2.21",
        ),
        (
            "channel 0: open failed: connect failed: No route to host\r\nstdio forwarding failed\r\n" + CLOSED,
            "seeder1 cannot be reached from jump host guest@jump: 192.0.2.21: No route to host",
        ),
        (
            "channel 0: open failed: connect failed: Name or service not known\r\nstdio forwarding failed\r\n" + CLOSED,
            "Jump host guest@jump does not know the name 192.0.2.21; put seeder1's address into ansible_host",
        ),
        (
            "ssh: Could not resolve hostname jump: Name or service not known\r\n" + CLOSED,
            "This machine does not know the name jump on the way to seeder1; correct the jump host's name",
        ),
        (
            "ssh: connect to host jump port 22: Connection refused\r\n" + CLOSED,
            "on the way to seeder1 jump host guest@jump cannot be reached: jump port 22: Connection refused",
        ),
        (
            "ssh: connect to host 192.0.2.21 port 22: Connection timed out",
            "seeder1 cannot be reached: 192.0.2.21 port 22: Connection timed out",
        ),
        ("Connection timed out during banner exchange", "seeder1 cannot be reached: no answer from 192.0.2.21 in time"),
        (
            "Missing sudo password",
            "sudo asks ops for a password on seeder1: run with --ask-become-pass or --become-password-file FILE",
        ),
        ("Incorrect sudo password", "The sudo password that was given is not that of ops on seeder1"),
        (
            "Sorry, user ops may not run sudo on seeder1.",
            "ops may not become root by sudo on seeder1: let sudoers say so, or choose another ansible_user",
        ),
        (
            "/bin/sh: 1: sudo: not found",
            "seeder1 has no sudo: where ops is root, say ansible_user: root in the inventory; otherwise install sudo, "
            "or choose another ansible_become_method",
        ),
        (
            "/bin/sh: 1: /usr/bin/python3: not found",
            "seeder1 has no Python: install its package python3, or name another in ansible_python_interpreter",
        ),
        (
            "ansible-core requires a minimum of Python version 3.8. Current version: 3.7.3 (default, Oct 31 2022)",
            "seeder1 has Python 3.7.3, and Seedbed needs 3.8 or newer there: use a host with a newer release, or "
            "install a newer Python beside that one and name it in ansible_python_interpreter",
        ),
        (
            '  File "<stdin>", line 12\nSyntaxError: future feature annotations is not defined',
            "seeder1 has a Python older than 3.7, and Seedbed needs 3.8 or newer there: use a host with a newer "
            "release, or install a newer Python beside that one and name it in ansible_python_interpreter",
        ),
        ("Something else", ""),
    ],
)
def test_the_cause_is_named_with_what_helps(said: str, sentence: str) -> None:
    assert trouble(said, route(HOST)) == sentence


@pytest.mark.parametrize(
    ("more", "typed"),
    [
        ({}, "ssh -J guest@jump ops@192.0.2.21"),
        ({"ansible_port": 2222}, "ssh -J guest@jump -p 2222 ops@192.0.2.21"),
        ({"ansible_ssh_common_args": "-J a@b:22,c"}, "ssh -J a@b:22,c ops@192.0.2.21"),
        ({"ansible_ssh_common_args": "-F 'my config' -oProxyJump=j"}, "ssh -F 'my config' -J j ops@192.0.2.21"),
        ({"ansible_ssh_common_args": "", "ansible_ssh_private_key_file": "~/.ssh/a"}, "ssh -i ~/.ssh/a ops@192.0.2.21"),
        ({"ansible_ssh_common_args": None, "ansible_user": None, "ansible_host": None}, "ssh seeder1"),
    ],
)
def test_a_person_goes_the_same_way(more: dict[str, Any], typed: str) -> None:
    assert command(route({**HOST, **more})) == typed


def test_ports_are_opened_through_a_host() -> None:
    assert tunnel(route(HOST), [(8000, "127.0.0.1", 8000), (8081, "2001:db8::2", 8081)]) == (
        "ssh -J guest@jump -N -L 8000:127.0.0.1:8000 -L '8081:[2001:db8::2]:8081' ops@192.0.2.21"
    )
