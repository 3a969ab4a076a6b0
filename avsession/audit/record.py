"""The record of one consent event, with every field that proof of consent needs.

Field names follow ISO/IEC TS 27560 and the W3C Data Privacy Vocabulary where they have one.
The record is kept whole beside the log; its leaf commits to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from avsession import __version__, notices
from avsession.audit.log import rfc3339
from avsession.config import Settings
from avsession.session import Party

SCHEMA = "avsession.consent.v1"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Which notice a party had before it, and through what it spoke."""

    language: str
    sha256: str
    version: str
    method: str
    """The element that was used, such as ``dialog/allow``."""
    build: str


def build(  # noqa: PLR0913 - a consent record has this many parts
    settings: Settings,
    *,
    event: str,
    kind: str,
    at_ms: int,
    party: Party,
    actor: str,
    session: str,
    request: str,
    recording: str | None,
    asked: Sequence[str],
    given: Sequence[str],
    shown: Shown | None,
    signature: Mapping[str, Any] | None,
    proof: Mapping[str, Any],
) -> dict[str, Any]:
    """The document of an event. ``actor`` and ``session`` are pseudonyms.

    ``asked`` are the request's purposes, ``given`` those ticked (empty unless given).
    ``signature`` is what the party's own browser signed, and what that was worth (as
    ``usecases.keys`` judged it); None for what no party says.
    """
    controller = settings.controller
    by_id = {purpose.id: purpose for purpose in settings.consent.purposes}
    decided = kind in ("given", "refused", "withdrawn", "expired")
    return {
        "schema_version": SCHEMA,
        "record_id": f"{request}/{party.pseudonym}",
        "event_id": event,
        "event_time": rfc3339(at_ms),
        "event_state": kind,
        "event_type": "explicit" if kind in ("given", "refused", "withdrawn") else "recorded",
        "data_subject": party.pseudonym,
        "party_role": str(party.role),
        "acted_by": actor,
        "session": session,
        "request": request,
        "recording": recording,
        "controller": {
            "name": controller.name,
            "address": controller.address,
            "contact": controller.contact,
            "dpo": controller.dpo,
        },
        "purposes": [
            {
                "id": purpose,
                "label": by_id[purpose].label if purpose in by_id else {},
                "answer": (purpose in given) if decided else None,
                "data_categories": list(by_id[purpose].data) if purpose in by_id else [],
                "retention_days": by_id[purpose].keep_days if purpose in by_id else None,
            }
            for purpose in asked
        ],
        "legal_basis": settings.consent.legal_basis[str(party.role)],
        "notice": None
        if shown is None
        else {
            "id": notices.RECORDING,
            "version": shown.version,
            "language": shown.language,
            "sha256": shown.sha256,
        },
        "method": {
            "element": shown.method if shown else "server",
            "workflow_version": __version__,
            "client_build": shown.build if shown else None,
        },
        "jurisdiction": controller.jurisdiction,
        "storage_location": controller.storage_location,
        "recipients": controller.recipients,
        "validity": "until withdrawn, or until every consented purpose's retention has passed",
        "withdrawal": "in the call, or with the party's private link, at any time",
        "privacy": f"{settings.address}/privacy",
        "policy": {"id": notices.PRIVACY, "version": notices.latest(notices.PRIVACY)},
        "language": shown.language if shown else party.language,
        "rights": ["access", "portability", "rectification", "erasure", "restriction", "objection"],
        "supervisory_authority": controller.authority,
        "signature": None if signature is None else dict(signature),
        "proof": dict(proof),
    }
