"""What may leave the house, asked when it is ordered and again whenever it is read.

Between the order and the last byte a person may take consent back, restrict a recording, have it
destroyed, or renew their private link: what was ordered before is then no longer given out. What is
left of it, keys in memory and parcels on disk, goes with it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from msgspec.structs import replace

from avsession.errors import (
    AvsessionError,
    Conflict,
    ConsentRequired,
    Erased,
    NotFound,
    PurposeExpired,
)
from avsession.export_records import Disclosure, Export, Taken
from avsession.ports import Reader, Writer
from avsession.recording import State
from avsession.records import Recording, TrackRecord
from avsession.session import Party
from avsession.usecases import holds, keeping, restricting, tracks
from avsession.usecases.services import Services
from avsession.usecases.withdrawals import withheld

log = logging.getLogger("avsession.outgoing")

PERSON, ADMIN, DISCLOSURE = "person", "admin", "disclosure"
"""Why media is taken out."""
MANY = 1_000_000


async def for_person(
    app: Services, tx: Reader, party: Party, recording: Recording
) -> list[TrackRecord]:
    """The tracks of a recording that go into this party's export."""
    if recording.state not in tracks.PLAYABLE:
        return []
    found = await tx.find(TrackRecord, recording=recording.id)
    if not any(track.party == party.id for track in found):
        return []
    hidden = await withheld(tx, recording)
    others = {one.party for one in await restricting.on_recording(tx, recording)} - {party.id}
    both = app.settings.export.other_party == "always" and not others
    return [
        track
        for track in found
        if track.erased_ms is None
        and (track.party == party.id or (both and track.party not in hidden))
    ]


async def for_admin(tx: Reader, recording: Recording) -> list[TrackRecord]:
    """The tracks that an admin may take out: those of which nobody took the consent back."""
    hidden = await withheld(tx, recording)
    return [
        track
        for track in await tx.find(TrackRecord, recording=recording.id)
        if track.erased_ms is None and track.party not in hidden
    ]


async def for_disclosure(
    app: Services, tx: Reader, row: Disclosure, recording: Recording
) -> list[TrackRecord]:
    """The tracks of a recording that the disclosure is about and may take along.

    A processor (``contract``) works on the consent: it gets nothing that was taken back, whatever
    keeps it, nothing restricted, and nothing for which every purpose is over.
    """
    if recording.state not in tracks.PLAYABLE:
        return []
    if row.scope == "recording" and recording.id != row.target:
        return []
    by_consent = row.basis == "contract"
    if by_consent:
        if await restricting.on_recording(tx, recording):
            return []  # GDPR Art. 18(2): for claims and by law only
        over = await keeping.expired(tx, recording, app.clock.now_ms())
        if over.issuperset(recording.purposes):
            return []
    held = bool(await holds.on_recording(tx, recording))
    hidden = frozenset() if held and not by_consent else await withheld(tx, recording)
    return [
        track
        for track in await tx.find(TrackRecord, recording=recording.id)
        if track.erased_ms is None
        and track.party not in hidden
        and (row.scope != "party" or track.party == row.target)
    ]


async def check(
    app: Services, tx: Reader, row: Taken, recording: Recording, track: TrackRecord
) -> None:
    """Raise unless what was written down in ``row`` may still be given out.

    NotFound when the export is gone that it was for, Erased for what is destroyed, Conflict for
    what may not go into a person's export any more, ConsentRequired for what an admin or a
    recipient may not have any more, Restricted and PurposeExpired for an admin's.
    """
    if recording.state is State.ERASED or track.erased_ms is not None:
        app.opened.forget(track.id)
        raise Erased
    if row.why == PERSON:
        export = await tx.get(Export, row.what)
        party = await tx.get(Party, export.party) if export else None
        if party is None:
            raise NotFound
        if track.id not in _ids(await for_person(app, tx, party, recording)):
            raise Conflict("Something in it may not be given out any more. Ask for a new export.")
        return
    if row.why == ADMIN:
        await restricting.check(tx, recording, row.purpose)
        if row.purpose in await keeping.expired(tx, recording, app.clock.now_ms()):
            raise PurposeExpired
        allowed = await for_admin(tx, recording)
    else:
        disclosure = await tx.get(Disclosure, row.what)
        if disclosure is None:
            raise NotFound
        allowed = await for_disclosure(app, tx, disclosure, recording)
    if track.id not in _ids(allowed):
        raise ConsentRequired("It may not be given out any more.")


def _ids(found: Iterable[TrackRecord]) -> set[str]:
    return {track.id for track in found}


async def check_all(app: Services, tx: Reader, what: str) -> None:
    """:func:`check` for every track that was taken out for the export or disclosure ``what``."""
    for row in await tx.find(Taken, what=what, limit=MANY):
        recording = await tx.get(Recording, row.recording)
        for name in row.tracks:
            track = await tx.get(TrackRecord, name)
            if recording is None or track is None:
                raise Erased
            await check(app, tx, row, recording, track)


# --- what goes, and what goes with it


async def drop_exports(tx: Writer, party: str, *, but: bytes | None = None) -> list[str]:
    """Remove a party's exports, in the caller's transaction, except those that the key opens whose
    hash is ``but``; their ids. After the commit call :func:`gone` with them."""
    names = [one.id for one in await tx.find(Export, party=party, limit=MANY) if one.opens != but]
    for name in names:
        await tx.remove(Export, id=name)
    return names


async def gone(app: Services, names: Collection[str]) -> None:
    """After the commit: keys and parcels of what is removed. A parcel that cannot be
    removed now opens to nobody, and is swept at the next start."""
    for name in names:
        app.building.over(name)
    for name in names:
        try:
            await app.parcels.remove(name)
        except AvsessionError as error:
            log.warning("a parcel is removed later: %s", error.code)


async def forget(app: Services, tx: Writer, party: Party) -> list[str]:
    """The person is erased: what was prepared before, with words about them in it, goes; its ids.

    The other party's exports, too: they can have new ones, without this person. A package for a
    recipient stays if it is about the other party alone; what was done stays written down, and one
    that is still being built fails. After the commit call :func:`gone` with the ids.
    """
    names = []
    for one in await tx.find(Party, session=party.session, limit=MANY):
        names += await drop_exports(tx, one.id)
    for row in await tx.find(Disclosure, session=party.session, gone_ms=None, limit=MANY):
        others = row.scope == "party" and row.target != party.id
        if not others and row.state in ("ready", "waiting"):
            building = row.state == "waiting"
            gone_ms = None if building else app.clock.now_ms()
            await tx.put(replace(row, state="failed" if building else row.state, gone_ms=gone_ms))
            names.append(row.id)
    return names


async def drop_packages(app: Services, recording: str, destroyed: Collection[str]) -> None:
    """Delete the packages of disclosures that hold any of these tracks of a recording.

    What was done stays written down. Raises Unavailable: try again.
    """
    async with app.store.read() as tx:
        rows = await tx.find(Taken, recording=recording, why=DISCLOSURE, limit=MANY)
    for name in {row.what for row in rows if not set(destroyed).isdisjoint(row.tracks)}:
        await app.parcels.remove(name)
        async with app.store.write() as tx:
            one = await tx.get(Disclosure, name)
            # one that is still being built sees by itself that the track is gone
            if one is not None and one.state == "ready" and one.gone_ms is None:
                await tx.put(replace(one, gone_ms=app.clock.now_ms()))
