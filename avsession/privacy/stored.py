"""The registry: every cookie, every item that a page keeps in a browser, everything optional that
a page sends.

The cookie page and the preference centre are made from it, the server's cookies have their names
from it, and a page keeps nothing that is not in it. What each item is for stands in the language
files under ``stored.<purpose>``. An item is of one class: the necessary is kept for what was asked
for; everything else only while a choice that allows its class stands.

A choice is one leaf of the audit log, ``preference.set``. The browser holds the leaf's number and
the random pseudonym in it, and nobody else holds anything. No choice, an old one, one about other
items or under an older policy than the last material one, and ``Sec-GPC: 1`` all mean no.
"""

from __future__ import annotations

import enum
import re

import msgspec

from avsession.canonical import canonical, sha256_hex
from avsession.config import Settings
from avsession.privacy.quality import KEEP_DAYS

DAY_S = 86_400
CHOICE_S = 183 * DAY_S
"""How long a choice stands, and how long nobody asks again: six months."""
COMPANY_S = 600
"""How long signing in at the company's provider may take."""
EXPORT_S = DAY_S
"""How long an export may be downloaded by the browser that asked for it."""
EDITION = 1
"""Raise it when the words of an optional item change what it is."""


class Kind(enum.StrEnum):
    """Where an item is."""

    COOKIE = "cookie"
    SESSION = "session"
    """sessionStorage: this window's, gone with it."""
    LOCAL = "local"
    """localStorage: this browser's."""
    REPORT = "report"
    """Kept nowhere in the browser: sent."""


class Group(enum.StrEnum):
    """An item's class."""

    NECESSARY = "necessary"
    PREFERENCES = "preferences"
    ANALYTICS = "analytics"
    MARKETING = "marketing"
    """There is none; the pages say so."""


OPTIONAL = (Group.PREFERENCES, Group.ANALYTICS)
"""The classes that there is a choice about."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the registry."""

    name: str
    kind: Kind
    group: Group
    purpose: str
    """Key of its text."""
    seconds: int | None
    """At most so long; None: as long as the window. A report's: how long its counts are kept."""
    seen_by: str
    """``server``, ``browser``: nobody but this browser, or ``admins``: counts only."""


SEAT = "__Host-seat"
STAFF = "__Host-staff"
EXPORT = "__Host-export"
COMPANY = "__Host-company"
CHOICE = "__Host-choice"
ALLOWED = "avsession-allowed"
LANGUAGE = "avsession-language"
DEVICES = "avsession-devices"
NAME = "avsession-name"
REFUSED = "avsession-refused"
QUALITY = "call-quality"


def items(settings: Settings) -> tuple[Item, ...]:
    """The whole registry; some lifetimes are settings."""

    def necessary(name: str, kind: Kind, purpose: str, seconds: int | None, seen_by: str) -> Item:
        return Item(
            name=name, kind=kind, group=Group.NECESSARY, purpose=purpose, seconds=seconds,
            seen_by=seen_by,
        )  # fmt: skip

    def preference(name: str, purpose: str) -> Item:
        return Item(
            name=name, kind=Kind.LOCAL, group=Group.PREFERENCES, purpose=purpose,
            seconds=CHOICE_S, seen_by="browser",
        )  # fmt: skip

    return (
        necessary(SEAT, Kind.COOKIE, "seat", settings.signin.seat_s, "server"),
        necessary(STAFF, Kind.COOKIE, "staff", settings.signin.absolute_s, "server"),
        necessary(COMPANY, Kind.COOKIE, "company", COMPANY_S, "server"),
        necessary(EXPORT, Kind.COOKIE, "export", EXPORT_S, "server"),
        necessary(CHOICE, Kind.COOKIE, "choice", CHOICE_S, "server"),
        necessary(ALLOWED, Kind.SESSION, "allowed", None, "browser"),
        necessary(REFUSED, Kind.LOCAL, "refused", CHOICE_S, "browser"),
        preference(LANGUAGE, "language"),
        preference(DEVICES, "devices"),
        preference(NAME, "name"),
        Item(
            name=QUALITY, kind=Kind.REPORT, group=Group.ANALYTICS, purpose="quality",
            seconds=KEEP_DAYS * DAY_S, seen_by="admins",
        ),
    )  # fmt: skip


def version(settings: Settings) -> str:
    """Of what there is a choice about: a choice about other items is none about these."""
    optional = [one for one in items(settings) if one.group is not Group.NECESSARY]
    digest = sha256_hex(canonical([msgspec.to_builtins(one) for one in optional]))
    return f"{EDITION}-{digest[:12]}"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody chose. ``id`` is random, and all that is known of who it was."""

    id: str
    leaf: int
    given: tuple[str, ...]
    """The optional classes that were allowed; none of them: everything was refused."""
    version: str
    policy: int
    """The privacy policy's version that it was made under."""
    at_ms: int

    @property
    def token(self) -> str:
        """What the cookie holds."""
        return f"{self.id}.{self.leaf}"

    @property
    def until_ms(self) -> int:
        """When it is over and may be asked for again."""
        return self.at_ms + CHOICE_S * 1000

    def stands(self, *, now_ms: int, version: str, material: int) -> bool:
        """Whether it still means something: it is young enough, about these very items, and no
        policy since was a material change. ``material``: the last version that was one."""
        young = self.at_ms <= now_ms < self.until_ms
        return young and self.version == version and self.policy >= material


_TOKEN = re.compile(r"(psn_[a-z2-7]{26})\.(0|[1-9][0-9]{0,14})")


def parse(token: str) -> tuple[str, int] | None:
    """The pseudonym and the leaf in a cookie's value; None when it is none of ours."""
    found = _TOKEN.fullmatch(token)
    return (found[1], int(found[2])) if found else None


def allowed(choice: Choice | None, *, signal: bool) -> tuple[str, ...]:
    """The classes of which something may be kept or sent. ``choice``: one that stands.

    ``signal``: the browser said ``Sec-GPC: 1``, which is no, whatever was chosen.
    """
    given = () if choice is None or signal else choice.given
    return (Group.NECESSARY, *(group for group in OPTIONAL if group in given))
