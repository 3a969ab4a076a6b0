"""What follows a withdrawal: the choice to keep or destroy, and withdrawing after the call."""

from __future__ import annotations

from msgspec.structs import replace

from avsession.errors import Conflict, Erased
from avsession.ports import Reader, Writer
from avsession.recording import State
from avsession.records import ConsentEvent, Recording, RecordingRequest, Withdrawal
from avsession.session import Party
from avsession.usecases.services import Services


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


async def open_choice(app: Services, tx: Writer, party: Party, request: RecordingRequest) -> bool:
    """From now on keep or destroy may be chosen, until it is due; then it is destroy.

    False when nothing was recorded, so that there is nothing to choose.
    """
    recording = await tx.one(Recording, request=request.id)
    if recording is None:
        return False
    now = app.clock.now_ms()
    await tx.put(
        Withdrawal(
            request=request.id,
            party=party.id,
            recording=recording.id,
            at_ms=now,
            due_ms=now + app.settings.consent.fate_s * 1000,
        )
    )
    return True


async def choose(app: Services, tx: Writer, party: str, request: str, fate: str) -> None:
    """``keep`` or ``destroy``; raises Conflict when that was chosen already or is not open."""
    row = await tx.get(Withdrawal, request, party)
    if row is None:
        raise Conflict("Withdraw first; then choose.")
    if row.fate == fate:
        return
    if row.fate is not None or row.done:
        raise Conflict("That was decided already.")
    await tx.put(replace(row, fate=fate, done=fate == "keep"))
