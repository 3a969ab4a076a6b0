"""A person's own export: asked for by the private link, prepared in the background, downloaded.

While it is prepared, every track is read once for its digests. What is kept is a parcel of
documents, sealed to a key that only the private link's secret opens, and no media at all: the
archive is a matter of arithmetic (``privacy.archive``), and any range of it is made again from the
sealed segments. So a download can be interrupted and taken up, and a track that is destroyed
meanwhile is gone from here, too.

Neither a hold, nor a restriction, nor an open choice after a withdrawal keeps people from what is
their own. The other party's track goes along only if ``export.other_party`` says so, and then only
while nobody has taken back the consent that covers it.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from msgspec.structs import replace

from avsession.audit.verify_exports import asked_refs
from avsession.errors import Conflict, Erased, NotFound, TooMany
from avsession.export_records import Disclosure, Export, Taken
from avsession.ports import Reader, Writer
from avsession.privacy import retention
from avsession.privacy.recipe import File, Recipe, unpack
from avsession.records import Recording, TrackRecord
from avsession.sealing import parcel
from avsession.sealing.open import VirtualFile
from avsession.session import Party, new_id
from avsession.usecases import exportlog, mydata, outgoing, taking
from avsession.usecases.common import leaf, load
from avsession.usecases.packing import Package
from avsession.usecases.services import Services
from avsession.usecases.tokens import secret_hash

log = logging.getLogger("avsession.exports")

DAY_MS = 86_400_000
TOLD_MS = retention.EXPORT_TOLD_DAYS * DAY_MS
"""How long after its time somebody is told what became of an export."""
WAITING, READY, FAILED, EXPIRED = "waiting", "ready", "failed", "expired"
ALIVE = (WAITING, READY)
MOST = 1000
"""Exports of everybody that may wait at once."""


def view(app: Services, row: Export) -> dict[str, Any]:
    """An export as its person sees it. ``done`` and ``total`` are bytes of media read so far."""
    done, total = app.building.progress(row.id)
    return {
        "export": row.id,
        "state": row.state,
        "requested_ms": row.requested_ms,
        "expires_ms": row.expires_ms,
        "size": row.size,
        "digest": row.digest,
        "done": done,
        "total": total,
    }


async def listed(app: Services, secret: str) -> dict[str, Any]:
    """The person's exports, oldest first, and for a while what became of those that failed or
    whose time is over. Raises LinkSpent."""
    party = await mydata.holder(app, secret)
    async with app.store.read() as tx:
        rows = await _own(tx, party, parcel.download_key(secret))
    settings = app.settings.export
    return {
        "exports": [view(app, row) for row in rows],
        "at_once": settings.at_once,
        "keep_days": settings.keep_days,
        "other_party": settings.other_party,
    }


async def _own(tx: Reader, party: Party, key: str) -> list[Export]:
    """Those that this very link opens: another link of the same person's has other keys."""
    opens = secret_hash(key)
    return await tx.find(Export, party=party.id, opens=opens, order="requested_ms")


async def start(app: Services, secret: str, language: str) -> dict[str, Any]:
    """Ask for an export; it is prepared in the background.

    What it takes out of recordings is in the log before anything is opened. What was told of
    earlier ones that failed, or are over, goes. Raises LinkSpent, Conflict while one is being
    prepared, TooMany when there are ``export.at_once`` already, or :data:`MOST` of everybody wait.
    """
    party = await mydata.holder(app, secret)
    if not app.limits.exports.take(party.id, app.clock.now_ms()):
        raise TooMany
    key = parcel.download_key(secret)
    now = app.clock.now_ms()
    async with app.store.write() as tx:
        session, fresh = await load(tx, party.id)
        # an older link's exports open to nobody any more
        dropped = await outgoing.drop_exports(tx, party.id, but=secret_hash(key))
        rows = await tx.find(Export, party=party.id)
        if any(row.state == WAITING for row in rows):
            raise Conflict("An export is being prepared already.")
        if sum(row.state in ALIVE for row in rows) >= app.settings.export.at_once:
            raise TooMany("There are several exports already. Remove one first.")
        if await tx.count(Export, state=WAITING) >= MOST:
            raise TooMany
        for over in rows:
            if over.state not in ALIVE:
                await tx.remove(Export, id=over.id)
        name = new_id("exp", app.entropy)
        row = Export(
            id=name,
            party=party.id,
            language=language,
            opens=secret_hash(key),
            seals_to=parcel.public_key(key, name),
            state=WAITING,
            requested_ms=now,
            expires_ms=now + app.settings.export.keep_days * DAY_MS,
        )
        await tx.add(row)
        refs = asked_refs(row)
        await leaf(app, tx, "privacy.requested", session=session, subject=fresh, refs=refs)
        for recording in await tx.find(Recording, session=session.id, order="created_ms"):
            found = await outgoing.for_person(app, tx, fresh, recording)
            if found:
                await taking.take(
                    app, tx, recording, found, why="person", what=row.id, subject=fresh
                )
    await outgoing.gone(app, dropped)
    app.building.want()
    return view(app, row)


async def allow(app: Services, secret: str, export: str) -> tuple[dict[str, Any], str]:
    """The export, and the key that downloads it. Raises LinkSpent, NotFound, Conflict."""
    party = await mydata.holder(app, secret)
    key = parcel.download_key(secret)
    async with app.store.read() as tx:
        row = await tx.get(Export, export)
    if row is None or row.party != party.id or row.opens != secret_hash(key):
        raise NotFound
    if row.state != READY:
        raise Conflict("The export is not ready.")
    return view(app, row), key


