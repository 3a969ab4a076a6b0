"""Capture grants: the signed, short-lived permission without which nothing is captured.

The domain signs one only after every ``given`` is committed; the recorder checks it before it
negotiates a track; the browser checks the leg's fingerprint against it. A grant names one
generation of the gate: when the gate changes, the generation rises and older grants are dead.
It carries every party's own signature, so that the word of whoever signs grants is not enough.
"""

from __future__ import annotations

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from avsession import signed
from avsession.canonical import b64, canonical, sha256_hex, unb64
from avsession.errors import GrantExpired, GrantInvalid, SignatureInvalid

CONTEXT = b"avsession.grant.v1\n"
"""Signed before the grant's bytes, so that a signature made for anything else never fits."""

LIFETIME_MS = 60_000
"""How long a grant may start legs. Capture itself goes on only while heartbeats confirm it."""

MAX_TOKEN = 32_768
"""Characters; a longer token is refused before it is parsed. Sixteen parties fit, who ticked
sixteen purposes each."""


class GrantedLeg(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One party's leg: whose it is, the track it fills, and the age recipient that seals it."""

    party: str
    track: str
    recipient: str


class SignedConsent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A party's committed ``given`` event, as its own browser signed it.

    Session and request are the grant's: a consent to any other does not verify here.
    """

    event: str
    party: str
    notice: str
    language: str
    purposes: tuple[str, ...]
    time: str
    public_key: str
    signature: str

    def statement(self, session: str, request: str) -> signed.Statement:
        """What the party signed; raises SignatureInvalid when its key is none."""
        return signed.Statement(
            action="give",
            session=session,
            party=self.party,
            request=request,
            notice=self.notice,
            language=self.language,
            purposes=self.purposes,
            time=self.time,
            key=signed.key_id(self.public_key),
        )


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may be captured, by whom, until when. Times: ms since the Unix epoch, server clock."""

    id: str
    session: str
    request: str
    recording: str
    generation: int
    epoch_ms: int
    """Server time of the recording's timeline 0; the same for every generation of it."""
    issued_ms: int
    expires_ms: int
    worker: str
    fingerprint: str
    """The recorder's DTLS certificate, as in SDP: SHA-256, upper-case hex pairs with colons."""
    recorder_key: str
    """The Ed25519 key that signs the manifest, base64url."""
    purposes: tuple[str, ...]
    consents: tuple[SignedConsent, ...]
    """The committed ``given`` events, one a party."""
    legs: tuple[GrantedLeg, ...]
    max_height: int = 720
    max_bitrate: int = 1_500_000
    """Bits per second, for video and audio together."""
    delay_ms: int = 400
    """The recorder's delay line, 0 to 400."""


def sign(grant: Grant, key: Ed25519PrivateKey) -> str:
    """The grant as a token: base64url of its canonical JSON, a dot, base64url of the signature."""
    body = canonical(grant)
    return f"{b64(body)}.{b64(key.sign(CONTEXT + body))}"


def read(token: str, key: Ed25519PublicKey, now_ms: int) -> Grant:
    """The grant in ``token``, checked.

    Raises GrantInvalid when it is malformed or not signed by ``key``, GrantExpired when
    ``now_ms`` (server time) is past its end. Who is meant, and which generation is live, is
    the caller's to check.
    """
    if len(token) > MAX_TOKEN:
        raise GrantInvalid
    try:
        head, tail = token.split(".")
        body, signature = unb64(head), unb64(tail)
        key.verify(signature, CONTEXT + body)
        grant = msgspec.json.decode(body, type=Grant)
    except (ValueError, InvalidSignature, msgspec.DecodeError) as error:
        raise GrantInvalid from error
    if now_ms > grant.expires_ms:
        raise GrantExpired
    return grant


def check_consents(grant: Grant) -> None:
    """Raise SignatureInvalid unless every party with a leg has itself signed for this recording.

    That is: one consent a party, of a key of its own, to this session and request, to every
    purpose that is granted, not signed later than the grant (clocks may differ by
    ``signed.WINDOW_MS``).
    """
    consents = grant.consents
    parties = sorted(consent.party for consent in consents)
    keys = {consent.public_key for consent in consents}
    events = {consent.event for consent in consents}
    if parties != sorted(leg.party for leg in grant.legs) or not parties:
        raise SignatureInvalid
    if not len(consents) == len(set(parties)) == len(keys) == len(events):
        raise SignatureInvalid
    for consent in consents:
        if not set(grant.purposes) <= set(consent.purposes):
            raise SignatureInvalid
        if signed.time_ms(consent.time) > grant.issued_ms + signed.WINDOW_MS:
            raise SignatureInvalid
        statement = consent.statement(grant.session, grant.request)
        data = signed.statement_bytes(statement)
        signed.verify(consent.public_key, consent.signature, data)


def digest(token: str) -> str:
    """SHA-256 over the whole token, hex: how the log and the manifest name a grant."""
    return sha256_hex(token.encode())
