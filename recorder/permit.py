"""Which grants a worker captures under: those signed for it, valid now, with consents that hold."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from avsession import grant as grants
from avsession.errors import GrantInvalid

MAX_PARTIES = 16


@dataclass(frozen=True)
class Permit:
    """What this worker is, as a grant must name it."""

    grant_key: Ed25519PublicKey
    """Whose signature a grant bears."""
    worker: str
    fingerprint: str
    """Of its DTLS certificate."""
    recorder_key: str
    """What its manifests are signed with."""

    def read(self, token: str, server_ms: float) -> grants.Grant:
        """The grant, if it permits this worker to capture at this time of the server's clock.

        Signature and expiry; then that this very worker is meant; then that every party whose leg
        it names has itself signed for this recording. Its generation is the gate's to check. Raises
        GrantInvalid, GrantExpired, SignatureInvalid, by what is wrong.
        """
        grant = grants.read(token, self.grant_key, int(server_ms))
        mine = (self.worker, self.fingerprint, self.recorder_key)
        if (grant.worker, grant.fingerprint, grant.recorder_key) != mine:
            raise GrantInvalid
        if not 0 < len(grant.legs) <= MAX_PARTIES:
            raise GrantInvalid
        grants.check_consents(grant)
        return grant