async def remove(app: Services, secret: str, export: str) -> dict[str, Any]:
    """Delete an export before its time. Raises LinkSpent, NotFound."""
    party = await mydata.holder(app, secret)
    async with app.store.write() as tx:
        row = await tx.get(Export, export)
        if row is None or row.party != party.id:
            raise NotFound
        await tx.remove(Export, id=export)
    app.building.over(export)
    await app.parcels.remove(export)
    return {"export": export, "state": "removed"}


async def file(app: Services, export: str, key: str) -> tuple[Export, Package]:
    """The archive, ready to be read in any range.

    Raises NotFound when there is no such export for this key, or its time is over; ExportUnbound,
    one of them, when the log says otherwise; Erased when a track in it was destroyed since, so that
    it cannot be made again; Conflict when the other party's, which is in it, may not be given out
    any more.
    """
    now = app.clock.now_ms()
    async with app.store.read() as tx:
        row = await tx.get(Export, export)
        if row is None or row.opens != secret_hash(key) or row.state != READY:
            raise NotFound
        if row.expires_ms <= now:
            raise NotFound
        try:
            await exportlog.check_ready(tx, row)
        except exportlog.ExportUnbound as error:
            log.error("an export is not given out: %s", error.code)
            raise
    recipe = await _recipe(app, row, key)
    await _whole(app, recipe)
    return row, package(app, recipe, row.expires_ms)


async def _recipe(app: Services, row: Export, key: str) -> Recipe:
    plain = parcel.open_parcel(key, row.id, await app.parcels.get(row.id))
    try:
        recipe = unpack(plain)
    except msgspec.DecodeError:
        raise NotFound from None
    if recipe.digest != row.digest:
        raise NotFound
    return recipe


async def _whole(app: Services, recipe: Recipe) -> None:
    """Raise Erased or Conflict when a track of it is not there, or not to be had, any more."""
    async with app.store.read() as tx:
        for one in recipe.files:
            if not one.track:
                continue
            track = await tx.get(TrackRecord, one.track)
            row = await tx.get(Taken, one.taken)
            recording = await tx.get(Recording, row.recording) if row else None
            if track is None or row is None or recording is None:
                raise Erased
            await outgoing.check(app, tx, row, recording, track)


def package(app: Services, recipe: Recipe, until_ms: int) -> Package:
    """The archive of a recipe, whose tracks are opened under what was written down for them."""

    async def opened(one: File) -> VirtualFile:
        return await taking.track_file(app, one.taken, one.track, until_ms)

    return Package(recipe, opened)


async def settle(app: Services, row: Export, state: str, **fields: Any) -> bool:
    """Write down what became of an export; False when it was removed meanwhile."""
    async with app.store.write() as tx:
        fresh = await tx.get(Export, row.id)
        if fresh is None or fresh.state != WAITING:
            return False
        await _answer(app, tx, fresh, state, **fields)
    return True


async def _answer(app: Services, tx: Writer, row: Export, state: str, **fields: Any) -> None:
    try:
        session, party = await load(tx, row.party)
    except NotFound:
        # written, or its person removed, behind the server: there is nobody to tell, and a row
        # that points nowhere cannot be changed
        log.error("an export is of nobody: it is removed")
        await tx.remove(Export, id=row.id)
        return
    await tx.put(replace(row, state=state, **fields))
    refs = {"right": "export", "export": row.id, "state": state}
    refs |= {name: fields[name] for name in ("digest",) if name in fields}
    await leaf(
        app, tx, "privacy.answered", session=session, subject=party, actor="server", refs=refs
    )


async def expire(app: Services) -> None:
    """Delete what may be downloaded no longer; its person is told so for a while, and then nothing
    is left of it."""
    now = app.clock.now_ms()
    async with app.store.read() as tx:
        due = [
            row
            for state in ALIVE
            for row in await tx.find(
                Export, state=state, order="expires_ms", below=now + 1, limit=100
            )
        ]
        told = await tx.find(Export, order="expires_ms", below=now - TOLD_MS + 1, limit=100)
    for row in due:
        # the parcel first: what is left of an interruption is still found by its row
        app.building.over(row.id)
        await app.parcels.remove(row.id)
        async with app.store.write() as tx:
            await over(app, tx, row.id)
    for row in told:
        async with app.store.write() as tx:
            await tx.remove(Export, id=row.id)


async def over(app: Services, tx: Writer, export: str) -> bool:
    """The time of an export is over, and its parcel was removed: its person is told. False when
    that was so before."""
    row = await tx.get(Export, export)
    if row is None or row.state not in ALIVE:
        return False
    if row.state == WAITING:
        await _answer(app, tx, row, FAILED)
    else:
        await tx.put(replace(row, state=EXPIRED))
    return True


async def sweep(app: Services) -> None:
    """Delete parcels of exports that are gone: their person was erased, or has a new link; and of
    disclosures whose package is marked gone, or was never made."""
    for name in await app.parcels.names():
        async with app.store.read() as tx:
            if name.startswith("exp_"):
                known = await tx.get(Export, name) is not None
            elif (row := await tx.get(Disclosure, name)) is not None:
                known = row.state == WAITING or (row.state == READY and row.gone_ms is None)
            else:
                known = not name.startswith("dis_")
        if not known:
            await app.parcels.remove(name)
