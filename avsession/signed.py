"""What a party's browser signs: which bytes, with which key, and how that is checked.

ECDSA on P-256 with SHA-256 (``ES256``), because every browser's WebCrypto makes such keys without
letting them out; Ed25519 it does not have everywhere yet. A signature is 64 bytes, r then s, as
WebCrypto gives it (IEEE P1363); a public key is the uncompressed point, 65 bytes (SEC 1, 2.3.3).
Both travel as base64url. A key is named by the SHA-256 of its public half, in hex.

What is signed is a context line and then RFC 8785 JSON, so that a signature that was made for one
thing never fits another, and Python and JavaScript sign the same bytes (``web/static/signer.js``;
``tests/vectors/signed.json`` holds both to them).
"""

from __future__ import annotations

import datetime
import re

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from avsession.canonical import canonical, sha256_hex, unb64
from avsession.errors import SignatureInvalid

ALGORITHM = "ES256"
CONTEXT = b"avsession.consent.v1\n"
KEY_CONTEXT = b"avsession.key.v1\n"

WINDOW_MS = 300_000
"""How far the signed time may be from the server's: clocks differ, networks come back late."""

POINT, HALF = 65, 32
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(?!\n)")
"""As ``Date.prototype.toISOString`` writes it."""


class Signed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A browser's signature under a message. Judged, not decoded: nothing about its texts is
    checked while reading, because withdrawing with a bad signature is withdrawing all the same.
    """

    key: str
    """SHA-256 of the public key, hex."""
    time: str
    """The moment of the click, RFC 3339 UTC with milliseconds."""
    signature: str
    """64 bytes, base64url."""


class Enrolment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key, and the proof over our challenge that its private half is there. Judged as well."""

    public_key: str
    challenge: str
    proof: str


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a party says, and its browser signs. ``notice`` and ``language`` only when giving."""

    action: str  # give, refuse, withdraw
    session: str
    party: str
    request: str
    notice: str | None = None
    """SHA-256 of the notice that was on the screen."""
    language: str | None = None
    purposes: tuple[str, ...] = ()
    """The ones that were ticked."""
    time: str
    key: str


def statement_bytes(statement: Statement) -> bytes:
    """The bytes under a statement's signature."""
    return CONTEXT + canonical(statement)


def enrolment_bytes(session: str, party: str, challenge: str, key: str) -> bytes:
    """The bytes under the proof that whoever enrols a key has its private half."""
    said = {"challenge": challenge, "key": key, "party": party, "session": session}
    return KEY_CONTEXT + canonical(said)


def key_id(public_key: str) -> str:
    """The name of a public key. Raises SignatureInvalid when it is not a point in base64url."""
    return sha256_hex(_bytes(public_key, POINT))


def verify(public_key: str, signature: str, data: bytes) -> None:
    """Raise SignatureInvalid unless this key signed these bytes."""
    point, halves = _bytes(public_key, POINT), _bytes(signature, 2 * HALF)
    r, s = int.from_bytes(halves[:HALF]), int.from_bytes(halves[HALF:])
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature) as error:
        raise SignatureInvalid from error


def time_ms(time: str) -> int:
    """Milliseconds since the Unix epoch; raises SignatureInvalid for any other form of a time."""
    if not TIME.fullmatch(time):
        raise SignatureInvalid
    try:
        moment = datetime.datetime.fromisoformat(time)
    except ValueError as error:
        raise SignatureInvalid from error
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return round(since / datetime.timedelta(milliseconds=1))


def _bytes(text: str, length: int) -> bytes:
    try:
        data = unb64(text)
    except ValueError as error:
        raise SignatureInvalid from error
    if len(data) != length:
        raise SignatureInvalid
    return data
