"""The lab's authority and what it signs: made once, kept, renewed, shown to nobody."""

from __future__ import annotations

import datetime
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from cryptography import x509

ROOT = Path(__file__).resolve().parents[2]
Provide = Callable[..., tuple[bool, str]]
# What the authority makes on another day.
LATER = """
import datetime, json, sys
directory, days, plugins = sys.argv[1:]
sys.path.insert(0, plugins)
import lab_certificate
authority = lab_certificate.Authority(directory, "test", check_mode=False)
authority.now += datetime.timedelta(days=int(days))
print(json.dumps(authority.renew() + authority.provide("tracker1", ["192.0.2.1"])))
"""


@pytest.fixture
def provide(tmp_path: Path) -> Provide:
    def run(*names: str, name: str = "tracker1", options: tuple[str, ...] = ()) -> tuple[bool, str]:
        given = {"directory": f"{tmp_path}/tls", "lab": "test", "name": name, "names": list(names)}
        done = subprocess.run(
            ["ansible", "localhost", "-m", "lab_certificate", "--args", json.dumps(given), *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "PRIVATE" not in done.stdout + done.stderr
        return "CHANGED" in done.stdout, done.stdout

    return run


def later(directory: Path, days: int) -> list[str]:
    """Return what is made anew so many days from now."""
    words = [sys.executable, "-c", LATER, f"{directory}/tls", str(days), str(ROOT / "action_plugins")]
    found: list[str] = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    return found


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_it_is_made_once_and_stays(tmp_path: Path, provide: Provide) -> None:
    tls = tmp_path / "tls"
    assert provide("192.0.2.1", options=("--check",))[0]
    assert not tls.exists()
    changed, said = provide("192.0.2.1", "2001:db8::1", "Tracker1.example")
    assert changed
    assert "the lab has no certificate authority" in said
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in tls.iterdir()} == {
        "ca.key": "0o600",
        "ca.crt": "0o644",
        "tracker1.pem": "0o600",
    }
    former = {file: file.read_bytes() for file in tls.iterdir()}
    assert not provide("192.0.2.1", "2001:db8::1", "tracker1.example")[0]
    assert not provide("2001:0db8::0001")[0]  # fewer, and written otherwise
    assert {file: file.read_bytes() for file in tls.iterdir()} == former


def test_a_new_name_or_a_lost_file_makes_another_of_the_same_authority(tmp_path: Path, provide: Provide) -> None:
    tls = tmp_path / "tls"
    provide("192.0.2.1")
    authority, former = (tls / "ca.crt").read_bytes(), (tls / "tracker1.pem").read_bytes()
    assert "tracker1 has a certificate without 192.0.2.2" in provide("192.0.2.1", "192.0.2.2", options=("--check",))[1]
    assert (tls / "tracker1.pem").read_bytes() == former
    assert provide("192.0.2.1", "192.0.2.2")[0]
    assert (tls / "tracker1.pem").read_bytes() != former
    assert provide("192.0.2.9", name="seeder1")[0]
    certificate(tls / "seeder1.pem").verify_directly_issued_by(certificate(tls / "ca.crt"))
    assert (tls / "ca.crt").read_bytes() == authority


def test_a_lost_authority_takes_what_it_has_signed_with_it(tmp_path: Path, provide: Provide) -> None:
    provide("192.0.2.1")
    os.remove(tmp_path / "tls/ca.key")
    changed, said = provide("192.0.2.1")
    assert changed
    assert "tracker1 has a certificate of another authority" in said


def test_what_ends_is_renewed_before(tmp_path: Path, provide: Provide) -> None:
    tls = tmp_path / "tls"
    provide("192.0.2.1")
    key, first = (tls / "ca.key").read_bytes(), certificate(tls / "ca.crt")
    assert later(tmp_path, 360) == []
    assert later(tmp_path, 368) == ["tracker1 has a certificate that ends within a month"]
    assert later(tmp_path, 368) == []
    assert later(tmp_path, 3230)[0] == "the lab's certificate authority ends within fourteen months"
    # Programs with the former certificate of the authority take what is signed now.
    assert (tls / "ca.key").read_bytes() == key
    certificate(tls / "tracker1.pem").verify_directly_issued_by(first)
    second = certificate(tls / "ca.crt")
    assert second.not_valid_after_utc - first.not_valid_after_utc > datetime.timedelta(days=3000)
    assert certificate(tls / "tracker1.pem").not_valid_after_utc < second.not_valid_after_utc


def test_what_python_and_openssl_want_of_it_is_there(tmp_path: Path, provide: Provide) -> None:
    provide("192.0.2.1")
    context = ssl.create_default_context(cafile=str(tmp_path / "tls/ca.crt"))
    context.load_cert_chain(tmp_path / "tls/tracker1.pem")
    check = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_ip", "192.0.2.1"]
    done = subprocess.run(
        [*check, "-CAfile", tmp_path / "tls/ca.crt", tmp_path / "tls/tracker1.pem"], capture_output=True, check=False
    )
    assert done.returncode == 0, done


def test_a_broken_file_is_a_sentence(tmp_path: Path, provide: Provide) -> None:
    provide("192.0.2.1")
    (tmp_path / "tls/ca.key").write_text("nothing", encoding="utf-8")
    assert "take the directory away" in provide("192.0.2.1")[1]


NAMES = "{{ host | tls_names(['lab.example', 'größer']) }}"
FAULTS = "{{ files | tls_faults }}"


def test_a_host_is_certified_for_all_that_the_lab_calls_it(render: Callable[..., Any]) -> None:
    facts = {"default_ipv4": {"address": "192.0.2.1"}, "default_ipv6": {"address": "2001:db8::1"}}
    host = {"inventory_hostname": "one", "lab_address": "one.example", "lab_ip": "192.0.2.1", "ansible_facts": facts}
    assert render(NAMES, host=host) == ["one.example", "192.0.2.1", "one", "2001:db8::1", "lab.example"]


def test_certificate_and_key_come_to_the_host_as_one_text(tmp_path: Path) -> None:
    internals = yaml.safe_load((ROOT / "roles/lab/vars/main.yml").read_text(encoding="utf-8"))
    given = {name: trust_as_template(text) for name, text in internals.items() if name.startswith("__lab_tls_")}
    given |= {"lab_directory": str(tmp_path), "inventory_hostname": "one", "lab_tls_certificate": "", "lab_tls_key": ""}

    def text(**more: str) -> Any:
        return Templar(DataLoader(), {**given, **more}).template(trust_as_template("{{ __lab_tls_pem }}"))

    assert text() == ""
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/one.pem").write_text("own\nkey\n", encoding="utf-8")
    assert text() == "own\nkey\n"
    for name in ("certificate", "key"):
        (tmp_path / name).write_text(f"their {name}", encoding="utf-8")
    theirs = {f"lab_tls_{name}": str(tmp_path / name) for name in ("certificate", "key")}
    assert text(**theirs) == "their certificate\ntheir key\n"


@pytest.mark.parametrize(("address", "shown"), [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "[2001:db8::1]")])
def test_an_address_stands_in_a_url_as_it_has_to(render: Callable[..., Any], address: str, shown: str) -> None:
    assert render("{{ address | in_url }}", address=address) == shown


