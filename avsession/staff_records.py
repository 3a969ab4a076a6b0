"""What is kept of people of the house beside their accounts: what they ask for themselves.

Rows as in ``avsession.records``; times are milliseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

import msgspec


class StaffRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A member of staff uses a right; states and times as of any other privacy request."""

    id: str
    account: str
    right: str
    state: str
    text: str
    """What they wrote, or what was written down for them."""
    wanted: str
    """The name that is to stand instead, for a correction of it; else empty."""
    by: str  # account, staff: who brought it in
    received_ms: int
    due_ms: int
    extension: str = ""
    """Why it takes longer; empty while it does not."""
    answer: str = ""
    """What they are told at its end."""
    done_ms: int | None = None
