"""The filters and the module of the preflight, as playbooks use them."""

from __future__ import annotations

import json

import archive_faults
import fault_report
import host_faults
import lab_faults
import listener_info
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

PLAY = """
{{ [{'variable': 'opentracker_port', 'port': port, 'protocols': ['tcp'], 'unit': 'opentracker.service'}]
   | lab_faults(port_range={'first': 8000, 'last': 9000}, networks=['10.0.0.0/8'], declared=['x is 1']) }}
"""


def test_faults_of_the_inventory_through_the_templar() -> None:
    templar = Templar(loader=DataLoader(), variables={"port": 9500})
    templar.environment.filters.update(lab_faults.FilterModule().filters())
    assert templar.template(trust_as_template(PLAY.strip())) == [
        "opentracker_port is 9500, outside lab_port_range 8000-9000; choose a free port inside the range",
        "x is 1",
    ]


def test_faults_of_the_host() -> None:
    assert host_faults.host_faults(
        [{"variable": "portal_port", "port": 8000, "protocols": ["tcp"], "unit": "nginx.service"}],
        sockets=[{"protocol": "tcp", "port": 8000, "process": "caddy", "unit": "caddy.service"}],
        address="127.0.0.1",
        groups=["portals"],
        distribution="Debian",
        version="12",
    ) == [
        "lab_address is 127.0.0.1, which no other host can reach; "
        "set it to the address by which the other hosts reach this one",
        "portal_port is 8000, but tcp port 8000 is held by caddy (caddy.service); stop that or choose another port",
    ]


def test_archive() -> None:
    told = archive_faults.FilterModule().filters()["archive_faults"]("", sha256="0" * 63, variable="portal_ui_archive")
    assert [sentence.split(" is ")[0] for sentence in told] == ["portal_ui_archive", "portal_ui_sha256"]


def test_report() -> None:
    assert fault_report.FilterModule().filters()["fault_report"]({"a": ["x"]}) == ["a: x"]


def test_listener_info_answers_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    with patch_module_args({"first": 1, "last": 65535}), pytest.raises(SystemExit):
        listener_info.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer["changed"] is False
    assert all(set(entry) == {"protocol", "port", "pid", "process", "unit"} for entry in answer["sockets"])
