"""Preparing exports and disclosures, one after the other, beside everything else.

What is interrupted (the server stops, or dies) begins again by itself at the next start: what waits
stands in the database, with the public key that it is sealed to. Nothing half done can be
downloaded.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from avsession.audit import receipt as receipt_files
from avsession.errors import (
    AvsessionError,
    Conflict,
    ManifestBroken,
    NotFound,
    RecordingTruncated,
    Unavailable,
)
from avsession.export_records import Disclosure, Export, Taken
from avsession.privacy import export as schema
from avsession.privacy import export_page
from avsession.privacy.recipe import File, Recipe, as_json, document, pack, recipe
from avsession.records import Certificate, ConsentEvent, Recording, TrackRecord
from avsession.sealing import parcel
from avsession.sealing.open import VirtualFile
from avsession.session import Party
from avsession.usecases import (
    disclosing,
    disclosures,
    exportlog,
    exports,
    gathering,
    receipts,
    taking,
)
from avsession.usecases.packing import measured_all
from avsession.usecases.services import Services

log = logging.getLogger("avsession.preparing")

EVERY_S = 60.0
"""How often what waits is looked for without having been told."""
RETRY_S = 5.0
"""After how long it is tried again when a part of the system was not there."""
MOST_RECEIPTS = 2000
"""Receipts of one export."""


async def keep_preparing(app: Services) -> None:
    """Until it is cancelled. A failure of one export does not keep the others."""
    await app.parcels.tidy()
    await exports.sweep(app)
    while True:
        app.building.wanted.clear()
        try:
            while await prepare_next(app):
                pass
        except Unavailable as error:
            log.warning("preparing waits: %s", error.code)
            await asyncio.sleep(RETRY_S)
            continue
        except Exception:
            log.exception("preparing failed")  # what waits is looked for again, though later
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_S):
                await app.building.wanted.wait()


async def prepare_next(app: Services) -> bool:
    """Prepare the next that waits; False when nothing does.

    What cannot be prepared now keeps nobody else waiting: it goes to the back. Raises Unavailable
    when there is only such.
    """
    late: Unavailable | None = None
    async with app.store.read() as tx:
        rows = await tx.find(
            Export, state=exports.WAITING, order="requested_ms", limit=exports.MOST
        )
    for row in sorted(rows, key=lambda one: app.building.turn(one.id)):
        try:
            await _export(app, row)
        except Unavailable as error:
            app.building.later(row.id)
            late = error
        else:
            return True
    async with app.store.read() as tx:
        found = await tx.find(
            Disclosure, state=exports.WAITING, order="made_ms", limit=disclosures.MAX_WAITING
        )
    for disclosure in found:
        try:
            await disclosing.prepare(app, disclosure)
        except Unavailable as error:
            late = error
        else:
            return True
    if late is not None:
        raise late
    return False


async def _export(app: Services, row: Export) -> None:
    try:
        made = await prepare(app, row)
        await app.parcels.put(row.id, parcel.seal(row.seals_to or b"", row.id, pack(made)))
        size = made.archive.size
        kept = await exports.settle(app, row, exports.READY, size=size, digest=made.digest)
    except Unavailable:
        raise
    except Exception as error:
        known = error.code if isinstance(error, AvsessionError) else None
        log.error("an export failed: %s", known, exc_info=None if known else error)
        await exports.settle(app, row, exports.FAILED)
        kept = False
    app.building.over(row.id)
    if not kept:
        await app.parcels.remove(row.id)


async def prepare(app: Services, row: Export) -> Recipe:
    """The export's recipe: every document, and every track measured. Raises ExportUnbound, before
    anything is opened, when the log does not say that just this is to be made; NotFound when the
    person was erased meanwhile, Unavailable."""
    async with app.store.read() as tx:
        await exportlog.check_waiting(tx, row)
    media = await _media(app, row)
    async with app.store.read() as tx:
        party = await tx.get(Party, row.party)
        if party is None:
            raise NotFound
        said = await gathering.document(app, tx, row, {file.track: file.name for file in media})
        events = await tx.find(ConsentEvent, party=party.id, order="leaf", limit=MOST_RECEIPTS)
        recordings = await tx.find(Recording, session=party.session, order="created_ms")
        certificates = [
            one
            for recording in recordings
            for one in await tx.find(Certificate, recording=recording.id, order="decided_ms")
            if one.done_ms is not None
        ]
    files = [document("data.json", as_json(said), "application/json", schema.SCHEMA)]
    for event in events:
        if event.kind in receipt_files.ACTIONS:
            name = f"receipts/{event.kind}-{event.id[4:12]}.html"
            files.append(_receipt(name, await receipts.event_receipt(app, party.id, event.id)))
    for one in certificates:
        name = f"certificates/{one.id[4:12]}"
        data = as_json(one.document)
        files.append(document(f"{name}.json", data, "application/json", "avsession.certificate.v1"))
        made = await receipts.certificate_receipt(app, party.id, one.id)
        files.append(_receipt(f"{name}.html", made))
    files += [
        document(
            f"schemas/{name}.json", as_json(schema.json_schema(name)), "application/schema+json"
        )
        for name in schema.SCHEMAS
    ]
    files += media
    page = export_page.page(said, files)
    files.insert(0, document("index.html", page.encode(), "text/html"))
    return recipe("export", row.id, app.clock.now_ms(), files)


def _receipt(name: str, made: receipt_files.Receipt) -> File:
    return document(name, receipt_files.render(made).encode(), "text/html", receipt_files.VERSION)


async def _media(app: Services, row: Export) -> list[File]:
    """Every track that may go along, measured; one that is destroyed or damaged is left out."""
    async with app.store.read() as tx:
        taken = await tx.find(Taken, what=row.id, order="at_ms")
        found = [
            (one, await tx.get(TrackRecord, track), one.recording)
            for one in taken
            for track in one.tracks
        ]
        roles = {
            track.id: str(party.role)
            for _, track, _ in found
            if track is not None and (party := await tx.get(Party, track.party)) is not None
        }
    opened: list[tuple[str, str, str, VirtualFile]] = []
    for one, track, recording in found:
        if track is None:
            continue
        name = f"recordings/{recording}/{roles.get(track.id, 'nobody')}.webm"
        try:
            file = await taking.track_file(app, one.id, track.id, row.expires_ms)
        except (Conflict, NotFound, RecordingTruncated, ManifestBroken) as error:
            log.warning("a track is not in an export: %s", error.code)
            continue
        opened.append((name, one.id, track.id, file))
    return await measured_all(app, row.id, opened)
