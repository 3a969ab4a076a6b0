"""What is kept how long: one table, and the few decisions that need more than a date.

A recording is kept as the notices told that its parties consented to, not as the settings say
now: :func:`told_days` reads it out of the consent records. Everything else goes by the table.
Statistics (that there was a session, when, what was asked and answered) stay; persons go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from avsession.config import Settings
from avsession.privacy import quality

DAY_MS = 86_400_000

DESTROYED, ANONYMISED, REMOVED = "destroyed", "anonymised", "removed"
"""How something goes: for good and with a certificate; its person goes and its figures stay; it
is simply not there any more."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: ``what`` is kept for ``days`` after ``since``, then it is ``how``.

    ``days`` None: as long as was told to who consented.
    """

    what: str
    since: str
    days: float | None
    how: str

    def cut(self, now_ms: int) -> int:
        """What is of this moment (ms since the Unix epoch) or before is due at ``now_ms``."""
        return now_ms - round((self.days or 0) * DAY_MS)


RECORDINGS, SESSIONS, CHILDREN, LEAVERS = "recordings", "sessions", "children", "leavers"
LOGINS, INVITATIONS, SPOOL = "logins", "invitations", "spool"
EXPORTS, PACKAGES, QUALITY = "exports", "packages", "call quality"
EXPORT_NOTES = "what became of exports"
EXPORT_TOLD_DAYS = 30
"""How long after its time a person is told that an export failed, or is over."""
DELIVERIES, COMPANY = "webhook deliveries", "company sign-ins"
STEP_UPS = "confirmations"
STAFF_REQUESTS = "staff requests"
OBJECTIONS = "objections"
TICKETS, LINKS, STAFF_SESSIONS, KEYS = "tickets", "sign-in links", "staff sessions", "answers"


def table(settings: Settings) -> tuple[Rule, ...]:
    """Every rule, in the order in which they are applied: a session's recordings go before it."""
    kept, signin = settings.retention, settings.signin
    leaver_days = kept.session_days if kept.leaver_name == "keep" else 0
    rows: tuple[tuple[str, str, float | None, str], ...] = (
        (LOGINS, "the sign-in, beside the log", kept.login_days, REMOVED),
        (INVITATIONS, "the moment the invitation ran out", kept.invitation_days, REMOVED),
        (TICKETS, "the moment the ticket ran out", 0, REMOVED),
        (LINKS, "the moment the link ran out", 0, REMOVED),
        (COMPANY, "the moment the way back ran out", 0, REMOVED),
        (STEP_UPS, "the moment the confirmation ran out", 0, REMOVED),
        (STAFF_SESSIONS, "the last request", signin.idle_s / 86_400, REMOVED),
        (KEYS, "the answer to a page's message", 1, REMOVED),
        (EXPORTS, "the last moment of its download", 0, REMOVED),
        (EXPORT_NOTES, "the last moment of its download", EXPORT_TOLD_DAYS, REMOVED),
        (PACKAGES, "the last moment of its download", 0, REMOVED),
        (DELIVERIES, "the moment that it tells of", kept.webhook_days, REMOVED),
        (QUALITY, "the day that was counted", quality.KEEP_DAYS, REMOVED),
        (RECORDINGS, "the end of the recording", None, DESTROYED),
        (OBJECTIONS, "the upholding of an objection to every purpose", 0, DESTROYED),
        (CHILDREN, "the moment an admin said that it was a child", 0, ANONYMISED),
        (SESSIONS, "the end of the session", kept.session_days, ANONYMISED),
        (LEAVERS, "the moment the account was disabled", leaver_days, ANONYMISED),
        (STAFF_REQUESTS, "the answer to it", kept.session_days, ANONYMISED),
        (SPOOL, "the end of the recording", kept.spool_days, REMOVED),
    )
    return tuple(
        Rule(what=what, since=since, days=days, how=how) for what, since, days, how in rows
    )


def told_days(
    documents: Iterable[Mapping[str, Any]], purposes: Iterable[str]
) -> dict[str, int] | None:
    """How many days each of ``purposes`` was said to be kept, by ``given`` consent records.

    Everyone who consented to a purpose was told a time; if they differ the shortest holds. A
    purpose that no record names is kept for no time at all. None when a record is not readable.
    """
    told: dict[str, int] = {}
    for document in documents:
        try:
            for purpose in document["purposes"]:
                days = int(purpose["retention_days"] or 0)
                told[purpose["id"]] = min(days, told.get(purpose["id"], days))
        except (KeyError, TypeError, ValueError):
            return None
    return {purpose: told.get(purpose, 0) for purpose in purposes}


def keep_until(over_ms: int, days: Mapping[str, int]) -> int:
    """When a recording that was over at ``over_ms`` must go: its longest purpose's end (ms)."""
    return over_ms + max(days.values(), default=0) * DAY_MS


def ends(over_ms: int, days: Mapping[str, int]) -> dict[str, int]:
    """From when on each purpose is no reason any more to open the recording (ms)."""
    return {purpose: over_ms + count * DAY_MS for purpose, count in days.items()}


def expired(over_ms: int | None, days: Mapping[str, int], now_ms: int) -> frozenset[str]:
    """The purposes whose time is over; none while the recording is not."""
    if over_ms is None:
        return frozenset()
    return frozenset(name for name, end in ends(over_ms, days).items() if end <= now_ms)


def recording_goes(keep_until_ms: int | None, now_ms: int) -> bool:
    """Whether a recording's time is over; one that is not finished has none yet."""
    return keep_until_ms is not None and keep_until_ms <= now_ms


def session_goes(rule: Rule, ended_ms: int | None, gone: Iterable[bool], now_ms: int) -> bool:
    """Whether a session's persons go: its time is over, and so is that of all its recordings.

    ``gone``: of each recording, whether it is destroyed or goes now.
    """
    return ended_ms is not None and ended_ms <= rule.cut(now_ms) and all(gone)


def leaver_name(policy: str, role: str, kept: str, number: str) -> str:
    """What a person of the house is called in old records once they have left.

    ``policy``: ``keep`` (the name ``kept``, until the rule's time), ``role`` (no name: pages show
    the role alone), ``pseudonym`` (one made of ``number``, which nobody else has).
    """
    if policy == "pseudonym":
        return f"{role.title()} {number}"
    return kept if policy == "keep" else ""
