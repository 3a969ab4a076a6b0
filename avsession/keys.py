"""The files that a first start makes: signing keys, the recorders' credential, local TLS.

Every private file is made with O_EXCL and 0600 in a 0700 folder; one that others can read is
refused. The local certificate authority exists only to give a loopback address TLS; its key
signs one certificate and is never written down.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import stat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from avsession.canonical import b64
from avsession.errors import SettingsInvalid
from avsession.session import Entropy, new_id

CERTIFICATE_DAYS = 397
"""How long a local certificate is good for: the longest that browsers accept."""
RENEW_DAYS = 30
"""Made anew when this little is left."""


def private_folder(path: Path) -> Path:
    """The folder, made 0700 if it is not there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def write_private(path: Path, data: bytes) -> None:
    """Write a new 0600 file; raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_private(path: Path) -> bytes:
    """Read a private file; raises SettingsInvalid when others can read it."""
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SettingsInvalid(f"{path.name} must be readable by its owner only (chmod 600).")
    return path.read_bytes()


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The Ed25519 key in ``path`` (PKCS#8 PEM), made on first use."""
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    loaded = load_pem_private_key(read_private(path), None)
    if not isinstance(loaded, Ed25519PrivateKey):
        raise SettingsInvalid(f"{path.name} is not an Ed25519 key.")
    return loaded


class FileSigner:
    """``ports.LogSigner`` with its key in a file; made on first use."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsInvalid when the file is not such a key, or others can read it."""
        self._key = signing_key(path)

    @property
    def public_key(self) -> bytes:
        """As ``ports.LogSigner.public_key``."""
        return self._key.public_key().public_bytes_raw()

    async def sign(self, data: bytes) -> bytes:
        """As ``ports.LogSigner.sign``; this one never fails."""
        return self._key.sign(data)


def public_file(key: Ed25519PrivateKey, path: Path) -> Path:
    """Write the public half beside it (SubjectPublicKeyInfo PEM), for the recorders."""
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def credential(path: Path, entropy: Entropy) -> str:
    """What recorder workers present: 256 random bits in base64url, made on first use."""
    if not path.exists():
        write_private(path, b64(entropy(32)).encode() + b"\n")
    return read_private(path).decode().strip()


def worker_id(path: Path, entropy: Entropy) -> str:
    """A worker's lasting identifier: its spool is found again after a restart."""
    if not path.exists():
        write_private(path, new_id("wrk", entropy).encode() + b"\n")
    return read_private(path).decode().strip()


def local_certificate(folder: Path, now: datetime.datetime) -> tuple[Path, Path, Path]:
    """Certificate, key and authority for localhost, 127.0.0.1 and ::1; made anew near the end.

    The authority (``ca.pem``) may be imported into a browser; it is constrained to loopback
    names, and its key is forgotten after the one signature.
    """
    authority, certificate, key = (folder / n for n in ("ca.pem", "server.pem", "server.key"))
    if all(path.exists() for path in (authority, certificate, key)):
        left = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc - now
        if left > datetime.timedelta(days=RENEW_DAYS):
            return certificate, key, authority
    for path in (authority, certificate, key):
        path.unlink(missing_ok=True)
    _make_certificate(authority, certificate, key, now)
    return certificate, key, authority


def _make_certificate(
    authority: Path, certificate: Path, key: Path, now: datetime.datetime
) -> None:
    ca_key, server_key = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "avsession local authority")])
    loopback = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    constraints = x509.NameConstraints(
        permitted_subtrees=[
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")),
            x509.IPAddress(ipaddress.ip_network("::1/128")),
        ],
        excluded_subtrees=None,
    )
    start = now - datetime.timedelta(days=1)
    end = start + datetime.timedelta(days=CERTIFICATE_DAYS)
    ca_cert = (
        x509.CertificateBuilder()
        .subject_name(issuer)
        .issuer_name(issuer)
        .public_key(ca_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(constraints, critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
        )
        .add_extension(_usage(authority=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    server_cert = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(issuer)
        .public_key(server_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(loopback), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .add_extension(_usage(authority=False), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    pem = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(key, pem)
    write_private(certificate, server_cert.public_bytes(Encoding.PEM))
    write_private(authority, ca_cert.public_bytes(Encoding.PEM))


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
