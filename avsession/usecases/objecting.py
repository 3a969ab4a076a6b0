"""An objection was upheld: what its purposes alone justified is destroyed (GDPR Art. 17(1)(c)).

The purposes objected to stay shut. A recording for which no other purpose is left (each of the
others is objected to, too, or its time is over) has no reason to be kept: a customer's objection
destroys it whole, an agent's the agent's own track, with a certificate, as with a withdrawal. It is
done when the objection is upheld, or once what is in the way has gone: a legal hold, a recorder
that still finishes, or the same person's wish that what they are in is kept and not used (Art.
18(1)).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from avsession.errors import AvsessionError, Held
from avsession.ports import Reader
from avsession.privacy import retention as rules
from avsession.privacy.retention import Rule
from avsession.recording import State
from avsession.records import Recording, Restriction, TrackRecord
from avsession.session import Party, Role
from avsession.usecases import erasure, holds, keeping, restricting
from avsession.usecases.services import Services
from avsession.usecases.sweep import HOLD, RESTRICTED, Cursor, Look, Sweep, one_by_one, page

log = logging.getLogger("avsession.objecting")

OBJECTED = "objected"
"""Why a certificate says that it was destroyed."""


async def carry_out(app: Services, party: str) -> None:
    """Destroy what this party's upheld objections leave no reason for; what cannot be destroyed
    now goes by the schedule."""
    async with app.store.read() as tx:
        found = [track.recording for track in await tx.find(TrackRecord, party=party)]
    await one_by_one(found, lambda one: _destroy(app, one), rules.OBJECTIONS)


async def _destroy(app: Services, recording_id: str) -> bool:
    """What objections leave no reason for in one recording; False when that is nothing."""
    some = False
    async with app.store.write() as tx:
        recording = await tx.get(Recording, recording_id)
        if recording is None:
            return False
        for party in await _objectors(tx, recording, app.clock.now_ms()):
            whole = party.role is Role.CUSTOMER
            if not whole and recording.state not in erasure.FINAL:
                continue  # the recorder's last entry is waited for
            try:
                made = await erasure.decide(app, tx, recording, party, OBJECTED, whole=whole)
            except Held:
                return False
            some = some or made is not None
            recording = await tx.get(Recording, recording_id) or recording
    if some:
        try:
            await erasure.go_on(app, recording_id)
        except AvsessionError as error:
            log.warning("an erasure waits for its next turn: %s", error.code)
    return some


async def _objectors(tx: Reader, recording: Recording, now_ms: int) -> list[Party]:
    """The parties whose track is there and whose objection leaves no purpose for it."""
    if recording.state is State.ERASED or not recording.purposes:
        return []
    over = await keeping.expired(tx, recording, now_ms)
    found = []
    for track in await tx.find(TrackRecord, recording=recording.id, erased_ms=None):
        standing = await restricting.of_party(tx, track.party)
        if any(row.why == restricting.ASKED for row in standing):
            continue
        against = {purpose for row in standing if _is_upheld(row) for purpose in row.purposes}
        party = await tx.get(Party, track.party)
        if party is not None and against and not set(recording.purposes) - against - over:
            found.append(party)
    return found


def _is_upheld(row: Restriction) -> bool:
    return row.why == restricting.OBJECTION and not row.whole


# --- by the schedule


async def _look(app: Services, tx: Reader, rule: Rule, now_ms: int, after: Cursor | None) -> Look:
    """Recordings of those whose objection was upheld."""
    rows, on = await page(
        tx, Restriction, "placed_ms", "id", after,
        why=restricting.OBJECTION, whole=False, lifted_ms=None,
    )  # fmt: skip
    due: dict[str, None] = {}
    kept = []
    for row in rows:
        for track in await tx.find(TrackRecord, party=row.party, erased_ms=None):
            recording = await tx.get(Recording, track.recording)
            if recording is None or recording.id in due:
                continue
            if not await _objectors(tx, recording, now_ms):
                asked = await restricting.of_party(tx, row.party)
                kept += [RESTRICTED] * any(one.why == restricting.ASKED for one in asked)
            elif await holds.on_recording(tx, recording):
                kept.append(HOLD)
            else:
                due[recording.id] = None
    return Look(tuple(due), tuple(kept), on)


async def _go(app: Services, rule: Rule, ids: Sequence[str], now_ms: int) -> list[str]:
    return await one_by_one(ids, lambda one: _destroy(app, one), rule.what)


OBJECTIONS = Sweep(rules.OBJECTIONS, _look, _go)
