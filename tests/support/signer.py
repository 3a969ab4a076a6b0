"""What a party's page does with its key, without a page."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from avsession.audit.log import rfc3339
from avsession.canonical import b64, canonical
from avsession.grant import SignedConsent
from avsession.signed import Signed, Statement, enrolment_bytes, key_id, statement_bytes

ACTIONS = {
    "consent.give": "give",
    "consent.refuse": "refuse",
    "consent.withdraw": "withdraw",
}
"""The messages that are signed, and what they say."""


class Signer:
    """One page's key. ``session`` and ``party`` are whose it is."""

    def __init__(self, session: str, party: str) -> None:
        self.session, self.party = session, party
        self.private = ec.generate_private_key(ec.SECP256R1())
        point = self.private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        self.public_key = b64(point)
        self.key = key_id(self.public_key)
        self._said: dict[bytes, Signed] = {}

    def raw(self, data: bytes) -> str:
        """A signature as WebCrypto gives it, base64url."""
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return b64(r.to_bytes(32) + s.to_bytes(32))

    def enrolment(self, challenge: str) -> dict[str, str]:
        """The fields of ``key.enrol``, but for its idempotency key."""
        proof = self.raw(enrolment_bytes(self.session, self.party, challenge, self.key))
        return {"public_key": self.public_key, "challenge": challenge, "proof": proof}

    def sign(self, now_ms: int, **said: Any) -> Signed:
        """A signature over the rest of a Statement; the same words again: the same signature."""
        if (known := self._said.get(canonical(said))) is not None:
            return known
        time = rfc3339(now_ms)
        fields = {"session": self.session, "party": self.party, "time": time, "key": self.key}
        statement = Statement(**(fields | said))
        made = Signed(key=self.key, time=time, signature=self.raw(statement_bytes(statement)))
        self._said[canonical(said)] = made
        return made

    def consent(self, now_ms: int, request: str, event: str, *purposes: str) -> SignedConsent:
        """What a grant holds of this party."""
        said: dict[str, Any] = {
            "notice": "0" * 64, "language": "en", "purposes": purposes or ("quality",),
        }  # fmt: skip
        made = self.sign(now_ms, action="give", request=request, **said)
        return SignedConsent(
            event=event, party=self.party, public_key=self.public_key, time=made.time,
            signature=made.signature, **said,
        )  # fmt: skip


def statement_of(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Of a message: what its statement says besides who, when and with which key."""
    said: dict[str, Any] = {"action": ACTIONS[kind], "request": fields["request"]}
    if kind == "consent.give":
        said |= {name: fields[name] for name in ("notice", "language")}
        said["purposes"] = tuple(fields["purposes"])
    return said
