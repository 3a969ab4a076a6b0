"""Writes PERMISSIONS.md from the routes: ``python -m web.permissions > web/PERMISSIONS.md``.

Who may call what follows from three things: what the route says (``Route.access``), what each kind
of caller holds (:data:`HOLDS`), and what each role may (``usecases.permissions``). A test holds the
file against this text, and another one calls every route as every kind of caller and holds the real
answers against :func:`refusal`.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections.abc import Iterator

from avsession.errors import AvsessionError, NotPermitted
from avsession.usecases.permissions import PERMISSIONS
from web.access import WITHOUT, By, Reach
from web.app import TABLE
from web.middleware import status_of
from web.routing import Route


class Caller(enum.Enum):
    """Somebody who calls about one session: its customer's things, its recording, what an admin
    has opened. The value is the table's column."""

    NOBODY = "nobody"
    MACHINE = "this machine"
    RECEIPT = "receipt"
    CUSTOMER = "customer"
    STRANGER = "other customer"
    AGENT = "agent"
    OTHER_AGENT = "other agent"
    ADMIN = "admin"
    ONLY = "it alone"
    ALL_BUT = "all but it"


SAID = {
    Caller.NOBODY: "Anybody, with nothing to show; by way of a proxy or not.",
    Caller.MACHINE: "A program on the server's own machine, with nothing to show.",
    Caller.RECEIPT: "Whoever has the file of the customer's receipt, and nothing else.",
    Caller.CUSTOMER: "The session's customer: seat, private link, download cookie, invitation.",
    Caller.STRANGER: "The customer of another session, with the same of their own.",
    Caller.AGENT: "The other party of the session: its agent, signed in, with the private link "
    "of the agent's own party.",
    Caller.OTHER_AGENT: "An agent of another session, with the same of their own.",
    Caller.ADMIN: "An admin, signed in; who opened the recording.",
    Caller.ONLY: "Staff with no permission but the one that the row names; who opened nothing.",
    Caller.ALL_BUT: "Staff with every permission there is but that one.",
}

STAFF = frozenset({By.PASSWORD, By.COMPANY, By.SIGN_IN_LINK, By.STAFF})
SEATED = frozenset({By.INVITATION, By.SEAT, By.LINK, By.DOWNLOAD})


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Holds:
    """What a caller has to show; for which of these the things asked about are the caller's own."""

    by: frozenset[By] = frozenset()
    owns: frozenset[By] = frozenset()
    party: bool = False
    """Of the session that is asked about."""
    role: str = ""


HOLDS = {
    Caller.NOBODY: Holds(),
    Caller.MACHINE: Holds(by=frozenset({By.MACHINE})),
    Caller.RECEIPT: Holds(by=frozenset({By.RECEIPT})),
    Caller.CUSTOMER: Holds(by=SEATED, owns=SEATED, party=True),
    Caller.STRANGER: Holds(by=SEATED),
    Caller.AGENT: Holds(by=STAFF | {By.LINK}, owns=STAFF, party=True, role="agent"),
    Caller.OTHER_AGENT: Holds(by=STAFF | {By.LINK}, role="agent"),
    Caller.ADMIN: Holds(by=STAFF, owns=STAFF, role="admin"),
    Caller.ONLY: Holds(by=STAFF),
    Caller.ALL_BUT: Holds(by=STAFF),
}


def granted(caller: Caller, route: Route) -> frozenset[str]:
    """The permissions of a caller; two of the columns stand for others in every row."""
    wanted = {route.access.permission} - {""}
    if caller is Caller.ONLY:
        return frozenset(wanted)
    if caller is Caller.ALL_BUT:
        return frozenset().union(*PERMISSIONS.values()) - wanted
    return PERMISSIONS.get(HOLDS[caller].role, frozenset())


def refusal(route: Route, caller: Caller) -> type[AvsessionError] | None:
    """What ``caller`` is told by ``route`` when asking about that session; None when allowed.

    Where a route names no thing, everybody who may call it at all gets at their own.
    """
    access, holds = route.access, HOLDS[caller]
    if access.by in WITHOUT and access.by not in holds.by:
        return WITHOUT[access.by]
    if access.permission and access.permission not in granted(caller, route):
        return NotPermitted
    if not route.addresses or access.reach is Reach.ALL or access.by in holds.owns:
        return None
    if access.reach is Reach.SESSION and holds.party:
        return None
    return access.foreign


HEAD = """\
# Who may do what

Printed from the code by `python -m web.permissions`; do not edit by hand.

Every operation of the api, and who may call it. The rows come from the routes, which say what they
ask for; the check itself is made in the use cases. A test calls every operation as every one of
these callers and compares the answers, and what is in the database afterwards.

## Callers
"""

LEGEND = """\
## Answers

**yes**: carried out. **own**: carried out, and it reaches only what is the caller's own, or what
concerns every party of the caller's own session. A number: refused with that status and a problem
(RFC 9457) with the code below; nothing is changed but the audit log, where a refusal for want of a
permission is written down. Of somebody else's thing the same is said as of one that is not there.

| missing | answer |
|---|---|
"""


def text() -> str:
    """The whole document."""
    return "\n".join([HEAD, *_callers(), "", LEGEND + "\n".join(_answers()), "", *_sections()])


def _callers() -> Iterator[str]:
    yield "| column | who that is |"
    yield "|---|---|"
    for caller in Caller:
        yield f"| {caller.value} | {SAID[caller]} |"


def _answers() -> Iterator[str]:
    for by, error in WITHOUT.items():
        yield f"| {by.value} | {status_of(error)} `{error.code}` |"
    yield f"| the permission | {status_of(NotPermitted)} `{NotPermitted.code}` |"
    for error in dict.fromkeys(route.access.foreign for route in TABLE):
        yield f"| it is somebody else's | {status_of(error)} `{error.code}` |"


def _sections() -> Iterator[str]:
    yield "## Permissions"
    yield ""
    roles = sorted(PERMISSIONS)
    yield from _row("permission", *roles, "operations that ask for it")
    yield "|---" * (len(roles) + 2) + "|"
    for permission in sorted(frozenset().union(*PERMISSIONS.values())):
        asking = sum(route.access.permission == permission for route in TABLE)
        has = ["yes" if permission in PERMISSIONS[role] else "" for role in roles]
        yield from _row(f"`{permission}`", *has, str(asking) if asking else "none (command only)")
    yield ""
    yield "## Operations"
    yield ""
    yield from _row("operation", "asks for", *[caller.value for caller in Caller])
    yield "|---" * (len(Caller) + 2) + "|"
    for route in TABLE:
        asks = f"`{route.access.permission}`" if route.access.permission else route.access.by.value
        yield from _row(f"{route.method} `{route.path}`", asks, *[cell(route, c) for c in Caller])


def _row(*cells: str) -> Iterator[str]:
    yield f"| {' | '.join(cells)} |"


def cell(route: Route, caller: Caller) -> str:
    """What stands in the table for them."""
    refused = refusal(route, caller)
    if refused is not None:
        return str(status_of(refused))
    return "yes" if route.access.reach is Reach.ALL else "own"


if __name__ == "__main__":
    sys.stdout.write(text())
