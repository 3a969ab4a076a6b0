"""WebAuthn (level 2): what a browser is asked for, and what of its answer is believed.

The user must have been verified by the authenticator (a finger, a face, a PIN), on our own origin,
for our own host, over the very challenge; an authenticator that counts must have counted on.
Attestations are not asked for: which make a passkey is, is nobody's business here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    UserVerificationRequirement,
)

from avsession.canonical import b64
from avsession.errors import Invalid

TIMEOUT_MS = 120_000
"""How long the browser asks for."""
REQUIRED = UserVerificationRequirement.REQUIRED


class PasskeyRefused(Invalid):
    """What a browser brought is no passkey of this account's, or does not confirm this."""

    code = "passkey.refused"
    sentence = "That passkey does not confirm it."


def creation(
    host: str, company: str, name: str, user: str, challenge: bytes, known: Sequence[bytes]
) -> dict[str, Any]:
    """What ``navigator.credentials.create`` is asked; ``user`` is the account's id."""
    return options_to_json_dict(
        generate_registration_options(
            rp_id=host,
            rp_name=company,
            user_id=user.encode(),
            user_name=name,
            challenge=challenge,
            timeout=TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(user_verification=REQUIRED),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
        )
    )


def created(
    answer: dict[str, Any], challenge: bytes, host: str, origin: str
) -> tuple[bytes, bytes, int]:
    """The new credential's id, public key and count. Raises PasskeyRefused."""
    try:
        found = verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=host,
            expected_origin=origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise PasskeyRefused from error
    return found.credential_id, found.credential_public_key, found.sign_count


def request(host: str, challenge: bytes, known: Sequence[bytes]) -> dict[str, Any]:
    """What ``navigator.credentials.get`` is asked."""
    return options_to_json_dict(
        generate_authentication_options(
            rp_id=host,
            challenge=challenge,
            timeout=TIMEOUT_MS,
            allow_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
            user_verification=REQUIRED,
        )
    )


def confirmed(
    answer: dict[str, Any],
    challenge: bytes,
    host: str,
    origin: str,
    *,
    public_key: bytes,
    count: int,
) -> int:
    """The authenticator's count after it confirmed. Raises PasskeyRefused."""
    try:
        found = verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=host,
            expected_origin=origin,
            credential_public_key=public_key,
            credential_current_sign_count=count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise PasskeyRefused from error
    return found.new_sign_count


def is_called(credential: bytes, name: str) -> bool:
    """Whether ``name`` is how a browser writes this credential's id."""
    return b64(credential) == name
