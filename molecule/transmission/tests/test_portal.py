"""A portal on Debian 11, from its role alone, with a password and two networks: this machine and one host of the lab.

This machine is asked for the password, the lab's own host is not, nor are the clients of web seeds, who know none. A
host of no listed network is refused, whatever it knows.
"""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from typing import Any

import pytest

LOGIN = "Basic " + base64.b64encode(b"tester:only for this test").decode()
WRONG = "Basic " + base64.b64encode(b"tester:another").decode()
ASK = """
import json, sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers={"Authorization": sys.argv[2]}))
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps(answer.status))
"""


@pytest.fixture
def portal(lab: Any) -> str:
    return f"http://{lab.address('debian11')}:8700/"


def ask(url: str, **headers: str) -> tuple[int, bytes]:
    """Status and body of what this machine is answered."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        answer = opener.open(urllib.request.Request(url, headers=headers), timeout=120)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.read()


@pytest.mark.parametrize("path", ["", "catalogue.json", "portal.css", "live/seeders/0"])
def test_a_password_is_asked_for(portal: str, path: str) -> None:
    assert ask(portal + path)[0] == 401
    assert ask(portal + path, Authorization=WRONG)[0] == 401


def test_who_knows_it_sees_the_page(portal: str) -> None:
    assert ask(portal + "live/seeders/0", Authorization=LOGIN)[0] == 200
    status, page = ask(portal, Authorization=LOGIN)
    assert status == 200
    assert b"The catalogue is empty." in page


def test_web_seeds_are_open(portal: str) -> None:
    assert ask(portal + "payload/sample.txt", Range="bytes=0-6") == (206, b"seedbed")


def test_a_host_of_the_lab_is_not_asked(lab: Any, portal: str) -> None:
    assert lab.python("debian12", ASK, portal, "") == 200


@pytest.mark.parametrize("path", ["", "payload/sample.txt", "live/seeders/0"])
def test_a_host_of_no_listed_network_is_refused(lab: Any, portal: str, path: str) -> None:
    assert lab.python("debian13", ASK, portal + path, LOGIN) == 403


def test_the_hashes_are_read_by_root_and_nginx_alone(lab: Any) -> None:
    host = lab["debian11"]
    assert host.check_output("stat -c '%U %a' /etc/nginx/seedbed-portal.users") == "root 600"
    owner, mode = host.check_output("stat -c '%U %a' /run/seedbed-portal/users").split()
    assert (owner, mode) == (host.check_output("stat -c %U /run/seedbed-portal"), "400")
    assert owner not in ("root", "www-data")
    assert host.run("runuser -u nobody -- cat /etc/nginx/seedbed-portal.users /run/seedbed-portal/users").stdout == ""


def test_it_needs_nothing_of_other_roles_and_leaves_port_80_alone(lab: Any) -> None:
    host = lab["debian11"]
    assert host.file("/etc/seedbed").listdir() == ["collector.json"]
    assert not host.service("nginx").is_enabled
    assert not host.socket("tcp://0.0.0.0:80").is_listening
