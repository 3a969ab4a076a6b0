"""A new certificate takes the old one's place when it can be used, and never otherwise."""

import asyncio
import datetime
import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from avsession import certificates
from avsession.certificates import Certificate, ends_ms, faults, names_of, read
from avsession.errors import SettingsInvalid
from avsession.tasks import Tasks
from avsession.usecases.readiness import Readiness
from signaling.front import tls_context
from tests.signaling.world import CUSTOMER, world

NOW = datetime.datetime.now(datetime.UTC)
HOST = "calls.example.com"


def make(folder: Path, *names: str, days: float = 30, since: float = -1) -> None:
    """A certificate for these names and its key, in the place of those that are there."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    san = x509.SubjectAlternativeName([x509.DNSName(one) for one in names or (HOST,)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + datetime.timedelta(days=since))
        .not_valid_after(NOW + datetime.timedelta(days=days))
        .add_extension(san, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for file, data in (("chain.pem", made.public_bytes(Encoding.PEM)), ("key.pem", pem)):
        new = folder / f"{file}.new"  # as renewal programs do: another inode
        new.write_bytes(data)
        os.replace(new, folder / file)


def of(folder: Path, ready: Readiness | None = None, host: str = HOST) -> Certificate:
    return Certificate(
        folder / "chain.pem", folder / "key.pem", host, tls_context, ready or Readiness()
    )


def test_nothing_changed_is_nothing_new(tmp_path: Path) -> None:
    make(tmp_path)
    certificate = of(tmp_path)
    certificate.first()
    assert certificate.again() is None
    assert certificate.again(asked=True) is not None, "SIGHUP reads whatever lies there"


def test_a_new_one_is_taken(tmp_path: Path) -> None:
    make(tmp_path)
    ready = Readiness()
    certificate = of(tmp_path, ready)
    certificate.first()
    before = ready.certificate_ends_ms
    make(tmp_path, days=90)
    assert certificate.again() is not None
    assert before is not None
    assert ready.certificate_ends_ms == ends_ms(read(tmp_path / "chain.pem")) != before
    assert certificate.again() is None


@pytest.mark.parametrize("wrong", ["torn", "key", "expired", "early", "name", "gone"])
def test_one_that_cannot_be_used_changes_nothing_and_is_said(
    tmp_path: Path, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    make(tmp_path)
    ready = Readiness()
    certificate = of(tmp_path, ready)
    certificate.first()
    ends = ready.certificate_ends_ms
    if wrong == "torn":
        whole = (tmp_path / "chain.pem").read_bytes()
        (tmp_path / "chain.pem").write_bytes(whole[: len(whole) // 2])
    elif wrong == "key":
        key = (tmp_path / "key.pem").read_bytes()
        make(tmp_path)
        (tmp_path / "key.pem").write_bytes(key)
    elif wrong == "gone":
        (tmp_path / "key.pem").unlink()
    else:
        days, since = {"expired": (-0.5, -1.0), "early": (30.0, 1.0), "name": (30.0, -1.0)}[wrong]
        name = "other.example.com" if wrong == "name" else HOST
        make(tmp_path, name, days=days, since=since)
    for _ in range(3):
        assert certificate.again() is None
    assert ready.certificate_problem
    assert ready.warnings == ["certificate"]
    assert ready.certificate_ends_ms == ends
    assert caplog.text.count("the old one still is") == 1, "said once, not every few seconds"
    make(tmp_path, days=60)
    assert certificate.again() is not None
    assert ready.warnings == []


def test_at_the_start_there_is_no_old_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SettingsInvalid, match="certificate cannot be used"):
        of(tmp_path).first()
    make(tmp_path, days=-0.1)
    of(tmp_path).first()
    assert "not one that browsers accept: it ended on" in caplog.text


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        ((HOST,), HOST, True),
        (("CALLS.example.COM",), HOST, True),
        (("*.example.com",), HOST, True),
        (("*.example.com",), "example.com", False),
        (("*.example.com",), "a.calls.example.com", False),
        (("calls.example.com.evil",), HOST, False),
        (("a.example", HOST), HOST, True),
    ],
)
def test_names(tmp_path: Path, names: tuple[str, ...], host: str, covered: bool) -> None:
    make(tmp_path, *names)
    leaf = read(tmp_path / "chain.pem")
    assert names_of(leaf) == list(names)
    assert (faults(leaf, host, NOW) == []) is covered


async def test_connections_stay_and_new_ones_get_the_new_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LOOK_S", 0.01)
    make(tmp_path, "localhost")
    certificate = of(tmp_path, host="localhost")
    certificate.first()
    files = (tmp_path / "chain.pem", tmp_path / "key.pem")
    async with world(files) as there, there.page(CUSTOMER) as page:
        used = asyncio.Event()

        def use(context: ssl.SSLContext) -> None:
            there.front.use(context)
            used.set()

        tasks = Tasks()
        tasks.spawn(certificate.follow(use, asyncio.Event()), name="certificate")
        assert await shown(there.port) == ends_ms(read(files[0]))
        make(tmp_path, "localhost", days=90)
        await used.wait()
        assert await shown(there.port) == ends_ms(read(files[0]))
        await page.say(type="ping")
        assert await page.next() == {"type": "pong"}
        await tasks.close()


async def shown(port: int) -> int:
    """When the certificate that a new handshake gets ends."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    data = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return ends_ms(x509.load_der_x509_certificate(data))
