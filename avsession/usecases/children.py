"""A child's data goes at once: an admin's fast path, beside the desk's requests.

The call ends first, if it goes on. It is written down before anything is erased, so that what a
crash, a disk or a legal hold keeps from going now is gone on with by the schedule.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from avsession.errors import Conflict, Held, NotFound, Unavailable
from avsession.session import Session
from avsession.usecases import holds, persons, stepup
from avsession.usecases.common import leaf
from avsession.usecases.permissions import PRIVACY_DESK, Principal, require
from avsession.usecases.services import Services
from avsession.usecases.sessions import end_session


async def erase(app: Services, who: Principal, session_id: str) -> dict[str, Any]:
    """Erase the customer of this session, who is a child; what became of it.

    ``state``: ``done``; ``held`` (a legal hold: ``held`` says why in general, and until when it
    is reviewed); ``later`` (a part could not be done now). Whatever is not done is gone on with
    every half second. Raises NotFound. Repeating it is harmless.
    """
    require(who, PRIVACY_DESK)
    async with app.store.write() as tx:
        session = await tx.get(Session, session_id)
        if session is None:
            raise NotFound
        await stepup.spend(app, tx, who, stepup.ERASE, session_id)
        if session.child_ms is None:
            await tx.put(replace(session, child_ms=app.clock.now_ms()))
            refs = {"right": "child", "by": "staff"}
            details = {"account": who.account}
            await leaf(
                app,
                tx,
                "privacy.requested",
                session=session,
                actor=who.pseudonym,
                refs=refs,
                details=details,
            )
    await end_session(app, session_id, "child")
    try:
        await persons.erase_child(app, session_id)
    except Held:
        async with app.store.read() as tx:
            told = holds.told(await holds.of_session(tx, session_id))
        return {"state": "held", "held": told}
    except (Unavailable, Conflict):
        return {"state": "later", "held": None}
    return {"state": "done", "held": None}