def test_files_of_the_operators_have_to_fit(tmp_path: Path, provide: Provide, render: Callable[..., Any]) -> None:
    provide("192.0.2.1")
    own, other = f"{tmp_path}/tls/tracker1.pem", f"{tmp_path}/tls/ca.key"

    def faults(**files: str) -> Any:
        every = {"certificate": "", "key": "", "ca": "", **files}
        return render(FAULTS, files={f"lab_tls_{name}": path for name, path in every.items()})

    assert faults() == []
    Path(f"{tmp_path}/key").write_text("-----BEGIN" + Path(own).read_text().rpartition("-----BEGIN")[2])
    assert faults(certificate=own, key=f"{tmp_path}/key") == []
    assert faults(certificate=own, key=other) == [
        f"lab_tls_key is {other}, which is not the key of lab_tls_certificate ({own})"
    ]
    assert faults(ca=own) == [
        "lab_tls_certificate is empty, but lab_tls_ca is set; give the file",
        "lab_tls_key is empty, but lab_tls_ca is set; give the file",
    ]
    assert faults(certificate=own, key="/nowhere") == ["lab_tls_key is /nowhere, which is no file on the controller"]
    assert "cannot be read as PEM" in faults(certificate=f"{tmp_path}/key", key=own)[0]
    Path(f"{tmp_path}/key").write_text("$ANSIBLE_VAULT;1.1;AES256\n00")
    assert faults(certificate=own, key=f"{tmp_path}/key") == []
