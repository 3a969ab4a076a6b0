"""What is believed of an authenticator's answer; with a real browser in tests/browser."""

from __future__ import annotations

import pytest

from avsession import passkeys
from avsession.canonical import b64
from avsession.passkeys import PasskeyRefused
from tests.support.authenticator import UP, Authenticator

HOST, ORIGIN = "localhost", "https://localhost:8443"


def test_made_then_confirmed_and_counted() -> None:
    mine = Authenticator()
    options = passkeys.creation(HOST, "ACME", "Ada", "acc_1", b"c" * 32, [b"known"])
    assert options["excludeCredentials"][0]["id"] == b64(b"known")
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["attestation"] == "none"
    made = passkeys.created(mine.create(options), b"c" * 32, HOST, ORIGIN)
    assert made[0] == mine.id
    asked = passkeys.request(HOST, b"d" * 32, [mine.id])
    said = mine.get(asked)
    count = passkeys.confirmed(said, b"d" * 32, HOST, ORIGIN, public_key=made[1], count=made[2])
    assert count == 1
    with pytest.raises(PasskeyRefused):
        passkeys.confirmed(said, b"d" * 32, HOST, ORIGIN, public_key=made[1], count=count)
    assert passkeys.is_called(mine.id, said["id"])
    assert not passkeys.is_called(mine.id, said["id"] + "A")


def test_a_creation_that_does_not_hold() -> None:
    mine = Authenticator()
    options = passkeys.creation(HOST, "ACME", "Ada", "acc_1", b"c" * 32, [])
    for wrong in (
        mine.create(options, flags=UP),
        mine.create(options, origin="https://calls.example.com"),
        {},
        {"id": 1},
        {**mine.create(options), "response": {"attestationObject": "x", "clientDataJSON": "x"}},
    ):
        with pytest.raises(PasskeyRefused):
            passkeys.created(wrong, b"c" * 32, HOST, ORIGIN)
    with pytest.raises(PasskeyRefused):
        passkeys.created(mine.create(options), b"d" * 32, HOST, ORIGIN)
