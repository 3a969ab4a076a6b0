"""Which grants hold. What a worker does about the others: test_worker."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession import grant as grants
from avsession.errors import AvsessionError, GrantExpired, GrantInvalid, SignatureInvalid
from recorder.permit import MAX_PARTIES, Permit
from tests.support.signer import Signer

NOW = 1_750_000_000_000
KEY = Ed25519PrivateKey.generate()
PERMIT = Permit(KEY.public_key(), "wrk_1", "AB", "key")


def token(key: Ed25519PrivateKey = KEY, *, parties: int = 1, **changes: Any) -> str:
    signers = [Signer("ses_1", f"pty_{n}") for n in range(parties)]
    fields: dict[str, Any] = {
        "id": "grt_1", "session": "ses_1", "request": "req_1", "recording": "rec_1",
        "generation": 1, "epoch_ms": NOW, "issued_ms": NOW, "expires_ms": NOW + 1000,
        "worker": "wrk_1", "fingerprint": "AB", "recorder_key": "key", "purposes": ("quality",),
        "consents": tuple(s.consent(NOW, "req_1", f"evt_{s.party}") for s in signers),
        "legs": tuple(grants.GrantedLeg(s.party, f"trk_{s.party}", "age1x") for s in signers),
    }  # fmt: skip
    return grants.sign(grants.Grant(**(fields | changes)), key)


@pytest.mark.parametrize("parties", [1, MAX_PARTIES])
def test_one_for_this_worker_holds(parties: int) -> None:
    assert len(PERMIT.read(token(parties=parties), NOW + 999.9).legs) == parties


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"key": Ed25519PrivateKey.generate()}, GrantInvalid),
        ({"worker": "wrk_2"}, GrantInvalid),
        ({"fingerprint": "AC"}, GrantInvalid),
        ({"recorder_key": "other"}, GrantInvalid),
        ({"parties": 0}, GrantInvalid),
        ({"parties": MAX_PARTIES + 1}, GrantInvalid),
        ({"expires_ms": NOW}, GrantExpired),
        ({"consents": ()}, SignatureInvalid),
        ({"request": "req_2"}, SignatureInvalid),
    ],
)
def test_any_other_does_not(given: dict[str, Any], error: type[AvsessionError]) -> None:
    with pytest.raises(error):
        PERMIT.read(token(**given), NOW + 1)
