"""Deliveries to other systems, as the store keeps them. See ``avsession.records``."""

from __future__ import annotations

import msgspec


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message for one endpoint, written in the transaction that it tells of."""

    id: str
    """The message's id, the same in every attempt."""
    endpoint: str
    """The endpoint's name in the settings."""
    kind: str
    leaf: int | None
    """The leaf that it tells of; None for a test."""
    body: bytes
    """What is sent, to the byte."""
    state: str  # waiting, sent, dead
    made_ms: int
    since_ms: int
    """When it was written, or replayed: its day counts from here."""
    due_ms: int
    """When it is tried next; while it is being tried, when somebody else may."""
    attempts: int = 0
    """Since it was written, or replayed."""
    tried_ms: int | None = None
    outcome: str = ""
    """What came of the last attempt: a status such as ``200``, or a code such as ``timeout``."""
