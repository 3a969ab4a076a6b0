"""Who may call a route. Said once, on the route; made from it are the sign-in that is asked for,
what the description says, the errors, and PERMISSIONS.md.

It grants nothing: permissions and ownership are checked in the use cases. A test calls every route
as every kind of caller and holds the answers against what is said here.
"""

from __future__ import annotations

import dataclasses
import enum

from avsession.errors import (
    AvsessionError,
    LinkSpent,
    NotFound,
    NotPermitted,
    ReceiptInvalid,
    SignInFailed,
    SignInRequired,
)


class By(enum.Enum):
    """What a caller has to bring; the value says it to a reader."""

    NOTHING = "nothing"
    MACHINE = "a connection from this machine"
    PASSWORD = "a login and its password"  # noqa: S105 - words for it, not one
    COMPANY = "a sign-in at the company's provider"
    SIGN_IN_LINK = "an unused sign-in link"
    INVITATION = "an unclaimed invitation"
    RECEIPT = "a receipt of what a party said"
    LINK = "a private link"
    DOWNLOAD = "the cookie that allows a download"
    SEAT = "a customer's seat (cookie)"
    STAFF = "a staff sign-in (cookie)"


class Reach(enum.Enum):
    """Whose things the caller gets at."""

    ALL = "everybody's"
    SESSION = "one's own session's"
    OWN = "one's own"


WITHOUT: dict[By, type[AvsessionError]] = {
    By.MACHINE: NotPermitted,
    By.PASSWORD: SignInFailed,
    By.COMPANY: SignInFailed,
    By.SIGN_IN_LINK: LinkSpent,
    By.INVITATION: LinkSpent,
    By.RECEIPT: ReceiptInvalid,
    By.LINK: LinkSpent,
    By.DOWNLOAD: NotFound,
    By.SEAT: SignInRequired,
    By.STAFF: SignInRequired,
}
"""What is told to who brings it not. Nobody is told whether what they guessed at is there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """Who may call a route: ``by`` what, with which permission, and whose things it reaches.

    ``permission``: one of ``usecases.permissions``, for staff; "" when every role may. ``foreign``:
    what is said of somebody else's thing, and just so of one that is not there.
    """

    by: By
    reach: Reach = Reach.ALL
    permission: str = ""
    foreign: type[AvsessionError] = NotFound

    @property
    def errors(self) -> tuple[type[AvsessionError], ...]:
        """What it can be refused with, the most general refusal first."""
        found: list[type[AvsessionError]] = []
        if self.by in WITHOUT:
            found.append(WITHOUT[self.by])
        if self.permission:
            found.append(NotPermitted)
        if self.foreign is not NotFound:
            found.append(self.foreign)
        return tuple(found)

    @property
    def sentence(self) -> str:
        """The same for a person who reads the description."""
        needs = f"Needs {self.by.value}"
        if self.permission:
            needs += f" with the permission {self.permission}"
        whose = {Reach.ALL: "", Reach.SESSION: "own session", Reach.OWN: "own"}[self.reach]
        return needs + (f"; reaches only one's {whose}." if whose else ".")


ANYBODY = Access(By.NOTHING)
"""No sign-in, and the same for everybody."""
BROWSER = Access(By.NOTHING, Reach.OWN)
"""No sign-in; about whoever this browser is."""
LINK = Access(By.LINK, Reach.OWN)
"""Whoever holds a private link, about the party that it belongs to."""
LINK_SESSION = Access(By.LINK, Reach.SESSION)
"""Whoever holds a private link, about what concerns every party of that session."""
SEAT = Access(By.SEAT, Reach.OWN)
"""A customer in a call, about their own party."""


def staff(permission: str = "", reach: Reach = Reach.ALL) -> Access:
    """Staff with that permission; without one, everybody who is signed in."""
    return Access(By.STAFF, reach, permission)


def own(permission: str = "") -> Access:
    """Staff with that permission, and only what is theirs: their session, what they opened."""
    return staff(permission, Reach.OWN)
