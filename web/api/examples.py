"""Values that the examples in the route table share."""

from __future__ import annotations

from typing import Any

from web.example import Map, Part

ACCOUNT = "acc_aaaaaaaaaaaaaaaaaaaaaaaaaa"
SESSION = "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"
PARTY = "pty_aaaaaaaaaaaaaaaaaaaaaaaaaa"
REQUEST = "req_aaaaaaaaaaaaaaaaaaaaaaaaaa"
RECORDING = "rec_aaaaaaaaaaaaaaaaaaaaaaaaaa"
TRACK = "trk_aaaaaaaaaaaaaaaaaaaaaaaaaa"
EVENT = "evt_aaaaaaaaaaaaaaaaaaaaaaaaaa"
ACCESS = "acs_aaaaaaaaaaaaaaaaaaaaaaaaaa"
CERTIFICATE = "cer_aaaaaaaaaaaaaaaaaaaaaaaaaa"
PRIVACY_REQUEST = "prv_aaaaaaaaaaaaaaaaaaaaaaaaaa"
STAFF_REQUEST = "stq_aaaaaaaaaaaaaaaaaaaaaaaaaa"
HOLD = "hld_aaaaaaaaaaaaaaaaaaaaaaaaaa"
EXPORT = "exp_aaaaaaaaaaaaaaaaaaaaaaaaaa"
DISCLOSURE = "dis_aaaaaaaaaaaaaaaaaaaaaaaaaa"
PSEUDONYM = "psn_aaaaaaaaaaaaaaaaaaaaaaaaaa"
SECRET = "a" * 43
SHA256 = "a" * 64
TIME = "2025-06-15T15:06:40.000Z"
NOW = 1_750_000_000_000
LATER = 1_750_086_400_000
DESTRUCTION = {
    "certificate": CERTIFICATE,
    "whole": True,
    "reason": "withdrawn",
    "by": "customer",
    "roles": ["customer"],
    "decided_ms": NOW,
    "done_ms": NOW,
}
"""What a list says of a destruction."""
EVENTS: list[dict[str, Any]] = [
    {
        "event": EVENT,
        "kind": "given",
        "at_ms": NOW,
        "party": PARTY,
        "request": REQUEST,
        "purposes": ["quality"],
        "notice": SHA256,
        "language": "en",
        "leaf": 17,
    }
]
"""What a list says of consent events."""
CONSENT: dict[str, Any] = {
    "schema_version": "avsession.consent.v1",
    "record_id": f"{REQUEST}/{PSEUDONYM}",
    "event_id": EVENT,
    "event_time": TIME,
    "event_state": "given",
    "event_type": "explicit",
    "data_subject": PSEUDONYM,
    "party_role": "customer",
    "acted_by": PSEUDONYM,
    "session": PSEUDONYM,
    "request": REQUEST,
    "recording": RECORDING,
    "controller": {
        "name": "Example Support Ltd",
        "address": "1 Example Street, Example City",
        "contact": "privacy@example.com",
        "dpo": "dpo@example.com",
    },
    "purposes": [
        {
            "id": "quality",
            "label": Map({"en": "Quality"}),
            "answer": True,
            "data_categories": ["voice"],
            "retention_days": 90,
        }
    ],
    "legal_basis": "GDPR Art. 6(1)(a), consent",
    "notice": {"id": "recording", "version": "1", "language": "en", "sha256": SHA256},
    "method": {"element": "dialog/allow", "workflow_version": "0.1.0", "client_build": "0.1.0+1"},
    "jurisdiction": "EU",
    "storage_location": Map({"en": "on this company's own server"}),
    "recipients": Map({"en": "quality reviewers of the company"}),
    "validity": "until withdrawn, or until every consented purpose's retention has passed",
    "withdrawal": "in the call, or with the party's private link, at any time",
    "privacy": "https://localhost:8443/privacy",
    "policy": {"id": "privacy", "version": "2"},
    "language": "en",
    "rights": ["access"],
    "supervisory_authority": Map({"en": "your national data protection authority"}),
    # what else is in it depends on what the signature was worth
    "signature": Part({"status": "valid"}),
    "proof": Part({"leaf": 17}),
}
"""A consent event's whole document."""
