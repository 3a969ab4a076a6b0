"""What follows a withdrawal: the choice to keep or destroy, and withdrawing after the call."""

from __future__ import annotations

import logging
from typing import Any

from msgspec.structs import replace

from avsession.audit.rows import FATE
from avsession.errors import AvsessionError, Conflict, Erased
from avsession.ports import Reader, Writer
from avsession.recording import State
from avsession.records import (
    ConsentEvent,
    Recording,
    RecordingRequest,
    TrackRecord,
    Withdrawal,
)
from avsession.session import Party, Role
from avsession.usecases import holds
from avsession.usecases.common import leaf, load
from avsession.usecases.services import Services

log = logging.getLogger("avsession.withdrawals")


async def may_withdraw(tx: Reader, party: str, request: str) -> bool:
    """Whether this party has a consent to this request that it has not taken back."""
    given = await tx.one(ConsentEvent, request=request, party=party, kind="given")
    taken = await tx.one(ConsentEvent, request=request, party=party, kind="withdrawn")
    return given is not None and taken is None


async def check(tx: Reader, party: Party, request: RecordingRequest) -> None:
    """Raise Erased when there is nothing left, Conflict without a consent to take back."""
    recording = await tx.one(Recording, request=request.id)
    if recording is not None and recording.state is State.ERASED:
        raise Erased
    if not await may_withdraw(tx, party.id, request.id):
        raise Conflict("There is no consent of yours to withdraw here.")


async def new_choice(
    app: Services, tx: Reader, party: Party, request: RecordingRequest
) -> Withdrawal | None:
    """The choice that a withdrawal opens: keep or destroy, until it is due; then it is destroy.

    None when nothing was recorded, so that there is nothing to choose. The caller stores it with
    the withdrawal's leaf, which has :func:`opened` in it.
    """
    recording = await tx.one(Recording, request=request.id)
    if recording is None:
        return None
    now = app.clock.now_ms()
    return Withdrawal(
        request=request.id,
        party=party.id,
        recording=recording.id,
        at_ms=now,
        due_ms=now + app.settings.consent.fate_s * 1000,
    )


def opened(choice: Withdrawal | None) -> dict[str, Any]:
    """What ``consent.withdrawn`` says of the choice that it opens: nobody can put it off later."""
    if choice is None:
        return {"choice": None}
    return {
        "choice": {
            "recording": choice.recording, "at_ms": choice.at_ms, "due_ms": choice.due_ms,
        }
    }  # fmt: skip


async def hide(app: Services, request: str) -> None:
    """After a withdrawal was committed: whoever is watching what it is about sees no more."""
    try:
        async with app.store.read() as tx:
            recording = await tx.one(Recording, request=request)
            if recording is None:
                return
            hidden = await withheld(tx, recording)
            tracks = await tx.find(TrackRecord, recording=recording.id)
    except AvsessionError as error:
        log.warning("open players end with their next request: %s", error.code)
        return
    for track in tracks:
        if track.party in hidden:
            app.opened.forget(track.id)


async def withheld(tx: Reader, recording: Recording) -> frozenset[str]:
    """Whose tracks nobody may watch now: it is to be destroyed, or not decided to be kept."""
    parties: set[str] = set()
    for row in await tx.find(Withdrawal, request=recording.request):
        if row.fate == "keep":
            continue
        party = await tx.get(Party, row.party)
        if party is not None:
            parties |= await _covered(tx, recording, party)
    return frozenset(parties)


async def _covered(tx: Reader, recording: Recording, party: Party) -> set[str]:
    """Whose tracks a party's choice is about: a customer's is about the whole recording."""
    if party.role is not Role.CUSTOMER:
        return {party.id}
    return {track.party for track in await tx.find(TrackRecord, recording=recording.id)}


async def choose(
    app: Services, tx: Writer, party: str, request: str, fate: str, actor: str | None = None
) -> None:
    """``keep`` or ``destroy``; raises Conflict when that was chosen already or is not open.

    ``actor``: who says so, if it is not the party.
    """
    row = await tx.get(Withdrawal, request, party)
    if row is None:
        raise Conflict("Withdraw first; then choose.")
    if row.fate == fate:
        return
    if row.fate is not None or row.done:
        raise Conflict("That was decided already.")
    await _decided(app, tx, row, fate, actor=actor)


async def by_default(app: Services, tx: Writer, row: Withdrawal) -> None:
    """Nobody chose in time: destroy. Nothing happens when somebody has chosen meanwhile."""
    fresh = await tx.get(Withdrawal, row.request, row.party)
    if fresh is not None and fresh.fate is None and not fresh.done:
        await _decided(app, tx, fresh, "destroy", actor="server")


async def _decided(
    app: Services, tx: Writer, row: Withdrawal, fate: str, actor: str | None = None
) -> None:
    """The row and its leaf, so that nobody can turn one fate into the other afterwards."""
    session, party = await load(tx, row.party)
    await tx.put(replace(row, fate=fate, done=fate == "keep"))
    refs = {"right": FATE, "request": row.request, "recording": row.recording, "fate": fate}
    await leaf(app, tx, "privacy.requested", session=session, subject=party, actor=actor, refs=refs)


async def kept_by(tx: Reader, request: str, fate: str) -> dict[str, str]:
    """What is said of the holds that keep what was to be destroyed; empty when none does."""
    recording = await tx.one(Recording, request=request)
    if fate != "destroy" or recording is None:
        return {}
    told = holds.told(await holds.on_recording(tx, recording))
    if told is None:
        return {}
    return {"held": told["category"], "review_ms": str(told["review_ms"])}
