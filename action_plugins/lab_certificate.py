"""The work of module lab_certificate: files of the controller, in its own process, with a library of Ansible's."""

from __future__ import annotations

import datetime
import fcntl
import ipaddress
import os
import tempfile
from typing import Any, Sequence

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
# Clients refuse longer ones of hosts; those of authorities are given to people and devices by hand.
HOST_LASTS, CA_LASTS = 397 * DAY, 3650 * DAY
# How long before its end another one is made. An authority outlasts whatever it signs.
HOST_MARGIN, CA_MARGIN = 30 * DAY, HOST_LASTS + 30 * DAY


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {
                "directory": {"type": "path", "required": True},
                "lab": {"type": "str", "required": True},
                "name": {"type": "str", "required": True},
                "names": {"type": "list", "elements": "str", "required": True},
            }
        )
        directory, name = arguments["directory"], arguments["name"]
        authority = Authority(directory, arguments["lab"], check_mode=self._task.check_mode)
        try:
            authority.lock()
            reasons = authority.renew()
            reasons += authority.provide(name, sorted({one.lower() for one in arguments["names"] if one}))
        except OSError as error:
            raise AnsibleActionFail(f"{directory}: {error.strerror}: {error.filename}") from error
        except ValueError as error:
            raise AnsibleActionFail(
                f"{directory} has a file that is no key or certificate ({error}); take the directory away, and "
                "everything in it is made anew"
            ) from error
        finally:
            authority.unlock()
        return {**result, "changed": bool(reasons), "reasons": reasons}


class Authority:
    """Key and certificate of the lab, and those of its hosts, in one directory."""

    def __init__(self, directory: str, lab: str, *, check_mode: bool) -> None:
        self._directory, self._check = directory, check_mode
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Seedbed lab {lab}"[:64])])
        self.now = datetime.datetime.now(datetime.timezone.utc)
        self._lock = -1

    def lock(self) -> None:
        """Wait until no other host's task works on the same files; in check mode there may be no directory."""
        if not self._check:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
        if os.path.isdir(self._directory):
            self._lock = os.open(self._directory, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def unlock(self) -> None:
        """Let the next one work."""
        if self._lock >= 0:
            os.close(self._lock)

    def renew(self) -> list[str]:
        """Make the authority if there is none, and its certificate before it ends; return why."""
        there = self._read("ca.key")
        self._key = _key(there) if there else ec.generate_private_key(ec.SECP256R1())
        certificate = self._read("ca.crt") if there else None
        former = x509.load_pem_x509_certificate(certificate) if certificate else None
        if former and former.public_key() == self._key.public_key():
            if former.not_valid_after_utc - self.now > CA_MARGIN:
                self._certificate = former
                return []
            reason = "the lab's certificate authority ends within fourteen months"
        else:
            reason = "the lab has no certificate authority"
        self._certificate = self._sign(
            self._subject,
            self._key.public_key(),
            self.now + CA_LASTS,
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage("key_cert_sign", "crl_sign"), True),
        )
        if not there:
            self._write("ca.key", _pem_of(self._key), 0o600)
        self._write("ca.crt", _certificate_pem(self._certificate), 0o644)
        return [reason]

    def provide(self, name: str, names: Sequence[str]) -> list[str]:
        """Have a certificate for a host in a file with its key; return why another one was made."""
        file = f"{name}.pem"
        reason = self._fault(name, names, self._read(file))
        if reason:
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = self._sign(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]),
                key.public_key(),
                self.now + HOST_LASTS,
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (_usage("digital_signature"), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                (x509.SubjectAlternativeName([_general_name(one) for one in names]), False),
            )
            self._write(file, _certificate_pem(certificate) + _pem_of(key), 0o600)
        return [reason] if reason else []

    def _fault(self, name: str, names: Sequence[str], there: bytes | None) -> str:
        """Return what is wrong with what the host has; nothing where it can stay."""
        if there is None:
            return f"{name} has no certificate"
        _key(there)
        certificate = x509.load_pem_x509_certificate(there)
        try:
            certificate.verify_directly_issued_by(self._certificate)
        except (InvalidSignature, ValueError):
            return f"{name} has a certificate of another authority"
        if certificate.not_valid_after_utc - self.now < HOST_MARGIN:
            return f"{name} has a certificate that ends within a month"
        carried = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        lacking = [one for one in names if _general_name(one) not in carried]
        return f"{name} has a certificate without {' and '.join(lacking)}" if lacking else ""

    def _sign(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        end: datetime.datetime,
        *extensions: tuple[x509.ExtensionType, bool],
    ) -> x509.Certificate:
        own = self._key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            # The hosts' clocks may be behind.
            .not_valid_before(self.now - DAY)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())

    def _read(self, name: str) -> bytes | None:
        try:
            with open(os.path.join(self._directory, name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def _write(self, name: str, content: bytes, mode: int) -> None:
        """Have a file in one step; never readable for others meanwhile."""
        if self._check:
            return
        descriptor, part = tempfile.mkstemp(prefix=".part-", dir=self._directory)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        os.replace(part, os.path.join(self._directory, name))


def _key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem[pem.find(b"-----BEGIN PRIVATE") :], password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("a key of another kind")
    return key


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form)


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*wanted: str) -> x509.KeyUsage:
    every = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{one: one in wanted for one in every})
