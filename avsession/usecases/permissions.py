"""Who may do what. Use cases ask for a permission; only this table knows roles.

A permission says what may be done in general. Whether it may be done to *this* thing (one's
own session, the opened recording) the use case checks for itself.
"""

from __future__ import annotations

import msgspec

from avsession.errors import NotPermitted

SESSION_CREATE = "session.create"
"""Make a session and its invitation."""
SESSION_OWN = "session.own"
"""List, join, revoke and end the sessions that one made oneself."""
REVIEW_READ = "review.read"
"""Read sessions, parties, consent events and recordings, without playing any."""
RECORDING_PLAY = "recording.play"
"""Open a recording, with a reason and a consented purpose, and watch it."""
HOLD = "hold"
"""Place and release legal holds, with a reason."""
RECORDING_EXPORT = "recording.export"
"""Take a recording out, with a reason and a consented purpose."""
DISCLOSE = "disclosure.make"
"""Disclose records or recordings to an authority or a processor, and see what was disclosed."""
LOG_READ = "log.read"
"""Search the audit log, see leaves with their details and proofs, export them."""
PRIVACY_DESK = "privacy.desk"
"""See privacy requests, verify who asks, answer, carry out; lift restrictions, with a reason."""
ACCOUNT_MANAGE = "account.manage"
"""Make accounts."""
WEBHOOKS = "webhooks"
"""See what other systems were told by webhook, try an endpoint, replay."""

PERMISSIONS: dict[str, frozenset[str]] = {
    "agent": frozenset({SESSION_CREATE, SESSION_OWN}),
    # An admin makes no calls: whoever reviews is not a party to what is reviewed.
    "admin": frozenset(
        {
            REVIEW_READ,
            RECORDING_PLAY,
            RECORDING_EXPORT,
            HOLD,
            DISCLOSE,
            LOG_READ,
            PRIVACY_DESK,
            ACCOUNT_MANAGE,
            WEBHOOKS,
        }
    ),
}
"""Role of an account -> its permissions."""

HOMES = {"agent": "/", "admin": "/admin"}
"""Role of an account -> the page that it starts on."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in member of staff, for one request.

    ``auth`` is the token hash of the staff session; ``pseudonym`` is that session's, random at
    each sign-in, and the only thing of theirs that a log leaf may hold.
    """

    account: str
    name: str
    role: str
    permissions: frozenset[str]
    auth: bytes
    pseudonym: str

    @property
    def home(self) -> str:
        """The path of the page that this role starts on."""
        return HOMES[self.role]


def require(who: Principal, permission: str) -> None:
    """Raise NotPermitted unless ``who`` has ``permission``."""
    if permission not in who.permissions:
        raise NotPermitted
