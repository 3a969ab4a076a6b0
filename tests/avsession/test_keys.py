"""Key files: made once, private, refused when others can read them."""

from __future__ import annotations

import datetime
import secrets
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from avsession import keys
from avsession.errors import SettingsInvalid
from avsession.session import is_id

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_signing_key_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "grant.key"
    first = keys.signing_key(path)
    assert mode(path) == 0o600
    again = keys.signing_key(path)
    assert first.private_bytes_raw() == again.private_bytes_raw()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "grant.key"
    keys.signing_key(path)
    path.chmod(0o640)
    with pytest.raises(SettingsInvalid, match="owner only"):
        keys.signing_key(path)


def test_a_private_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    keys.write_private(path, b"one")
    with pytest.raises(FileExistsError):
        keys.write_private(path, b"two")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        keys.write_private(link, b"three")
    assert path.read_bytes() == b"one"


def test_credential_and_worker_last(tmp_path: Path) -> None:
    credential = keys.credential(tmp_path / "c", secrets.token_bytes)
    assert len(credential) == 43
    assert keys.credential(tmp_path / "c", secrets.token_bytes) == credential
    worker = keys.worker_id(tmp_path / "w", secrets.token_bytes)
    assert is_id(worker)
    assert keys.worker_id(tmp_path / "w", secrets.token_bytes) == worker


def test_the_local_certificate_is_for_loopback_alone(tmp_path: Path) -> None:
    certificate, key, authority = keys.local_certificate(tmp_path, NOW)
    assert mode(key) == 0o600
    leaf = x509.load_pem_x509_certificate(certificate.read_bytes())
    ca = x509.load_pem_x509_certificate(authority.read_bytes())
    leaf.verify_directly_issued_by(ca)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    limits = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    assert list(tmp_path.glob("ca*")) == [authority], "the authority's key is not kept"
    ssl.create_default_context(cafile=authority)


def test_the_local_certificate_is_kept_until_near_its_end(tmp_path: Path) -> None:
    certificate, _, _ = keys.local_certificate(tmp_path, NOW)
    first = certificate.read_bytes()
    keys.local_certificate(tmp_path, NOW + datetime.timedelta(days=300))
    assert certificate.read_bytes() == first
    keys.local_certificate(tmp_path, NOW + datetime.timedelta(days=370))
    assert certificate.read_bytes() != first
