"""What was refused, in the log: attempts to consent, to capture or to come in that failed.

Bounded: a few leaves a minute for each party or recorder, so that nobody can fill the log.
"""

from __future__ import annotations

import logging

from avsession.audit import log as audit
from avsession.errors import AvsessionError
from avsession.session import Party, Session
from avsession.usecases.services import Services

log = logging.getLogger("avsession.denials")


async def refused(
    app: Services, code: str, party: str | None = None, worker: str | None = None
) -> None:
    """Write ``access.denied`` for a refusal with this error code, unless there were many.

    ``party`` or ``worker`` is the id of whose attempt it was, as its connection says. A failure
    to write is only noted: the refusal itself stands.
    """
    if not app.limits.denials.take(party or worker or "", app.clock.now_ms()):
        return
    try:
        async with app.store.write() as tx:
            row = await tx.get(Party, party) if party else None
            session = await tx.get(Session, row.session) if row else None
            who = row.pseudonym if row else None
            await audit.append(
                tx,
                app.clock,
                app.entropy,
                "access.denied",
                session=session.pseudonym if session else None,
                actor=who or ("recorder" if worker else None),
                subject=who,
                refs={"what": code},
                party=party if row else None,
            )
    except AvsessionError as error:
        log.warning("a refusal was not written down: %s", error.code)
