"""A person asks to be erased: done at once, or kept apart and restricted until a hold is over.

A hold keeps what it covers. The rest goes at once, what is kept is restricted, the person is
told the kind of reason and when it is looked at again, and with the last hold's release the
erasure goes on by itself. Nothing is erased while the call goes on: raises SessionLive, and the
person may end it.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

from avsession.errors import AvsessionError, Conflict, Held, SessionLive, Unavailable
from avsession.ports import Reader, Writer
from avsession.privacy import requests as rules
from avsession.privacy.requests import Right
from avsession.records import Certificate, Leaf, PrivacyRequest, Recording, Restriction, TrackRecord
from avsession.session import Party
from avsession.usecases import certificates, forgetting, holds, mydata, requests, restricting
from avsession.usecases.common import load
from avsession.usecases.permissions import Principal
from avsession.usecases.services import Services

log = logging.getLogger("avsession.erasing")

BATCH = 50
"""Erasures that wait and are tried again in one turn."""
WAITING = 10_000
"""Erasures that wait, looked through for one that nothing keeps any more."""


async def by_holder(app: Services, secret: str) -> dict[str, Any]:
    """The holder of the private link erases everything about themselves; see :func:`carry_out`.

    Raises LinkSpent, SessionLive, TooMany.
    """
    holder = await mydata.holder(app, secret)
    async with app.store.write() as tx:
        session, party = await load(tx, holder.id)
        if session.ended_ms is None:
            raise SessionLive
        row = await requests.at_once(app, tx, session, party, Right.ERASE)
    return await carry_out(app, row)


async def carry_out(
    app: Services, row: PrivacyRequest, who: Principal | None = None
) -> dict[str, Any]:
    """Erase the request's party, as far as that can be done now.

    ``state`` of the answer: ``erased``, with ``leaf``, the number of the log's entry that says
    so; ``held``, with why and until when; ``begun`` when a part of it waits for something that
    ends by itself. ``destructions`` and ``certificates`` are of what was destroyed. Raises
    SessionLive, NotFound, and Conflict when the request was taken back or refused meanwhile: then
    nothing more is erased.
    """
    async with app.store.read() as tx:
        session, party = await load(tx, row.party)
        theirs = [track.recording for track in await tx.find(TrackRecord, party=party.id)]
        held = await holds.on_party(tx, party)
    if session.ended_ms is None:
        raise SessionLive
    state = "held"
    if not held:
        try:
            await forgetting.forget(app, party.id, _asked(row))
            return await _done(app, party, session.pseudonym, theirs)
        except Held:
            pass  # placed this very moment
        except (Conflict, Unavailable) as error:
            log.warning("an erasure waits for its next turn: %s", error.code)
            if await _is_gone(app, party):  # only what the database's files keep waits
                return await _done(app, party, session.pseudonym, theirs)
            state = "begun"
    return await _wait(app, row, party, theirs, state, who)


def _asked(row: PrivacyRequest) -> forgetting.Check:
    return functools.partial(requests.check_waiting, request=row.id)


async def _is_gone(app: Services, party: Party) -> bool:
    async with app.store.read() as tx:
        return await tx.get(Party, party.id) is None


async def _done(app: Services, party: Party, session: str, theirs: list[str]) -> dict[str, Any]:
    async with app.store.read() as tx:
        leaves = await tx.find(Leaf, kind="subject.erased", session=session, order="-index")
        mark = f'"party":"{party.pseudonym}"'.encode()
        found = next((leaf for leaf in leaves if mark in leaf.data), None)
        return {
            "state": "erased",
            "held": None,
            "request": None,
            "leaf": found.index if found else None,
            "at_ms": found.at_ms if found else app.clock.now_ms(),
            **await _destroyed(tx, theirs),
        }


async def _destroyed(tx: Reader, recordings: list[str]) -> dict[str, Any]:
    """What was destroyed of these recordings, in a line each, and the certificates whole."""
    lines = [line for one in recordings for line in await certificates.of_recording(tx, one)]
    done = [line for line in lines if line["done_ms"] is not None]
    rows = [await tx.get(Certificate, line["certificate"]) for line in done]
    whole = [certificates.whole(row) for row in rows]
    return {"destructions": done, "certificates": whole}


async def _wait(
    app: Services,
    row: PrivacyRequest,
    party: Party,
    theirs: list[str],
    state: str,
    who: Principal | None,
) -> dict[str, Any]:
    """It cannot be done now: shut what is kept, and destroy what nothing keeps."""
    async with app.store.write() as tx:
        await _keep(app, tx, row, who)
    await restricting.hide(app, party.id)
    await _spare(app, row, party, theirs)
    async with app.store.read() as tx:
        fresh = await requests.load(tx, row.id)
        return {
            "state": state,
            "held": holds.told(await holds.on_party(tx, party)),
            "request": requests.view(fresh),
            "leaf": None,
            "at_ms": app.clock.now_ms(),
            **await _destroyed(tx, theirs),
        }


async def keep_apart(app: Services, party_id: str) -> None:
    """What a hold keeps of somebody whom the server erases: as if they had asked for it.

    It is restricted and hidden, what nothing keeps goes, and the rest with the last hold's
    release. Raises NotFound, Conflict. Repeating it is harmless.
    """
    async with app.store.write() as tx:
        session, party = await load(tx, party_id)
        row = await requests.waiting_for(tx, party.id, Right.ERASE)
        if row is None:
            row = await requests.receive(app, tx, session, party, Right.ERASE, actor="server")
        theirs = [track.recording for track in await tx.find(TrackRecord, party=party.id)]
    await _wait(app, row, party, theirs, "held", None)


async def _keep(app: Services, tx: Writer, row: PrivacyRequest, who: Principal | None) -> None:
    await requests.check_waiting(tx, row.id)
    standing = await restricting.of_request(tx, row.id)
    if not any(one.why == restricting.KEPT for one in standing):
        await restricting.place(app, tx, row, restricting.KEPT, who=who)


async def _spare(app: Services, row: PrivacyRequest, party: Party, theirs: list[str]) -> None:
    """Destroy the recordings that no hold is about; the others wait."""
    for recording_id in theirs:
        async with app.store.read() as tx:
            recording = await tx.get(Recording, recording_id)
            kept = recording is None or bool(await holds.on_recording(tx, recording))
        if recording is None or kept:
            continue
        try:
            await forgetting.destroy(app, recording, party, _asked(row))
        except AvsessionError as error:
            log.warning("an erasure waits for its next turn: %s", error.code)


async def carry_on(app: Services) -> None:
    """Erase those whom nothing keeps any more. For the timers."""
    async with app.store.read() as tx:
        waiting = await tx.find(
            Restriction, why=restricting.KEPT, lifted_ms=None, order="placed_ms", limit=WAITING
        )
        free = []
        for one in waiting:
            party = await tx.get(Party, one.party)
            if party is not None and not await holds.on_party(tx, party):
                row = await requests.load(tx, one.request)
                if row.state in rules.WAITING:
                    free.append(row)
    for row in free[:BATCH]:
        try:
            await carry_out(app, row)
        except AvsessionError as error:
            log.warning("an erasure waits for its next turn: %s", error.code)
