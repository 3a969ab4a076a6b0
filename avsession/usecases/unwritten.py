"""Withdrawals that could not be written down: kept outside the database until they are.

A withdrawal needs no database to take effect. What it says must outlive this process all the same:
it is kept in the data folder before its page is told that nothing could be written, and as soon as
the database is slow to answer; each start, and each server that takes over, writes it down before
anything is granted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avsession.errors import AvsessionError
from avsession.messages import WithdrawConsent
from avsession.ports import TakenBack
from avsession.signed import Enrolment
from avsession.tasks import Tasks
from avsession.usecases.services import Services

log = logging.getLogger("avsession.unwritten")

PATIENCE_S = 2.0
"""How long the database may take over a withdrawal before that is kept outside it as well."""


async def keep(
    app: Services, party: str, message: WithdrawConsent, enrolment: Enrolment | None
) -> None:
    """This was taken back and not written down. In memory first: that cannot fail.

    A disk that refuses is logged: the gate is closed, and the page says it again.
    """
    app.gate.unwritten(party, message, enrolment)
    said = TakenBack(party=party, message=message, enrolment=enrolment, at_ms=app.clock.now_ms())
    try:
        await app.unwritten.keep(said)
    except AvsessionError as error:
        log.error("a withdrawal is kept in memory only: %s %s", error.code, error)


@asynccontextmanager
async def kept_if_slow(
    app: Services, party: str, message: WithdrawConsent, enrolment: Enrolment | None
) -> AsyncIterator[None]:
    """This is being written down in the block. A database that says nothing, not even no, may be
    silent for longer than this process lives: after ``PATIENCE_S`` it is kept meanwhile."""

    async def later() -> None:
        await asyncio.sleep(PATIENCE_S)
        await keep(app, party, message, enrolment)

    tasks = Tasks(limit=1)
    tasks.spawn(later(), name="withdrawal that waits")
    try:
        yield
    finally:
        await tasks.close()


async def written(app: Services, party: str, message: WithdrawConsent) -> None:
    """That is written down, or never will be. What the disk does not let go of is read again,
    and found written."""
    app.gate.written(party, message)
    try:
        await app.unwritten.drop(party, message)
    except AvsessionError as error:
        log.warning("a withdrawal that is written down is still kept: %s", error.code)


async def learn(app: Services) -> None:
    """What an earlier server has kept, or the one that this one took over from just now: from here
    on no gate opens with these parties until each is written down. Raises Unavailable."""
    for said in await app.unwritten.find():
        app.gate.bar(said.party, said.message.request)
        app.gate.unwritten(said.party, said.message, said.enrolment)
        log.info("a withdrawal was kept to be written down", extra={"at_ms": said.at_ms})


async def forget(app: Services, party: str) -> None:
    """The party is erased, and nothing of it is kept here. What the disk does not let go of now
    is read again, and let go when there is no such party."""
    try:
        await app.unwritten.forget(party)
    except AvsessionError as error:
        log.warning("a withdrawal of somebody who is erased is still kept: %s", error.code)
