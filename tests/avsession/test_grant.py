"""Grants: what the domain signed is read as it was; anything else, and anything late, is not."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from avsession import grant
from avsession.canonical import b64, canonical, unb64
from avsession.errors import GrantExpired, GrantInvalid, SignatureInvalid
from avsession.grant import CONTEXT, Grant, GrantedLeg, SignedConsent
from tests.support.signer import Signer

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key()
ISSUED = 1_700_000_000_000

ONE, TWO = Signer("ses_1", "pty_1"), Signer("ses_1", "pty_2")

GRANT = Grant(
    id="grt_1",
    session="ses_1",
    request="req_1",
    recording="rec_1",
    generation=3,
    epoch_ms=ISSUED - 5000,
    issued_ms=ISSUED,
    expires_ms=ISSUED + grant.LIFETIME_MS,
    worker="wrk_1",
    fingerprint=":".join(["AB"] * 32),
    recorder_key=b64(bytes(32)),
    purposes=("quality",),
    consents=(
        ONE.consent(ISSUED, "req_1", "evt_1"),
        TWO.consent(ISSUED, "req_1", "evt_2"),
    ),
    legs=(GrantedLeg("pty_1", "trk_1", "age1a"), GrantedLeg("pty_2", "trk_2", "age1b")),
)
TOKEN = grant.sign(GRANT, KEY)


def signed(body: bytes, key: Ed25519PrivateKey = KEY, context: bytes = CONTEXT) -> str:
    """A token with a signature that is good for these bytes."""
    return f"{b64(body)}.{b64(key.sign(context + body))}"


def changed(**fields: object) -> bytes:
    return canonical(msgspec.to_builtins(GRANT) | fields)


def test_what_was_signed_is_read_as_it_was() -> None:
    assert grant.read(TOKEN, PUBLIC, ISSUED) == GRANT


def test_a_token_is_canonical_json_and_a_signature_that_stock_tools_can_check() -> None:
    body, signature = (unb64(part) for part in TOKEN.split("."))
    assert json.loads(body)["generation"] == 3
    assert body == canonical(json.loads(body))
    PUBLIC.verify(signature, b"avsession.grant.v1\n" + body)
    assert grant.digest(TOKEN) == hashlib.sha256(TOKEN.encode()).hexdigest()


def test_it_holds_to_its_last_millisecond_and_no_longer() -> None:
    grant.read(TOKEN, PUBLIC, GRANT.expires_ms)
    with pytest.raises(GrantExpired):
        grant.read(TOKEN, PUBLIC, GRANT.expires_ms + 1)


HOSTILE = {
    "nothing": "",
    "one part": TOKEN.split(".", maxsplit=1)[0],
    "three parts": TOKEN + ".",
    "no signature": TOKEN.split(".", maxsplit=1)[0] + ".",
    "no body": "." + TOKEN.split(".")[1],
    "someone else's signature": grant.sign(GRANT, OTHER_KEY),
    "a signature for another use": signed(changed(), context=b"avsession.manifest.v1\n"),
    "a signature without its context": signed(changed(), context=b""),
    "another grant's signature": f"{b64(changed(generation=4))}.{TOKEN.split('.')[1]}",
    "a longer life": f"{b64(changed(expires_ms=ISSUED * 2))}.{TOKEN.split('.')[1]}",
    "padding": TOKEN + "==",
    "a line end": TOKEN + "\n",
    "a space": " " + TOKEN,
    "not ASCII": TOKEN + "é",
    "not UTF-8, signed": signed(b'{"id":"\xff"}'),
    "not JSON, signed": signed(b"grant"),
    "a list, signed": signed(b"[]"),
    "deep nesting, signed": signed(b"[" * 3000),
    "an unknown field, signed": signed(changed(extra=1)),
    "a missing field, signed": signed(b'{"id":"x"}'),
    "a number as text, signed": signed(changed(generation="3")),
    "too long, signed": signed(changed(id="x" * grant.MAX_TOKEN)),
}


@pytest.mark.parametrize("token", HOSTILE.values(), ids=HOSTILE.keys())
def test_anything_else_is_invalid(token: str) -> None:
    with pytest.raises(GrantInvalid):
        grant.read(token, PUBLIC, ISSUED)


def test_an_expired_forgery_is_a_forgery() -> None:
    with pytest.raises(GrantInvalid):
        grant.read(TOKEN, OTHER_KEY.public_key(), GRANT.expires_ms + 1)


@given(place=st.integers(0, len(TOKEN) - 1), put=st.sampled_from("Ab0-_.=+/ \n"))
def test_no_character_can_be_changed(place: int, put: str) -> None:
    token = TOKEN[:place] + put + TOKEN[place + 1 :]
    if token == TOKEN:
        return
    with pytest.raises(GrantInvalid):
        grant.read(token, PUBLIC, ISSUED)


@given(st.text(max_size=200))
def test_no_text_crashes_the_reader(text: str) -> None:
    with pytest.raises(GrantInvalid):
        grant.read(text, PUBLIC, ISSUED)


# --- the parties' own signatures


def party(number: int, *purposes: str) -> tuple[GrantedLeg, SignedConsent]:
    """A leg and the consent of its party, each as long as it may get."""
    name = f"pty_{number:026}"
    consent = Signer(SESSION, name).consent(ISSUED, REQUEST, f"evt_{number:026}", *purposes)
    return GrantedLeg(name, f"trk_{number:026}", "age1" + "q" * 58), consent


SESSION, REQUEST = "ses_" + "a" * 26, "req_" + "a" * 26
MOST = tuple(f"{n:02}{'p' * 30}" for n in range(16))


def made(parties: list[tuple[GrantedLeg, SignedConsent]], *purposes: str) -> Grant:
    return msgspec.structs.replace(
        GRANT,
        session=SESSION,
        request=REQUEST,
        recording="rec_" + "a" * 26,
        purposes=purposes,
        legs=tuple(leg for leg, _ in parties),
        consents=tuple(consent for _, consent in parties),
    )


def test_sixteen_parties_with_sixteen_purposes_fit_in_a_token() -> None:
    full = made([party(n, *MOST) for n in range(16)], *MOST)
    grant.check_consents(full)
    token = grant.sign(full, KEY)
    assert grant.MAX_TOKEN * 0.5 < len(token) <= grant.MAX_TOKEN
    assert grant.read(token, PUBLIC, ISSUED) == full


def test_everyone_who_has_a_leg_has_signed() -> None:
    grant.check_consents(GRANT)


OURS = [party(1), party(2)]
FORGED = {
    "nobody": {"legs": (), "consents": ()},
    "one has not": {"consents": GRANT.consents[:1]},
    "one too many": {"legs": GRANT.legs[:1]},
    "one twice": {"consents": (GRANT.consents[0], GRANT.consents[0])},
    "another session": {"session": "ses_2"},
    "another request": {"request": "req_2"},
    "a purpose that one did not tick": {"purposes": ("quality", "evidence")},
    "signed after the grant": {"issued_ms": ISSUED - 300_001},
    "somebody else's": {"consents": (GRANT.consents[0], OURS[1][1])},
}


@pytest.mark.parametrize("changes", FORGED.values(), ids=FORGED.keys())
def test_a_consent_that_its_party_did_not_sign(changes: dict[str, object]) -> None:
    with pytest.raises(SignatureInvalid):
        grant.check_consents(msgspec.structs.replace(GRANT, **changes))


def test_each_party_has_a_key_of_its_own() -> None:
    """One key for two parties is a key of whoever speaks for both."""
    second = Signer("ses_1", "pty_2")
    second.private, second.public_key, second.key = ONE.private, ONE.public_key, ONE.key
    both = (GRANT.consents[0], second.consent(ISSUED, "req_1", "evt_2"))
    with pytest.raises(SignatureInvalid):
        grant.check_consents(msgspec.structs.replace(GRANT, consents=both))


@given(st.sampled_from(SignedConsent.__struct_fields__), st.integers(0, 1))
def test_every_field_of_a_consent_counts(field: str, whose: int) -> None:
    old = getattr(GRANT.consents[whose], field)
    new = (
        (*old, "evidence")
        if isinstance(old, tuple)
        else old[:-1] + ("B" if old[-1] != "B" else "C")
    )
    if field == "event":
        return  # a name of the domain's own, which its signature under the grant covers
    consents = list(GRANT.consents)
    consents[whose] = msgspec.structs.replace(consents[whose], **{field: new})
    with pytest.raises(SignatureInvalid):
        grant.check_consents(msgspec.structs.replace(GRANT, consents=tuple(consents)))
