"""The parties' own signatures: over what a consent's document says, by a key that was enrolled.

Pure; receipts and the whole log's verification both ask here. That the key was enrolled by this
party before, and that no signature stands for two events, is the log's to show
(``verify_signatures``).
"""

from __future__ import annotations

from typing import Any

import msgspec

from avsession import signed
from avsession.errors import SignatureInvalid

ACTIONS = {"given": "give", "refused": "refuse", "withdrawn": "withdraw"}
"""State of an event -> what its party's browser signs."""

AWAY_MS = signed.WINDOW_MS + 60_000
"""How far the signed time may be from its event's: what was taken, and what a clock may be set by
meanwhile. A signature from another time was given for something else, and is used again."""


def wrong(document: dict[str, Any], key: str | None) -> str:
    """What is wrong with the signature of an event; empty when nothing is.

    ``key``: the enrolled key that the leaf names. An event that needs no signature (anything but
    ``given``) may have none, and its leaf then names no key.
    """
    state, block = document.get("event_state"), document.get("signature")
    if state not in ACTIONS:
        return "" if block is None and key is None else "Nobody signs an event like that"
    if not isinstance(block, dict):
        return "It says nothing about a signature"
    if block.get("status") != "valid":
        unsigned = (
            state != "given" and key is None and block.get("status") in ("missing", "invalid")
        )
        return "" if unsigned else "The party did not sign it"
    try:
        said = msgspec.convert(block["statement"], signed.Statement)
        if not _agrees(said, document, block, key):
            return "The party signed something else"
        if abs(signed.time_ms(said.time) - signed.time_ms(document["event_time"])) > AWAY_MS:
            return "The party signed it at another time"
        signed.verify(block["public_key"], block["signature"], signed.statement_bytes(said))
    except (SignatureInvalid, msgspec.ValidationError, KeyError, TypeError, AttributeError):
        return "The party's signature does not hold"
    return ""


def _agrees(
    said: signed.Statement, document: dict[str, Any], block: dict[str, Any], key: str | None
) -> bool:
    given = document["event_state"] == "given"
    notice = document["notice"] or {}
    ticked = [one["id"] for one in document["purposes"] if one["answer"]]
    return (
        block["algorithm"] == signed.ALGORITHM
        and len(block["statement"]) == len(said.__struct_fields__)
        and said.action == ACTIONS[document["event_state"]]
        and said.request == document["request"]
        and (not given or (said.notice, said.language) == (notice["sha256"], notice["language"]))
        and sorted(said.purposes) == sorted(ticked)
        and said.key == signed.key_id(block["public_key"]) == key
    )
